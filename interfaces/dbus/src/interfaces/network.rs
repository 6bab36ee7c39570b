//! `org.libvirt.Network` and `org.libvirt.NetworkPort`: virtual networks, and what guests plug into.

use virtbus_api::arguments;
use virtbus_api::domain::{IpAddressFamily, NetworkMetadataType};
use virtbus_api::network::{
    DhcpLease, NetworkPortCreateFlags, NetworkPortView, NetworkUpdateCommand, NetworkUpdateFlags,
    NetworkUpdateSection, NetworkView, NetworkXmlFlags,
};
use zbus::OwnedObjectPath;

use crate::declare::interface;
use crate::numbers::{Amount, Flags, NoFlags, One, ParameterFlags};
use crate::paths::Paths;
use crate::quirks::optional;
use crate::value::{Given, Parameters};

interface! {
    /// A virtual network.
    NETWORK = "org.libvirt.Network", view NetworkView;
    methods {
        /// Starts the defined network.
        write Create() -> (): NetworkCreate => |c| c.networks()?.create(c.id()?).await;
        /// Stops the network. Guests that are connected to it lose their connection.
        write Destroy() -> (): NetworkDestroy => |c| c.networks()?.destroy(c.id()?).await;
        /// The addresses that the network's DHCP server gave, of all guests or of one MAC address: interface, end (seconds since
        /// 1970), family, MAC address, IAID, address, length of the prefix, name, client id.
        read GetDHCPLeases(mac: String, flags: NoFlags) -> (leases: Vec<Lease>): NetworkGetDhcpLeases => |c| {
            let leases = c.networks()?.dhcp_leases(c.id()?, optional(&mac)).await?;
            Ok(leases.into_iter().map(lease).collect())
        };
        /// Title, description or an element of the metadata by its namespace.
        read GetMetadata(r#type: One<NetworkMetadataType>, uri: String, flags: Flags<NetworkUpdateFlags>) -> (metadata: String): NetworkGetMetadata => |c| {
            let kind = r#type;
            arguments::get_metadata(kind, optional(&uri))?;
            c.networks()?.metadata(c.id()?, kind, optional(&uri), flags).await
        };
        /// The network as XML.
        read GetXMLDesc(flags: Flags<NetworkXmlFlags>) -> (xml: String): NetworkGetXmlDesc => |c| c.networks()?.xml_desc(c.id()?, flags).await;
        /// The network's ports.
        read ListPorts(flags: NoFlags) -> (ports: Paths): NetworkListAllPorts => |c| {
            c.list_all(&c.network_ports()?.views(c.id()?).await?.into()).await
        };
        /// Makes a port from XML.
        write PortCreateXML(xml: String, flags: Flags<NetworkPortCreateFlags>) -> (port: OwnedObjectPath): NetworkPortCreateXml => |c| {
            c.path_of(c.network_ports()?.create_xml(c.id()?, &xml, flags).await?)
        };
        /// Finds the port with this UUID.
        memory PortLookupByUUID(uuid: String) -> (port: OwnedObjectPath): NetworkPortLookupByUuid finds NetworkPort by uuid(uuid) => |c| c.path();
        /// Sets title, description or an element of the metadata, which takes the prefix `key`; empty removes it.
        write SetMetadata(r#type: One<NetworkMetadataType>, metadata: String, key: String, uri: String, flags: Flags<NetworkUpdateFlags>) -> (): NetworkSetMetadata => |c| {
            let kind = r#type;
            arguments::set_metadata(kind, optional(&metadata), optional(&key), optional(&uri))?;
            c.networks()?.set_metadata(c.id()?, kind, optional(&metadata), optional(&key), optional(&uri), flags).await
        };
        /// Takes the definition away; a network that is up vanishes when it stops.
        write Undefine() -> (): NetworkUndefine => |c| c.networks()?.undefine(c.id()?).await;
        /// Changes one element of a section; the parent's index is −1 if there is only one.
        write Update(command: One<NetworkUpdateCommand, u32>, section: One<NetworkUpdateSection, u32>, parentIndex: Amount<i32>, xml: String, flags: Flags<NetworkUpdateFlags>) -> (): NetworkUpdate => |c| {
            c.networks()?.update(c.id()?, command, section, parentIndex, &xml, flags).await
        };
    }
    properties {
        /// Whether the network is up.
        Active: bool, emits Value: NetworkIsActive => |view| Ok(view.active.into());
        /// Whether it is started with the host.
        Autostart: bool, emits Value: NetworkGetAutostart => |view| Ok(view.autostart.into()), set NetworkSetAutostart => |c, autostart| {
            c.networks()?.set_autostart(c.id()?, autostart).await
        };
        /// The bridge that guests are connected to, empty if there is none.
        BridgeName: String, emits Value: NetworkGetBridgeName => |view| Ok(view.bridge.as_deref().unwrap_or_default().into());
        /// Its name, unique on the connection.
        Name: String, emits Const: NetworkLookupByUuid => |view| Ok((&*view.id.name).into());
        /// Whether its definition outlives its run.
        Persistent: bool, emits Value: NetworkIsPersistent => |view| Ok(view.persistent.into());
        /// Its UUID, unique for ever.
        UUID: String, emits Const: NetworkLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// Title, description or an element of the metadata changed.
        MetadataChange(r#type: One<NetworkMetadataType>, nsuri: String);
    }
}

/// Interface, end, family, MAC address, IAID, address, prefix, name, client id.
type Lease = (
    String,
    i64,
    One<IpAddressFamily>,
    String,
    String,
    String,
    Amount<u32>,
    String,
    String,
);

fn lease(lease: DhcpLease) -> Lease {
    (
        lease.interface,
        lease.expiry,
        lease.kind.into(),
        lease.mac,
        lease.iaid.unwrap_or_default(),
        lease.address,
        lease.prefix.into(),
        lease.hostname.unwrap_or_default(),
        lease.client_id.unwrap_or_default(),
    )
}

interface! {
    /// A port of a network: what a guest plugs into.
    NETWORK_PORT = "org.libvirt.NetworkPort", view NetworkPortView;
    methods {
        /// Takes the port away.
        write Delete(flags: NoFlags) -> (): NetworkPortDelete => |c| {
            c.network_ports()?.delete(c.id()?).await
        };
        /// Its bandwidth, by the names of virNetworkPortGetParameters.
        read GetParameters(flags: ParameterFlags<NoFlags>) -> (parameters: Parameters): NetworkPortGetParameters => |c| {
            Ok(c.parameters(c.network_ports()?.parameters(c.id()?).await?))
        };
        /// The port as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): NetworkPortGetXmlDesc => |c| {
            c.network_ports()?.xml_desc(c.id()?).await
        };
        /// Sets its bandwidth.
        write SetParameters(params: Given, flags: NoFlags) -> (): NetworkPortSetParameters => |c| {
            c.network_ports()?.set_parameters(c.id()?, arguments::set(params.0)?).await
        };
    }
    properties {
        /// The UUID of its network.
        Network: String, emits Const: NetworkPortLookupByUuid => |view| Ok(view.id.network.uuid.to_string().into());
        /// Its UUID, unique for ever.
        UUID: String, emits Const: NetworkPortLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {}
}
