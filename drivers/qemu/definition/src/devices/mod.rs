//! What is meant where a device's element says nothing: a module for each family.

mod controller;
mod disk;
mod interface;
mod memory;
mod other;
mod serial;
mod video;

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::DeviceMut;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};

pub(crate) use self::controller::XHCI;
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
        DeviceMut::Controller(controller) => {
            return controller::complete(domain, controller, facts, flags);
        }
        DeviceMut::Panic(panic) => return other::panic(domain, panic, facts),
        DeviceMut::Disk(disk) => disk::complete(disk),
        DeviceMut::Interface(interface) => interface::complete(domain, interface, facts),
        DeviceMut::Serial(serial) => serial::complete(domain, serial),
        DeviceMut::Video(video) => video::complete(domain, video, facts),
        DeviceMut::Memory(memory) => memory::complete(domain, memory, flags),
        DeviceMut::Tpm(tpm) => other::tpm(domain, tpm, facts),
        DeviceMut::Vsock(vsock) => other::vsock(vsock),
        DeviceMut::Hostdev(hostdev) => other::hostdev(hostdev),
        DeviceMut::Shmem(shmem) => other::shmem(shmem),
        DeviceMut::Redirdev(redirdev) => other::redirdev(redirdev),
        DeviceMut::Sound(_)
        | DeviceMut::Filesystem(_)
        | DeviceMut::Smartcard(_)
        | DeviceMut::Parallel(_)
        | DeviceMut::Channel(_)
        | DeviceMut::Console(_)
        | DeviceMut::Input(_)
        | DeviceMut::Watchdog(_)
        | DeviceMut::Memballoon(_)
        | DeviceMut::Rng(_)
        | DeviceMut::Nvram(_)
        | DeviceMut::Hub(_)
        | DeviceMut::Iommu(_)
        | DeviceMut::Crypto(_)
        | DeviceMut::Pstore(_)
        | DeviceMut::Lease(_)
        | DeviceMut::Graphics(_)
        | DeviceMut::Audio(_) => {}
    }
    Ok(())
}
