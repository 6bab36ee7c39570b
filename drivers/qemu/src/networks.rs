//! Guests on virtual networks: interfaces are plugged into them through ports, and what listens on a network's address is told it.
//!
//! A port is noted in the guest's status by its UUID before it is made, and removed with whatever else was done for the guest. It says
//! which bridge the guest's tap device belongs to; the live definition has that.

use std::sync::Arc;

use virtbus_api::domain::{GuestAddress, GuestInterface};
use virtbus_api::providers::Providers;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_base::common::Uuid as ConfUuid;
use virtbus_conf_base::{Flags, format_text};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::graphics::Listen;
use virtbus_conf_domain::domain::devices::interface::{Interface, InterfaceSource};
use virtbus_conf_host::network_port::{NetworkPort, Plug, PortOwner};

use crate::persist::Status;

fn refused(network: &str, why: &str) -> Error {
    Error::new(
        ErrorCode::ConfigUnsupported,
        ErrorDomain::Qemu,
        format!("network '{network}' of an interface: {why}"),
    )
}

/// The network that an interface is on, by name.
fn network(interface: &Interface) -> Option<&str> {
    match &interface.source {
        InterfaceSource::Network(source) => {
            Some(source.place.network.as_deref().unwrap_or_default())
        }
        _ => None,
    }
}

/// The port of a guest's interface, as the network is asked for it.
fn port_of(guest: Uuid, name: &str, interface: &Interface, port: Uuid) -> Result<String> {
    let InterfaceSource::Network(source) = &interface.source else {
        return Err(Error::internal("an interface is on no network"));
    };
    let mac = interface.mac.as_ref().ok_or_else(|| {
        Error::internal("an interface of a complete definition has no MAC address")
    })?;
    let connection = &interface.connection;
    let port = NetworkPort {
        uuid: Some(ConfUuid(port)),
        owner: PortOwner {
            name: name.into(),
            uuid: ConfUuid(guest),
        },
        group: source.place.portgroup.clone(),
        mac: mac.address,
        virtualport: connection.virtualport.as_deref().cloned(),
        bandwidth: connection.bandwidth.as_deref().cloned(),
        vlan: connection.vlan.clone(),
        port: connection.port.clone(),
        trust_guest: interface.trust_guest_rx_filters,
        plug: None,
    };
    Ok(port.format(Flags::default()))
}

/// Makes the ports of a guest's interfaces, each noted before, and writes what they are plugged into into the live definition. `note` writes the
/// status.
///
/// # Errors
/// If this daemon has no networks, or one of them is not there or does not take the guest.
pub(crate) async fn plug(
    providers: &Providers,
    live: &mut Definition,
    status: &mut Status,
    mut note: impl FnMut(&mut Status) -> Result<()>,
) -> Result<()> {
    let (guest, name) = (status.uuid, status.name.clone());
    for interface in &mut live.devices.interface {
        let Some(network) = network(interface).map(str::to_owned) else {
            continue;
        };
        let networks = providers.networks()?;
        let uuid = Uuid::new_v4();
        let port = port_of(guest, &name, interface, uuid)?;
        status.prepared.network_ports.push(uuid);
        note(status)?;
        let plugged = networks.plug(&network, &port).await?;
        let told = NetworkPort::parse(&plugged.xml);
        let told = told.map_err(|error| Error::internal(error.to_string()))?;
        let (Some(Plug::Network(plug) | Plug::Bridge(plug)), InterfaceSource::Network(source)) =
            (told.plug, &mut interface.source)
        else {
            return Err(refused(
                &network,
                "it connects guests directly to a device of the host, which is not supported; use one with a bridge",
            ));
        };
        source.place.portid = Some(ConfUuid(uuid));
        source.bridge = Some(plug.bridge);
        source.mac_table_manager = plug.mac_table_manager;
    }
    Ok(())
}

/// Removes the ports of a guest that is gone. What cannot be removed is logged.
pub(crate) async fn unplug(providers: &Providers, status: &Status) {
    for port in &status.prepared.network_ports {
        let unplugged = match providers.networks() {
            Ok(networks) => networks.unplug(*port).await,
            Err(error) => Err(error),
        };
        if let Err(error) = unplugged {
            let name = &status.name;
            tracing::warn!(
                domain = name,
                "port {port} of domain '{name}' cannot be removed, ignoring: {error}"
            );
        }
    }
}

/// Takes note of the ports of a guest that an earlier daemon started. In the background: a network may take its time, and the guest's traffic
/// goes on without it.
pub(crate) fn reclaim(providers: &Providers, name: &str, guest: Uuid, live: &Arc<Definition>) {
    let (providers, live, name) = (providers.clone(), Arc::clone(live), name.to_owned());
    tokio::spawn(async move {
        for interface in &live.devices.interface {
            let InterfaceSource::Network(source) = &interface.source else {
                continue;
            };
            let (Some(network), Some(port)) = (network(interface), source.place.portid) else {
                continue;
            };
            let reclaimed = async {
                let port = port_of(guest, &name, interface, port.0)?;
                providers.networks()?.reclaim(network, &port).await
            };
            if let Err(error) = reclaimed.await {
                tracing::warn!(
                    domain = name,
                    "network '{network}' does not know domain '{name}' any more, ignoring: {error}"
                );
            }
        }
    });
}

/// Finds the addresses of networks that screens listen on.
///
/// # Errors
/// Those of the network.
pub(crate) async fn find_listen_addresses(
    providers: &Providers,
    live: &mut Definition,
) -> Result<()> {
    for graphics in &mut live.devices.graphics {
        for listen in &mut graphics.listen {
            if let Listen::Network(listen) = listen
                && listen.address.is_none()
            {
                let networks = providers.networks()?;
                let address = networks.listen_address(&listen.network).await?;
                listen.address = Some(format_text!("{address}"));
            }
        }
    }
    Ok(())
}

/// The addresses that networks gave to a guest's interfaces.
///
/// # Errors
/// If this daemon has no networks; those of the networks.
pub(crate) async fn leases(
    providers: &Providers,
    live: &Definition,
) -> Result<Vec<GuestInterface>> {
    let mut interfaces = Vec::new();
    for interface in &live.devices.interface {
        let (Some(network), Some(mac)) = (network(interface), &interface.mac) else {
            continue;
        };
        let mac = mac.address.to_string();
        let leases = providers.networks()?.leases(network, &mac).await?;
        if leases.is_empty() {
            continue;
        }
        let target = interface.options.target.as_ref();
        interfaces.push(GuestInterface {
            name: target
                .and_then(|target| target.dev.as_deref())
                .unwrap_or_default()
                .to_owned(),
            mac: Some(mac),
            addresses: leases
                .into_iter()
                .map(|lease| GuestAddress {
                    kind: lease.kind,
                    address: lease.address,
                    prefix: lease.prefix,
                })
                .collect(),
        });
    }
    Ok(interfaces)
}
