//! The calls of clients about ports, and what drivers of hypervisors need of networks.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::network::{
    DhcpLease, NetworkId, NetworkPortCreateFlags, NetworkPortId, NetworkPortView, NetworkPorts,
};
use virtbus_api::providers::{GuestNetworks, Plugged};
use virtbus_api::typed::TypedParameters;
use virtbus_api::{ErrorCode, Result, Uuid};
use virtbus_conf_base::Flags;

use super::{parameters, plug};
use crate::core::Core;
use crate::driver::NetworkDriver;
use crate::error::refused;
use crate::host::{links, on_disk};
use crate::lifecycle;
use crate::table::{Entry, Port, Turn};

/// Starts a network that is defined and off: a guest needs it.
async fn start_if_off(core: &Arc<Core>, turn: &Turn) -> Result<()> {
    let snapshot = turn.entry.snapshot();
    if let (None, Some(stored)) = (&snapshot.state.live, &snapshot.state.stored) {
        lifecycle::start(core, turn, Arc::clone(stored)).await?;
    }
    Ok(())
}

impl NetworkDriver {
    /// The port that is named so.
    fn port(&self, id: &NetworkPortId) -> Result<(Arc<Entry>, Arc<Port>)> {
        let (entry, port) = self.core.table.port(id.uuid)?;
        if port.view.id == *id {
            return Ok((entry, port));
        }
        let kind = virtbus_api::object::Kind::NetworkPort;
        Err(virtbus_api::Error::not_found(kind, "uuid", id.uuid))
    }

    async fn set_bandwidth_of(
        &self,
        entry: &Arc<Entry>,
        uuid: Uuid,
        given: TypedParameters,
    ) -> Result<()> {
        self.job(
            entry,
            "setting bandwidth of a port",
            move |core, turn| async move { plug::set_bandwidth(&core, &turn, uuid, &given).await },
        )
        .await
    }
}

#[async_trait]
impl NetworkPorts for NetworkDriver {
    async fn views(&self, network: &NetworkId) -> Result<Vec<Arc<NetworkPortView>>> {
        let snapshot = self.core.table.same(network)?.snapshot();
        let ports = snapshot
            .state
            .live
            .iter()
            .flat_map(|live| live.ports.values());
        Ok(ports.map(|port| Arc::clone(&port.view)).collect())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<NetworkPortView>> {
        Ok(Arc::clone(&self.core.table.port(uuid)?.1.view))
    }

    async fn xml_desc(&self, port: &NetworkPortId) -> Result<String> {
        Ok(self.port(port)?.1.document.format(Flags::empty()))
    }

    async fn create_xml(
        &self,
        network: &NetworkId,
        xml: &str,
        flags: NetworkPortCreateFlags,
    ) -> Result<Arc<NetworkPortView>> {
        let entry = self.core.table.same(network)?;
        let document = plug::read(xml, flags.contains(NetworkPortCreateFlags::VALIDATE))?;
        self.job(&entry, "making a port", move |core, turn| async move {
            let port = plug::add(&core, &turn, document, flags).await?;
            Ok(Arc::clone(&port.view))
        })
        .await
    }

    async fn delete(&self, port: &NetworkPortId) -> Result<()> {
        let (entry, port) = self.port(port)?;
        let uuid = port.view.id.uuid;
        self.job(&entry, "removing a port", move |core, turn| async move {
            plug::remove(&core, &turn, uuid).await
        })
        .await
    }

    async fn parameters(&self, port: &NetworkPortId) -> Result<TypedParameters> {
        Ok(parameters::of(
            self.port(port)?.1.document.bandwidth.as_ref(),
        ))
    }

    async fn set_parameters(&self, port: &NetworkPortId, given: TypedParameters) -> Result<()> {
        let (entry, port) = self.port(port)?;
        self.set_bandwidth_of(&entry, port.view.id.uuid, given)
            .await
    }
}

fn plugged(port: &Port) -> Plugged {
    Plugged {
        port: port.view.id.clone(),
        xml: port.document.format(Flags::empty()),
    }
}

#[async_trait]
impl GuestNetworks for NetworkDriver {
    async fn plug(&self, network: &str, port: &str) -> Result<Plugged> {
        let entry = self.core.table.named(network)?;
        let document = plug::read(port, false)?;
        self.job(
            &entry,
            "plugging a guest in",
            move |core, turn| async move {
                start_if_off(&core, &turn).await?;
                let none = NetworkPortCreateFlags::empty();
                Ok(plugged(&*plug::add(&core, &turn, document, none).await?))
            },
        )
        .await
    }

    async fn reclaim(&self, network: &str, port: &str) -> Result<Plugged> {
        let entry = self.core.table.named(network)?;
        let document = plug::read(port, false)?;
        self.job(
            &entry,
            "taking a guest's port in",
            move |core, turn| async move {
                let reclaim = NetworkPortCreateFlags::RECLAIM;
                Ok(plugged(&*plug::add(&core, &turn, document, reclaim).await?))
            },
        )
        .await
    }

    async fn unplug(&self, port: Uuid) -> Result<()> {
        let Ok((entry, _)) = self.core.table.port(port) else {
            return Ok(());
        };
        let unplugged = self.job(&entry, "unplugging a guest", move |core, turn| async move {
            plug::remove(&core, &turn, port).await
        });
        match unplugged.await {
            // It went with its network.
            Err(error) if error.code == ErrorCode::NoNetwork => Ok(()),
            other => other,
        }
    }

    async fn set_bandwidth(&self, port: Uuid, bandwidth: TypedParameters) -> Result<()> {
        let (entry, _) = self.core.table.port(port)?;
        self.set_bandwidth_of(&entry, port, bandwidth).await
    }

    async fn listen_address(&self, network: &str) -> Result<IpAddr> {
        let entry = self.core.table.named(network)?;
        self.job(
            &entry,
            "finding an address to listen on",
            move |core, turn| async move { start_if_off(&core, &turn).await },
        )
        .await?;
        let live = entry.live()?;
        let definition = &live.definition;
        // IPv4 first, as there are clients without IPv6.
        let mut ips: Vec<_> = definition.ip.iter().filter_map(|ip| ip.address).collect();
        ips.sort_by_key(|ip| ip.0.is_ipv6());
        if let Some(ip) = ips.first() {
            return Ok(ip.0);
        }
        let forward = definition.forward.as_ref();
        let device = forward.and_then(|forward| forward.interfaces.first());
        let device = device.map(|first| first.dev.to_string());
        let device = device.or_else(|| definition.bridge_name().map(str::to_owned));
        let found = match device {
            Some(device) => {
                on_disk(&self.core.config, move || {
                    let mut there = links::addresses()?;
                    there.retain(|one| one.interface == device);
                    there.sort_by_key(|one| one.address.0.is_ipv6());
                    Ok(there.first().map(|one| one.address.0))
                })
                .await?
            }
            None => None,
        };
        found.ok_or_else(|| {
            refused(
                ErrorCode::ConfigUnsupported,
                format!("the host has no address on network '{network}' to listen on"),
            )
        })
    }

    async fn leases(&self, network: &str, mac: &str) -> Result<Vec<DhcpLease>> {
        let entry = self.core.table.named(network)?;
        if entry.live().is_err() {
            return Ok(Vec::new());
        }
        self.leases_of(&entry, Some(mac)).await
    }
}
