//! Mounts that tests make where something is to go wrong.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, mount};

use crate::need;

/// Something that is mounted, and unmounted when dropped.
#[derive(Debug)]
#[must_use = "it is unmounted when dropped"]
pub struct Mount {
    at: PathBuf,
    /// The end of a file system at which nobody answers.
    server: Option<File>,
}

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

    /// A file system whose server is there and never answers: whoever looks at anything in it waits until this is dropped.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub fn silent(at: &Path) -> Result<Self, String> {
        need::root()?;
        let server = File::options().read(true).write(true).open("/dev/fuse");
        let server = server.map_err(|error| format!("needs /dev/fuse: {error}"))?;
        let number = server.as_raw_fd();
        let options = format!("fd={number},rootmode=40000,user_id=0,group_id=0,allow_other");
        let options = std::ffi::CString::new(options).map_err(|error| error.to_string())?;
        mount("silent", at, "fuse", MountFlags::empty(), &*options)
            .map_err(|error| format!("needs to mount FUSE: {error}"))?;
        Ok(Self {
            at: at.to_owned(),
            server: Some(server),
        })
    }

    fn make(arguments: &[&Path], at: &Path) -> Result<Self, String> {
        need::root()?;
        need::program("mount")?;
        Self::run(arguments, at)?;
        Ok(Self {
            at: at.to_owned(),
            server: None,
        })
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
        // Nobody waits for it any more, `umount` least of all.
        self.server = None;
        // Lazily: the daemon may still be there if the test failed.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
