//! Virtual networks and their ports.

use std::sync::Arc;

use crate::Uuid;
use crate::declare::{also, flags, group, numbered};
use crate::domain::{DomainModificationImpact, IpAddressFamily, MetadataType};
use crate::filter::{Filtered, passes};
use crate::listing::Views;
use crate::typed::TypedParameters;

/// Names a network by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NetworkId {
    /// Unique for ever.
    pub uuid: Uuid,
    /// Unique on the connection.
    pub name: Arc<str>,
}

/// What is known of a network at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkView {
    /// Which network.
    pub id: NetworkId,
    /// Whether it is up.
    pub active: bool,
    /// Whether it has a definition that outlives its run.
    pub persistent: bool,
    /// Whether it is started with the host.
    pub autostart: bool,
    /// The bridge that its guests are connected to, if it has one.
    pub bridge: Option<Arc<str>>,
    /// What keeps guests' packets from passing on this host, as far as that is known: each says which packets, who drops them where, and what
    /// helps.
    pub problems: Arc<[String]>,
}

impl Filtered<ListAllNetworksFlags> for NetworkView {
    fn matches(&self, flags: ListAllNetworksFlags) -> bool {
        use ListAllNetworksFlags as F;
        passes(
            flags,
            &[
                &[(F::ACTIVE, self.active), (F::INACTIVE, !self.active)],
                &[
                    (F::PERSISTENT, self.persistent),
                    (F::TRANSIENT, !self.persistent),
                ],
                &[
                    (F::AUTOSTART, self.autostart),
                    (F::NO_AUTOSTART, !self.autostart),
                ],
            ],
        )
    }
}

flags! {
    /// Which networks a list has.
    ListAllNetworksFlags: virConnectListAllNetworksFlags, VIR_CONNECT_LIST_NETWORKS_ {
        /// Those that are down.
        INACTIVE = 1;
        /// Those that are up.
        ACTIVE = 2;
        /// Those whose definition outlives their run.
        PERSISTENT = 4;
        /// Those that vanish when they stop.
        TRANSIENT = 8;
        /// Those started with the host.
        AUTOSTART = 16;
        /// Those not started with the host.
        NO_AUTOSTART = 32;
    }

    /// What a network's XML shows.
    NetworkXmlFlags: virNetworkXMLFlags, VIR_NETWORK_XML_ {
        /// The definition, without what its run adds.
        INACTIVE = 1;
    }

    /// How a network's definition is taken.
    NetworkDefineFlags: virNetworkDefineFlags, VIR_NETWORK_DEFINE_ {
        /// Refuse a definition that the schema does not allow.
        VALIDATE = 1;
    }

    /// How a port is made.
    NetworkPortCreateFlags: virNetworkPortCreateFlags, VIR_NETWORK_PORT_CREATE_ {
        /// It stood before; only take note of it.
        RECLAIM = 1;
        /// Refuse a document that the schema does not allow.
        VALIDATE = 2;
    }
}

also! {
    /// How a network is started from XML.
    NetworkCreateFlags: virNetworkCreateFlags, VIR_NETWORK_CREATE_ = NetworkDefineFlags;

    /// Which of a network's definitions is meant; 0: the running one while it is up, else the stored one.
    NetworkUpdateFlags: virNetworkUpdateFlags, VIR_NETWORK_UPDATE_AFFECT_ = DomainModificationImpact;
}

numbered! {
    /// What is done to a section of a network.
    NetworkUpdateCommand: virNetworkUpdateCommand, VIR_NETWORK_UPDATE_COMMAND_ {
        /// An existing element gets this form.
        Modify = 1,
        /// The element is taken away.
        Delete = 2,
        /// The element is added behind the others.
        AddLast = 3,
        /// The element is added before the others.
        AddFirst = 4,
    }

    /// Which part of a network is changed.
    NetworkUpdateSection: virNetworkUpdateSection, VIR_NETWORK_SECTION_ {
        /// `<bridge>`.
        Bridge = 1,
        /// `<domain>`.
        Domain = 2,
        /// `<ip>`.
        Ip = 3,
        /// `<ip><dhcp><host>`.
        IpDhcpHost = 4,
        /// `<ip><dhcp><range>`.
        IpDhcpRange = 5,
        /// `<forward>`.
        Forward = 6,
        /// `<forward><interface>`.
        ForwardInterface = 7,
        /// `<forward><pf>`.
        ForwardPf = 8,
        /// `<portgroup>`.
        PortGroup as VIR_NETWORK_SECTION_PORTGROUP = 9,
        /// `<dns><host>`.
        DnsHost = 10,
        /// `<dns><txt>`.
        DnsTxt = 11,
        /// `<dns><srv>`.
        DnsSrv = 12,
    }

    /// What happened to a network.
    NetworkLifecycle: virNetworkEventLifecycleType, VIR_NETWORK_EVENT_ {
        /// A definition was stored.
        Defined = 0,
        /// Its definition was taken away.
        Undefined = 1,
        /// It came up.
        Started = 2,
        /// It went down.
        Stopped = 3,
    }
}

/// Something that happened to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkEvent {
    /// It was defined, started, ….
    Lifecycle(NetworkLifecycle),
    /// Its metadata changed: which kind, and the namespace of an element.
    MetadataChange {
        /// Which kind.
        kind: MetadataType,
        /// Only for elements.
        namespace: Option<String>,
    },
}

/// An address that the network's DHCP server gave (`virNetworkDHCPLease`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpLease {
    /// The interface that the server listens on.
    pub interface: String,
    /// When it ends, seconds since 1970; 0: never.
    pub expiry: i64,
    /// The address's family.
    pub kind: IpAddressFamily,
    /// The guest's MAC address.
    pub mac: String,
    /// IPv6: the identity association's number.
    pub iaid: Option<String>,
    /// The address given.
    pub address: String,
    /// The length of the network's prefix in bits.
    pub prefix: u32,
    /// The guest's name.
    pub hostname: Option<String>,
    /// Client id or DUID.
    pub client_id: Option<String>,
}

/// Names a port by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NetworkPortId {
    /// The network that it belongs to.
    pub network: NetworkId,
    /// Unique for ever.
    pub uuid: Uuid,
}

/// What is known of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPortView {
    /// Which port.
    pub id: NetworkPortId,
}

group! {
    /// Finding, listing, defining, starting and changing networks.
    Networks {
        /// What is known of every network.
        fn views() -> Views<NetworkView>: ConnectListAllNetworks;
        /// The network with this UUID, `NoNetwork` if there is none.
        fn view(uuid: Uuid) -> Arc<NetworkView>: NetworkLookupByUuid;
        /// The network with this name, `NoNetwork` if there is none.
        fn view_by_name(name: &str) -> Arc<NetworkView>: NetworkLookupByName;
        /// Its XML.
        fn xml_desc(network: &NetworkId, flags: NetworkXmlFlags) -> String: NetworkGetXmlDesc;
        /// Which network a definition is about; the UUID is nil if it names none.
        fn identify_xml(xml: &str) -> NetworkId: NetworkDefineXml;
        /// Stores a definition, new or in place of the one with the same UUID.
        fn define_xml(xml: &str, flags: NetworkDefineFlags) -> Arc<NetworkView>: NetworkDefineXml;
        /// Starts a network from XML; without a stored definition it vanishes when it stops.
        fn create_xml(xml: &str, flags: NetworkDefineFlags) -> Arc<NetworkView>: NetworkCreateXml;
        /// Takes the definition away.
        fn undefine(network: &NetworkId) -> (): NetworkUndefine;
        /// Starts it.
        fn create(network: &NetworkId) -> (): NetworkCreate;
        /// Stops it.
        fn destroy(network: &NetworkId) -> (): NetworkDestroy;
        /// Whether it is started with the host.
        fn set_autostart(network: &NetworkId, autostart: bool) -> (): NetworkSetAutostart;
        /// Changes one element of a section; `parent` chooses among several parents, −1 leaves the choice to the driver.
        fn update(network: &NetworkId, command: NetworkUpdateCommand, section: NetworkUpdateSection, parent: i32, xml: &str,
            impact: DomainModificationImpact) -> (): NetworkUpdate;
        /// The addresses that its DHCP server gave, all or those of one MAC address.
        fn dhcp_leases(network: &NetworkId, mac: Option<&str>) -> Vec<DhcpLease>: NetworkGetDhcpLeases;
        /// Its title, description, or the element of a namespace (`virNetworkMetadataType`).
        fn metadata(network: &NetworkId, kind: MetadataType, uri: Option<&str>, impact: DomainModificationImpact) -> String: NetworkGetMetadata;
        /// Sets or, with none, removes it.
        fn set_metadata(network: &NetworkId, kind: MetadataType, metadata: Option<&str>, key: Option<&str>, uri: Option<&str>,
            impact: DomainModificationImpact) -> (): NetworkSetMetadata;
    }

    /// Ports of networks: what guests plug into.
    NetworkPorts {
        /// The ports of a network.
        fn views(network: &NetworkId) -> Vec<Arc<NetworkPortView>>: NetworkListAllPorts;
        /// The port with this UUID, on whichever network, `NoNetworkPort` if there is none.
        fn view(uuid: Uuid) -> Arc<NetworkPortView>: NetworkPortLookupByUuid;
        /// Its XML.
        fn xml_desc(port: &NetworkPortId) -> String: NetworkPortGetXmlDesc;
        /// Makes a port.
        fn create_xml(network: &NetworkId, xml: &str, flags: NetworkPortCreateFlags) -> Arc<NetworkPortView>: NetworkPortCreateXml;
        /// Takes it away.
        fn delete(port: &NetworkPortId) -> (): NetworkPortDelete;
        /// Its bandwidth.
        fn parameters(port: &NetworkPortId) -> TypedParameters: NetworkPortGetParameters;
        /// Sets its bandwidth.
        fn set_parameters(port: &NetworkPortId, parameters: TypedParameters) -> (): NetworkPortSetParameters;
    }
}
