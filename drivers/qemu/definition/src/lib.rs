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
mod audio;
mod cpu;
mod defaults;
mod devices;
mod features;
pub mod firmware;
pub mod machine;
pub mod memory_lock;
pub mod memory_size;
mod numa;
mod plug;
mod validate;

pub use audio::HostAudio;
pub use plug::complete_device;

use virtbus_conf_base::common::{Arch, PciAddress, SecLabelType};
use virtbus_conf_base::{Entropy, Result, YesNo};
use virtbus_conf_domain::domain::devices::tpm::TpmVersion;
use virtbus_conf_domain::domain::devices::{DeviceMut, DeviceRef};
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DomainDefaults, DriverFeatures, Seams};
use virtbus_qemu_capabilities::Capabilities;

/// First half of Ethernet addresses that are made up: QEMU's own prefix.
const MAC_PREFIX: [u8; 3] = [0x52, 0x54, 0x00];

/// The security driver that does nothing.
const NO_SECURITY: &str = "none";

/// What is known of the emulator and the host.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the emulator can do.
    pub capabilities: &'a Capabilities,
    /// The emulator's path, for definitions that name none.
    pub emulator: &'a str,
    /// The host's architecture.
    pub host_arch: Arch,
    /// The host's devices.
    pub host: &'a dyn Host,
    /// The host's sound.
    pub audio: HostAudio,
    /// The versions of TPM that the host's emulator of these has.
    pub tpm_versions: &'a [TpmVersion],
    /// Descriptions of firmware images, the preferred ones first.
    pub firmware: &'a [firmware::Descriptor],
    /// Folder of files with firmware variables.
    pub nvram_folder: &'a str,
    /// The security driver that labels guests which name none, such as `selinux`, or `none`.
    pub security: &'a str,
}

/// What is known of the host's devices.
pub trait Host: std::fmt::Debug {
    /// The group of devices that the host cannot keep apart, which a PCI device is in; `None` if there is no such device.
    fn iommu_group(&self, address: PciAddress) -> Option<u32>;

    /// Whether a PCI device is one of PCI Express; `None` if there is no such device, or it cannot be told.
    fn is_express(&self, address: PciAddress) -> Option<bool>;
}

/// A host of whose devices nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnknownHost;

impl Host for UnknownHost {
    fn iommu_group(&self, _: PciAddress) -> Option<u32> {
        None
    }

    fn is_express(&self, _: PciAddress) -> Option<bool> {
        None
    }
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
/// What stands in the way of a default.
pub fn complete(
    domain: &mut Domain,
    facts: Facts<'_>,
    entropy: &mut dyn Entropy,
    flags: CompleteFlags,
) -> Result<()> {
    let mut qemu = Qemu { facts };
    let mut seams = qemu.seams(entropy, flags);
    domain.complete(&mut seams)
}

/// Checks a definition, which is complete. Those that a guest was once started with are not checked again: they must stay visible whatever
/// became of the emulator.
///
/// # Errors
/// The first thing that contradicts itself, or that QEMU or this emulator cannot do.
pub fn validate(domain: &Domain, facts: &Facts<'_>) -> Result<()> {
    domain.validate(FEATURES)?;
    validate::check(domain, facts)
}

/// Checks a device, which is complete and need not be part of the guest yet.
///
/// # Errors
/// As for [`validate()`].
pub fn validate_device(domain: &Domain, device: DeviceRef<'_>, facts: &Facts<'_>) -> Result<()> {
    domain.validate_device(device)?;
    validate::device(domain, device, facts)
}

/// The driver's own part of completing.
struct Qemu<'a> {
    facts: Facts<'a>,
}

impl Qemu<'_> {
    /// What a definition is completed by.
    fn seams<'a>(&'a mut self, entropy: &'a mut dyn Entropy, flags: CompleteFlags) -> Seams<'a> {
        Seams {
            host_arch: self.facts.host_arch,
            driver: self,
            entropy,
            mac_prefix: MAC_PREFIX,
            flags,
        }
    }
}

impl DomainDefaults for Qemu<'_> {
    fn features(&self) -> DriverFeatures {
        FEATURES
    }

    fn basic(&mut self, domain: &mut Domain, _: CompleteFlags) -> Result<()> {
        security(domain, self.facts.security);
        machine::settle(domain, &self.facts)
    }

    fn domain(&mut self, domain: &mut Domain, flags: CompleteFlags) -> Result<()> {
        firmware::complete(domain, &self.facts, flags)?;
        features::complete(domain, &self.facts, flags);
        defaults::add(domain, &self.facts)?;
        cpu::complete(domain, &self.facts)?;
        numa::complete(domain, flags);
        Ok(())
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

/// A single label that names no security driver is the usual driver's.
fn security(domain: &mut Domain, usual: &str) {
    if let [label] = domain.seclabel.as_mut_slice() {
        let model = label.model.get_or_insert_with(|| usual.into());
        if **model == *NO_SECURITY {
            label.kind = Some(SecLabelType::None);
            label.relabel = Some(YesNo::No);
        }
    }
}
