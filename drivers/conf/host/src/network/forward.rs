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

/// `<interface>`: an interface of the host that guests can be connected to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ForwardInterface {
    /// Name of the host's interface.
    #[xml(attr)]
    pub dev: Text,
    /// Number of guests that use the interface; written for active networks, ignored when read.
    #[xml(attr, when = is_up, unset = 0)]
    pub connections: Option<u32>,
}

fn is_up(_: &ForwardInterface, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<address>`: a PCI device of the host that can be assigned to a guest.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(
    attr = "type",
    told = "'pci'",
    doc = "Type of the address: always `pci`."
))]
pub struct ForwardAddress {
    /// PCI address of the device on the host.
    #[xml(flat)]
    pub pci: PciAddress,
    /// Number of guests that use the device; written for active networks, ignored when read.
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

/// `<pf>`: a network card whose virtual functions are assigned to guests.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PhysicalFunction {
    /// Name of the card's interface (the physical function).
    #[xml(attr)]
    pub dev: Text,
}

/// `<address>` of `<nat>`: the source addresses that forwarded packets are given.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatAddresses {
    /// First IPv4 address of the range.
    #[xml(attr)]
    pub start: Ip,
    /// Last IPv4 address of the range.
    #[xml(attr)]
    pub end: Ip,
}

/// `<port>` of `<nat>`: the source ports that forwarded packets are given.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatPorts {
    /// First port of the range; 1024 if no range is given.
    #[xml(attr)]
    pub start: u16,
    /// Last port of the range; 65535 if no range is given.
    #[xml(attr)]
    pub end: u16,
}

/// `<nat>`: details of the address translation.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Nat {
    /// Whether IPv6 is translated as well; it is not if absent.
    #[xml(attr)]
    pub ipv6: Option<YesNo>,
    /// Source IPv4 addresses of forwarded packets; the host's own if absent.
    #[xml(child)]
    pub address: Option<NatAddresses>,
    /// Source ports of forwarded TCP and UDP packets; 1024 to 65535 if absent.
    #[xml(child)]
    pub port: Option<NatPorts>,
}

/// `<forward>`: how the network is connected to the world outside.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "dev", value = Text, optional, doc = "Name of the first `<interface>`, for older clients."))]
pub struct Forward {
    /// How packets are forwarded: `nat` translates addresses, `route` does not, `open` adds no firewall rules,
    /// `bridge`, `private`, `vepa`, `passthrough` and `hostdev` attach guests to the host's interfaces.
    #[xml(attr, optional, absent = "nat")]
    pub mode: ForwardMode,
    /// Whether PCI devices are detached from the host's driver for a guest and returned afterwards; mode `hostdev`
    /// only.
    #[xml(attr, conditional, absent = "no")]
    pub managed: Option<YesNo>,
    /// How PCI devices are assigned; mode `hostdev` only.
    #[xml(child)]
    pub driver: Option<HostdevDriver>,
    /// Details of the address translation; mode `nat` only.
    #[xml(child)]
    pub nat: Option<Nat>,
    /// Network card whose virtual functions are assigned to guests.
    #[xml(child)]
    pub pf: Option<PhysicalFunction>,
    /// Interfaces of the host that are used. The first is also the attribute `dev`.
    #[xml(child = "interface")]
    pub interfaces: Vec<ForwardInterface>,
    /// PCI devices of the host that are assigned; mode `hostdev` only.
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
