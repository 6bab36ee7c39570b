//! One daemon per state directory.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::FileError;

/// An exclusive lock on a directory, held until dropped or until the process ends, however it
/// ends. It leaves no file behind, and programs that are started do not inherit it.
#[derive(Debug)]
pub struct DirLock {
    path: PathBuf,
    _dir: File,
}

impl DirLock {
    /// Takes the lock, without waiting.
    ///
    /// # Errors
    ///
    /// [`FileError::Locked`] if another process, or another part of this one, holds it.
    pub fn acquire(path: &Path) -> Result<Self, FileError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| FileError::io("open directory", path, errno))?;
        match rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _dir: File::from(dir),
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(FileError::Locked {
                path: path.to_owned(),
            }),
            Err(errno) => Err(FileError::io("lock", path, errno)),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_exclusive_and_ends_with_its_value() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DirLock::acquire(dir.path()).unwrap();
        assert!(matches!(
            DirLock::acquire(dir.path()),
            Err(FileError::Locked { .. })
        ));
        drop(lock);
        DirLock::acquire(dir.path()).unwrap();
    }
}
