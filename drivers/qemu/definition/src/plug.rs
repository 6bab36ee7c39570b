//! Devices that come while a guest runs: what is meant by them, and a place that is free.
//!
//! Nothing else of the guest changes for them: a bus that is full stays so, since controllers of buses cannot be plugged.

use virtbus_conf_base::{ConfError, Entropy, Result};
use virtbus_conf_domain::domain::devices::{Device, DeviceRef};
use virtbus_conf_domain::domain::{CompleteFlags, Domain};

use crate::{Facts, Qemu, addresses};

/// Fills in what a device leaves out that is to be plugged into a running guest, and finds a place for it.
///
/// # Errors
/// What stands in the way of a default, and if no place is left or the one that it names is taken.
pub fn complete_device(
    domain: &Domain,
    device: &mut Device,
    facts: Facts<'_>,
    entropy: &mut dyn Entropy,
    flags: CompleteFlags,
) -> Result<()> {
    let mut qemu = Qemu { facts };
    let mut seams = qemu.seams(entropy, flags);
    domain.complete_device(device.as_mut(), &mut seams)?;
    let mut with = domain.clone();
    let name = device.as_ref().name();
    with.devices
        .push(device.clone())
        .map_err(|_| ConfError::unsupported(format!("a guest cannot have a second <{name}>")))?;
    addresses::plug(&mut with, &facts)?;
    let same_kind = |other: &DeviceRef<'_>| other.name() == name;
    let placed = with.devices.iter().filter(same_kind).last();
    let address = placed.and_then(|placed| placed.info()?.address.clone());
    if let Some(info) = device.as_mut().info_mut()
        && info.address != address
    {
        info.address = address;
    }
    Ok(())
}
