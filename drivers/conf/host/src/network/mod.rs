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

/// `<bridge>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkBridge {
    /// Its name.
    #[xml(attr)]
    pub name: Option<Text>,
    /// The firewall's zone that it belongs to.
    #[xml(attr)]
    pub zone: Option<Text>,
    /// Whether it talks the spanning tree protocol.
    #[xml(attr, absent = "on if the bridge is the network's own")]
    pub stp: Option<OnOff>,
    /// Seconds before a new port may forward.
    #[xml(attr, absent = "0 if the bridge is the network's own")]
    pub delay: Option<u64>,
    /// Who keeps its table of Ethernet addresses.
    #[xml(attr = "macTableManager")]
    pub mac_table_manager: Option<MacTableManager>,
}

/// `<portgroup>`: what interfaces of guests can have in common.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PortGroup {
    /// Its name.
    #[xml(attr)]
    pub name: Text,
    /// Whether interfaces that name none have this one.
    #[xml(attr, unset = YesNo::No, absent = "no")]
    pub default: Option<YesNo>,
    /// Whether the host follows what guests set as filters of reception.
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// VLANs.
    #[xml(child, skip_empty)]
    pub vlan: Option<Vlan>,
    /// Port profile.
    #[xml(child, skip_empty)]
    pub virtualport: Option<VirtualPort>,
    /// Traffic shaping.
    #[xml(child, skip_empty)]
    pub bandwidth: Option<Bandwidth>,
}

/// Options for dnsmasq, taken as they are.
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

/// `<network>`: a virtual network that guests connect to.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct Network {
    /// Options for dnsmasq.
    #[xml(flat, late)]
    pub dnsmasq: DnsmasqOptions,
    /// How many guests are connected; told of networks that are up.
    #[xml(attr, when = is_up, unset = 0)]
    pub connections: Option<u32>,
    /// Whether guests reach each other by IPv6 although the network has no such address.
    #[xml(attr, unset = YesNo::No, absent = "no")]
    pub ipv6: Option<YesNo>,
    /// Whether the host follows what guests set as filters of reception.
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// Name.
    #[xml(text_child)]
    pub name: Text,
    /// UUID.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Short description.
    #[xml(text_child)]
    pub title: Option<Text>,
    /// Description.
    #[xml(text_child)]
    pub description: Option<Text>,
    /// Notes of other programs.
    #[xml(flat)]
    pub metadata: Metadata,
    /// How it reaches the rest of the world; a network without is isolated.
    #[xml(child)]
    pub forward: Option<Forward>,
    /// Its bridge.
    #[xml(child, skip_empty)]
    pub bridge: Option<NetworkBridge>,
    /// Largest packet, bytes.
    #[xml(child_attr = "mtu/size")]
    pub mtu: Option<u32>,
    /// The bridge's Ethernet address.
    #[xml(child_attr = "mac/address")]
    pub mac: Option<Mac>,
    /// Domain of guests' names.
    #[xml(child)]
    pub domain: Option<NetworkDomain>,
    /// Names.
    #[xml(child, skip_empty)]
    pub dns: Option<Dns>,
    /// VLANs.
    #[xml(child, skip_empty)]
    pub vlan: Option<Vlan>,
    /// Traffic shaping of all guests together.
    #[xml(child, skip_empty)]
    pub bandwidth: Option<Bandwidth>,
    /// Options of guests' ports.
    #[xml(child, skip_empty)]
    pub port: Option<PortOptions>,
    /// Addresses.
    #[xml(child, open)]
    pub ip: Vec<NetworkIp>,
    /// Routes to other networks.
    #[xml(child)]
    pub route: Vec<Route>,
    /// Port profile.
    #[xml(child, skip_empty)]
    pub virtualport: Option<VirtualPort>,
    /// What interfaces of guests can have in common.
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
