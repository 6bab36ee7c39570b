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
    /// A virtual network that guests can be connected to.
    NETWORK = "org.libvirt.Network", view NetworkView;
    methods {
        /// Starts the defined network. Refused if it is active.
        write Create() -> (): NetworkCreate => |c| c.networks()?.create(c.id()?).await;
        /// Stops the network. Guests that are connected to it lose their connection. A transient network is removed. Refused if it is not active.
        write Destroy() -> (): NetworkDestroy => |c| c.networks()?.destroy(c.id()?).await;
        /// Addresses that the network's DHCP server has assigned, of all guests or of one MAC address: interface, expiry (seconds since 1970),
        /// family, MAC address, IAID, address, length of the prefix (bits), host name, client ID.
        read GetDHCPLeases(mac: String, flags: NoFlags) -> (leases: Vec<Lease>): NetworkGetDhcpLeases => |c| {
            let leases = c.networks()?.dhcp_leases(c.id()?, optional(&mac)).await?;
            Ok(leases.into_iter().map(lease).collect())
        };
        /// Description, title, or the metadata element with this namespace URI. Refused if the network has none.
        read GetMetadata(r#type: One<NetworkMetadataType>, uri: String, flags: Flags<NetworkUpdateFlags>) -> (metadata: String): NetworkGetMetadata => |c| {
            let kind = r#type;
            arguments::get_metadata(kind, optional(&uri))?;
            c.networks()?.metadata(c.id()?, kind, optional(&uri), flags).await
        };
        /// Definition of the network as XML: the active one, or the stored one if it is not active or the flag INACTIVE is given.
        read GetXMLDesc(flags: Flags<NetworkXmlFlags>) -> (xml: String): NetworkGetXmlDesc => |c| c.networks()?.xml_desc(c.id()?, flags).await;
        /// Ports of the network: one for each connected guest interface. What the caller may not see is left out.
        read ListPorts(flags: NoFlags) -> (ports: Paths): NetworkListAllPorts => |c| {
            c.list_all(&c.network_ports()?.views(c.id()?).await?.into()).await
        };
        /// Creates a port of the network from XML, as a driver does that connects a guest. Refused if the network is not active.
        write PortCreateXML(xml: String, flags: Flags<NetworkPortCreateFlags>) -> (port: OwnedObjectPath): NetworkPortCreateXml => |c| {
            c.path_of(c.network_ports()?.create_xml(c.id()?, &xml, flags).await?)
        };
        /// Finds the network's port with this UUID; an error if there is none.
        memory PortLookupByUUID(uuid: String) -> (port: OwnedObjectPath): NetworkPortLookupByUuid finds NetworkPort by uuid(uuid) => |c| c.path();
        /// Sets description, title, or the metadata element with this namespace URI, which gets the prefix `key`. Empty metadata removes it.
        write SetMetadata(r#type: One<NetworkMetadataType>, metadata: String, key: String, uri: String, flags: Flags<NetworkUpdateFlags>) -> (): NetworkSetMetadata => |c| {
            let kind = r#type;
            arguments::set_metadata(kind, optional(&metadata), optional(&key), optional(&uri))?;
            c.networks()?.set_metadata(c.id()?, kind, optional(&metadata), optional(&key), optional(&uri), flags).await
        };
        /// Removes the stored definition. An active network becomes transient, and vanishes when it stops.
        write Undefine() -> (): NetworkUndefine => |c| c.networks()?.undefine(c.id()?).await;
        /// Adds, changes or removes one element of a section (DHCP host, DNS record, …) of the active network, of the stored definition, or both.
        /// parentIndex chooses the parent element, from 0; −1 if there is only one.
        write Update(command: One<NetworkUpdateCommand, u32>, section: One<NetworkUpdateSection, u32>, parentIndex: Amount<i32>, xml: String, flags: Flags<NetworkUpdateFlags>) -> (): NetworkUpdate => |c| {
            c.networks()?.update(c.id()?, command, section, parentIndex, &xml, flags).await
        };
    }
    properties {
        /// Whether the network is active, so that guests can be connected to it.
        Active: bool, emits Value: NetworkIsActive => |view| Ok(view.active.into());
        /// Whether the network is started when the daemon starts with the host. Setting it is refused for transient networks.
        Autostart: bool, emits Value: NetworkGetAutostart => |view| Ok(view.autostart.into()), set NetworkSetAutostart => |c, autostart| {
            c.networks()?.set_autostart(c.id()?, autostart).await
        };
        /// Name of the bridge on the host that guests are connected to; empty if the network has none.
        BridgeName: String, emits Value: NetworkGetBridgeName => |view| Ok(view.bridge.as_deref().unwrap_or_default().into());
        /// Name of the network, unique on the connection.
        Name: String, emits Const: NetworkLookupByUuid => |view| Ok((&*view.id.name).into());
        /// Whether the network has a stored definition, and so still exists when it is stopped.
        Persistent: bool, emits Value: NetworkIsPersistent => |view| Ok(view.persistent.into());
        /// What keeps guests' packets from passing on this host while the network is active, as far as the daemon can tell: for each problem which
        /// packets are dropped, by which table, chain and rule of the packet filter, and what helps. Empty if nothing is known to be wrong.
        Problems: Vec<String>, emits Value: NetworkGetBridgeName => |view| Ok(view.problems.iter().map(String::as_str).collect());
        /// UUID of the network, unique and never changed.
        UUID: String, emits Const: NetworkLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// Sent when description, title or a metadata element has changed: which, and the namespace URI of the element.
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
    /// A port of a network: the connection of one guest interface.
    NETWORK_PORT = "org.libvirt.NetworkPort", view NetworkPortView;
    methods {
        /// Deletes the port; the guest interface loses its connection to the network.
        write Delete(flags: NoFlags) -> (): NetworkPortDelete => |c| {
            c.network_ports()?.delete(c.id()?).await
        };
        /// Bandwidth limits of the port: `inbound` and `outbound` `.average`, `.peak`, `.floor` (KiB/s) and `.burst` (KiB).
        read GetParameters(flags: ParameterFlags<NoFlags>) -> (parameters: Parameters): NetworkPortGetParameters => |c| {
            Ok(c.parameters(c.network_ports()?.parameters(c.id()?).await?))
        };
        /// Description of the port as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): NetworkPortGetXmlDesc => |c| {
            c.network_ports()?.xml_desc(c.id()?).await
        };
        /// Sets bandwidth limits of the port, under the names that GetParameters returns; 0 is no limit, those not given stay.
        write SetParameters(params: Given, flags: NoFlags) -> (): NetworkPortSetParameters => |c| {
            c.network_ports()?.set_parameters(c.id()?, arguments::set(params.0)?).await
        };
    }
    properties {
        /// UUID of the network that the port belongs to.
        Network: String, emits Const: NetworkPortLookupByUuid => |view| Ok(view.id.network.uuid.to_string().into());
        /// UUID of the port, unique and never changed.
        UUID: String, emits Const: NetworkPortLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {}
}
