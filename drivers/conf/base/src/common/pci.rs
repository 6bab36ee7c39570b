//! PCI devices of the host: addresses, and who has them while a guest does.

use std::fmt;

use virtbus_xml::{Content, Describe, Hex, Node, OnOff, Result, Text, Writer, Xml, xml_names};

/// Domain, bus, slot and function of a PCI device.
///
/// A part that is not given counts as 0; an address whose parts are all 0 counts as none.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// PCI domain, 0 to 0xffff; hosts may have larger ones.
    #[xml(attr, value = Hex<4>, optional)]
    pub domain: u32,
    /// PCI bus, 0 to 0xff.
    #[xml(attr, value = Hex<2>, optional)]
    pub bus: u8,
    /// PCI slot on the bus, 0 to 0x1f.
    #[xml(attr, value = Hex<2>, optional)]
    pub slot: u8,
    /// Function of the device in its slot, 0 to 7.
    #[xml(attr, value = Hex<1>, optional)]
    pub function: u8,
}

impl PciAddress {
    /// Whether no part is set, so that an address is still to be found.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}:{:02x}:{:02x}.{:x}",
            self.domain, self.bus, self.slot, self.function
        )
    }
}

impl Content for PciAddress {
    fn parse(node: Node<'_>) -> Result<Self> {
        let part = |name: &str, most: u32| -> Result<u32> {
            match node.attr_opt::<Hex<1>>(name)? {
                None => Ok(0),
                Some(Hex(n)) if n <= most => Ok(n),
                Some(_) => {
                    let value = node.attr(name).unwrap_or_default();
                    Err(node.bad_attr(name, value, &format!("a number from 0 to {most:#x}")))
                }
            }
        };
        // Of meaning only where the address is that of a guest's device, which reads it for itself.
        let _ = node.attr_opt::<OnOff>("multifunction")?;
        let byte = |n: u32| u8::try_from(n).expect("the parts are limited to a byte");
        Ok(Self {
            domain: part("domain", u32::MAX)?,
            bus: byte(part("bus", 0xff)?),
            slot: byte(part("slot", 0x1f)?),
            function: byte(part("function", 7)?),
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("domain", &Hex::<4>(self.domain));
        w.attr("bus", &Hex::<2>(u32::from(self.bus)));
        w.attr("slot", &Hex::<2>(u32::from(self.slot)));
        w.attr("function", &Hex::<1>(u32::from(self.function)));
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<zpci>`: identifiers by which s390 guests know a PCI device.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Zpci {
    /// User-defined identifier (UID) of the device in the guest, 1 to 0xffff.
    #[xml(attr)]
    pub uid: Option<Hex<4>>,
    /// Function identifier (FID) of the device in the guest, 0 to 0xffffffff.
    #[xml(attr)]
    pub fid: Option<Hex<8>>,
}

xml_names! {
    /// Who detaches a PCI device from the host.
    pub enum PciBackend {
        Kvm = "kvm",
        Vfio = "vfio",
        Xen = "xen",
    }
}

/// `<driver>`: how a PCI device of the host is assigned.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostdevDriver {
    /// Assignment mechanism: `vfio` for KVM, `xen` for Xen, `kvm` for the removed legacy mechanism.
    #[xml(attr)]
    pub name: Option<PciBackend>,
    /// Kernel driver on the host that the device is bound to for assignment; absent means the best match for `vfio`.
    #[xml(attr)]
    pub model: Option<Text>,
}
