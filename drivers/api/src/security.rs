//! How a guest is kept to what is its own: who may open its files, and under which labels its process runs.
//!
//! A driver says which files a guest needs; a security driver makes them accessible to it, and gives back a record that the
//! hypervisor driver keeps beside the guest's state, so that everything can be undone after any crash of the daemon.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::domain::SecurityLabel;
use crate::{Error, Result, Uuid};

/// A way of confining guests (`virSecurityModel`, and `<secmodel>` of the host's capabilities).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityModel {
    /// Its name in libvirt's spelling: `selinux`, `apparmor`, `dac`.
    pub model: String,
    /// The domain of interpretation of its labels; `0` if it has none.
    pub doi: String,
    /// The label that guests get unless their definitions say otherwise; none if each gets one of its own.
    pub base_label: Option<String>,
}

/// What a guest does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads it; others may, too.
    ReadOnly,
    /// Writes it, alone.
    ReadWrite,
    /// Writes it, as other guests do.
    Shared,
}

/// A file that a guest needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// What the guest does with it.
    pub access: Access,
}

/// Confines guests. Calls block on the file system; drivers make them where blocking is allowed.
///
/// In two steps, so that what is about to be changed is on disk before anything is: [`Security::prepare`] looks and changes
/// nothing, its record is saved, then [`Prepared::apply`] acts on it. What a running guest is given later is prepared in the same way: each
/// record tells of its own files only, and restoring one leaves the files of the others with the guest.
pub trait Security: Send + Sync {
    /// By which models guests are confined, the most important one first.
    fn models(&self) -> Vec<SecurityModel> {
        Vec::new()
    }

    /// The labels that the guest's process has, one for each of [`Security::models`]. Whoever starts the process runs it so.
    fn labels(&self, _guest: Uuid) -> Vec<SecurityLabel> {
        Vec::new()
    }

    /// Labels what the guest is handed as a descriptor: a socket, a pipe, a tap device. Models that label only files by their names change
    /// nothing.
    ///
    /// # Errors
    /// If the guest could not use it.
    fn label_descriptor(&self, _guest: Uuid, _descriptor: BorrowedFd<'_>) -> Result<()> {
        Ok(())
    }

    /// Finds out what has to be changed for a guest. `part` is 0 for what it starts with; what is plugged later has another number, which
    /// no part of this guest has that was not restored yet. A file of several parts is the guest's until the last of them is restored.
    ///
    /// # Errors
    /// If a file cannot be made accessible to the guest.
    fn prepare(&self, guest: Uuid, part: u32, resources: &[Resource]) -> Result<Box<dyn Prepared>>;

    /// Whose a file was before it was given to guests, by the user's number; none if it was not, or if nobody can tell.
    fn owner_before(&self, _path: &Path) -> Option<u32> {
        None
    }

    /// Undoes what a record tells of, whether or not it was applied in full. What cannot be undone is logged, and does not keep
    /// the rest from being undone.
    fn restore(&self, record: &str);
}

/// A guest's files, held from the look at them until they are changed, so that nobody can put others in their places between the
/// two. Dropping it changes nothing.
pub trait Prepared: Send {
    /// What is to be changed, in a form that [`Security::restore`] reads. To be on disk before [`Prepared::apply`].
    fn record(&self) -> String;

    /// Makes the changes.
    ///
    /// # Errors
    /// If one fails, or a file is not any more what it was; all are undone then.
    fn apply(&mut self) -> Result<()>;

    /// A file of those that were prepared, by its path: a descriptor that stands for the file and is not open for anything
    /// (`O_PATH`). Whoever has it opens the file itself through `/proc/self/fd`, with his own rights.
    ///
    /// # Errors
    /// If it was not prepared.
    fn descriptor(&self, path: &Path) -> Result<OwnedFd>;

    /// Looks at what the guest's process has open by now, before the guest itself runs. It opens its files by their paths, and
    /// whoever may change a directory on the way could have led it to files of other guests. `also` are files that it was given as
    /// descriptors, and what it may do with each.
    ///
    /// # Errors
    /// If it has a file open that is not one of these and that not everybody may read, or one of these for more than it may.
    fn check_opened(&self, process: i32, also: &[(FileId, Access)]) -> Result<()>;
}

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The number of its device.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
}

impl From<&std::fs::Metadata> for FileId {
    fn from(facts: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: facts.dev(),
            inode: facts.ino(),
        }
    }
}

/// Changes nothing: for guests that run as the daemon's own user.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unconfined;

impl Security for Unconfined {
    fn prepare(&self, _: Uuid, _: u32, _: &[Resource]) -> Result<Box<dyn Prepared>> {
        Ok(Box::new(Self))
    }

    fn restore(&self, _: &str) {}
}

impl Prepared for Unconfined {
    fn record(&self) -> String {
        String::new()
    }

    fn apply(&mut self) -> Result<()> {
        Ok(())
    }

    fn descriptor(&self, path: &Path) -> Result<OwnedFd> {
        let shown = path.display();
        Err(Error::internal(format!("'{shown}' is not held")))
    }

    fn check_opened(&self, _: i32, _: &[(FileId, Access)]) -> Result<()> {
        Ok(())
    }
}
