//! The host interface document: `<interface>`, how the host's network is set up.
//!
//! Addresses stay as they were written: the host's tools read them, not we. Nothing here looks at the
//! host's interfaces.

mod bond;
mod protocol;

use virtbus_conf_base::common::Mac;
use virtbus_conf_base::{ConfError, Result as ConfResult};
use virtbus_xml::{
    Content, Describe, Document, ErrorKind, Flags, Node, OnOff, Result, Text, Value, Writer, Xml,
    XmlError, format_text, xml_names,
};

pub use bond::{ArpMonitor, ArpValidate, Bond, BondMode, Carrier, MiiMonitor, Monitor};
pub use protocol::{Dhcp, InterfaceAddress, Protocol};

xml_names! {
    /// What the kernel says about a connection.
    pub enum LinkState {
        Unknown = "unknown",
        NotPresent = "notpresent",
        Down = "down",
        LowerLayerDown = "lowerlayerdown",
        Testing = "testing",
        Dormant = "dormant",
        Up = "up",
    }
}

/// `<link>`: the connection of an interface, as the host reports it.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Speed in Mbit/s; 0 is not written.
    #[xml(attr, unset = 0)]
    pub speed: Option<u32>,
    /// State of the link, such as `up` or `down`.
    #[xml(attr)]
    pub state: Option<LinkState>,
}

xml_names! {
    /// When an interface is set up.
    pub enum StartMode {
        OnBoot = "onboot",
        None = "none",
        Hotplug = "hotplug",
    }
}

/// Seconds with a fraction, kept as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seconds(pub Text);

impl Value for Seconds {
    fn from_text(text: &str) -> Option<Self> {
        let number: f64 = text.trim_ascii().parse().ok()?;
        (number.is_finite() && number >= 0.0).then(|| Self(text.into()))
    }

    fn write_to(&self, out: &mut String) {
        out.push_str(&self.0);
    }

    fn expected() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Borrowed("a number of seconds, at least 0")
    }
}

/// Parts of an interface of `type='ethernet'`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Ethernet {
    /// MAC address of the network card.
    #[xml(child_attr = "mac/address")]
    pub mac: Option<Text>,
}

/// `<bridge>`: ports and settings of a bridge.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Bridge {
    /// Whether the bridge runs the spanning tree protocol.
    #[xml(attr)]
    pub stp: Option<OnOff>,
    /// Forward delay in seconds: how long a new port waits before it forwards.
    #[xml(attr)]
    pub delay: Option<Seconds>,
    /// Interfaces that are ports of the bridge.
    #[xml(child = "interface")]
    pub interfaces: Vec<Port>,
}

impl Content for Bridge {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            stp: node.attr_opt("stp")?,
            delay: node.attr_opt("delay")?,
            interfaces: Port::parse_all(node, &["ethernet", "bond", "vlan"])?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("stp", &self.stp);
        w.attr_opt("delay", &self.delay);
    }

    fn children(&self, w: &mut Writer) {
        Port::write_all(&self.interfaces, w);
    }
}

/// `<vlan>`: which VLAN an interface carries, and on which other interface.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct InterfaceVlan {
    /// Number of the VLAN, 0 to 4095.
    #[xml(attr)]
    pub tag: u32,
    /// Name of the interface that carries the VLAN.
    #[xml(child_attr = "interface/name")]
    pub interface: Text,
}

impl Content for InterfaceVlan {
    fn parse(node: Node<'_>) -> Result<Self> {
        let tag: u32 = node.attr_req("tag")?;
        if tag > 4095 {
            return Err(node.bad_attr("tag", &tag.to_string(), "a number from 0 to 4095"));
        }
        Ok(Self {
            tag,
            interface: node.child_attr_req("interface", "name")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("tag", &self.tag);
    }

    fn children(&self, w: &mut Writer) {
        w.attr_element("interface", "name", &self.interface);
    }
}

/// Parts of an interface of `type='bridge'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BridgeInterface {
    /// Ports and settings of the bridge.
    #[xml(child, open)]
    pub bridge: Bridge,
}

/// Parts of an interface of `type='bond'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BondInterface {
    /// Network cards and mode of the bond.
    #[xml(child, open)]
    pub bond: Bond,
}

/// Parts of an interface of `type='vlan'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VlanInterface {
    /// Number and carrier of the VLAN.
    #[xml(child)]
    pub vlan: InterfaceVlan,
}

/// Kind of an interface: `type=` and the parts that it requires.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum InterfaceKind {
    /// A network card of the host.
    #[xml("ethernet")]
    Ethernet(Ethernet),
    /// A bridge with its ports.
    #[xml("bridge")]
    Bridge(BridgeInterface),
    /// A bond of several network cards.
    #[xml("bond")]
    Bond(BondInterface),
    /// A VLAN on another interface.
    #[xml("vlan")]
    Vlan(VlanInterface),
}

impl InterfaceKind {
    /// The name, which a VLAN may leave out.
    fn parse_name(&self, node: Node<'_>) -> Result<Option<Text>> {
        let name: Option<Text> = node.attr_opt("name")?;
        match (self, name) {
            (Self::Vlan(_), None) => Ok(None),
            (_, None) => Err(node.missing_attr("name")),
            (_, Some(name)) if name.is_empty() => {
                Err(node.attr_error("name", ErrorKind::Missing, "must not be empty"))
            }
            (_, name) => Ok(name),
        }
    }

    /// The connection, which a bridge has none of.
    fn parse_link(&self, node: Node<'_>) -> Result<Option<Link>> {
        match self {
            Self::Bridge(_) => Ok(None),
            Self::Ethernet(_) | Self::Bond(_) | Self::Vlan(_) => node.child_filled("link"),
        }
    }

    fn default_name(&self) -> Option<Text> {
        match self {
            Self::Vlan(VlanInterface { vlan }) => {
                Some(format_text!("{}.{}", vlan.interface, vlan.tag))
            }
            Self::Ethernet(_) | Self::Bridge(_) | Self::Bond(_) => None,
        }
    }

    fn ports_mut(&mut self) -> &mut [Port] {
        match self {
            Self::Bridge(b) => &mut b.bridge.interfaces,
            Self::Bond(b) => &mut b.bond.interfaces,
            Self::Ethernet(_) | Self::Vlan(_) => &mut [],
        }
    }

    fn ports(&self) -> &[Port] {
        match self {
            Self::Bridge(b) => &b.bridge.interfaces,
            Self::Bond(b) => &b.bond.interfaces,
            Self::Ethernet(_) | Self::Vlan(_) => &[],
        }
    }

    fn validate(&self) -> ConfResult<()> {
        if let Self::Ethernet(Ethernet { mac: Some(mac) }) = self
            && Mac::parse(mac).is_none()
        {
            return Err(ConfError::invalid(format!("invalid MAC address '{mac}'")));
        }
        self.ports().iter().try_for_each(|p| p.kind.validate())
    }
}

/// `<interface>` inside a bridge or bond: one of its members.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Kind of the member: in a bond a network card only, in a bridge also a bond or VLAN.
    #[xml(flat)]
    pub kind: InterfaceKind,
    /// Name of the member interface.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Connection of the member, as the host reports it.
    #[xml(child)]
    pub link: Option<Link>,
}

impl Port {
    /// Reads the ports, which may only be of the `allowed` kinds. That also bounds the nesting.
    fn parse_all(node: Node<'_>, allowed: &[&str]) -> Result<Vec<Self>> {
        node.children("interface")
            .map(|child| {
                let kind: Text = child.attr_req("type")?;
                if allowed.contains(&kind.as_str()) {
                    Self::parse(child)
                } else {
                    Err(child.bad_attr("type", &kind, &virtbus_xml::one_of(allowed)))
                }
            })
            .collect()
    }

    fn write_all(ports: &[Self], w: &mut Writer) {
        for port in ports {
            w.element_open("interface", port);
        }
    }
}

impl Content for Port {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = InterfaceKind::parse(node)?;
        Ok(Self {
            name: kind.parse_name(node)?,
            link: kind.parse_link(node)?,
            kind,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        self.kind.attrs(w);
        w.attr_opt("name", &self.name);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(link) = &self.link {
            w.element_unless_empty("link", link);
        }
        self.kind.children(w);
    }
}

/// `<interface>`: a network interface of the host.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Kind of the interface, with its parts.
    #[xml(flat)]
    pub kind: InterfaceKind,
    /// Name of the interface; a VLAN's is made of carrier and number if absent.
    #[xml(attr)]
    pub name: Option<Text>,
    /// When the interface is started: `onboot`, `none` (by hand) or `hotplug`.
    #[xml(child_attr = "start/mode")]
    pub start: Option<StartMode>,
    /// Largest packet in bytes, up to 100000; 0 counts as absent.
    #[xml(child_attr = "mtu/size")]
    pub mtu: Option<u32>,
    /// Address settings, one entry for each family.
    #[xml(child = "protocol")]
    pub protocols: Vec<Protocol>,
    /// Connection of the interface, as the host reports it.
    #[xml(child)]
    pub link: Option<Link>,
}

impl Content for Interface {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = InterfaceKind::parse(node)?;
        Ok(Self {
            name: kind.parse_name(node)?,
            start: node.child_attr_opt("start", "mode")?,
            mtu: parse_mtu(node)?,
            protocols: node.child_vec("protocol")?,
            link: kind.parse_link(node)?,
            kind,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        self.kind.attrs(w);
        w.attr_opt("name", &self.name);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(mode) = &self.start {
            w.attr_element("start", "mode", mode);
        }
        if let Some(size) = &self.mtu {
            w.attr_element("mtu", "size", size);
        }
        for protocol in &self.protocols {
            w.element_open("protocol", protocol);
        }
        if let Some(link) = &self.link {
            w.element_unless_empty("link", link);
        }
        self.kind.children(w);
    }
}

fn parse_mtu(node: Node<'_>) -> Result<Option<u32>> {
    const MOST: u32 = 100_000;
    let Some(child) = node.child("mtu") else {
        return Ok(None);
    };
    let size: u32 = child.attr_req("size")?;
    if size > MOST {
        return Err(child.bad_attr("size", &size.to_string(), &format!("a size up to {MOST}")));
    }
    Ok(Some(size).filter(|size| *size > 0))
}

impl Interface {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("interface")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Interface::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let interface = doc.read("interface")?;
        doc.check_no_leftovers()?;
        Ok(interface)
    }

    /// Names the VLANs that have no name, after their interface and tag.
    pub fn complete(&mut self) {
        if self.name.is_none() {
            self.name = self.kind.default_name();
        }
        complete_ports(self.kind.ports_mut());
    }

    /// Checks addresses and lengths.
    ///
    /// # Errors
    /// The first that is none.
    pub fn validate(&self) -> ConfResult<()> {
        self.protocols.iter().try_for_each(Protocol::validate)?;
        self.kind.validate()
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        let mut w = Writer::new(flags);
        w.element_open("interface", self);
        w.finish()
    }
}

fn complete_ports(ports: &mut [Port]) {
    for port in ports {
        if port.name.is_none() {
            port.name = port.kind.default_name();
        }
        complete_ports(port.kind.ports_mut());
    }
}
