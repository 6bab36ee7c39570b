//! What an interface is connected to: `type=` and `<source>`.

use virtbus_conf_base::common::{IpInfo, MacTableManager, Uuid};
use virtbus_conf_storage::storage::{Reconnect, SocketKind};
use virtbus_xml::{
    Content, Describe, Flags, Node, Nothing, Rare, Result, Text, Value, Writer, Xml, YesNo,
    xml_names,
};

use crate::domain::devices::hostdev::{HostdevSubsys, HostdevType, PciHostdev, UsbHostdev};

xml_names! {
    /// The name of a kind of connection.
    pub enum InterfaceType {
        User = "user",
        Ethernet = "ethernet",
        Vhostuser = "vhostuser",
        Server = "server",
        Client = "client",
        Mcast = "mcast",
        Network = "network",
        Bridge = "bridge",
        Internal = "internal",
        Direct = "direct",
        Hostdev = "hostdev",
        Udp = "udp",
        Vdpa = "vdpa",
        Null = "null",
        Vds = "vds",
    }
}

/// A virtual network and the port in it.
///
/// Bridges and direct connections also have one if a running guest's network turned out to be one.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkPlace {
    /// Name of the virtual network.
    #[xml(attr)]
    pub network: Option<Text>,
    /// Name of the network's port group whose settings apply.
    #[xml(attr)]
    pub portgroup: Option<Text>,
    /// UUID of the port in the network; running guests only.
    #[xml(attr, when = place_live)]
    pub portid: Option<Uuid>,
}

fn place_live(_: &NetworkPlace, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<source>` of a connection to a network or bridge.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeSource {
    /// Virtual network, port group and port.
    #[xml(flat)]
    pub place: Rare<NetworkPlace>,
    /// Name of the host's bridge.
    #[xml(attr)]
    pub bridge: Option<Text>,
    /// Who fills the bridge's table of MAC addresses: `kernel` or `libvirt`.
    #[xml(attr = "macTableManager")]
    pub mac_table_manager: Option<MacTableManager>,
}

xml_names! {
    /// How a macvtap device switches.
    pub enum MacvtapMode {
        Vepa = "vepa",
        Private = "private",
        Bridge = "bridge",
        Passthrough = "passthrough",
    }
}

/// `<source>` of a direct connection to an interface of the host (macvtap).
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectSource {
    /// Virtual network that gave the connection.
    #[xml(flat)]
    pub place: Rare<NetworkPlace>,
    /// Name of the host's interface.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// macvtap mode: `vepa` (the switch returns packets), `bridge`, `private` or `passthrough`.
    #[xml(attr, absent = "vepa")]
    pub mode: Option<MacvtapMode>,
}

/// `<source>` of a user network.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSource {
    /// Name of the host's interface that passt uses; the one of the default route if absent.
    #[xml(attr)]
    pub dev: Option<Text>,
}

/// `<source>` of a plain tap device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct EthernetSource {
    /// IP addresses and routes of the device on the host.
    #[xml(flat)]
    pub ip: Rare<IpInfo>,
}

xml_names! {
    /// Which end of a vhost-user connection listens.
    pub enum VhostUserMode {
        Server = "server",
        Client = "client",
    }
}

/// `<source>` of a vhost-user interface.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VhostUserNetSource {
    /// Kind of the source: always `unix`, a socket.
    #[xml(attr = "type")]
    pub kind: Option<SocketKind>,
    /// Absolute path of the vhost-user socket.
    #[xml(attr)]
    pub path: Option<Text>,
    /// Which end listens on the socket: `server` the hypervisor, `client` the other process.
    #[xml(attr)]
    pub mode: Option<VhostUserMode>,
    /// Name of the host's interface that passt uses.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Whether the hypervisor connects again after the connection is lost.
    #[xml(child, skip_empty)]
    pub reconnect: Option<Reconnect>,
}

/// `<source>` of a connection over sockets.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SocketSource {
    /// IP address to listen on, to connect to, or of the multicast group.
    #[xml(attr)]
    pub address: Option<Text>,
    /// Port number, 1 to 65535.
    #[xml(attr)]
    pub port: u16,
}

/// `<local>`: the local end of a UDP tunnel.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct LocalSocket {
    /// Local IP address of the tunnel.
    #[xml(attr)]
    pub address: Text,
    /// Local UDP port of the tunnel.
    #[xml(attr)]
    pub port: u16,
}

/// `<source>` of a UDP tunnel to another hypervisor.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct UdpSocketSource {
    /// Remote IP address of the tunnel.
    #[xml(attr)]
    pub address: Text,
    /// Remote UDP port of the tunnel.
    #[xml(attr)]
    pub port: u16,
    /// Local address and port of the tunnel.
    #[xml(child)]
    pub local: LocalSocket,
}

/// `<source>` of a network inside the hypervisor (VirtualBox, Hyper-V).
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct InternalSource {
    /// Name of the internal network.
    #[xml(attr)]
    pub name: Text,
}

/// `<source>` of a vDPA device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VdpaSource {
    /// Path of the vDPA character device, such as `/dev/vhost-vdpa-0`.
    #[xml(attr)]
    pub dev: Text,
}

/// `<source>` of a distributed switch of VMware.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VdsSource {
    /// UUID of the distributed switch.
    #[xml(attr)]
    pub switchid: Uuid,
    /// Number of the port on the switch.
    #[xml(attr)]
    pub portid: Option<i64>,
    /// Identifier of the port group on the switch.
    #[xml(attr)]
    pub portgroupid: Option<Text>,
    /// Number of the connection at the switch.
    #[xml(attr)]
    pub connectionid: Option<i64>,
}

/// Kinds of host devices that can be assigned as interfaces.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceHostdev {
    /// A PCI network card or virtual function.
    #[xml(flat, value = PciHostdev)]
    Pci,
    /// A USB network device.
    #[xml(flat, value = UsbHostdev)]
    Usb,
}

/// What an interface is connected to: `type=` and `<source>`.
#[derive(Describe, Debug, Clone, PartialEq)]
#[xml(tag = "type", body = "source")]
pub enum InterfaceSource {
    /// To the host's network without privileges: through QEMU's own stack (slirp) or passt.
    #[xml("user", default)]
    User(UserSource),
    /// To a tap device of the host, which others set up.
    #[xml("ethernet")]
    Ethernet(EthernetSource),
    /// To another process by the vhost-user protocol.
    #[xml("vhostuser")]
    Vhostuser(Box<VhostUserNetSource>),
    /// To hypervisors that connect to a TCP socket, on which this one listens.
    #[xml("server")]
    Server(SocketSource),
    /// To the hypervisor that listens on a TCP socket.
    #[xml("client")]
    Client(SocketSource),
    /// To all hypervisors of a multicast group.
    #[xml("mcast")]
    Mcast(SocketSource),
    /// To a virtual network.
    #[xml("network")]
    Network(BridgeSource),
    /// To a bridge of the host.
    #[xml("bridge")]
    Bridge(BridgeSource),
    /// To a network inside the hypervisor.
    #[xml("internal")]
    Internal(InternalSource),
    /// To an interface of the host, by macvtap.
    #[xml("direct")]
    Direct(DirectSource),
    /// A network device of the host, assigned to the guest.
    #[xml("hostdev")]
    Hostdev {
        /// Whether the driver detaches the device from the host at start and returns it afterwards.
        #[xml(attr, wrap = "..", conditional, absent = "no")]
        managed: Option<YesNo>,
        /// Network device of the host.
        #[xml(flat, value = InterfaceHostdev)]
        subsys: Box<HostdevSubsys>,
    },
    /// To another hypervisor through a UDP tunnel.
    #[xml("udp")]
    Udp(Box<UdpSocketSource>),
    /// To a vDPA device of the host.
    #[xml("vdpa")]
    Vdpa(VdpaSource),
    /// To nothing: packets are dropped.
    #[xml("null")]
    Null,
    /// To a distributed switch of VMware.
    #[xml("vds")]
    Vds(Box<VdsSource>),
}

impl InterfaceSource {
    /// The kind.
    pub fn kind(&self) -> InterfaceType {
        match self {
            Self::User(_) => InterfaceType::User,
            Self::Ethernet(_) => InterfaceType::Ethernet,
            Self::Vhostuser(_) => InterfaceType::Vhostuser,
            Self::Server(_) => InterfaceType::Server,
            Self::Client(_) => InterfaceType::Client,
            Self::Mcast(_) => InterfaceType::Mcast,
            Self::Network(_) => InterfaceType::Network,
            Self::Bridge(_) => InterfaceType::Bridge,
            Self::Internal(_) => InterfaceType::Internal,
            Self::Direct(_) => InterfaceType::Direct,
            Self::Hostdev { .. } => InterfaceType::Hostdev,
            Self::Udp(_) => InterfaceType::Udp,
            Self::Vdpa(_) => InterfaceType::Vdpa,
            Self::Null => InterfaceType::Null,
            Self::Vds(_) => InterfaceType::Vds,
        }
    }

    /// The name of the virtual network, if it is one or came from one.
    pub fn network(&self) -> Option<&str> {
        match self {
            Self::Network(s) | Self::Bridge(s) => s.place.network.as_deref(),
            Self::Direct(s) => s.place.network.as_deref(),
            _ => None,
        }
    }

    fn body(&self) -> Option<&dyn Content> {
        match self {
            Self::User(s) => Some(s),
            Self::Ethernet(s) => Some(s),
            Self::Vhostuser(s) => Some(s),
            Self::Server(s) | Self::Client(s) | Self::Mcast(s) => Some(s),
            Self::Network(s) | Self::Bridge(s) => Some(s),
            Self::Internal(s) => Some(s),
            Self::Direct(s) => Some(s),
            Self::Udp(s) => Some(s),
            Self::Vdpa(s) => Some(s),
            Self::Vds(s) => Some(s),
            Self::Hostdev { .. } | Self::Null => None,
        }
    }
}

impl Content for InterfaceSource {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = node.attr_opt("type")?.unwrap_or(InterfaceType::User);
        let source = node.child_or_absent("source");
        Ok(match kind {
            InterfaceType::User => Self::User(UserSource::parse(source)?),
            InterfaceType::Ethernet => Self::Ethernet(EthernetSource::parse(source)?),
            InterfaceType::Vhostuser => Self::Vhostuser(Content::parse(source)?),
            InterfaceType::Server => Self::Server(SocketSource::parse(source)?),
            InterfaceType::Client => Self::Client(SocketSource::parse(source)?),
            InterfaceType::Mcast => Self::Mcast(SocketSource::parse(source)?),
            InterfaceType::Network => Self::Network(BridgeSource::parse(source)?),
            InterfaceType::Bridge => Self::Bridge(BridgeSource::parse(source)?),
            InterfaceType::Internal => Self::Internal(InternalSource::parse(source)?),
            InterfaceType::Direct => Self::Direct(DirectSource::parse(source)?),
            InterfaceType::Hostdev => {
                let address = source.child_or_absent("address");
                let kind = match address.attr("type") {
                    Some(text) => HostdevType::from_text(text)
                        .filter(|t| matches!(t, HostdevType::Pci | HostdevType::Usb))
                        .ok_or_else(|| address.bad_attr("type", text, "one of 'usb', 'pci'"))?,
                    None if source.child("vendor").is_some() => HostdevType::Usb,
                    None => return Err(address.missing_attr("type")),
                };
                Self::Hostdev {
                    // Only `yes` is written.
                    managed: node.attr_opt("managed")?.filter(|m| *m == YesNo::Yes),
                    subsys: Box::new(HostdevSubsys::parse(kind, node)?),
                }
            }
            InterfaceType::Udp => Self::Udp(Content::parse(source)?),
            InterfaceType::Vdpa => Self::Vdpa(VdpaSource::parse(source)?),
            InterfaceType::Null => Self::Null,
            InterfaceType::Vds => Self::Vds(Content::parse(source)?),
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind());
        if let Self::Hostdev {
            managed: Some(YesNo::Yes),
            ..
        } = self
        {
            w.attr_str("managed", "yes");
        }
    }

    fn children(&self, w: &mut Writer) {
        if let Self::Hostdev { subsys, .. } = self {
            subsys.write(true, w);
        } else if let Some(body) = self.body() {
            w.element_unless_empty("source", body);
        }
    }
}
