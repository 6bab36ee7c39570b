//! Checks of one part against another, for every driver.
//!
//! Run after completing, since defaults take part. What a single driver cannot do is the driver's to refuse.

mod chardev;
mod devices;
mod disk;
mod hypervisor;
mod machine;
mod usb;

pub(super) use self::disk::check_labels;
use virtbus_conf_base::{ConfError, Result};

use super::{Domain, DriverFeatures};
use crate::domain::devices::DeviceRef;

impl Domain {
    /// Checks the whole definition.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn validate(&self, features: DriverFeatures) -> Result<()> {
        machine::check(self, features)?;
        hypervisor::check(self)?;
        for device in self.devices.iter() {
            self.validate_device(device)?;
        }
        devices::check_together(self)
    }

    /// Checks one device, which need not be part of the guest yet.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn validate_device(&self, device: DeviceRef<'_>) -> Result<()> {
        usb::check(self, device)?;
        match device {
            DeviceRef::Disk(disk) => disk::check(self, disk),
            DeviceRef::Serial(serial) => chardev::check(&serial.chardev),
            DeviceRef::Parallel(parallel) => chardev::check(&parallel.chardev),
            DeviceRef::Console(console) => chardev::check(&console.chardev),
            DeviceRef::Channel(channel) => chardev::check_channel(channel),
            DeviceRef::Smartcard(card) => chardev::check_smartcard(card),
            DeviceRef::Redirdev(redirdev) => chardev::check_redirdev(redirdev),
            DeviceRef::Rng(rng) => chardev::check_rng(rng),
            other => devices::check(self, other),
        }
    }
}

fn unsupported<T>(message: impl Into<String>) -> Result<T> {
    Err(ConfError::unsupported(message))
}

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(ConfError::invalid(message))
}
