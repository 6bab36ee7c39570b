//! Where the guest finds a device: `<address type='…'>`.

use virtbus_conf_base::common::{PciAddress, Zpci};
use virtbus_xml::{AnyBase, Base16, Hex, OnOff, Text, Xml};

/// Address on a PCI bus of the guest.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciDeviceAddress {
    /// Domain, bus, slot and function; absent means that the driver chooses.
    #[xml(flat)]
    pub place: PciAddress,
    /// Whether other functions of the same slot are in use; required on function 0 if they are.
    #[xml(attr)]
    pub multifunction: Option<OnOff>,
    /// Identifiers of the device on s390.
    #[xml(child, skip_empty)]
    pub zpci: Option<Zpci>,
}

impl From<PciAddress> for PciDeviceAddress {
    fn from(place: PciAddress) -> Self {
        Self {
            place,
            multifunction: None,
            zpci: None,
        }
    }
}

macro_rules! counted {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(virtbus_xml::Describe, Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name { $($(#[$fmeta])* #[xml(attr, optional)] pub $field: u32),+ }

        impl virtbus_xml::Content for $name {
            fn parse(node: virtbus_xml::Node<'_>) -> virtbus_xml::Result<Self> {
                Ok(Self { $($field: node.attr_opt(stringify!($field))?.unwrap_or(0)),+ })
            }

            fn attrs(&self, w: &mut virtbus_xml::Writer) {
                $(w.attr(stringify!($field), &self.$field);)+
            }

            fn children(&self, _: &mut virtbus_xml::Writer) {}
        }
    };
}

counted! {
    /// Address on a disk controller. What is not given counts as 0.
    DriveAddress {
        /// Number of the controller (its index).
        controller,
        /// Number of the controller's bus, from 0.
        bus,
        /// Number of the target on the bus.
        target,
        /// Number of the target's unit (LUN).
        unit,
    }
}

counted! {
    /// Address on a virtio serial controller. What is not given counts as 0.
    VirtioSerialAddress {
        /// Number of the controller (its index).
        controller,
        /// Number of the controller's bus, from 0.
        bus,
        /// Number of the port on the bus.
        port,
    }
}

counted! {
    /// Address on a smart card controller. What is not given counts as 0.
    CcidAddress {
        /// Number of the controller (its index).
        controller,
        /// Number of the controller's slot.
        slot,
    }
}

/// Address on a USB bus of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct UsbAddress {
    /// Number of the USB controller (its index).
    #[xml(attr)]
    pub bus: AnyBase,
    /// Port, with ports of hubs on the way separated by dots, such as `1.4`; absent means that the driver chooses.
    #[xml(attr)]
    pub port: Option<Text>,
}

/// Address on the virtual I/O bus of pSeries guests.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpaprVioAddress {
    /// Register of the device, up to 0xffffffff; absent means that the driver chooses.
    #[xml(attr)]
    pub reg: Option<Base16<8>>,
}

/// Address on the channel subsystem of s390 guests.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CcwAddress {
    /// Channel subsystem, 0 to 0xfe; virtual devices are in 0xfe.
    #[xml(attr)]
    pub cssid: Option<Hex<1>>,
    /// Subchannel set, 0 to 3; 0 if absent.
    #[xml(attr)]
    pub ssid: Option<Hex<1>>,
    /// Device number, 0 to 0xffff; absent means that the driver chooses.
    #[xml(attr)]
    pub devno: Option<Hex<4>>,
}

/// Address on the guest's ISA bus.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IsaAddress {
    /// First I/O port of the device.
    #[xml(attr)]
    pub iobase: Option<Base16<1>>,
    /// Number of the interrupt line.
    #[xml(attr)]
    pub irq: Option<Base16<1>>,
}

/// Slot for a memory module.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DimmAddress {
    /// Number of the memory slot, from 0; absent means that the driver chooses.
    #[xml(attr)]
    pub slot: Option<u32>,
    /// Physical address of the memory in the guest.
    #[xml(attr)]
    pub base: Option<Base16<1, u64>>,
}

/// `<address>`: where the guest finds the device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Address {
    /// Domain, bus, slot and function on a PCI bus.
    #[xml("pci")]
    Pci(PciDeviceAddress),
    /// Controller, bus, target and unit of a disk.
    #[xml("drive")]
    Drive(DriveAddress),
    /// Controller, bus and port of a virtio serial device.
    #[xml("virtio-serial")]
    VirtioSerial(VirtioSerialAddress),
    /// Controller and slot of a smart card.
    #[xml("ccid")]
    Ccid(CcidAddress),
    /// Bus and port of a USB device.
    #[xml("usb")]
    Usb(UsbAddress),
    /// Register on the virtual I/O bus of pSeries guests.
    #[xml("spapr-vio")]
    SpaprVio(SpaprVioAddress),
    /// virtio on s390 without channel devices; obsolete.
    #[xml("virtio-s390")]
    VirtioS390,
    /// Number on the channel subsystem of s390 guests.
    #[xml("ccw")]
    Ccw(CcwAddress),
    /// virtio device in mapped memory, without a bus.
    #[xml("virtio-mmio")]
    VirtioMmio,
    /// I/O port and interrupt on the ISA bus.
    #[xml("isa")]
    Isa(IsaAddress),
    /// Slot of a memory module.
    #[xml("dimm")]
    Dimm(DimmAddress),
    /// The device is kept for the guest, but not connected to it.
    #[xml("unassigned")]
    Unassigned,
}

impl Address {
    /// The place on a PCI bus, if it is one and not empty.
    pub fn pci(&self) -> Option<&PciAddress> {
        match self {
            Self::Pci(address) if !address.place.is_empty() => Some(&address.place),
            _ => None,
        }
    }
}
