//! Where a guest's processes live on the host: a control group or scope of their own.
//!
//! On a host with systemd that is a transient scope, elsewhere a control group; drivers only say what
//! they have. The daemon's own group must never hold a guest, or stopping the service would stop the guest.

use async_trait::async_trait;

use crate::{Result, Uuid};

/// A guest that is to get a place of its own.
#[derive(Debug, Clone)]
pub struct Guest<'a> {
    /// The driver's short name, such as `qemu`.
    pub driver: &'a str,
    /// The connection's number of the running domain.
    pub id: u32,
    /// The domain's name.
    pub name: &'a str,
    /// The domain's UUID.
    pub uuid: Uuid,
    /// What no other run has, of this guest or another, on this host or another.
    pub run: Uuid,
    /// The process that stands for the guest.
    pub leader: u32,
}

/// Gives guests a place, and takes it away.
#[async_trait]
pub trait Placement: Send + Sync {
    /// Moves the guest's leader to a place of its own and names that place, as [`Placement::name`] did; `None` where the host has none to
    /// give. One that is perhaps there, as the host has not answered, is named too.
    ///
    /// # Errors
    /// If the host offers places but refused this one. Nothing of this name is the guest's then.
    async fn place(&self, guest: &Guest<'_>) -> Result<Option<String>>;

    /// The name of the place that [`Placement::place`] would give, to be noted before it is made; `None` where the host has none to give.
    /// No two runs get the same, and nothing else on the host has it, so that whatever has a name that was noted may be removed.
    fn name(&self, guest: &Guest<'_>) -> Option<String>;

    /// Removes what [`Placement::place`] made, if it did, once the guest has ended; and ends what is left of the guest in there.
    async fn release(&self, place: &str);
}

/// Leaves guests where the daemon is: for tests, and for hosts that have no places to give.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPlacement;

#[async_trait]
impl Placement for NoPlacement {
    async fn place(&self, _: &Guest<'_>) -> Result<Option<String>> {
        Ok(None)
    }

    fn name(&self, _: &Guest<'_>) -> Option<String> {
        None
    }

    async fn release(&self, _: &str) {}
}
