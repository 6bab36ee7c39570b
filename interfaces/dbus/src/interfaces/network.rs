//! `org.libvirt.Network` and `org.libvirt.NetworkPort`: virtual networks, and what guests plug into.

use virtbus_api::arguments;
use virtbus_api::domain::MetadataType;
use virtbus_api::network::{
    DhcpLease, NetworkPortView, NetworkUpdateCommand, NetworkUpdateSection, NetworkView,
};
use zbus::OwnedObjectPath;

use super::lookup::network_port_with_uuid;
use crate::declare::interface;
use crate::paths::Paths;
use crate::quirks::optional;
use crate::value::{Given, Parameters};

interface! {
    /// A virtual network.
    NETWORK = "org.libvirt.Network", view NetworkView, flags;
    methods {
        /// Starts the defined network.
        write Create() -> (): NetworkCreate => |c| c.networks()?.create(c.id()?).await;
        /// Stops the network. Guests that are connected to it lose their connection.
        write Destroy() -> (): NetworkDestroy => |c| c.networks()?.destroy(c.id()?).await;
        /// The addresses that the network's DHCP server gave, of all guests or of one MAC address: interface, end (seconds since
        /// 1970), 0 for IPv4 or 1 for IPv6, MAC address, IAID, address, length of the prefix, name, client id.
        read GetDHCPLeases(mac: String, flags: u32) -> (leases: Vec<Lease>): NetworkGetDhcpLeases => |c| {
            c.no_flags(flags)?;
            let leases = c.networks()?.dhcp_leases(c.id()?, optional(&mac)).await?;
            Ok(leases.into_iter().map(lease).collect())
        };
        /// Title (1), description (0) or an element of the metadata (2) by its namespace. Flags: of the running (1) or the stored (2) definition.
        read GetMetadata(r#type: i32, uri: String, flags: u32) -> (metadata: String): NetworkGetMetadata => |c| {
            let kind = MetadataType::from_number(r#type.into())?;
            arguments::get_metadata(kind, optional(&uri))?;
            c.networks()?.metadata(c.id()?, kind, optional(&uri), c.flags(flags)?).await
        };
        /// The network as XML; with the flag 1 its definition, without what its run adds.
        read GetXMLDesc(flags: u32) -> (xml: String): NetworkGetXmlDesc => |c| c.networks()?.xml_desc(c.id()?, c.flags(flags)?).await;
        /// The network's ports.
        read ListPorts(flags: u32) -> (ports: Paths): NetworkListAllPorts => |c| {
            c.no_flags(flags)?;
            c.list_all(&c.network_ports()?.views(c.id()?).await?.into()).await
        };
        /// Makes a port from XML. Flags are those of virNetworkPortCreateXML.
        write PortCreateXML(xml: String, flags: u32) -> (port: OwnedObjectPath): NetworkPortCreateXml => |c| {
            c.path_of(c.network_ports()?.create_xml(c.id()?, &xml, c.flags(flags)?).await?)
        };
        /// Finds the port with this UUID.
        memory PortLookupByUUID(uuid: String) -> (port: OwnedObjectPath): NetworkPortLookupByUuid on network_port_with_uuid(uuid) => |c| c.path();
        /// Sets title (1), description (0) or an element of the metadata (2), which takes the prefix `key`; empty removes it.
        write SetMetadata(r#type: i32, metadata: String, key: String, uri: String, flags: u32) -> (): NetworkSetMetadata => |c| {
            let kind = MetadataType::from_number(r#type.into())?;
            arguments::set_metadata(kind, optional(&metadata), optional(&key), optional(&uri))?;
            c.networks()?.set_metadata(c.id()?, kind, optional(&metadata), optional(&key), optional(&uri), c.flags(flags)?).await
        };
        /// Takes the definition away; a network that is up vanishes when it stops.
        write Undefine() -> (): NetworkUndefine => |c| c.networks()?.undefine(c.id()?).await;
        /// Changes one element. Command, section and flags are those of virNetworkUpdate; the parent's index is −1 if there is only one.
        write Update(command: u32, section: u32, parentIndex: i32, xml: String, flags: u32) -> (): NetworkUpdate => |c| {
            let command = NetworkUpdateCommand::from_number(command.into())?;
            let section = NetworkUpdateSection::from_number(section.into())?;
            c.networks()?.update(c.id()?, command, section, parentIndex, &xml, c.flags(flags)?).await
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
        MetadataChange(r#type: i32, nsuri: String);
    }
}

/// Interface, end, family, MAC address, IAID, address, prefix, name, client id.
type Lease = (
    String,
    i64,
    i32,
    String,
    String,
    String,
    u32,
    String,
    String,
);

fn lease(lease: DhcpLease) -> Lease {
    (
        lease.interface,
        lease.expiry,
        lease.kind,
        lease.mac,
        lease.iaid.unwrap_or_default(),
        lease.address,
        lease.prefix,
        lease.hostname.unwrap_or_default(),
        lease.client_id.unwrap_or_default(),
    )
}

interface! {
    /// A port of a network: what a guest plugs into.
    NETWORK_PORT = "org.libvirt.NetworkPort", view NetworkPortView, flags;
    methods {
        /// Takes the port away.
        write Delete(flags: u32) -> (): NetworkPortDelete => |c| {
            c.no_flags(flags)?;
            c.network_ports()?.delete(c.id()?).await
        };
        /// Its bandwidth, by the names of virNetworkPortGetParameters.
        read GetParameters(flags: u32) -> (parameters: Parameters): NetworkPortGetParameters => |c| {
            c.no_parameter_flags(flags)?;
            Ok(c.parameters(c.network_ports()?.parameters(c.id()?).await?))
        };
        /// The port as XML.
        read GetXMLDesc(flags: u32) -> (xml: String): NetworkPortGetXmlDesc => |c| {
            c.no_flags(flags)?;
            c.network_ports()?.xml_desc(c.id()?).await
        };
        /// Sets its bandwidth.
        write SetParameters(params: Given, flags: u32) -> (): NetworkPortSetParameters => |c| {
            c.no_flags(flags)?;
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
