//! What is meant where a device's element says nothing: a module for each family.

mod controller;
mod disk;

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::DeviceMut;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};

use crate::Facts;

/// Fills in what is left out of a device, of which `domain` has the old state.
///
/// # Errors
/// Whatever makes the device useless.
pub(crate) fn complete(
    domain: &Domain,
    device: DeviceMut<'_>,
    facts: &Facts<'_>,
    flags: CompleteFlags,
) -> Result<()> {
    match device {
        DeviceMut::Controller(controller) => controller::complete(domain, controller, facts, flags),
        DeviceMut::Disk(disk) => disk::complete(disk),
        _ => Ok(()),
    }
}
