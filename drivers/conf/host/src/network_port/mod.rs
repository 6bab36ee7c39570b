//! The network port document: `<networkport>`, what a guest is plugged into.

use virtbus_conf_base::Entropy;
use virtbus_conf_base::common::{
    Bandwidth, HostdevDriver, Mac, MacTableManager, PciAddress, PortOptions, Uuid, VirtualPort,
    Vlan,
};
use virtbus_xml::{Document, Flags, Result, Text, Xml, XmlError, YesNo, xml_names};

/// `<owner>`: the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// Its name.
    #[xml(text_child)]
    pub name: Text,
    /// Its UUID.
    #[xml(text_child)]
    pub uuid: Uuid,
}

xml_names! {
    /// How a guest shares an interface of the host.
    pub enum DirectMode {
        Vepa = "vepa",
        Private = "private",
        Bridge = "bridge",
        Passthrough = "passthrough",
    }
}

/// A bridge.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BridgePlug {
    /// Its name.
    #[xml(attr)]
    pub bridge: Text,
    /// Who keeps its table of Ethernet addresses.
    #[xml(attr = "macTableManager")]
    pub mac_table_manager: Option<MacTableManager>,
}

/// An interface of the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DirectPlug {
    /// Its name.
    #[xml(attr)]
    pub dev: Text,
    /// How it is shared.
    #[xml(attr)]
    pub mode: DirectMode,
}

/// A PCI device of the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct HostdevPciPlug {
    /// Whether it is taken from the host's driver and given back.
    #[xml(attr)]
    pub managed: Option<YesNo>,
    /// The host's driver for it.
    #[xml(child, skip_empty)]
    pub driver: Option<HostdevDriver>,
    /// Where it is.
    #[xml(child)]
    pub address: PciAddress,
}

/// `<plug>`: what the guest is connected to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Plug {
    /// The network's bridge.
    #[xml("network")]
    Network(BridgePlug),
    /// Another bridge of the host.
    #[xml("bridge")]
    Bridge(BridgePlug),
    /// An interface of the host.
    #[xml("direct")]
    Direct(DirectPlug),
    /// A PCI device of the host.
    #[xml("hostdev-pci")]
    HostdevPci(HostdevPciPlug),
}

/// `<networkport>`: the place of one interface in a network.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NetworkPort {
    /// UUID.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// The guest.
    #[xml(child)]
    pub owner: PortOwner,
    /// The port group.
    #[xml(text_child)]
    pub group: Option<Text>,
    /// The guest's Ethernet address.
    #[xml(child_attr = "mac/address")]
    pub mac: Mac,
    /// Port profile.
    #[xml(child, skip_empty)]
    pub virtualport: Option<VirtualPort>,
    /// Traffic shaping.
    #[xml(child, skip_empty)]
    pub bandwidth: Option<Bandwidth>,
    /// VLANs.
    #[xml(child, skip_empty)]
    pub vlan: Option<Vlan>,
    /// Options of the port.
    #[xml(child, skip_empty)]
    pub port: Option<PortOptions>,
    /// Whether the host follows what the guest sets as filters of reception.
    #[xml(child_attr = "rxfilters/trustGuest")]
    pub trust_guest: Option<YesNo>,
    /// What the guest is connected to.
    #[xml(child)]
    pub plug: Option<Plug>,
}

impl NetworkPort {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("networkport")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`NetworkPort::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let port = doc.read("networkport")?;
        doc.check_no_leftovers()?;
        Ok(port)
    }

    /// Fills in the UUID.
    pub fn complete(&mut self, entropy: &mut dyn Entropy) {
        self.uuid.get_or_insert_with(|| {
            let mut bytes = [0; 16];
            entropy.fill(&mut bytes);
            Uuid::from_random(bytes)
        });
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        virtbus_xml::Content::to_xml(self, "networkport", flags)
    }
}
