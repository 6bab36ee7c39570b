//! Getting hold of a file by its path so that the same file is looked at and changed, and not
//! what a symbolic link makes of the path in between.
//!
//! The path is walked component by component with `O_PATH` descriptors. That opens no device and
//! waits for no FIFO. Links are followed by hand, so that it is known whose they are.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use virtbus_util::file::Owner;

use super::access::{self, Claim, Identity, Kind};
use super::{DacError, open_error};

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;
/// As many components as fit into the kernel's longest path, through all links.
const MAX_COMPONENTS: usize = 4096;

/// A file, held.
#[derive(Debug)]
pub(super) struct Target {
    /// The path that led here.
    pub(super) path: PathBuf,
    fd: OwnedFd,
    facts: Stat,
    network: bool,
    /// The directories on the way.
    dirs: Vec<(PathBuf, Stat, bool)>,
    /// Links on the way that neither root nor the daemon's own user made.
    foreign_links: Vec<(PathBuf, u32)>,
}

/// Walks to the file.
pub(super) fn open(path: &Path) -> Result<Target, DacError> {
    if !path.is_absolute() {
        return Err(DacError::NotAbsolute {
            path: path.to_owned(),
        });
    }
    let mut walk = Walk::start(path).map_err(|errno| open_error(path, errno))?;
    let end = walk.finish().map_err(|errno| open_error(path, errno))?;
    let network = rustix::fs::fstatfs(&end.0)
        .map(|facts| access::is_network(facts.f_type))
        .map_err(|errno| open_error(path, errno))?;
    Ok(Target {
        path: path.to_owned(),
        fd: end.0,
        facts: end.1,
        network,
        dirs: walk.dirs,
        foreign_links: walk.foreign_links,
    })
}

impl Target {
    pub(super) fn facts(&self) -> &Stat {
        &self.facts
    }

    pub(super) fn owner(&self) -> Owner {
        Owner {
            uid: self.facts.st_uid,
            gid: self.facts.st_gid,
        }
    }

    pub(super) fn inode(&self) -> u64 {
        self.facts.st_ino
    }

    /// Device and inode.
    pub(super) fn id(&self) -> (u64, u64) {
        (self.facts.st_dev, self.facts.st_ino)
    }

    pub(super) fn kind(&self) -> Kind {
        access::kind(&self.facts)
    }

    /// Whether other hosts may see the file.
    pub(super) fn is_on_network(&self) -> bool {
        self.network
    }

    /// A path that leads to this very file for as long as this value lives, for calls that do not
    /// take `O_PATH` descriptors.
    pub(super) fn magic_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
    }

    /// The first directory on the way that does not let `identity` through. One with an access
    /// control list has the benefit of the doubt.
    pub(super) fn first_unsearchable(&self, identity: &Identity) -> Option<&Path> {
        self.dirs
            .iter()
            .find(|(_, facts, has_acl)| !has_acl && !access::allows(facts, identity, Claim::Search))
            .map(|(path, _, _)| path.as_path())
    }

    /// Refuses if a user's link led to a file that belonged to somebody else before it was given
    /// to guests, `previous`. If that was the guests' user, `given`, nothing is handed over.
    pub(super) fn check_links(&self, previous: u32, given: u32) -> Result<(), DacError> {
        match self.foreign_links.iter().find(|(_, uid)| *uid != previous) {
            Some((link, uid)) if previous != given => Err(DacError::UnsafeLink {
                path: self.path.clone(),
                link: link.clone(),
                uid: *uid,
                owner: previous,
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

/// Where the walk is.
struct Walk {
    dir: OwnedFd,
    /// The same, for messages.
    shown: PathBuf,
    todo: VecDeque<OsString>,
    dirs: Vec<(PathBuf, Stat, bool)>,
    foreign_links: Vec<(PathBuf, u32)>,
    links: usize,
    own_uid: u32,
}

impl Walk {
    fn start(path: &Path) -> Result<Self, Errno> {
        let mut walk = Self {
            dir: open_root()?,
            shown: PathBuf::from("/"),
            todo: VecDeque::new(),
            dirs: Vec::new(),
            foreign_links: Vec::new(),
            links: 0,
            own_uid: rustix::process::geteuid().as_raw(),
        };
        walk.put_first(path)?;
        walk.note_dir()?;
        Ok(walk)
    }

    fn finish(&mut self) -> Result<(OwnedFd, Stat), Errno> {
        while let Some(name) = self.todo.pop_front() {
            if name == ".." {
                self.dir = open_at(&self.dir, &name)?;
                self.shown.pop();
                self.note_dir()?;
                continue;
            }
            let fd = open_at(&self.dir, &name)?;
            let facts = rustix::fs::fstat(&fd)?;
            let kind = FileType::from_raw_mode(facts.st_mode);
            if kind == FileType::Symlink {
                self.follow(&fd, &facts, &name)?;
            } else if self.todo.is_empty() {
                return Ok((fd, facts));
            } else if kind == FileType::Directory {
                self.dir = fd;
                self.shown.push(&name);
                self.note_dir()?;
            } else {
                return Err(Errno::NOTDIR);
            }
        }
        // The path was "/" or ended in "..": the directory itself.
        let facts = rustix::fs::fstat(&self.dir)?;
        Ok((open_at(&self.dir, OsStr::new("."))?, facts))
    }

    fn follow(&mut self, link: &OwnedFd, facts: &Stat, name: &OsStr) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        if facts.st_uid != 0 && facts.st_uid != self.own_uid {
            self.foreign_links
                .push((self.shown.join(name), facts.st_uid));
        }
        let text = rustix::fs::readlinkat(link, "", Vec::new())?;
        let text = PathBuf::from(OsString::from_vec(text.into_bytes()));
        if text.is_absolute() {
            self.dir = open_root()?;
            self.shown = PathBuf::from("/");
        }
        self.put_first(&text)
    }

    fn put_first(&mut self, path: &Path) -> Result<(), Errno> {
        let names: Vec<&OsStr> = path
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name),
                Component::ParentDir => Some(OsStr::new("..")),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
            })
            .collect();
        for name in names.into_iter().rev() {
            self.todo.push_front(name.to_owned());
        }
        if self.todo.len() > MAX_COMPONENTS {
            return Err(Errno::NAMETOOLONG);
        }
        Ok(())
    }

    fn note_dir(&mut self) -> Result<(), Errno> {
        let facts = rustix::fs::fstat(&self.dir)?;
        let path = format!("/proc/self/fd/{}", self.dir.as_raw_fd());
        let acl = rustix::fs::getxattr_query(path, "system.posix_acl_access");
        self.dirs.push((self.shown.clone(), facts, acl.is_ok()));
        Ok(())
    }
}

fn open_root() -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/", flags, Mode::empty())
}

fn open_at(dir: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}
