//! The network document: `<network>`.
//!
//! What a network has on the host while it is up is known by its driver; a few numbers of that are told in the live
//! document. Nothing here looks at the host.

mod dns;
mod forward;
mod ip;
mod update;
mod validate;

use virtbus_conf_base::Entropy;
use virtbus_conf_base::common::{
    Bandwidth, Mac, MacTableManager, Metadata, PortOptions, Route, Uuid, VirtualPort, Vlan,
};
use virtbus_xml::{
    Content, Describe, Document, ErrorKind, Flags, Node, OnOff, Result, Text, Writer, Xml,
    XmlError, YesNo,
};

pub use dns::{Dns, DnsHost, DnsSrv, DnsTxt, Forwarder, NetworkDomain, SrvProtocol};
pub use forward::{
    Forward, ForwardAddress, ForwardInterface, ForwardMode, Nat, NatAddresses, NatPorts,
    PhysicalFunction,
};
pub use ip::{Bootp, Dhcp, DhcpHost, DhcpRange, Lease, LeaseUnit, NetworkIp};
pub use update::{UpdateCommand, UpdateSection};

/// Name space of options for dnsmasq.
pub const DNSMASQ_URI: &str = "http://libvirt.org/schemas/network/dnsmasq/1.0";

/// `<bridge>`: the bridge that the network's guests are connected to.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkBridge {
    /// Name of the bridge; chosen by the driver (`virbrN`) if absent.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Firewall zone that the bridge is put in (firewalld).
    #[xml(attr)]
    pub zone: Option<Text>,
    /// Whether the bridge runs the spanning tree protocol.
    #[xml(attr, absent = "on if the bridge is the network's own")]
    pub stp: Option<OnOff>,
    /// Forward delay in seconds: how long a new port waits before it forwards.
    #[xml(attr, absent = "0 if the bridge is the network's own")]
    pub delay: Option<u64>,
    /// Who fills the bridge's table of MAC addresses: `kernel` learns them, `libvirt` sets them and turns learning and
    /// flooding off.
    #[xml(attr = "macTableManager")]
    pub mac_table_manager: Option<MacTableManager>,
}

/// `<portgroup>`: settings that interfaces of guests can share by name.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PortGroup {
    /// Name of the port group, by which interfaces refer to it.
    #[xml(attr)]
    pub name: Text,
    /// Whether interfaces that name no port group get this one.
    #[xml(attr, unset = YesNo::No, absent = "no")]
    pub default: Option<YesNo>,
    /// Whether the host follows the receive filters that guests set.
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// VLANs of the interfaces in the group.
    #[xml(child, skip_empty)]
    pub vlan: Option<Vlan>,
    /// Parameters of the switch for the interfaces in the group.
    #[xml(child, skip_empty)]
    pub virtualport: Option<VirtualPort>,
    /// Limits on traffic of each interface in the group.
    #[xml(child, skip_empty)]
    pub bandwidth: Option<Bandwidth>,
}

/// Options of the DNS and DHCP server dnsmasq, added to its configuration as they are; using them taints the network.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsmasqOptions(
    #[xml(child_attr = "dnsmasq:option/value", wrap = "dnsmasq:options")] pub Vec<Text>,
);

impl Content for DnsmasqOptions {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut options = Vec::new();
        for list in node.children_in(DNSMASQ_URI, "options") {
            for option in list.children_in(DNSMASQ_URI, "option") {
                let value: Text = option.attr_req("value")?;
                if value.is_empty() {
                    return Err(option.attr_error(
                        "value",
                        ErrorKind::Missing,
                        "must not be empty",
                    ));
                }
                options.push(value);
            }
        }
        Ok(Self(options))
    }

    fn attrs(&self, w: &mut Writer) {
        if !self.0.is_empty() {
            w.attr_str("xmlns:dnsmasq", DNSMASQ_URI);
        }
    }

    fn children(&self, w: &mut Writer) {
        if self.0.is_empty() {
            return;
        }
        w.begin("dnsmasq:options");
        for option in &self.0 {
            w.attr_element("dnsmasq:option", "value", option);
        }
        w.end("dnsmasq:options");
    }
}

/// `<network>`: a virtual network that guests are connected to.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct Network {
    /// Options of dnsmasq, added to its configuration as they are.
    #[xml(flat, late)]
    pub dnsmasq: DnsmasqOptions,
    /// Number of connected guest interfaces; written for active networks, ignored when read.
    #[xml(attr, when = is_up, unset = 0)]
    pub connections: Option<u32>,
    /// Whether guests can reach each other by IPv6 although the network has no IPv6 address.
    #[xml(attr, unset = YesNo::No, absent = "no")]
    pub ipv6: Option<YesNo>,
    /// Whether the host follows the receive filters that guests set.
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// Name of the network, unique on the host.
    #[xml(text_child)]
    pub name: Text,
    /// UUID of the network; generated if absent.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Short title for people, without line breaks.
    #[xml(text_child)]
    pub title: Option<Text>,
    /// Description for people, which no program interprets.
    #[xml(text_child)]
    pub description: Option<Text>,
    /// Data of other programs, kept as it is.
    #[xml(flat)]
    pub metadata: Metadata,
    /// How the network is connected to the world outside; absent means that it is isolated.
    #[xml(child)]
    pub forward: Option<Forward>,
    /// Bridge that the network's guests are connected to.
    #[xml(child, skip_empty)]
    pub bridge: Option<NetworkBridge>,
    /// Largest packet in bytes (MTU) of the bridge and its ports.
    #[xml(child_attr = "mtu/size")]
    pub mtu: Option<u32>,
    /// MAC address of the bridge; generated if absent.
    #[xml(child_attr = "mac/address")]
    pub mac: Option<Mac>,
    /// DNS domain of the guests' names.
    #[xml(child)]
    pub domain: Option<NetworkDomain>,
    /// The network's DNS server and its records.
    #[xml(child, skip_empty)]
    pub dns: Option<Dns>,
    /// VLANs that guests' interfaces belong to (Open vSwitch, SR-IOV).
    #[xml(child, skip_empty)]
    pub vlan: Option<Vlan>,
    /// Limits on traffic of all guests together, between network and host.
    #[xml(child, skip_empty)]
    pub bandwidth: Option<Bandwidth>,
    /// Options of the bridge ports of guests.
    #[xml(child, skip_empty)]
    pub port: Option<PortOptions>,
    /// Addresses of the host in the network, with their DHCP servers.
    #[xml(child, open)]
    pub ip: Vec<NetworkIp>,
    /// Static routes of the host to networks behind guests.
    #[xml(child)]
    pub route: Vec<Route>,
    /// Parameters of the switch that guests' interfaces are attached to.
    #[xml(child, skip_empty)]
    pub virtualport: Option<VirtualPort>,
    /// Settings that interfaces of guests can share by name.
    #[xml(child, open)]
    pub portgroup: Vec<PortGroup>,
}

fn is_up(_: &Network, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

impl Network {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("network")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Network::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let network = doc.read("network")?;
        doc.check_no_leftovers()?;
        Ok(network)
    }

    /// Fills in what follows from the rest: the UUID, and the bridge's settings where it is the network's own.
    pub fn complete(&mut self, entropy: &mut dyn Entropy) {
        self.uuid.get_or_insert_with(|| {
            let mut bytes = [0; 16];
            entropy.fill(&mut bytes);
            Uuid::from_random(bytes)
        });
        // Another way to say that nothing leaves the network.
        if self.forward.as_ref().is_some_and(Forward::is_nothing) {
            self.forward = None;
        }
        // Counted by the driver, and nobody's to say.
        self.connections = None;
        if let Some(forward) = &mut self.forward {
            for interface in &mut forward.interfaces {
                interface.connections = None;
            }
            for address in &mut forward.addresses {
                address.connections = None;
            }
        }
        if self.has_own_bridge() {
            let bridge = self.bridge.get_or_insert_default();
            bridge.stp.get_or_insert(OnOff::On);
            bridge.delay.get_or_insert(0);
        }
    }

    /// Whether the network has a bridge that the host sets up for it.
    pub fn has_own_bridge(&self) -> bool {
        self.forward
            .as_ref()
            .is_none_or(|forward| forward.mode.has_own_bridge())
    }

    /// The name of the bridge, if it has one.
    pub fn bridge_name(&self) -> Option<&str> {
        self.bridge.as_ref()?.name.as_deref()
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("network", flags)
    }
}
