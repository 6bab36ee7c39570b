//! Files and directories that survive a crash of the daemon or the host.
//!
//! A file that is replaced is at every moment either whole as it was or whole as it is to be, and
//! what has been reported as done is on the disk. All functions block for as long as the disk
//! takes; call them on a blocking thread.
//!
//! Nothing here parses what it reads. Except for [`acting`] and [`walk()`], which are for paths that others choose, nothing guards
//! against an enemy who may write to the same directories: those belong to the daemon.

pub mod acting;
mod dir;
mod link;
mod lock;
mod medium;
mod place;
mod remove;
mod walk;
mod write;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use dir::{Owner, ensure_dir, list_dir, sweep_temporary};
pub use link::{is_link_to, link};
pub use lock::DirLock;
pub use remove::remove_dir;
pub use walk::{Dir, Found, Place, WalkError, walk, walk_to_place};
pub use write::{create_new, remove, rename, rename_new, replace, write_atomic};

/// What failed, with which path. Written so that "cannot" fits before the action.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The kernel or the disk refused.
    #[error("cannot {action} '{path}'")]
    Io {
        /// What was tried, such as "read" or "replace".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// The file is larger than the caller can take.
    #[error("'{path}' is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that was to be read.
        limit: u64,
    },
    /// Something is in the place that is not what should be there.
    #[error("'{path}' is not a {expected}")]
    WrongType {
        /// The place.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// Another process holds the lock.
    #[error("'{path}' is in use by another process")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
}

impl FileError {
    pub(crate) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// The kind of the kernel's answer; `Other` if it was not the kernel that refused.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io { source, .. } => source.kind(),
            Self::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            Self::Locked { .. } => io::ErrorKind::WouldBlock,
            Self::WrongType { .. } => io::ErrorKind::Other,
        }
    }

    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }
}

/// Reads a regular file whole, if it has at most `limit` bytes.
///
/// # Errors
///
/// [`FileError::WrongType`] for anything but a regular file (which is not waited for, so a FIFO
/// cannot hold the caller up), [`FileError::TooLarge`], [`FileError::Io`].
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = open_regular(path)?;
    let mut bytes = Vec::new();
    // One more than allowed, so that a file that grows meanwhile is noticed too.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| FileError::io("read", path, source))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

fn open_regular(path: &Path) -> Result<File, FileError> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|source| FileError::io("open", path, source))?;
    let facts = file
        .metadata()
        .map_err(|source| FileError::io("look at", path, source))?;
    if facts.is_file() {
        Ok(file)
    } else {
        Err(FileError::WrongType {
            path: path.to_owned(),
            expected: "regular file",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
        assert!(matches!(
            read_limited(&path, 4),
            Err(FileError::TooLarge { limit: 4, .. })
        ));
        assert!(
            read_limited(&dir.path().join("none"), 5)
                .unwrap_err()
                .is_not_found()
        );
    }

    #[test]
    fn read_only_regular_files() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        for path in [fifo.as_path(), dir.path(), Path::new("/dev/zero")] {
            assert!(matches!(
                read_limited(path, 5),
                Err(FileError::WrongType { .. })
            ));
        }
    }
}
