//! What `make install` lays out, for tests that look at it or boot it.
//!
//! Runs the Makefile as a packager would, on a program that is built already; knows nothing
//! of what is installed.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::need;

/// Files installed below a temporary directory.
#[derive(Debug)]
pub struct Installation {
    work: TempDir,
    prefix: String,
    destdir: String,
}

impl Installation {
    /// Installs `program` with the temporary directory as prefix, so that the paths written
    /// into the files exist.
    ///
    /// # Errors
    /// Why it cannot be done here.
    pub fn with_own_prefix(program: &Path) -> Result<Installation, String> {
        let work = prepare(program)?;
        let prefix = work.path().join("usr").display().to_string();
        Installation::make_in(work, prefix, String::new())
    }

    /// Installs `program` with prefix `/usr` below a staging directory, as packages are made.
    ///
    /// # Errors
    /// Why it cannot be done here.
    pub fn staged(program: &Path) -> Result<Installation, String> {
        let work = prepare(program)?;
        let destdir = work.path().join("stage").display().to_string();
        Installation::make_in(work, "/usr".to_owned(), destdir)
    }

    fn make_in(work: TempDir, prefix: String, destdir: String) -> Result<Installation, String> {
        let installation = Installation {
            work,
            prefix,
            destdir,
        };
        installation.make("install")?;
        Ok(installation)
    }

    /// Takes the files away again, by `make uninstall`.
    ///
    /// # Errors
    /// What make said.
    pub fn uninstall(&self) -> Result<(), String> {
        self.make("uninstall")
    }

    /// A directory for whatever the test needs.
    #[must_use]
    pub fn work_dir(&self) -> &Path {
        self.work.path()
    }

    /// The directory that corresponds to the prefix.
    #[must_use]
    pub fn prefix(&self) -> PathBuf {
        PathBuf::from(format!("{}{}", self.destdir, self.prefix))
    }

    /// The folders that are left below those of every prefix, such as `share`.
    ///
    /// # Errors
    /// Those of reading directories.
    pub fn folders(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for top in fs::read_dir(self.prefix())? {
            for entry in fs::read_dir(top?.path())? {
                found.push(entry?.path());
            }
        }
        Ok(found)
    }

    /// Every installed file: where it is, and where it belongs in the system.
    ///
    /// # Errors
    /// Those of reading directories.
    pub fn files(&self) -> io::Result<Vec<(PathBuf, PathBuf)>> {
        let mut found = Vec::new();
        // A staging directory holds more than the prefix: what belongs into /etc.
        let top = if self.destdir.is_empty() {
            self.prefix()
        } else {
            PathBuf::from(&self.destdir)
        };
        files_below(&top, &mut found)?;
        Ok(found
            .into_iter()
            .map(|file| {
                let inside = file
                    .strip_prefix(&self.destdir)
                    .map(|rest| Path::new("/").join(rest));
                (file.clone(), inside.unwrap_or(file))
            })
            .collect())
    }

    fn make(&self, target: &str) -> Result<(), String> {
        let done = Command::new("make")
            .arg(target)
            .arg(format!("PREFIX={}", self.prefix))
            .arg(format!("DESTDIR={}", self.destdir))
            .arg(format!("BINARY={}", built_in(&self.work).display()))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .env_remove("MAKEFLAGS")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run make: {error}"))?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!(
            "make {target}: {}",
            String::from_utf8_lossy(&done.stderr)
        ))
    }
}

/// The program that is installed.
fn built_in(work: &TempDir) -> PathBuf {
    work.path().join("virtbusd")
}

/// A directory with `program`, which is installed from there: whoever builds meanwhile changes nothing.
fn prepare(program: &Path) -> Result<TempDir, String> {
    need::program("make")?;
    let prepared = || {
        let work = tempfile::tempdir()?;
        fs::copy(program, built_in(&work))?;
        fs::set_permissions(built_in(&work), fs::Permissions::from_mode(0o755))?;
        Ok(work)
    };
    prepared().map_err(|error: io::Error| format!("cannot stage the program: {error}"))
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files_below(&entry.path(), found)?;
        } else {
            found.push(entry.path());
        }
    }
    Ok(())
}
