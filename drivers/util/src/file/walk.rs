//! Getting hold of a file by its path, so that what was looked at is what is acted upon afterwards.
//!
//! A path is walked component by component with `O_PATH` descriptors, which opens no device and waits for no FIFO. Symbolic links
//! are followed by hand, and only those that root or the daemon's own user made: whoever may put another link into the same
//! directory could otherwise choose what the daemon acts upon. Directories need no such rule, since whoever may rename entries of
//! one can reach only what is his already, and the end of the walk is held. On a medium that a user made, root's links are that
//! user's as well ([`medium`](super::medium)).

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::medium;

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;
/// As many components as fit into the kernel's longest path, through all links.
const MAX_COMPONENTS: usize = 4096;

/// Why a walk does not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The kernel refused at this place.
    #[error("cannot open '{path}'")]
    Open {
        /// The component that could not be opened.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A symbolic link on the way belongs to an unprivileged user, who could let it lead anywhere.
    #[error(
        "symbolic link '{link}' belongs to user {}, and only links of root are followed; use the path that it leads to",
        crate::users::shown(*.uid)
    )]
    ForeignLink {
        /// The link.
        link: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// A symbolic link on the way is on a file system that a user may have made, who can say there that it is root's.
    #[error(
        "symbolic link '{link}' is on a file system that a user may have made (it is mounted nosuid and nodev, and not by /etc/fstab); use the path that it leads to"
    )]
    LinkOnMedium {
        /// The link.
        link: PathBuf,
    },
}

/// A directory on the way.
#[derive(Debug)]
pub struct Dir {
    /// Its path, links resolved.
    pub path: PathBuf,
    /// The directory.
    pub fd: OwnedFd,
    /// What the kernel says of it.
    pub facts: Stat,
    /// Whether its owner and mode are as root and the kernel left them, and not as somebody made them who made the file system.
    pub is_trusted: bool,
}

/// The end of a walk: a file of any type but a symbolic link.
#[derive(Debug)]
pub struct Found {
    /// The file, by an `O_PATH` descriptor.
    pub fd: OwnedFd,
    /// What the kernel says of it.
    pub facts: Stat,
    /// The directories on the way, `/` first. The last one has the file, unless the path ends in `..` or is `/`.
    pub dirs: Vec<Dir>,
}

impl Found {
    /// Whether nobody but root, the daemon's own user and one more can change where the path leads.
    #[must_use]
    pub fn is_closed_but_to(&self, uid: u32) -> bool {
        self.dirs.iter().all(|dir| dir.is_closed(Some(uid)))
    }

    /// Whether everybody can go the whole way to the file and read it.
    #[must_use]
    pub fn is_everybodys(&self) -> bool {
        let others = |facts: &Stat, bits| facts.st_mode & bits == bits;
        others(&self.facts, 0o004) && self.dirs.iter().all(|dir| others(&dir.facts, 0o001))
    }
}

/// A place for a file that need not be there.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub dir: Dir,
    /// The name in it, a single component.
    pub name: OsString,
    /// Whether nobody but root and the daemon's own user can change where the path leads: all directories on the way, and this one, are
    /// theirs, and no group and nobody else (by an access control list either) may write to them.
    pub is_closed: bool,
    /// The directories on the way, without the last one.
    way: Vec<Dir>,
}

impl Place {
    /// Whether nobody but those of [`is_closed`](Self::is_closed) and one more user can change where the path leads.
    #[must_use]
    pub fn is_closed_but_to(&self, uid: u32) -> bool {
        let mut way = self.way.iter().chain([&self.dir]);
        way.all(|dir| dir.is_closed(Some(uid)))
    }
}

/// Walks to a file by its absolute path. Blocks.
///
/// # Errors
/// [`WalkError`]; a path that is not absolute is [`io::ErrorKind::InvalidInput`].
pub fn walk(path: &Path) -> Result<Found, WalkError> {
    let mut walk = Walk::start(path)?;
    while let Some(name) = walk.todo.pop_front() {
        if let Some((fd, facts)) = walk.step(&name)? {
            return Ok(Found {
                fd,
                facts,
                dirs: walk.dirs,
            });
        }
    }
    // The path was "/" or ended in "..": the directory itself.
    let here = walk.here();
    let fd = open_at(&here.fd, OsStr::new(".")).map_err(|errno| open_error(&here.path, errno))?;
    let facts = here.facts;
    Ok(Found {
        fd,
        facts,
        dirs: walk.dirs,
    })
}

/// Walks to the directory of a file by the file's absolute path, and leaves the last component alone. Blocks.
///
/// # Errors
/// As [`walk`]; a path without a last component is [`io::ErrorKind::InvalidInput`].
pub fn walk_to_place(path: &Path) -> Result<Place, WalkError> {
    let mut walk = Walk::start(path)?;
    let invalid = || open_error(path, Errno::INVAL);
    if walk.todo.back().is_none_or(|last| last == "..") {
        return Err(invalid());
    }
    // The last component stays in the queue, so no step takes it, nor takes another for the last one.
    while walk.todo.len() > 1
        && let Some(step) = walk.todo.pop_front()
    {
        walk.step(&step)?;
    }
    let name = walk.todo.pop_front().ok_or_else(invalid)?;
    let is_closed = walk.dirs.iter().all(|dir| dir.is_closed(None));
    let dir = walk.dirs.pop().ok_or_else(invalid)?;
    Ok(Place {
        dir,
        name,
        is_closed,
        way: walk.dirs,
    })
}

impl Dir {
    fn is_closed(&self, but_to: Option<u32>) -> bool {
        self.is_trusted && is_closed(&self.facts, but_to)
    }
}

/// Whether only root, the daemon's own user and one more may change what is in a directory. Whoever else an access control list lets
/// write shows in the bits of the group.
fn is_closed(dir: &Stat, but_to: Option<u32>) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let is_theirs = dir.st_uid == 0 || dir.st_uid == own || Some(dir.st_uid) == but_to;
    is_theirs && dir.st_mode & 0o022 == 0
}

/// Where the walk is.
struct Walk {
    /// The directories so far; the last one is where the walk is. Never empty.
    dirs: Vec<Dir>,
    todo: VecDeque<OsString>,
    links: usize,
    own_uid: u32,
}

impl Walk {
    fn start(path: &Path) -> Result<Self, WalkError> {
        if !path.is_absolute() {
            return Err(open_error(path, Errno::INVAL));
        }
        let mut walk = Self {
            dirs: vec![open_root()?],
            todo: VecDeque::new(),
            links: 0,
            own_uid: rustix::process::geteuid().as_raw(),
        };
        walk.put_first(path)?;
        Ok(walk)
    }

    fn here(&self) -> &Dir {
        self.dirs.last().expect("a walk begins with a directory")
    }

    /// Takes one component. Answers the file if it was the last one and neither link nor `..`.
    fn step(&mut self, name: &OsStr) -> Result<Option<(OwnedFd, Stat)>, WalkError> {
        let here = self.here();
        let path = if name == ".." {
            let parent = here.path.parent();
            parent.unwrap_or(&here.path).to_owned()
        } else {
            here.path.join(name)
        };
        let failed = |errno| open_error(&path, errno);
        let fd = open_at(&here.fd, name).map_err(failed)?;
        let facts = rustix::fs::fstat(&fd).map_err(failed)?;
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::Symlink => {
                self.follow(&fd, &facts, &path)?;
                Ok(None)
            }
            _ if self.todo.is_empty() && name != ".." => Ok(Some((fd, facts))),
            FileType::Directory => {
                let here = self.here();
                let is_trusted = if facts.st_dev == here.facts.st_dev {
                    here.is_trusted
                } else {
                    medium::is_trusted(&fd, &path, here).map_err(failed)?
                };
                self.dirs.push(Dir {
                    path,
                    fd,
                    facts,
                    is_trusted,
                });
                Ok(None)
            }
            _ => Err(failed(Errno::NOTDIR)),
        }
    }

    fn follow(&mut self, link: &OwnedFd, facts: &Stat, path: &Path) -> Result<(), WalkError> {
        let failed = |errno| open_error(path, errno);
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(failed(Errno::LOOP));
        }
        if facts.st_uid != 0 && facts.st_uid != self.own_uid {
            return Err(WalkError::ForeignLink {
                link: path.to_owned(),
                uid: facts.st_uid,
            });
        }
        // What the daemon's own user may do, an unprivileged daemon may do as well.
        if self.own_uid == 0 && !self.here().is_trusted {
            return Err(WalkError::LinkOnMedium {
                link: path.to_owned(),
            });
        }
        let text = rustix::fs::readlinkat(link, "", Vec::new()).map_err(failed)?;
        let text = PathBuf::from(OsString::from_vec(text.into_bytes()));
        if text.is_absolute() {
            self.dirs.push(open_root()?);
        }
        self.put_first(&text)
    }

    fn put_first(&mut self, path: &Path) -> Result<(), WalkError> {
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
            return Err(open_error(path, Errno::NAMETOOLONG));
        }
        Ok(())
    }
}

fn open_root() -> Result<Dir, WalkError> {
    let path = PathBuf::from("/");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open("/", flags, Mode::empty()).map_err(|e| open_error(&path, e))?;
    let facts = rustix::fs::fstat(&fd).map_err(|errno| open_error(&path, errno))?;
    Ok(Dir {
        path,
        fd,
        facts,
        is_trusted: true,
    })
}

fn open_at(dir: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

fn open_error(path: &Path, errno: Errno) -> WalkError {
    WalkError::Open {
        path: path.to_owned(),
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use virtbus_skip::or_skip;

    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};

    use super::*;
    use crate::test_utils::root;

    #[test]
    fn a_way_is_closed_if_nobody_else_can_change_it() {
        let closed = |path: &str| walk_to_place(Path::new(path)).unwrap().is_closed;
        assert!(closed("/proc/new"));
        // Whoever may write to /tmp may put something else into the place of a directory in it, or of a file.
        assert!(!closed("/tmp/new"));
        let root = tempfile::tempdir().unwrap();
        assert!(!walk_to_place(&root.path().join("new")).unwrap().is_closed);
        let facts = |mode| {
            fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
            rustix::fs::stat(root.path()).unwrap()
        };
        assert!(is_closed(&facts(0o755), None) && is_closed(&facts(0o700), None));
        for open in [0o775, 0o757, 0o1777] {
            assert!(!is_closed(&facts(open), None), "{open:o}");
        }
    }

    #[test]
    fn root_a_way_through_a_users_directory_is_closed_to_others_only() {
        or_skip!(root());
        let dir = tempfile::tempdir().unwrap();
        lchown(dir.path(), Some(65501), Some(0)).unwrap();
        let facts = |mode| {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            rustix::fs::stat(dir.path()).unwrap()
        };
        assert!(!is_closed(&facts(0o755), None));
        assert!(!is_closed(&facts(0o755), Some(65502)));
        assert!(is_closed(&facts(0o755), Some(65501)));
        assert!(!is_closed(&facts(0o775), Some(65501)));
    }

    #[test]
    fn a_walk_sees_through_links_and_dots() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "x").unwrap();
        symlink("b/../file", root.join("a/link")).unwrap();
        symlink(root.join("a"), root.join("abs")).unwrap();
        let inode = fs::metadata(root.join("a/file")).unwrap().ino();
        for path in ["a/file", "a/link", "abs/link", "a/b/../link", "a/./file"] {
            let found = walk(&root.join(path)).unwrap();
            assert_eq!(found.facts.st_ino, inode, "{path}");
            assert_eq!(found.dirs.last().unwrap().path, root.join("a"), "{path}");
        }
        assert_eq!(walk(Path::new("/")).unwrap().dirs.len(), 1);
        assert_eq!(walk(Path::new("/usr/..")).unwrap().dirs.len(), 3);
        let place = walk_to_place(&root.join("abs/b/../new")).unwrap();
        assert_eq!(
            (place.dir.path, place.name),
            (root.join("a"), OsString::from("new"))
        );
    }

    #[test]
    fn a_walk_that_cannot_end_names_the_place() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        symlink("ring", root.join("ring")).unwrap();
        fs::write(root.join("file"), "x").unwrap();
        for (path, place) in [
            ("ring", "ring"),
            ("none/x", "none"),
            ("file/x", "file"),
            ("none", "none"),
        ] {
            let error = walk(&root.join(path)).unwrap_err();
            let expected = format!("cannot open '{}'", root.join(place).display());
            assert_eq!(error.to_string(), expected, "{path}");
        }
        for path in ["relative", ""] {
            assert!(walk(Path::new(path)).is_err());
        }
        for path in ["/", "/usr/..", "relative", ""] {
            assert!(walk_to_place(Path::new(path)).is_err(), "{path}");
        }
        assert!(walk_to_place(&root.join("file/x")).is_err());
    }

    #[test]
    fn root_links_of_users_are_not_followed() {
        or_skip!(root());
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("dir")).unwrap();
        fs::write(root.join("dir/file"), "x").unwrap();
        symlink("dir", root.join("link")).unwrap();
        assert!(walk(&root.join("link/file")).is_ok());
        lchown(root.join("link"), Some(65501), Some(65501)).unwrap();
        for error in [
            walk(&root.join("link/file")).err(),
            walk(&root.join("link")).err(),
            walk_to_place(&root.join("link/file")).err(),
        ] {
            assert!(matches!(
                error,
                Some(WalkError::ForeignLink { uid: 65501, .. })
            ));
        }
        assert!(walk_to_place(&root.join("link")).is_ok());
    }
}
