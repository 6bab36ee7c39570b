//! PCI addresses.

use std::fmt;

use virtbus_xml::{Content, Describe, Hex, Node, OnOff, Result, Writer, Xml};

/// Domain, bus, slot and function of a PCI device.
///
/// A part that is not given counts as 0, and an address that is 0 altogether as none.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// Domain, 0 to 0xffff (larger ones exist on hosts).
    #[xml(attr, value = Hex<4>, optional)]
    pub domain: u32,
    /// Bus, 0 to 255.
    #[xml(attr, value = Hex<2>, optional)]
    pub bus: u8,
    /// Slot, 0 to 31.
    #[xml(attr, value = Hex<2>, optional)]
    pub slot: u8,
    /// Function, 0 to 7.
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

/// `<zpci>`: what s390 guests know a PCI device by.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Zpci {
    /// User-defined identifier, 1 to 0xffff.
    #[xml(attr)]
    pub uid: Option<Hex<4>>,
    /// Function identifier.
    #[xml(attr)]
    pub fid: Option<Hex<8>>,
}

#[cfg(test)]
mod tests {
    use crate::network::Network;

    #[test]
    fn an_address_of_the_host_may_say_what_only_guests_mind() {
        let xml = "<network><name>n</name><forward mode='hostdev'>\
            <address type='pci' slot='1' multifunction='on'/></forward></network>";
        let network = Network::parse_strict(xml).unwrap();
        let written = network.format(virtbus_xml::Flags::empty());
        assert!(
            written.contains("slot='0x01' function='0x0'/>"),
            "{written}"
        );
        let wrong = xml.replace("'on'", "'maybe'");
        assert!(Network::parse_strict(&wrong).is_err());
    }
}
