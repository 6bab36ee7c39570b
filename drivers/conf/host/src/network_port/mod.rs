//! The network port document: `<networkport>`, what a guest is plugged into.

use virtbus_conf_base::Entropy;
use virtbus_conf_base::common::{
    Bandwidth, HostdevDriver, Mac, MacTableManager, PciAddress, PortOptions, Uuid, VirtualPort,
    Vlan,
};
use virtbus_xml::{Document, Flags, Result, Text, Xml, XmlError, YesNo, xml_names};

/// `<owner>`: the guest that the port belongs to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// Name of the guest.
    #[xml(text_child)]
    pub name: Text,
    /// UUID of the guest.
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

/// A bridge that the guest is connected to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BridgePlug {
    /// Name of the bridge on the host.
    #[xml(attr)]
    pub bridge: Text,
    /// Who fills the bridge's table of MAC addresses: `kernel` or `libvirt`.
    #[xml(attr = "macTableManager")]
    pub mac_table_manager: Option<MacTableManager>,
}

/// An interface of the host that the guest is connected to by macvtap.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DirectPlug {
    /// Name of the host's interface.
    #[xml(attr)]
    pub dev: Text,
    /// macvtap mode: `vepa`, `bridge`, `private` or `passthrough`.
    #[xml(attr)]
    pub mode: DirectMode,
}

/// A PCI network device of the host that is assigned to the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct HostdevPciPlug {
    /// Whether the device is detached from the host's driver for the guest and returned afterwards.
    #[xml(attr)]
    pub managed: Option<YesNo>,
    /// How the device is assigned to the guest.
    #[xml(child, skip_empty)]
    pub driver: Option<HostdevDriver>,
    /// PCI address of the device on the host.
    #[xml(child)]
    pub address: PciAddress,
}

/// `<plug>`: what the guest's interface is connected to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Plug {
    /// The bridge of the network.
    #[xml("network")]
    Network(BridgePlug),
    /// Another bridge of the host.
    #[xml("bridge")]
    Bridge(BridgePlug),
    /// An interface of the host, by macvtap.
    #[xml("direct")]
    Direct(DirectPlug),
    /// A PCI network device of the host.
    #[xml("hostdev-pci")]
    HostdevPci(HostdevPciPlug),
}

/// `<networkport>`: the connection of one guest interface to a network.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NetworkPort {
    /// UUID of the port; generated if absent.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Guest that the port belongs to.
    #[xml(child)]
    pub owner: PortOwner,
    /// Name of the port group whose settings the port has.
    #[xml(text_child)]
    pub group: Option<Text>,
    /// MAC address of the guest's interface.
    #[xml(child_attr = "mac/address")]
    pub mac: Mac,
    /// Parameters of the switch for the port.
    #[xml(child, skip_empty)]
    pub virtualport: Option<VirtualPort>,
    /// Limits on traffic of the port, in each direction.
    #[xml(child, skip_empty)]
    pub bandwidth: Option<Bandwidth>,
    /// VLANs that the port belongs to.
    #[xml(child, skip_empty)]
    pub vlan: Option<Vlan>,
    /// Options of the bridge port.
    #[xml(child, skip_empty)]
    pub port: Option<PortOptions>,
    /// Whether the host follows the receive filters that the guest sets.
    #[xml(child_attr = "rxfilters/trustGuest")]
    pub trust_guest: Option<YesNo>,
    /// What the guest's interface is connected to; absent until the network has decided.
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
