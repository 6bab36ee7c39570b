//! Locks, by which two guests do not write the same disk at the same time, on one host or on several.

use async_trait::async_trait;

use crate::{Result, Uuid};

/// Who holds locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOwner {
    /// The guest's UUID.
    pub uuid: Uuid,
    /// The guest's name.
    pub name: String,
    /// The process that is ended if a lock is lost, and whose end gives the locks back; 0 before there is one.
    pub pid: u32,
}

/// How a resource is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Only read.
    ReadOnly,
    /// Written, by several guests that know of each other.
    Shared,
    /// Written, by one guest.
    Exclusive,
}

/// What is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockResource {
    /// A disk, by what its source is called.
    Disk {
        /// The path or name.
        path: String,
        /// How it is used.
        mode: LockMode,
    },
    /// A lease of the guest's definition (`<lease>`).
    Lease {
        /// `<lockspace>`.
        space: String,
        /// `<key>`.
        key: String,
        /// The file with the lease.
        path: String,
        /// Where in that file, bytes.
        offset: u64,
    },
}

/// Gives and takes locks. A guest has them while its CPUs may run.
#[async_trait]
pub trait Locks: Send + Sync {
    /// Takes locks for a guest before its CPUs run. `state` is what [`Locks::release`] told before, on this host or on the one that it comes
    /// from: what was locked then must not have been locked by others since.
    ///
    /// # Errors
    /// `ResourceBusy`, naming the resource and who has it. None is taken then.
    async fn acquire(
        &self,
        owner: &LockOwner,
        resources: &[LockResource],
        state: Option<&str>,
    ) -> Result<()>;

    /// Gives all locks of a guest back after its CPUs were halted, and tells a state to come back with.
    ///
    /// # Errors
    /// If a lock is left.
    async fn release(&self, owner: &LockOwner) -> Result<Option<String>>;
}

/// No locks: for hosts whose guests' disks are nobody else's.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLocks;

#[async_trait]
impl Locks for NoLocks {
    async fn acquire(&self, _: &LockOwner, _: &[LockResource], _: Option<&str>) -> Result<()> {
        Ok(())
    }

    async fn release(&self, _: &LockOwner) -> Result<Option<String>> {
        Ok(None)
    }
}
