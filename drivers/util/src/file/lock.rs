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

    /// The process that holds the lock on this directory, as far as the kernel tells (`/proc/locks`, proc(5)): nothing if nobody holds
    /// it, or somebody in another PID namespace does.
    pub fn holder(path: &Path) -> Option<i32> {
        let facts = rustix::fs::stat(path).ok()?;
        let file = format!(
            "{:02x}:{:02x}:{}",
            rustix::fs::major(facts.st_dev),
            rustix::fs::minor(facts.st_dev),
            facts.st_ino
        );
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let holder = |line: &str| {
            // "1: FLOCK  ADVISORY  WRITE 1234 fe:00:123456 0 EOF"
            let mut fields = line.split_whitespace().skip(1);
            let is_flock = fields.next() == Some("FLOCK");
            let pid = fields.nth(2)?.parse().ok()?;
            (is_flock && fields.next() == Some(file.as_str()) && pid > 0).then_some(pid)
        };
        locks.lines().find_map(holder)
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
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(DirLock::holder(dir.path()), Some(own));
        drop(lock);
        assert_eq!(DirLock::holder(dir.path()), None);
        DirLock::acquire(dir.path()).unwrap();
    }
}
