//! Discretionary access control: a guest runs as an unprivileged user, so the files in its
//! definition must belong to that user while it runs, and to whom they belonged before when it
//! does not.
//!
//! The order of things, so that a crash of the daemon at any point loses no owner:
//!
//! 1. [`Dac::prepare`] looks at the files, changes nothing, and returns a [`Record`].
//! 2. The driver writes the record to the guest's status file.
//! 3. [`Dac::apply`] changes the owners; if it cannot, it undoes what it has done.
//! 4. The guest runs, ends.
//! 5. [`Dac::restore`] gives the files back. It may be called any number of times, also for a
//!    record that was never applied or only in part.
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
mod memory;
mod record;
mod target;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Gid, Uid};
use rustix::io::Errno;

pub use access::Identity;
pub use memory::Holder;
pub use record::{Entry, Record, RecordError};
pub use virtbus_util::file::Owner;

use access::{Claim, Kind};
use memory::Memory;
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
    #[error("'{path}' is out of reach for user {uid}, who may not search directory '{dir}'")]
    Unreachable {
        /// The path.
        path: PathBuf,
        /// The first such directory.
        dir: PathBuf,
        /// The guest's user.
        uid: u32,
    },
    /// A symbolic link of an unprivileged user leads to somebody else's file. Following it would
    /// let that user (a guest that broke out, for one) have any file of the host handed over.
    #[error("'{path}' leads over link '{link}' of user {uid} to a file of user {owner}")]
    UnsafeLink {
        /// The path.
        path: PathBuf,
        /// The link.
        link: PathBuf,
        /// The link's owner.
        uid: u32,
        /// The file's owner.
        owner: u32,
    },
    /// Another guest uses the file as another user.
    #[error("'{path}' is in use by a guest that runs as user {uid}, group {gid}")]
    InUse {
        /// The path.
        path: PathBuf,
        /// That guest's user.
        uid: u32,
        /// That guest's group.
        gid: u32,
    },
    /// Between prepare and apply another file took the path.
    #[error("'{path}' was replaced by another file")]
    Replaced {
        /// The path.
        path: PathBuf,
    },
    /// The owner cannot be changed.
    #[error("cannot change the owner of '{path}' to user {uid}, group {gid}")]
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
    #[error("{cause}; moreover {} files could not be given back", .undo.len())]
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
    /// Reading, changing and writing back who uses a file is one step.
    changes: Mutex<()>,
}

impl Dac {
    /// `identity` is whom guests run as unless their definition says otherwise. Without
    /// `dynamic_ownership` no file is ever touched, and the administrator sees to it that guests
    /// can use theirs.
    pub fn new(identity: Identity, dynamic_ownership: bool) -> Self {
        Self {
            identity,
            dynamic_ownership,
            changes: Mutex::new(()),
        }
    }

    /// Whom guests run as by default.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Looks at the files of a guest and says what has to be changed. Changes nothing.
    pub fn prepare(&self, holder: Holder, resources: &[Resource]) -> Result<Record, DacError> {
        self.prepare_as(holder, &self.identity, resources)
    }

    /// As [`Dac::prepare`], for a guest that runs as somebody of its own.
    pub fn prepare_as(
        &self,
        holder: Holder,
        identity: &Identity,
        resources: &[Resource],
    ) -> Result<Record, DacError> {
        let given = identity.owner();
        let mut entries: Vec<Entry> = Vec::new();
        if self.dynamic_ownership {
            // A file may appear under several names; it is changed once.
            let mut seen: HashMap<(u64, u64), usize> = HashMap::new();
            for resource in resources {
                let target = target::open(&resource.path)?;
                let Some(entry) = examine(&target, identity, holder, resource.access)? else {
                    continue;
                };
                match seen
                    .get(&target.id())
                    .and_then(|index| entries.get_mut(*index))
                {
                    Some(known) => known.exclusive |= entry.exclusive,
                    None => {
                        seen.insert(target.id(), entries.len());
                        entries.push(entry);
                    }
                }
            }
        }
        Ok(Record {
            holder,
            given,
            entries,
        })
    }

    /// Changes the owners. On failure everything is as before, as far as it can be.
    pub fn apply(&self, record: &Record) -> Result<(), DacError> {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, entry) in record.entries.iter().enumerate() {
            if let Err(cause) = give(record, entry) {
                // The failed one too: it may have got half way.
                let done = record.entries.get(..=index).unwrap_or_default();
                let undo = take_back(record, done, Departure::Ended);
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

    /// Gives the files back, newest first, those excepted that other guests still use, that
    /// somebody else has given a new owner meanwhile, or that are gone. Goes on after failures and
    /// returns them all.
    pub fn restore(&self, record: &Record, departure: Departure) -> Vec<DacError> {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        take_back(record, &record.entries, departure)
    }
}

/// Whether and how a file has to be changed.
fn examine(
    target: &Target,
    identity: &Identity,
    holder: Holder,
    access: Access,
) -> Result<Option<Entry>, DacError> {
    if let Some(dir) = target.first_unsearchable(identity) {
        return Err(DacError::Unreachable {
            path: target.path.clone(),
            dir: dir.to_owned(),
            uid: identity.uid,
        });
    }
    if identity.uid == 0 || target.kind() == Kind::Everybodys {
        return Ok(None);
    }
    let memory = if target.is_on_network() {
        None
    } else {
        memory::read(target)?
    };
    let now = target.owner();
    let given = identity.owner();
    let others = memory
        .as_ref()
        .is_some_and(|memory| memory.has_others(holder));
    if let Some(memory) = memory.as_ref().filter(|_| others)
        && memory.given != given
    {
        return Err(DacError::InUse {
            path: target.path.clone(),
            uid: memory.given.uid,
            gid: memory.given.gid,
        });
    }
    if access == Access::ReadOnly
        && memory.is_none()
        && access::allows(target.facts(), identity, Claim::Read)
    {
        return Ok(None);
    }
    let previous = memory.map_or(now, |memory| memory.owner);
    if now == given && previous == given {
        return Ok(None);
    }
    target.check_links(previous.uid, given.uid)?;
    Ok(Some(Entry {
        path: target.path.clone(),
        inode: target.inode(),
        previous,
        exclusive: access == Access::ReadWrite,
    }))
}

fn give(record: &Record, entry: &Entry) -> Result<(), DacError> {
    let target = target::open(&entry.path)?;
    if target.inode() != entry.inode {
        return Err(DacError::Replaced {
            path: entry.path.clone(),
        });
    }
    target.check_links(entry.previous.uid, record.given.uid)?;
    if !target.is_on_network() {
        let mut memory =
            memory::read(&target)?.unwrap_or_else(|| Memory::new(entry.previous, record.given));
        memory.given = record.given;
        memory.add(record.holder);
        // Before the change, so that the owner is known whatever happens now.
        memory::write(&target, &memory)?;
    }
    if target.owner() == record.given {
        return Ok(());
    }
    match chown(&target, record.given) {
        Ok(()) => Ok(()),
        Err(error) if is_refusal_of_file_system(&error) => {
            // A read-only or root-squashing file system; the guest may have access all the same.
            let identity = Identity {
                uid: record.given.uid,
                gid: record.given.gid,
                groups: Vec::new(),
            };
            let claim = if entry.exclusive {
                Claim::ReadWrite
            } else {
                Claim::Read
            };
            if access::allows(target.facts(), &identity, claim) {
                Ok(())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
}

fn take_back(record: &Record, entries: &[Entry], departure: Departure) -> Vec<DacError> {
    let back = |entry: &Entry| take_back_one(record, entry, departure).err();
    entries.iter().rev().filter_map(back).collect()
}

fn take_back_one(record: &Record, entry: &Entry, departure: Departure) -> Result<(), DacError> {
    let target = match target::open(&entry.path) {
        Ok(target) => target,
        Err(DacError::Open { source, .. }) if is_gone(&source) => return Ok(()),
        Err(error) => return Err(error),
    };
    if target.inode() != entry.inode {
        return Ok(());
    }
    if target.is_on_network() && departure == Departure::Migrated {
        return Ok(());
    }
    let memory = if target.is_on_network() {
        None
    } else {
        memory::read(&target)?
    };
    let is_still_given = target.owner() == record.given;
    let Some(mut memory) = memory else {
        if is_still_given && entry.exclusive {
            chown(&target, entry.previous)?;
        }
        return Ok(());
    };
    if !memory.remove(record.holder) && !memory.is_unused() {
        // Given back before, and others have it now.
        return Ok(());
    }
    if !memory.is_unused() {
        return memory::write(&target, &memory);
    }
    if target.owner() == memory.given {
        chown(&target, memory.owner)?;
    }
    memory::forget(&target)
}

fn chown(target: &Target, owner: Owner) -> Result<(), DacError> {
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    let flags = AtFlags::EMPTY_PATH;
    rustix::fs::chownat(target, "", Some(uid), Some(gid), flags).map_err(|errno| DacError::Chown {
        path: target.path.clone(),
        uid: owner.uid,
        gid: owner.gid,
        source: errno.into(),
    })
}

fn is_refusal_of_file_system(error: &DacError) -> bool {
    let DacError::Chown { source, .. } = error else {
        return false;
    };
    let refusals = [Errno::PERM, Errno::ROFS, Errno::OPNOTSUPP, Errno::NOSYS];
    refusals
        .iter()
        .any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
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
