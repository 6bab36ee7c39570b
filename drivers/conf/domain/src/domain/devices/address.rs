//! Where the guest finds a device: `<address type='…'>`.

use virtbus_conf_base::common::{PciAddress, Zpci};
use virtbus_xml::{AnyBase, Base16, Hex, OnOff, Text, Xml};

/// On a PCI bus.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciDeviceAddress {
    /// The place; empty if one is still to be found.
    #[xml(flat)]
    pub place: PciAddress,
    /// Whether other functions of the slot are in use.
    #[xml(attr)]
    pub multifunction: Option<OnOff>,
    /// Identifiers on s390.
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
    /// On a disk controller. What is not given counts as 0.
    DriveAddress {
        /// Controller.
        controller,
        /// Bus of the controller.
        bus,
        /// Target on the bus.
        target,
        /// Unit of the target.
        unit,
    }
}

counted! {
    /// On a virtio serial controller. What is not given counts as 0.
    VirtioSerialAddress {
        /// Controller.
        controller,
        /// Bus of the controller.
        bus,
        /// Port on the bus.
        port,
    }
}

counted! {
    /// On a smart card controller. What is not given counts as 0.
    CcidAddress {
        /// Controller.
        controller,
        /// Slot of the controller.
        slot,
    }
}

/// On a USB bus.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct UsbAddress {
    /// Bus.
    #[xml(attr)]
    pub bus: AnyBase,
    /// Port, with hubs on the way separated by dots, such as `1.4`; absent if still to be found.
    #[xml(attr)]
    pub port: Option<Text>,
}

/// On the virtual I/O bus of pSeries.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpaprVioAddress {
    /// Register; absent if still to be found.
    #[xml(attr)]
    pub reg: Option<Base16<8>>,
}

/// On the channel subsystem of s390.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CcwAddress {
    /// Channel subsystem, 0 to 0xfe; virtual devices are in 0xfe.
    #[xml(attr)]
    pub cssid: Option<Hex<1>>,
    /// Subchannel set, 0 to 3.
    #[xml(attr)]
    pub ssid: Option<Hex<1>>,
    /// Device number, 0 to 0xffff.
    #[xml(attr)]
    pub devno: Option<Hex<4>>,
}

/// On the ISA bus.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IsaAddress {
    /// First I/O port.
    #[xml(attr)]
    pub iobase: Option<Base16<1>>,
    /// Interrupt.
    #[xml(attr)]
    pub irq: Option<Base16<1>>,
}

/// In a memory slot.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DimmAddress {
    /// Slot.
    #[xml(attr)]
    pub slot: Option<u32>,
    /// Physical address.
    #[xml(attr)]
    pub base: Option<Base16<1, u64>>,
}

/// `<address>` of a device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Address {
    /// PCI.
    #[xml("pci")]
    Pci(PciDeviceAddress),
    /// Disk controller.
    #[xml("drive")]
    Drive(DriveAddress),
    /// Virtio serial controller.
    #[xml("virtio-serial")]
    VirtioSerial(VirtioSerialAddress),
    /// Smart card controller.
    #[xml("ccid")]
    Ccid(CcidAddress),
    /// USB.
    #[xml("usb")]
    Usb(UsbAddress),
    /// pSeries virtual I/O.
    #[xml("spapr-vio")]
    SpaprVio(SpaprVioAddress),
    /// virtio on s390, before channel devices.
    #[xml("virtio-s390")]
    VirtioS390,
    /// Channel subsystem of s390.
    #[xml("ccw")]
    Ccw(CcwAddress),
    /// virtio in mapped memory.
    #[xml("virtio-mmio")]
    VirtioMmio,
    /// ISA.
    #[xml("isa")]
    Isa(IsaAddress),
    /// Memory slot.
    #[xml("dimm")]
    Dimm(DimmAddress),
    /// Not connected to the guest.
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
