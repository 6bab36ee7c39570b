//! `<forward>`: how a network reaches the rest of the world.

use virtbus_conf_base::common::{HostdevDriver, Ip, PciAddress};
use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, Result, Text, Writer, Xml, YesNo, xml_names,
};

xml_names! {
    /// How packets leave the network.
    pub enum ForwardMode {
        None = "none",
        Nat = "nat",
        Route = "route",
        Open = "open",
        Bridge = "bridge",
        Private = "private",
        Vepa = "vepa",
        Passthrough = "passthrough",
        Hostdev = "hostdev",
    }
}

impl ForwardMode {
    /// Whether the network has a bridge of its own, which the host sets up.
    pub const fn has_own_bridge(self) -> bool {
        matches!(self, Self::Nat | Self::Route | Self::Open)
    }
}

/// `<interface>`: an interface of the host that guests may be connected to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ForwardInterface {
    /// Its name.
    #[xml(attr)]
    pub dev: Text,
    /// How many guests use it; told of networks that are up.
    #[xml(attr, when = is_up, unset = 0)]
    pub connections: Option<u32>,
}

fn is_up(_: &ForwardInterface, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<address>`: a PCI device of the host that a guest may get.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "type", told = "'pci'", doc = "What it is."))]
pub struct ForwardAddress {
    /// Where it is.
    #[xml(flat)]
    pub pci: PciAddress,
    /// How many guests use it; told of networks that are up.
    #[xml(attr)]
    pub connections: Option<u32>,
}

impl Content for ForwardAddress {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind: Text = node.attr_req("type")?;
        if kind != "pci" {
            return Err(node.bad_attr("type", &kind, "'pci'"));
        }
        Ok(Self {
            pci: PciAddress::parse(node)?,
            connections: node.attr_opt("connections")?.filter(|count| *count > 0),
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("type", "pci");
        self.pci.attrs(w);
        if !w.flags().contains(Flags::INACTIVE) && self.connections != Some(0) {
            w.attr_opt("connections", &self.connections);
        }
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<pf>`: a card whose virtual functions guests may get.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PhysicalFunction {
    /// Name of its interface.
    #[xml(attr)]
    pub dev: Text,
}

/// `<address>` of `<nat>`: the addresses that packets leave with.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatAddresses {
    /// The first.
    #[xml(attr)]
    pub start: Ip,
    /// The last.
    #[xml(attr)]
    pub end: Ip,
}

/// `<port>` of `<nat>`: the ports that packets leave with.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatPorts {
    /// The first.
    #[xml(attr)]
    pub start: u16,
    /// The last.
    #[xml(attr)]
    pub end: u16,
}

/// `<nat>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Nat {
    /// Whether IPv6 is translated, too.
    #[xml(attr)]
    pub ipv6: Option<YesNo>,
    /// With which addresses packets leave; IPv4.
    #[xml(child)]
    pub address: Option<NatAddresses>,
    /// With which ports packets leave.
    #[xml(child)]
    pub port: Option<NatPorts>,
}

/// `<forward>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "dev", value = Text, optional, doc = "The first interface again, for older clients."))]
pub struct Forward {
    /// How packets leave.
    #[xml(attr, optional, absent = "nat")]
    pub mode: ForwardMode,
    /// Whether PCI devices are taken from the host's driver and given back; hostdev only.
    #[xml(attr, conditional, absent = "no")]
    pub managed: Option<YesNo>,
    /// The host's driver of PCI devices.
    #[xml(child)]
    pub driver: Option<HostdevDriver>,
    /// How addresses are translated.
    #[xml(child)]
    pub nat: Option<Nat>,
    /// The card whose virtual functions guests get.
    #[xml(child)]
    pub pf: Option<PhysicalFunction>,
    /// Interfaces of the host. The first is also the attribute `dev`.
    #[xml(child = "interface")]
    pub interfaces: Vec<ForwardInterface>,
    /// PCI devices of the host.
    #[xml(child = "address")]
    pub addresses: Vec<ForwardAddress>,
}

impl Forward {
    /// Whether it says that nothing leaves the network, and no more.
    pub(super) fn is_nothing(&self) -> bool {
        let nothing = Self {
            mode: ForwardMode::None,
            managed: None,
            driver: None,
            nat: None,
            pf: None,
            interfaces: Vec::new(),
            addresses: Vec::new(),
        };
        *self == nothing
    }
}

impl Content for Forward {
    fn parse(node: Node<'_>) -> Result<Self> {
        let dev: Option<Text> = node.attr_opt("dev")?;
        let mut interfaces: Vec<ForwardInterface> = node.child_vec("interface")?;
        match (&dev, interfaces.first()) {
            (Some(dev), None) => interfaces.push(ForwardInterface {
                dev: dev.clone(),
                connections: None,
            }),
            (Some(dev), Some(first)) if *dev != first.dev => {
                let message = format!("must be the first interface's, '{}'", first.dev);
                return Err(node.attr_error("dev", ErrorKind::Invalid, message));
            }
            _ => {}
        }
        let mode = node.attr_opt("mode")?.unwrap_or(ForwardMode::Nat);
        let managed: Option<YesNo> = node.attr_opt("managed")?;
        Ok(Self {
            mode,
            managed: managed.filter(|managed| mode == ForwardMode::Hostdev && managed.is_yes()),
            driver: node.child_filled("driver")?,
            nat: node.child_filled("nat")?,
            pf: node.child_opt("pf")?,
            interfaces,
            addresses: node.child_vec("address")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        if self.pf.is_none()
            && let Some(first) = self.interfaces.first()
        {
            w.attr("dev", &first.dev);
        }
        w.attr("mode", &self.mode);
        w.attr_opt("managed", &self.managed);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(driver) = &self.driver {
            w.element_unless_empty("driver", driver);
        }
        if let Some(nat) = &self.nat {
            w.element_unless_empty("nat", nat);
        }
        if let Some(pf) = &self.pf {
            w.element("pf", pf);
        }
        // What the driver found out about the card is not part of the definition.
        if self.pf.is_none() || !w.flags().contains(Flags::INACTIVE) {
            for interface in &self.interfaces {
                w.element("interface", interface);
            }
            for address in &self.addresses {
                w.element("address", address);
            }
        }
    }
}
