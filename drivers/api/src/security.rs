//! How a guest is kept to what is its own: who may open its files.
//!
//! A driver says which files a guest needs; a security driver makes them accessible to it, and gives back a record that the
//! hypervisor driver keeps beside the guest's state, so that everything can be undone after any crash of the daemon.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::{Error, Result, Uuid};

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
/// nothing, its record is saved, then [`Prepared::apply`] acts on it.
pub trait Security: Send + Sync {
    /// Finds out what has to be changed for a guest.
    ///
    /// # Errors
    /// If a file cannot be made accessible to the guest.
    fn prepare(&self, guest: Uuid, resources: &[Resource]) -> Result<Box<dyn Prepared>>;

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
    fn prepare(&self, _: Uuid, _: &[Resource]) -> Result<Box<dyn Prepared>> {
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
