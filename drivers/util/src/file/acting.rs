//! Opening files as somebody else: with a guest's rights, not with the daemon's.
//!
//! A privileged daemon that opens a path which a lesser user chose, or can change, lends that user its rights. So what a guest is
//! to write is opened by a thread of its own that has the guest's user and groups for every check of the file system, no
//! capability, and a single task. Only the ids for file access are changed (setfsuid(2)): the thread stays root's for signals and
//! debuggers, so that no process of that user can reach the daemon through it.
//!
//! The caller waits for a limited time. A thread that hangs in the kernel (a network file system whose server is gone) is left
//! behind and ends when the kernel lets go. Few may hang for the same guest, so that one whose files are out of reach takes no turn
//! from the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, LazyLock, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use rustix::fs::{FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::walk::{Place, WalkError, walk_to_place};
use crate::users;

/// A local file opens in microseconds, and one on a server that is well in much less than this.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// So many threads may be at work at the same time. Each is done at once unless a file system hangs, and one that hangs costs some
/// 20 KiB.
const MOST_THREADS: usize = 1024;

/// So many of them for the same guest.
const MOST_OF_ONE: usize = 4;

/// A walk along a path needs little.
const STACK_BYTES: usize = 256 * 1024;

/// Somebody else may make or remove the file between two looks, again and again.
const ATTEMPTS: u32 = 8;

/// For whom something is done that may hang: those who are done for have threads of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Beneficiary {
    /// All of the daemon.
    #[default]
    Daemon,
    /// One guest, by the bytes of its UUID.
    Guest([u8; 16]),
}

impl Beneficiary {
    const fn most_threads(self) -> usize {
        match self {
            Self::Daemon => MOST_THREADS,
            Self::Guest(_) => MOST_OF_ONE,
        }
    }
}

/// With whose rights files are opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActingUser {
    /// The user.
    pub uid: u32,
    /// The group, which files that are made get.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl ActingUser {
    /// Whether the thread has to change at all. Root's guests may do what the daemon may; and a daemon that is not root can be
    /// nobody but itself.
    fn differs(&self) -> bool {
        let own = rustix::process::geteuid();
        let is_own = own.as_raw() == self.uid && rustix::process::getegid().as_raw() == self.gid;
        self.uid != 0 && (own.is_root() || !is_own)
    }
}

/// How a file is opened, and what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAs {
    /// What is done with it.
    pub access: OpenAccess,
    /// Whether it is made.
    pub create: Create,
    /// Whether a regular file loses what it has.
    pub truncate: bool,
    /// Whether a character device will do, such as a terminal, beside a regular file.
    pub devices: bool,
    /// Permission bits of a file that is made.
    pub mode: u32,
    /// How long to wait.
    pub limit: Duration,
}

impl OpenAs {
    /// For what a guest writes: made with mode 0600 if it is not there, regular, within [`PATIENCE`].
    pub const fn output(access: OpenAccess) -> Self {
        Self {
            access,
            create: Create::IfMissing,
            truncate: false,
            devices: false,
            mode: 0o600,
            limit: PATIENCE,
        }
    }
}

/// What is done with an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenAccess {
    /// It is read.
    Read,
    /// It is written.
    Write,
    /// It is written, always at its end.
    Append,
    /// It is read and written.
    ReadWrite,
}

/// Whether a file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// It has to be there.
    Never,
    /// It is made if it is not there.
    IfMissing,
    /// It is made, and nothing may be there.
    New,
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The user may not.
    #[error("{who} may not {action} '{path}' ({owner}); {remedy}")]
    Denied {
        /// The user, as the message begins.
        who: String,
        /// What was tried.
        action: &'static str,
        /// The file or directory that refuses.
        path: PathBuf,
        /// Whose that is, with which mode.
        owner: String,
        /// What would help.
        remedy: &'static str,
    },
    /// The way to the file cannot be gone.
    #[error(transparent)]
    Walk(WalkError),
    /// The file cannot be opened for another reason.
    #[error("cannot open '{path}'")]
    Open {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The name is a symbolic link.
    #[error("'{path}' is a symbolic link, which is not followed; use the path that it leads to")]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// It is of a type that will not do.
    #[error("'{path}' is a {found}, not a regular file")]
    WrongType {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// It has several names, of which another may be somebody else's.
    #[error("'{path}' has further names (hard links), so that it may be somebody else's file")]
    HardLinks {
        /// The file.
        path: PathBuf,
    },
    /// The kernel did not answer in time.
    #[error("the file system did not answer within {} seconds", .limit.as_secs())]
    Timeout {
        /// How long was waited.
        limit: Duration,
    },
    /// Too many earlier ones wait for the kernel still.
    #[error("{hanging} earlier looks at files hang in a file system that does not answer")]
    Busy {
        /// How many.
        hanging: usize,
    },
    /// The thread could not be had, or could not become the user.
    #[error("cannot {action}")]
    Thread {
        /// What was tried.
        action: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl ActError {
    /// The kind of the kernel's answer; `Other` if it was not the kernel that refused.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Denied { .. } => io::ErrorKind::PermissionDenied,
            Self::Walk(WalkError::Open { source, .. })
            | Self::Open { source, .. }
            | Self::Thread { source, .. } => source.kind(),
            Self::Timeout { .. } => io::ErrorKind::TimedOut,
            Self::Busy { .. } => io::ErrorKind::ResourceBusy,
            Self::Walk(WalkError::ForeignLink { .. } | WalkError::LinkOnMedium { .. })
            | Self::Link { .. }
            | Self::WrongType { .. }
            | Self::HardLinks { .. } => io::ErrorKind::Other,
        }
    }
}

/// Opens a file with a user's rights; `None`: with the daemon's own, under the same rules. Blocks, for the limit at most.
///
/// Symbolic links of unprivileged users are not followed on the way, and none at the end. Nothing is waited for: a FIFO is refused
/// whether or not somebody reads it. A regular file that is written has a single name. The descriptor is blocking and
/// close-on-exec.
///
/// # Errors
/// [`ActError`], which names the path; a regular file is not changed then. After [`ActError::Timeout`] it may still be made.
pub fn open(
    whose: Beneficiary,
    user: Option<&ActingUser>,
    path: &Path,
    how: OpenAs,
) -> Result<File, ActError> {
    let who = user.map_or_else(
        || "the daemon".to_owned(),
        |user| format!("user {}, as whom guests run,", users::shown(user.uid)),
    );
    let path = path.to_owned();
    act(whose, user, how.limit, move || open_here(&who, &path, how))?
}

/// The same for a path that a privileged client wrote, such as one in a definition: where nobody but root can change where it leads
/// ([`Place::is_closed`]) a new file is made with the daemon's own rights, and given to the user, so that an administrator's directory
/// will do. What is there already has to be the user's, or open to the user, as anywhere else: a mistyped path empties nobody's file.
/// Blocks, for some times the limit at most.
///
/// # Errors
/// As [`open`].
pub fn open_named(
    whose: Beneficiary,
    user: Option<&ActingUser>,
    path: &Path,
    how: OpenAs,
) -> Result<File, ActError> {
    let Some(user) = user else {
        return open(whose, None, path, how);
    };
    let place = path.to_owned();
    let is_closed = move || walk_to_place(&place).is_ok_and(|place| place.is_closed);
    if how.create == Create::Never || !act(whose, None, how.limit, is_closed)? {
        return open(whose, Some(user), path, how);
    }
    let new = OpenAs {
        create: Create::New,
        ..how
    };
    match open(whose, None, path, new) {
        Ok(file) => {
            let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
            let given = rustix::fs::fchown(&file, Some(uid), Some(gid));
            given.map_err(|errno| ActError::Open {
                path: path.to_owned(),
                source: errno.into(),
            })?;
            return Ok(file);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let there = OpenAs {
        create: Create::Never,
        truncate: false,
        ..how
    };
    let failed = |errno: Errno| ActError::Open {
        path: path.to_owned(),
        source: errno.into(),
    };
    // The directory may be closed to the user.
    let file = open(whose, None, path, there)?;
    let facts = rustix::fs::fstat(&file).map_err(failed)?;
    if facts.st_uid != user.uid {
        return open(whose, Some(user), path, how);
    }
    if how.truncate && FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile {
        rustix::fs::ftruncate(&file, 0).map_err(failed)?;
    }
    Ok(file)
}

/// Runs `work` in a thread with a user's rights to files; `None`: with the daemon's own. Blocks, for `limit` at most, and for another
/// until there is a thread to be had.
///
/// # Errors
/// [`ActError::Timeout`], [`ActError::Busy`], [`ActError::Thread`].
pub fn act<T: Send + 'static>(
    whose: Beneficiary,
    user: Option<&ActingUser>,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ActError> {
    let turn = Turn::take(whose, limit)?;
    let user = user.filter(|user| user.differs()).cloned();
    let (sender, answer) = mpsc::sync_channel(1);
    let body = move || {
        let _turn = turn;
        let done = match user.as_ref().map_or(Ok(()), become_user) {
            Ok(()) => Ok(work()),
            Err(error) => Err(error),
        };
        // If nobody waits any more, what was opened is closed here.
        let _ = sender.send(done);
    };
    std::thread::Builder::new()
        .name("acting".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map_err(|source| thread_error("start a thread", source))?;
    match answer.recv_timeout(limit) {
        Ok(done) => done,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(ActError::Timeout { limit }),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(thread_error(
            "open a file",
            io::Error::other("the thread failed"),
        )),
    }
}

/// The right to have one more thread.
struct Turn(Beneficiary);

/// The threads that are at work now, in all and by whom they are for.
#[derive(Default)]
struct Threads {
    all: usize,
    of: HashMap<Beneficiary, usize>,
}

static THREADS: LazyLock<Mutex<Threads>> = LazyLock::new(Mutex::default);
static ENDED: Condvar = Condvar::new();

impl Threads {
    /// How many there are, if that is as many as there may be.
    fn full(&self, whose: Beneficiary) -> Option<usize> {
        let own = self.of.get(&whose).copied().unwrap_or_default();
        let is_full = own >= whose.most_threads() || self.all >= MOST_THREADS;
        is_full.then(|| {
            if own >= whose.most_threads() {
                own
            } else {
                self.all
            }
        })
    }
}

impl Turn {
    /// Waits for one, since many guests may be started at the same time.
    fn take(whose: Beneficiary, limit: Duration) -> Result<Self, ActError> {
        let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut threads, _) = ENDED
            .wait_timeout_while(threads, limit, |threads| threads.full(whose).is_some())
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(hanging) = threads.full(whose) {
            return Err(ActError::Busy { hanging });
        }
        threads.all += 1;
        *threads.of.entry(whose).or_default() += 1;
        Ok(Self(whose))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        threads.all = threads.all.saturating_sub(1);
        if let Entry::Occupied(mut own) = threads.of.entry(self.0) {
            match own.get() {
                0 | 1 => drop(own.remove()),
                more => *own.get_mut() = more - 1,
            }
        }
        // Whoever waits may wait for another's.
        ENDED.notify_all();
    }
}

/// Gives this thread the user's ids for files, for the rest of its life.
fn become_user(user: &ActingUser) -> Result<(), ActError> {
    // The kernel forbids core dumps of the whole daemon when a thread changes such an id, lest the user read them. Nothing of the
    // daemon becomes readable by the user when that is put right: the thread's other ids stay root's.
    static DUMPABLE: OnceLock<Option<DumpableBehavior>> = OnceLock::new();
    let dumpable = *DUMPABLE.get_or_init(|| rustix::process::dumpable_behavior().ok());

    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups)
        .map_err(|errno| thread_error("take the groups of guests", errno))?;
    let (uid, gid) = (
        nix::unistd::Uid::from_raw(user.uid),
        nix::unistd::Gid::from_raw(user.gid),
    );
    // Neither call tells of failure but by what the id was before.
    nix::unistd::setfsgid(gid);
    nix::unistd::setfsuid(uid);
    if nix::unistd::setfsgid(gid) != gid || nix::unistd::setfsuid(uid) != uid {
        return Err(thread_error("become the user of guests", Errno::PERM));
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets)
        .map_err(|errno| thread_error("give up capabilities", errno))?;
    if let Some(before) = dumpable {
        // A daemon without core dumps works all the same.
        let _ = rustix::process::set_dumpable_behavior(before);
    }
    Ok(())
}

fn thread_error(action: &'static str, source: impl Into<io::Error>) -> ActError {
    ActError::Thread {
        action,
        source: source.into(),
    }
}

fn open_here(who: &str, path: &Path, how: OpenAs) -> Result<File, ActError> {
    let place = walk_to_place(path).map_err(|error| match error {
        WalkError::Open { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
            let dir = path.parent().unwrap_or(Path::new("/"));
            ActError::Denied {
                who: who.to_owned(),
                action: "search directory",
                owner: owner_of(dir),
                path: dir.to_owned(),
                remedy: "let that user through, or choose another directory",
            }
        }
        error => ActError::Walk(error),
    })?;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = flags
        | match how.access {
            OpenAccess::Read => OFlags::RDONLY,
            OpenAccess::Write => OFlags::WRONLY,
            OpenAccess::Append => OFlags::WRONLY | OFlags::APPEND,
            OpenAccess::ReadWrite => OFlags::RDWR,
        };
    let fd = open_or_make(&place, flags, how).map_err(|errno| refusal(who, path, &place, errno))?;
    let failed = |errno: Errno| ActError::Open {
        path: path.to_owned(),
        source: errno.into(),
    };
    let facts = rustix::fs::fstat(&fd).map_err(failed)?;
    match FileType::from_raw_mode(facts.st_mode) {
        FileType::RegularFile => {
            if how.access != OpenAccess::Read && facts.st_nlink > 1 {
                return Err(ActError::HardLinks {
                    path: path.to_owned(),
                });
            }
            if how.truncate && facts.st_size > 0 {
                rustix::fs::ftruncate(&fd, 0).map_err(failed)?;
            }
        }
        FileType::CharacterDevice if how.devices => {}
        other => {
            return Err(ActError::WrongType {
                path: path.to_owned(),
                found: type_name(other),
            });
        }
    }
    let flags = rustix::fs::fcntl_getfl(&fd).map_err(failed)?;
    rustix::fs::fcntl_setfl(&fd, flags - OFlags::NONBLOCK).map_err(failed)?;
    Ok(File::from(fd))
}

/// Opens the file that is there, or makes one that was not. Never both at once, so that nobody can have a file "made" that exists.
fn open_or_make(place: &Place, flags: OFlags, how: OpenAs) -> Result<OwnedFd, Errno> {
    let (dir, name) = (&place.dir.fd, place.name.as_os_str());
    for _ in 0..ATTEMPTS {
        if how.create != Create::New {
            match rustix::fs::openat(dir, name, flags, Mode::empty()) {
                Err(Errno::NOENT) if how.create == Create::IfMissing => {}
                other => return other,
            }
        }
        let making = flags | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::from_raw_mode(how.mode);
        match rustix::fs::openat(dir, name, making, mode) {
            Err(Errno::EXIST) if how.create == Create::IfMissing => {}
            Ok(fd) => {
                // The umask does not count.
                rustix::fs::fchmod(&fd, mode)?;
                return Ok(fd);
            }
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::AGAIN)
}

/// Says what stands in the way. The answer may be stale; it only explains.
fn refusal(who: &str, path: &Path, place: &Place, errno: Errno) -> ActError {
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    let facts = rustix::fs::statat(&place.dir.fd, place.name.as_os_str(), flags);
    let found = facts
        .as_ref()
        .map(|facts| FileType::from_raw_mode(facts.st_mode));
    match (errno, found) {
        (Errno::LOOP, Ok(FileType::Symlink)) => ActError::Link {
            path: path.to_owned(),
        },
        // Nobody reads the FIFO; a socket; a directory that was to be written.
        (Errno::NXIO | Errno::ISDIR, Ok(other)) if other != FileType::RegularFile => {
            ActError::WrongType {
                path: path.to_owned(),
                found: type_name(other),
            }
        }
        (Errno::ACCESS | Errno::PERM, Ok(_)) => ActError::Denied {
            who: who.to_owned(),
            action: "open",
            path: path.to_owned(),
            owner: told(facts),
            remedy: "give the file to that user, or choose another one",
        },
        (Errno::ACCESS | Errno::PERM, Err(_)) => ActError::Denied {
            who: who.to_owned(),
            action: "make a file in directory",
            path: place.dir.path.clone(),
            owner: told(Ok(place.dir.facts)),
            remedy: "make the file beforehand and give it to that user, or choose a directory of that user's",
        },
        _ => ActError::Open {
            path: path.to_owned(),
            source: errno.into(),
        },
    }
}

/// Whose a file is and with which mode, as messages tell it. The answer may be stale; it only explains.
pub fn owner_of(path: &Path) -> String {
    told(rustix::fs::lstat(path))
}

fn told(facts: Result<Stat, Errno>) -> String {
    facts.map_or_else(
        |_| "which cannot be looked at".to_owned(),
        |facts| {
            let (uid, mode) = (facts.st_uid, facts.st_mode & 0o7777);
            format!("of user {}, mode {mode:04o}", users::shown(uid))
        },
    )
}

/// What a type of file is called.
pub fn type_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "file of unknown type",
    }
}

#[cfg(test)]
mod tests;
