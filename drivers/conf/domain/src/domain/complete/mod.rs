//! Filling in what is left out: the defaults that hold for every driver, and the order in which the
//! drivers' own come in.
//!
//! ```text
//! settle        what a reader of the text alone can say: UUID, counts, actions, clock
//! driver.basic      before anything else is looked at: architecture, machine
//! indexes       numbers of controllers
//! driver.domain     the driver's own devices and defaults
//! devices       driver.device for each, then what holds for every driver
//! whole         memory, boot order, implicit devices
//! driver.addresses  where devices are
//! features      what the driver cannot do at all
//! ```
//!
//! Everything random comes through [`Seams`]. Nothing here looks at the host.

mod consoles;
mod controllers;
mod cputune;
mod devices;
mod disks;
mod graphics;
mod settle;
mod whole;

pub use disks::disk_index;

use virtbus_conf_base::common::{Arch, Mac, Uuid};
use virtbus_conf_base::{ConfError, Entropy, Result};

use crate::domain::Domain;
use crate::domain::devices::DeviceMut;

bitflags::bitflags! {
    /// What a driver can do, so that definitions asking for more are refused here.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct DriverFeatures: u32 {
        /// SCSI buses with 16 units rather than 7.
        const WIDE_SCSI = 1 << 0;
        /// Memory devices.
        const MEMORY_HOTPLUG = 1 << 1;
        /// Pinning of virtual CPUs that are off.
        const OFFLINE_VCPUPIN = 1 << 2;
        /// A `/` in the name of a guest.
        const NAME_SLASH = 1 << 3;
        /// Virtual CPUs one by one.
        const INDIVIDUAL_VCPUS = 1 << 4;
        /// Aliases chosen by the user.
        const USER_ALIAS = 1 << 5;
        /// There is no boot order to be made up.
        const NO_BOOT_ORDER = 1 << 6;
        /// Disks by file descriptors.
        const DISK_FD = 1 << 7;
        /// A serial port needs no console beside it.
        const NO_STUB_CONSOLE = 1 << 8;
        /// Models of interfaces that are not known here.
        const NET_MODEL_STRING = 1 << 9;
        /// Firmware is chosen by its features.
        const FIRMWARE_AUTOSELECT = 1 << 10;
    }
}

bitflags::bitflags! {
    /// What a definition is completed for.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct CompleteFlags: u32 {
        /// A definition for the next start: what only a running guest has is dropped.
        const INACTIVE = 1 << 0;
        /// A new guest, which may get newer defaults.
        const ABI_UPDATE = 1 << 1;
        /// The same for the incoming side of a migration.
        const ABI_UPDATE_MIGRATION = 1 << 2;
    }
}

impl crate::domain::devices::Devices {
    /// Puts a controller where it belongs: by kind, then by number, companions behind their master.
    pub fn insert_controller(
        &mut self,
        controller: crate::domain::devices::controller::Controller,
    ) {
        controllers::insert(&mut self.controller, controller);
    }
}

/// What a driver means by leaving something out.
pub trait DomainDefaults {
    /// What the driver can do.
    fn features(&self) -> DriverFeatures {
        DriverFeatures::empty()
    }

    /// Called first: architecture, machine, emulator.
    ///
    /// # Errors
    /// Whatever makes the definition useless for the driver.
    fn basic(&mut self, _domain: &mut Domain, _flags: CompleteFlags) -> Result<()> {
        Ok(())
    }

    /// Called before devices are looked at: the driver's own devices and defaults.
    ///
    /// # Errors
    /// Whatever makes the definition useless for the driver.
    fn domain(&mut self, _domain: &mut Domain, _flags: CompleteFlags) -> Result<()> {
        Ok(())
    }

    /// Called for each device, of which `domain` still has the old state.
    ///
    /// # Errors
    /// Whatever makes the device useless for the driver.
    fn device(
        &mut self,
        _domain: &Domain,
        _device: DeviceMut<'_>,
        _flags: CompleteFlags,
    ) -> Result<()> {
        Ok(())
    }

    /// Called last: addresses of devices.
    ///
    /// # Errors
    /// No address is left, or two devices ask for the same.
    fn addresses(&mut self, _domain: &mut Domain, _flags: CompleteFlags) -> Result<()> {
        Ok(())
    }
}

/// A driver without defaults of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDefaults(pub DriverFeatures);

impl DomainDefaults for NoDefaults {
    fn features(&self) -> DriverFeatures {
        self.0
    }
}

/// Everything that completing a definition needs from outside.
pub struct Seams<'a> {
    /// The driver.
    pub driver: &'a mut dyn DomainDefaults,
    /// Random numbers.
    pub entropy: &'a mut dyn Entropy,
    /// First half of Ethernet addresses that are made up.
    pub mac_prefix: [u8; 3],
    /// Architecture of the host, for guests that name none.
    pub host_arch: Arch,
    /// What for.
    pub flags: CompleteFlags,
}

impl Seams<'_> {
    pub(crate) fn new_uuid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        Uuid::from_random(bytes)
    }

    pub(crate) fn new_mac(&mut self) -> Mac {
        let [a, b, c] = self.mac_prefix;
        let mut byte = || u8::try_from(self.entropy.bits(8)).unwrap_or(0);
        Mac([a, b, c, byte(), byte(), byte()])
    }

    fn is_inactive(&self) -> bool {
        self.flags.contains(CompleteFlags::INACTIVE)
    }
}

impl Domain {
    /// Fills in what is left out.
    ///
    /// # Errors
    /// Contradictions that stand in the way of a default, and whatever the driver refuses.
    pub fn complete(&mut self, seams: &mut Seams<'_>) -> Result<()> {
        settle::settle(self, seams)?;
        let flags = seams.flags;
        seams.driver.basic(self, flags)?;
        controllers::assign_indexes(self);
        seams.driver.domain(self, flags)?;
        consoles::assign_isa_ports(self)?;
        self.change_devices(|domain, mut device| {
            seams.driver.device(domain, device.reborrow(), flags)?;
            devices::complete(domain, device, seams)
        })?;
        whole::complete(self, seams)?;
        seams.driver.addresses(self, flags)?;
        whole::after_addresses(self, seams);
        self.devices.shrink_to_fit();
        whole::check_features(self, seams.driver.features())
    }

    /// Completes one device that is not part of the guest yet.
    ///
    /// # Errors
    /// As for [`Domain::complete`].
    pub fn complete_device(&self, mut device: DeviceMut<'_>, seams: &mut Seams<'_>) -> Result<()> {
        devices::settle(device.reborrow(), seams)?;
        let flags = seams.flags;
        seams.driver.device(self, device.reborrow(), flags)?;
        devices::complete(self, device, seams)
    }
}

fn unsupported<T>(message: impl Into<String>) -> Result<T> {
    Err(ConfError::unsupported(message))
}

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(ConfError::invalid(message))
}
