//! What is done to one file: whether it has to be given to a guest, giving it, and taking it back.

use std::io;

use rustix::fs::{AtFlags, Gid, Uid};
use rustix::io::Errno;
use virtbus_util::file::Owner;

use super::access::{self, Claim, Identity, Kind};
use super::memory::{self, Memory};
use super::target::{self, Target};
use super::{Access, DacError, Departure, Entry, Holder, Record};

/// A file that has to be given to a guest, held since it was looked at.
#[derive(Debug)]
pub(super) struct Held {
    target: Target,
    access: Access,
    /// Whose it was when it was looked at, or before it was given to guests.
    previous: Owner,
}

impl Held {
    /// Looks whether the file has to be changed, and gives it back if not.
    pub(super) fn examine(
        target: Target,
        identity: &Identity,
        holder: Holder,
        access: Access,
    ) -> Result<Result<Self, Target>, DacError> {
        if let Some(dir) = target.first_unsearchable(identity) {
            return Err(DacError::Unreachable {
                path: target.path.clone(),
                dir: dir.to_owned(),
                uid: identity.uid,
            });
        }
        let previous = previous_owner(&target, identity, holder, access)?;
        Ok(match previous {
            Some(previous) => Ok(Self {
                target,
                access,
                previous,
            }),
            None => Err(target),
        })
    }

    pub(super) fn into_target(self) -> Target {
        self.target
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) const fn access(&self) -> Access {
        self.access
    }

    pub(super) fn id(&self) -> (u64, u64) {
        self.target.id()
    }

    /// The guest uses the file by another name as well.
    pub(super) fn used_as(&mut self, access: Access) {
        self.access = self.access.max(access);
    }

    pub(super) fn entry(&self) -> Entry {
        let (device, inode) = self.target.id();
        Entry {
            path: self.target.path.clone(),
            device: Some(device),
            inode,
            previous: self.previous,
            exclusive: self.access == Access::ReadWrite,
        }
    }

    /// Gives the file to the guest, unless it is not what it was any more.
    pub(super) fn give(&mut self, record: &Record, identity: &Identity) -> Result<(), DacError> {
        // QEMU opens the file by its path; what is given is the file that was looked at.
        if target::open(&self.target.path)?.id() != self.target.id() {
            return Err(self.replaced());
        }
        self.target.refresh()?;
        if self.target.owner() != record.given {
            // Only root can have changed the owner; whose it is now was never asked about.
            let now = previous_owner(&self.target, identity, record.holder, self.access)?;
            if now.is_some_and(|now| now != self.previous) {
                return Err(self.replaced());
            }
        }
        let target = &self.target;
        if !target.is_on_network() {
            let mut memory =
                memory::read(target)?.unwrap_or_else(|| Memory::new(self.previous, record.given));
            if memory.owner != self.previous {
                return Err(self.replaced());
            }
            memory.given = record.given;
            memory.add(record.holder);
            // Before the change, so that the owner is known whatever happens now.
            memory::write(target, &memory)?;
        }
        if target.owner() == record.given {
            return Ok(());
        }
        match chown(target, record.given) {
            Ok(()) => Ok(()),
            Err(error) if is_refusal_of_file_system(&error) => {
                // A read-only or root-squashing file system; the guest may have access all the same.
                let claim = if self.access == Access::ReadWrite {
                    Claim::ReadWrite
                } else {
                    Claim::Read
                };
                if access::allows(target.facts(), identity, claim) {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Undoes what [`Held::give`] did to this very file, whatever has its path now.
    pub(super) fn take_back(&mut self, record: &Record) -> Result<(), DacError> {
        self.target.refresh()?;
        return_to_owner(record, &self.entry(), &self.target)
    }

    fn replaced(&self) -> DacError {
        DacError::Replaced {
            path: self.target.path.clone(),
        }
    }
}

/// Whose the file is, or was before it was given to guests, if it has to be given to this one.
fn previous_owner(
    target: &Target,
    identity: &Identity,
    holder: Holder,
    access: Access,
) -> Result<Option<Owner>, DacError> {
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
    let is_remembered = memory.is_some();
    let previous = memory.map_or(now, |memory| memory.owner);
    target.check_names(previous.uid)?;
    if access == Access::ReadOnly
        && !is_remembered
        && access::allows(target.facts(), identity, Claim::Read)
    {
        return Ok(None);
    }
    if now == given && previous == given {
        return Ok(None);
    }
    Ok(Some(previous))
}

/// Gives a file of a record back, if the record's path still leads to it.
pub(super) fn take_back(
    record: &Record,
    entry: &Entry,
    departure: Departure,
) -> Result<(), DacError> {
    let target = match target::open(&entry.path) {
        Ok(target) => target,
        Err(DacError::Open { source, .. }) if is_gone(&source) => return Ok(()),
        Err(error) => return Err(error),
    };
    let (device, inode) = target.id();
    if inode != entry.inode || entry.device.is_some_and(|noted| noted != device) {
        return Ok(());
    }
    if target.is_on_network() && departure == Departure::Migrated {
        return Ok(());
    }
    return_to_owner(record, entry, &target)
}

/// Gives the file back if it is still the guests' and nobody else uses it.
fn return_to_owner(record: &Record, entry: &Entry, target: &Target) -> Result<(), DacError> {
    let memory = if target.is_on_network() {
        None
    } else {
        memory::read(target)?
    };
    let Some(mut memory) = memory else {
        // That it is the same file is known by its device only.
        if entry.exclusive && entry.device.is_some() && target.owner() == record.given {
            chown(target, entry.previous)?;
        }
        return Ok(());
    };
    if entry.device.is_none() && !memory.lists(record.holder) {
        return Ok(());
    }
    if !memory.remove(record.holder) && !memory.is_unused() {
        // Given back before, and others have it now.
        return Ok(());
    }
    if !memory.is_unused() {
        return memory::write(target, &memory);
    }
    if target.owner() == memory.given {
        chown(target, memory.owner)?;
    }
    memory::forget(target)
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
