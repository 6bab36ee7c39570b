//! Devices of the host that are given to guests.

use std::fmt;

use async_trait::async_trait;

use crate::{Result, Uuid};

/// A device of the host, by its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostDevice {
    /// A function of a PCI device.
    Pci {
        /// The domain, 0 to 0xffff ffff.
        domain: u32,
        /// The bus.
        bus: u8,
        /// The slot, 0 to 31.
        slot: u8,
        /// The function, 0 to 7.
        function: u8,
    },
    /// A USB device.
    Usb {
        /// The bus.
        bus: u32,
        /// The device on it.
        device: u32,
    },
    /// A SCSI device.
    Scsi {
        /// The host adapter's number.
        host: u32,
        /// The bus.
        bus: u32,
        /// The target.
        target: u32,
        /// The unit.
        unit: u64,
    },
    /// A mediated device.
    Mediated(Uuid),
}

impl fmt::Display for HostDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci {
                domain,
                bus,
                slot,
                function,
            } => write!(
                f,
                "PCI device {domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
            ),
            Self::Usb { bus, device } => write!(f, "USB device {bus:03}:{device:03}"),
            Self::Scsi {
                host,
                bus,
                target,
                unit,
            } => write!(f, "SCSI device {host}:{bus}:{target}:{unit}"),
            Self::Mediated(uuid) => write!(f, "mediated device {uuid}"),
        }
    }
}

/// What a guest is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The device.
    pub device: HostDevice,
    /// Whether it is taken from the host's driver, and given back to it (`managed='yes'`).
    pub managed: bool,
    /// The driver that it is bound to meanwhile, if not the usual one (`vfio-pci`).
    pub driver: Option<String>,
    /// Whether other guests may have it at the same time.
    pub shareable: bool,
}

/// Gives devices of the host to guests, each to one at a time.
#[async_trait]
pub trait HostDevices: Send + Sync {
    /// Takes devices for a guest. The driver has noted them before. Again for the same guest (one found again after a restart of the daemon) it
    /// takes note, and changes nothing.
    ///
    /// # Errors
    /// `OperationInvalid` if another guest or the host needs one of them; `NoNodeDevice` if there is none. None is taken then.
    async fn assign(&self, guest: Uuid, devices: &[Assignment]) -> Result<()>;

    /// Gives them back. One that the guest does not have is left alone; what cannot be given back is logged.
    async fn release(&self, guest: Uuid, devices: &[Assignment]);
}
