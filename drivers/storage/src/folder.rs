//! The directory of a pool, held open: what is done to its files is done by their names in it, and never by a path that somebody may lead elsewhere.
//! Everything here blocks.
//!
//! No link is followed, no pipe is waited for and no device is opened. Where others than root may change the directory, a file with a second name is
//! neither read nor written: it may be anybody's, who is not asked.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::file::{Place, walk_to_place};

use crate::error;

/// What names of files begin with that are not whole yet.
pub(crate) const TEMPORARY: &str = ".virtbus-";

/// The longest name of a file, bytes.
const LONGEST_NAME: usize = 255;

/// What a file system has, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Space {
    pub(crate) capacity: u64,
    pub(crate) available: u64,
}

impl Space {
    pub(crate) const fn allocation(self) -> u64 {
        self.capacity.saturating_sub(self.available)
    }
}

/// What is done with the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The directory of a pool.
#[derive(Debug)]
pub(crate) struct Folder {
    place: Place,
    path: Arc<str>,
}

/// What names begin with of files that this daemon makes and that are not whole yet. A directory may be on a server, and daemons of other hosts may be
/// making volumes in it, which nobody but they may remove. Blocks.
pub(crate) fn own_temporary() -> String {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let id = id.trim();
    let host = if id.is_empty() {
        let name = rustix::system::uname();
        name.nodename().to_string_lossy().replace('/', "_")
    } else {
        id.to_owned()
    };
    let user = rustix::process::geteuid().as_raw();
    let host: String = host.chars().take(32).collect();
    format!("{TEMPORARY}{host}-{user}-")
}

/// Whether a file may be called so in a directory.
///
/// # Errors
/// What is wrong with the name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "it is empty"
    } else if name.contains('/') {
        "it has a '/' in it"
    } else if name == "." || name == ".." {
        "it means a directory"
    } else if name.chars().any(char::is_control) {
        "it has a control character in it"
    } else if name.len() > LONGEST_NAME {
        "it is longer than 255 bytes"
    } else if name.starts_with(TEMPORARY) {
        "it begins like those of unfinished volumes"
    } else {
        return Ok(());
    };
    let message = format!(
        "'{}' cannot be the name of a volume: {wrong}",
        name.escape_debug()
    );
    Err(error::refused(ErrorCode::InvalidArg, message))
}

impl Folder {
    /// Opens a directory by its absolute path. Links on the way are followed if they are root's.
    ///
    /// # Errors
    /// With the path, and what refuses.
    pub(crate) fn open(path: &str) -> Result<Self> {
        let failed = |error: &dyn std::error::Error| {
            let error = Error::chain(ErrorCode::OperationFailed, ErrorDomain::Storage, error);
            error::while_doing(format!("directory '{path}' cannot be used"), error)
        };
        if !path.starts_with('/') {
            let message = format!("the target path '{path}' of a pool is not absolute");
            return Err(error::refused(ErrorCode::InvalidArg, message));
        }
        // The place of a file in it.
        let place = walk_to_place(&Path::new(path).join("volume")).map_err(|why| failed(&why))?;
        let kind = FileType::from_raw_mode(place.dir.facts.st_mode);
        if kind != FileType::Directory {
            return Err(failed(&io::Error::from(io::ErrorKind::NotADirectory)));
        }
        Ok(Self {
            place,
            path: path.into(),
        })
    }

    /// Its path, as it was opened.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is the same directory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.place.dir_id() == other.place.dir_id()
    }

    /// By which path the kernel finds what is held.
    pub(crate) fn held_path(&self) -> String {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.place.dir.fd);
        format!("/proc/self/fd/{fd}")
    }

    /// The names in it.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.place.dir.fd, c".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(std::os::unix::ffi::OsStringExt::from_vec(name.to_vec()));
            }
        }
        Ok(names)
    }

    /// What the kernel says of a name, and of a link if it is one.
    pub(crate) fn facts(&self, name: &str) -> io::Result<Option<Stat>> {
        self.place.facts(OsStr::new(name))
    }

    /// What its file system has.
    pub(crate) fn space(&self) -> io::Result<Space> {
        let facts = rustix::fs::fstatvfs(&self.place.dir.fd)?;
        Ok(Space {
            capacity: facts.f_frsize.saturating_mul(facts.f_blocks),
            available: facts.f_frsize.saturating_mul(facts.f_bavail),
        })
    }

    /// Whether a file in here may be read or written for somebody who may use the pool.
    pub(crate) fn may_use(&self, facts: &Stat) -> bool {
        self.place.is_closed || facts.st_nlink <= 1
    }

    /// Opens the file of a volume.
    ///
    /// # Errors
    /// With the volume, and what is against it.
    pub(crate) fn file(&self, name: &str, access: Access) -> Result<File> {
        let (flags, verb) = match access {
            Access::Read => (OFlags::RDONLY, "read"),
            Access::Write => (OFlags::RDWR, "written"),
        };
        let fault = |why: String| {
            let path = format!("{}/{name}", self.path.trim_end_matches('/'));
            error::failed(format!("volume '{path}' cannot be {verb}: {why}"))
        };
        if name.contains('/') || name == ".." {
            return Err(fault("it is not in the directory of its pool".to_owned()));
        }
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.place.dir.fd, name, flags, Mode::empty());
        let fd = opened.map_err(|errno| match errno {
            Errno::NOENT => error::refused(
                ErrorCode::NoStorageVol,
                format!("the file of volume '{name}' is gone; refresh the pool"),
            ),
            Errno::LOOP => fault("it is a symbolic link".to_owned()),
            other => fault(io::Error::from(other).to_string()),
        })?;
        let facts = rustix::fs::fstat(&fd).map_err(|errno| fault(errno.to_string()))?;
        if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
            return Err(fault("it is no regular file".to_owned()));
        }
        if !self.may_use(&facts) {
            return Err(fault(
                "the file has a second name, and others than root may write to its directory"
                    .to_owned(),
            ));
        }
        Ok(File::from(fd))
    }

    /// Makes a file that is to be read and written, with exactly these permission bits and owners.
    pub(crate) fn create(
        &self,
        name: &str,
        mode: u32,
        (owner, group): (Option<u32>, Option<u32>),
    ) -> io::Result<File> {
        // The owner first: nobody else could have it open with bits that are meant for another.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let dir = self.place.dir.fd.as_fd();
        let fd = rustix::fs::openat(dir, name, flags | OFlags::CLOEXEC, Mode::empty())?;
        let finish = || {
            if owner.is_some() || group.is_some() {
                let owner = owner.map(rustix::fs::Uid::from_raw);
                rustix::fs::fchown(&fd, owner, group.map(rustix::fs::Gid::from_raw))?;
            }
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))
        };
        if let Err(errno) = finish() {
            let _ = self.remove(name);
            return Err(errno.into());
        }
        Ok(File::from(fd))
    }

    /// Gives a file the name of a volume, which nothing may have.
    pub(crate) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.place.rename_new(OsStr::new(from), OsStr::new(to))
    }

    /// Removes a file; `false` if there is none.
    pub(crate) fn remove(&self, name: &str) -> io::Result<bool> {
        self.place.remove(OsStr::new(name))
    }

    /// Removes an empty directory; `false` if there is none.
    pub(crate) fn remove_dir(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.place.dir.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes what unfinished volumes left whose names begin so.
    pub(crate) fn sweep(&self, prefix: &str) -> io::Result<()> {
        for name in self.names()? {
            if let Some(name) = name.to_str()
                && name.starts_with(prefix)
            {
                self.remove(name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn names_that_leave_the_directory_are_none() {
        for name in ["", "a/b", "..", ".", "a\nb", &"x".repeat(256), ".virtbus-1"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["a", ".hidden", "disk 1.qcow2", "-x", "ä"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn no_link_leads_out_of_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("pool")).unwrap();
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(at("pool"), everybody).unwrap();
        std::fs::write(at("secret"), "secret").unwrap();
        symlink(at("secret"), at("pool/link")).unwrap();
        std::fs::hard_link(at("secret"), at("pool/hard")).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        let fifo = FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, at("pool/fifo"), fifo, mode, 0).unwrap();
        std::fs::write(at("pool/file"), "mine").unwrap();
        let folder = Folder::open(at("pool").to_str().unwrap()).unwrap();
        for name in ["link", "hard", "fifo", "../secret", ".."] {
            for access in [Access::Read, Access::Write] {
                assert!(folder.file(name, access).is_err(), "{name}");
            }
        }
        assert!(folder.file("file", Access::Write).is_ok());
    }
}
