//! Mounts that tests make where something is to go wrong.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;

/// Something that is mounted, and unmounted when dropped.
#[derive(Debug)]
#[must_use = "it is unmounted when dropped"]
pub struct Mount(PathBuf);

impl Mount {
    /// A file system in memory of one megabyte.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub fn small(at: &Path) -> Result<Self, String> {
        let options = ["-t", "tmpfs", "-o", "size=1m", "small"];
        Self::make(options.map(Path::new).as_slice(), at)
    }

    /// A file mounted on itself: it can be written, but neither removed nor renamed.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub fn pinned(file: &Path) -> Result<Self, String> {
        Self::make(&[Path::new("--bind"), file], file)
    }

    /// A directory mounted on itself, in which nothing can be written.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub fn read_only(dir: &Path) -> Result<Self, String> {
        let mount = Self::make(&[Path::new("--bind"), dir], dir)?;
        let options = ["-o", "remount,bind,ro"].map(Path::new);
        Self::run(&options, dir)?;
        Ok(mount)
    }

    fn make(arguments: &[&Path], at: &Path) -> Result<Self, String> {
        need::root()?;
        need::program("mount")?;
        Self::run(arguments, at)?;
        Ok(Self(at.to_owned()))
    }

    fn run(arguments: &[&Path], at: &Path) -> Result<(), String> {
        let mounted = Command::new("mount").args(arguments).arg(at).status();
        match mounted {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("needs to mount something: {other:?}")),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the daemon may still be there if the test failed.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
