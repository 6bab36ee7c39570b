//! Discretionary access control: a guest runs as an unprivileged user, so the files in its
//! definition must belong to that user while it runs, and to whom they belonged before when it
//! does not.
//!
//! The order of things, so that a crash of the daemon at any point loses no owner:
//!
//! 1. [`Dac::prepare`] looks at the files, changes nothing, and returns what is [`Prepared`]: the files, held, and a [`Record`].
//! 2. The driver writes the record to the guest's status file.
//! 3. [`Prepared::apply`] looks at the held files once more and changes their owners; if it cannot, it undoes what it has done.
//! 4. The guest runs, ends.
//! 5. [`Dac::restore`] gives the files back. It may be called any number of times, also for a
//!    record that was never applied or only in part.
//!
//! Users may own directories on the way to a file, and put something else in its place at any moment. So nothing is ever decided
//! about a path and then done to it: what was looked at is held by a descriptor, and changed through that. Links of unprivileged
//! users are not followed, and hard links that such a user may have made are refused. A file is given back only to whom it
//! was taken from, if device, inode and present owner are those that were noted.
//!
//! Files that several guests use are kept track of in an extended attribute (see `memory`), so that
//! the last guest to end gives the file back, and to the right owner.
//!
//! What is left alone: files that a guest only reads and may read already; device nodes that
//! belong to everybody, such as `/dev/null` or `/dev/kvm`; everything, if dynamic ownership is
//! switched off.
//!
//! All functions block for the file system; call them on a blocking thread.

mod access;
mod change;
mod memory;
mod opened;
mod record;
mod target;

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use access::Identity;
pub use memory::Holder;
pub use record::{Entry, Record, RecordError};
pub use virtbus_util::file::{Owner, WalkError};
use virtbus_util::users::shown;

use change::Held;
use opened::{Known, May};
use target::Target;

/// What a guest does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// It reads it, as other guests may.
    ReadOnly,
    /// It writes it, as other guests may at the same time.
    Shared,
    /// It writes it, and nobody else does.
    ReadWrite,
}

/// A file that a guest needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its absolute path. Symbolic links are followed, within limits (see [`DacError::UnsafeLink`]).
    pub path: PathBuf,
    /// What the guest does with it.
    pub access: Access,
}

/// Why a guest cannot have its files, or why they could not be given back.
#[derive(Debug, thiserror::Error)]
pub enum DacError {
    /// The path is not absolute.
    #[error("path '{path}' is not absolute")]
    NotAbsolute {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be reached or looked at.
    #[error("cannot open '{path}'")]
    Open {
        /// The path.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A directory on the way to the file does not let the guest's user through.
    #[error(
        "'{path}' is out of reach for user {}, who may not search directory '{dir}'",
        shown(*uid)
    )]
    Unreachable {
        /// The path.
        path: PathBuf,
        /// The first such directory.
        dir: PathBuf,
        /// The guest's user.
        uid: u32,
    },
    /// The path goes over a symbolic link of an unprivileged user, who could let it lead to any file of the host.
    #[error(
        "'{path}' goes over symbolic link '{link}' of user {}, and only links of root are followed; use the path that it leads to",
        shown(*uid)
    )]
    UnsafeLink {
        /// The path.
        path: PathBuf,
        /// The link.
        link: PathBuf,
        /// The link's owner.
        uid: u32,
    },
    /// The path goes over a symbolic link on a file system that a user may have made.
    #[error("'{path}' cannot be used")]
    Medium {
        /// The path.
        path: PathBuf,
        /// The link.
        source: WalkError,
    },
    /// The file has further names, and whoever may write the directory could have made this one for somebody else's file.
    #[error(
        "'{path}' has further names (hard links), and others may write its directory '{dir}'; use a copy of it"
    )]
    HardLink {
        /// The path.
        path: PathBuf,
        /// Its directory.
        dir: PathBuf,
    },
    /// Another guest uses the file as another user.
    #[error("'{path}' is in use by a guest that runs as user {}, group {gid}", shown(*uid))]
    InUse {
        /// The path.
        path: PathBuf,
        /// That guest's user.
        uid: u32,
        /// That guest's group.
        gid: u32,
    },
    /// Between prepare and apply another file took the path, or the file was given to somebody.
    #[error("'{path}' was replaced, or got another owner, while the guest was being started")]
    Replaced {
        /// The path.
        path: PathBuf,
    },
    /// A process of the guest opened something else than the files that were looked at, or for more than it may.
    #[error(
        "process {pid} of the guest has '{path}' open, which is not a file that its definition names, or not for writing; a path of the definition was led elsewhere, or an image names another one"
    )]
    Foreign {
        /// The process.
        pid: i32,
        /// What it has open.
        path: PathBuf,
    },
    /// What a process has open cannot be looked at.
    #[error("cannot look at what process {pid} has open")]
    Process {
        /// The process.
        pid: i32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The owner cannot be changed.
    #[error("cannot change the owner of '{path}' to user {}, group {gid}", shown(*uid))]
    Chown {
        /// The path.
        path: PathBuf,
        /// The new user.
        uid: u32,
        /// The new group.
        gid: u32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Who uses the file cannot be read or written.
    #[error("cannot keep track of the users of '{path}'")]
    Memory {
        /// The path.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Applying failed, and undoing what had been done failed too.
    #[error("{cause}; in addition, {} files could not be returned to their owners", .undo.len())]
    Undo {
        /// What failed first.
        #[source]
        cause: Box<Self>,
        /// What failed while undoing.
        undo: Vec<Self>,
    },
}

/// What becomes of files on network file systems when a guest leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The guest has ended.
    Ended,
    /// It runs on elsewhere: files that the other host sees too stay its user's.
    Migrated,
}

/// Ownership of guests' files on this host. One value serves all guests of a driver.
#[derive(Debug)]
pub struct Dac {
    identity: Identity,
    dynamic_ownership: bool,
    changes: Arc<Changes>,
}

/// Reading, changing and writing back who uses a file is one step. Each file system has its own turn: one that does not answer holds up
/// nobody whose files are elsewhere.
#[derive(Debug, Default)]
struct Changes(Mutex<HashMap<u64, Arc<Mutex<()>>>>);

impl Changes {
    /// Runs one step on a file of this device.
    fn step<T>(&self, device: u64, work: impl FnOnce() -> T) -> T {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Devices come and go.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(device).or_default())
        };
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}

impl Dac {
    /// `identity` is whom guests run as unless their definition says otherwise. Without
    /// `dynamic_ownership` no file is ever touched, and the administrator sees to it that guests
    /// can use theirs.
    pub fn new(identity: Identity, dynamic_ownership: bool) -> Self {
        Self {
            identity,
            dynamic_ownership,
            changes: Arc::default(),
        }
    }

    /// Whom guests run as by default.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Looks at the files of a guest, holds them, and says what has to be changed. Changes nothing.
    pub fn prepare(&self, holder: Holder, resources: &[Resource]) -> Result<Prepared, DacError> {
        self.prepare_as(holder, &self.identity, resources)
    }

    /// As [`Dac::prepare`], for a guest that runs as somebody of its own.
    pub fn prepare_as(
        &self,
        holder: Holder,
        identity: &Identity,
        resources: &[Resource],
    ) -> Result<Prepared, DacError> {
        let mut held: Vec<Held> = Vec::new();
        let mut unchanged = Vec::new();
        // A file may appear under several names; it is changed once.
        let mut seen: HashMap<(u64, u64), usize> = HashMap::new();
        for resource in resources {
            let target = target::open(&resource.path);
            if !self.dynamic_ownership {
                // The administrator sees to it that the guest can have it, where the daemon may not even look.
                unchanged.extend(target.ok().map(|target| (target, resource.access)));
                continue;
            }
            let target = target?;
            let new = match Held::examine(target, identity, holder, resource.access)? {
                Ok(new) => new,
                Err(target) => {
                    unchanged.push((target, resource.access));
                    continue;
                }
            };
            match seen.get(&new.id()).and_then(|index| held.get_mut(*index)) {
                Some(known) => {
                    known.used_as(resource.access);
                    // Held by this path too.
                    unchanged.push((new.into_target(), resource.access));
                }
                None => {
                    seen.insert(new.id(), held.len());
                    held.push(new);
                }
            }
        }
        let record = Record {
            holder,
            given: identity.owner(),
            entries: held.iter().map(Held::entry).collect(),
        };
        Ok(Prepared {
            record,
            identity: identity.clone(),
            held,
            unchanged,
            changes: Arc::clone(&self.changes),
        })
    }

    /// Whose a file was before it was given to guests, as it remembers itself; none if it was not, or if what it remembers cannot be believed.
    pub fn owner_before(path: &Path) -> Option<u32> {
        let target = target::open(path).ok()?;
        let memory = memory::read(&target).ok().flatten()?;
        let is_given = target.is_trusted() && target.owner() == memory.given;
        is_given.then_some(memory.owner.uid)
    }

    /// Gives the files back, newest first, those excepted that other guests still use, that
    /// somebody else has given a new owner meanwhile, or that are gone. Goes on after failures and
    /// returns them all.
    pub fn restore(&self, record: &Record, departure: Departure) -> Vec<DacError> {
        let back = |entry: &Entry| {
            // Records of earlier releases do not say.
            let device = entry.device.unwrap_or_default();
            let step = || change::take_back(record, entry, departure).err();
            self.changes.step(device, step)
        };
        record.entries.iter().rev().filter_map(back).collect()
    }
}

/// The files of a guest that is about to start, held since they were looked at.
#[derive(Debug)]
pub struct Prepared {
    record: Record,
    identity: Identity,
    /// One for each entry of the record.
    held: Vec<Held>,
    /// What the guest may use as it is.
    unchanged: Vec<(Target, Access)>,
    changes: Arc<Changes>,
}

impl Prepared {
    /// What is to be changed, to be written down before [`Prepared::apply`].
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// An `O_PATH` descriptor of the file that was prepared by this path.
    pub fn descriptor(&self, path: &Path) -> Result<OwnedFd, DacError> {
        let found = self.files().find(|(target, _)| target.path == path);
        let (target, _) = found.ok_or_else(|| open_error(path, io::ErrorKind::InvalidInput))?;
        target.duplicate()
    }

    /// Looks at the files that a process of the guest has open, before the guest runs. Those that were prepared, those in `also`
    /// (device and inode), and those that are open for reading and that everybody may read are in order. One that the guest only reads must
    /// not be open for writing.
    pub fn check_opened(&self, pid: i32, also: &[((u64, u64), Access)]) -> Result<(), DacError> {
        let mut known = Known::new();
        let mut note = |id, access| {
            let may = match access {
                Access::ReadOnly => May::Read,
                Access::Shared | Access::ReadWrite => May::Write,
            };
            let known = known.entry(id).or_insert(may);
            *known = may.max(*known);
        };
        for (target, access) in self.files() {
            note(target.id_now()?, access);
        }
        for (file, access) in also {
            note(*file, *access);
        }
        opened::check(pid, &known)
    }

    fn files(&self) -> impl Iterator<Item = (&Target, Access)> {
        let changed = self.held.iter().map(|held| (held.target(), held.access()));
        changed.chain(
            self.unchanged
                .iter()
                .map(|(target, access)| (target, *access)),
        )
    }

    /// Changes the owners. On failure everything is as before, as far as it can be.
    pub fn apply(&mut self) -> Result<(), DacError> {
        for index in 0..self.held.len() {
            let Some(held) = self.held.get_mut(index) else {
                continue;
            };
            let device = held.id().0;
            let given = self
                .changes
                .step(device, || held.give(&self.record, &self.identity));
            if let Err(cause) = given {
                // The failed one too: it may have got half way.
                let done = self.held.iter_mut().take(index + 1).rev();
                let back = |held: &mut Held| {
                    let device = held.id().0;
                    let step = || held.take_back(&self.record).err();
                    self.changes.step(device, step)
                };
                let undo: Vec<DacError> = done.filter_map(back).collect();
                if undo.is_empty() {
                    return Err(cause);
                }
                return Err(DacError::Undo {
                    cause: Box::new(cause),
                    undo,
                });
            }
        }
        Ok(())
    }
}

/// For errors about a path.
fn open_error(path: &Path, source: impl Into<io::Error>) -> DacError {
    DacError::Open {
        path: path.to_owned(),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests;
