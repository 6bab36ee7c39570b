//! A file of a guest, held by an `O_PATH` descriptor from the look at it until its owner is changed, with what the walk to it
//! passed. Whoever owns a directory on the way may put something else into the file's place meanwhile; that is not touched.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};
use virtbus_util::file::{self, Owner, WalkError};

use super::access::{self, Claim, Identity, Kind};
use super::{DacError, open_error};

/// A file, held.
#[derive(Debug)]
pub(super) struct Target {
    /// The path that led here.
    pub(super) path: PathBuf,
    fd: OwnedFd,
    facts: Stat,
    network: bool,
    /// Whether owners can be believed on its file system.
    is_trusted: bool,
    /// The directories on the way, the last one being that of the file.
    dirs: Vec<PassedDir>,
}

#[derive(Debug)]
struct PassedDir {
    path: PathBuf,
    facts: Stat,
    has_acl: bool,
}

/// Walks to the file.
pub(super) fn open(path: &Path) -> Result<Target, DacError> {
    if !path.is_absolute() {
        return Err(DacError::NotAbsolute {
            path: path.to_owned(),
        });
    }
    let found = file::walk(path).map_err(|error| match error {
        WalkError::Open { source, .. } => open_error(path, source),
        WalkError::ForeignLink { link, uid } => DacError::UnsafeLink {
            path: path.to_owned(),
            link,
            uid,
        },
        error @ WalkError::LinkOnMedium { .. } => DacError::Medium {
            path: path.to_owned(),
            source: error,
        },
    })?;
    let network = rustix::fs::fstatfs(&found.fd)
        .map(|facts| access::is_network(facts.f_type))
        .map_err(|errno| open_error(path, errno))?;
    let is_trusted = found.dirs.last().is_some_and(|dir| dir.is_trusted);
    let dirs = found.dirs.into_iter().map(|dir| PassedDir {
        has_acl: rustix::fs::getxattr_query(magic_path(&dir.fd), "system.posix_acl_access").is_ok(),
        path: dir.path,
        facts: dir.facts,
    });
    Ok(Target {
        path: path.to_owned(),
        dirs: dirs.collect(),
        fd: found.fd,
        facts: found.facts,
        network,
        is_trusted,
    })
}

fn magic_path(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

impl Target {
    /// Looks at the same file again.
    pub(super) fn refresh(&mut self) -> Result<(), DacError> {
        self.facts = rustix::fs::fstat(&self.fd).map_err(|errno| open_error(&self.path, errno))?;
        Ok(())
    }

    pub(super) fn facts(&self) -> &Stat {
        &self.facts
    }

    pub(super) fn owner(&self) -> Owner {
        Owner {
            uid: self.facts.st_uid,
            gid: self.facts.st_gid,
        }
    }

    /// Device and inode.
    pub(super) fn id(&self) -> (u64, u64) {
        (self.facts.st_dev, self.facts.st_ino)
    }

    /// Another descriptor of the same kind.
    pub(super) fn duplicate(&self) -> Result<OwnedFd, DacError> {
        self.fd
            .try_clone()
            .map_err(|error| open_error(&self.path, error))
    }

    /// The same as the kernel says now: some file systems give a file another number when its owner is changed.
    pub(super) fn id_now(&self) -> Result<(u64, u64), DacError> {
        let facts = rustix::fs::fstat(&self.fd).map_err(|errno| open_error(&self.path, errno))?;
        Ok((facts.st_dev, facts.st_ino))
    }

    pub(super) fn kind(&self) -> Kind {
        access::kind(&self.facts)
    }

    /// Whether owners, and what files remember of them, can be believed on its file system.
    pub(super) const fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Whether other hosts may see the file.
    pub(super) fn is_on_network(&self) -> bool {
        self.network
    }

    /// A path that leads to this very file for as long as this value lives, for calls that do not
    /// take `O_PATH` descriptors.
    pub(super) fn magic_path(&self) -> PathBuf {
        magic_path(&self.fd)
    }

    /// The first directory on the way that does not let `identity` through. One with an access
    /// control list has the benefit of the doubt.
    pub(super) fn first_unsearchable(&self, identity: &Identity) -> Option<&Path> {
        self.dirs
            .iter()
            .find(|dir| !dir.has_acl && !access::allows(&dir.facts, identity, Claim::Search))
            .map(|dir| dir.path.as_path())
    }

    /// Refuses a file with several names if its directory can be written by somebody else than root, the daemon and the file's
    /// owner, `previous`: who can write there may have made a hard link to somebody else's file.
    pub(super) fn check_names(&self, previous: u32) -> Result<(), DacError> {
        if FileType::from_raw_mode(self.facts.st_mode) != FileType::RegularFile
            || self.facts.st_nlink <= 1
        {
            return Ok(());
        }
        let own = rustix::process::geteuid().as_raw();
        let is_safe = |dir: &PassedDir| {
            [0, own, previous].contains(&dir.facts.st_uid) && dir.facts.st_mode & 0o022 == 0
        };
        match self.dirs.last() {
            Some(dir) if !is_safe(dir) => Err(DacError::HardLink {
                path: self.path.clone(),
                dir: dir.path.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
