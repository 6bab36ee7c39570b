//! What a definition means for QEMU: what is meant where it says nothing, where its devices are, and what cannot be done.
//!
//! Definitions that libvirt accepts get the same machine, devices and addresses here, so that guests that are brought over find the hardware that
//! they had. Nothing here looks at the host or asks QEMU: what is known of both is given ([`Facts`]).
//!
//! - [`machine`]: what kinds of machines have.
//! - `defaults`: devices that are there unless the definition says otherwise.
//! - `devices/`: for each family of devices, what is meant where its element says nothing.
//! - `addresses/`: where devices are.

#![forbid(unsafe_code)]

mod addresses;
mod cpu;
mod defaults;
mod devices;
pub mod machine;

use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{Entropy, Result};
use virtbus_conf_domain::domain::devices::DeviceMut;
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DomainDefaults, DriverFeatures, Seams};
use virtbus_qemu_capabilities::Capabilities;

/// First half of Ethernet addresses that are made up: QEMU's own prefix.
const MAC_PREFIX: [u8; 3] = [0x52, 0x54, 0x00];

/// What is known of the emulator and the host.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the emulator can do.
    pub capabilities: &'a Capabilities,
    /// The emulator's path, for definitions that name none.
    pub emulator: &'a str,
    /// The host's architecture.
    pub host_arch: Arch,
}

/// What the driver can do, for checks that all drivers share.
pub const FEATURES: DriverFeatures = DriverFeatures::MEMORY_HOTPLUG
    .union(DriverFeatures::OFFLINE_VCPUPIN)
    .union(DriverFeatures::INDIVIDUAL_VCPUS)
    .union(DriverFeatures::USER_ALIAS)
    .union(DriverFeatures::FIRMWARE_AUTOSELECT)
    .union(DriverFeatures::NET_MODEL_STRING)
    .union(DriverFeatures::DISK_FD);

/// Fills in what a definition leaves out.
///
/// # Errors
/// What stands in the way of a default, and what QEMU cannot do.
pub fn complete(
    domain: &mut Domain,
    facts: Facts<'_>,
    entropy: &mut dyn Entropy,
    flags: CompleteFlags,
) -> Result<()> {
    let mut seams = Seams {
        driver: &mut Qemu { facts },
        entropy,
        mac_prefix: MAC_PREFIX,
        host_arch: facts.host_arch,
        flags,
    };
    domain.complete(&mut seams)?;
    domain.validate(FEATURES)
}

/// The driver's own part of completing.
struct Qemu<'a> {
    facts: Facts<'a>,
}

impl DomainDefaults for Qemu<'_> {
    fn features(&self) -> DriverFeatures {
        FEATURES
    }

    fn basic(&mut self, domain: &mut Domain, _: CompleteFlags) -> Result<()> {
        machine::settle(domain, &self.facts)
    }

    fn domain(&mut self, domain: &mut Domain, flags: CompleteFlags) -> Result<()> {
        defaults::add(domain, &self.facts, flags)?;
        cpu::complete(domain, &self.facts)
    }

    fn device(
        &mut self,
        domain: &Domain,
        device: DeviceMut<'_>,
        flags: CompleteFlags,
    ) -> Result<()> {
        devices::complete(domain, device, &self.facts, flags)
    }

    fn addresses(&mut self, domain: &mut Domain, flags: CompleteFlags) -> Result<()> {
        let is_new = flags.contains(CompleteFlags::ABI_UPDATE);
        addresses::assign(domain, &self.facts, is_new)
    }
}
