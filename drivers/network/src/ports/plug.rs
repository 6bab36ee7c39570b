//! Making, changing and removing ports of a network that is up. Each is noted in the status before the host is told of it.

use std::sync::Arc;

use virtbus_api::network::NetworkPortCreateFlags;
use virtbus_api::typed::TypedParameters;
use virtbus_api::{ErrorCode, Result, Uuid};
use virtbus_conf_host::network_port::{NetworkPort, Plug};

use super::allocate::allocate;
use super::{bandwidth, functions, parameters};
use crate::core::Core;
use crate::error::{self, refused};
use crate::host::{links, on_disk};
use crate::random::Random;
use crate::status::Phase;
use crate::table::{Live, Port, PortClaim, Turn};
use crate::usage::Usage;

/// Ports of one network.
const MOST: usize = 65_536;

/// Reads a port's document.
///
/// # Errors
/// `XmlError` or `XmlInvalidSchema`.
pub(super) fn read(xml: &str, strict: bool) -> Result<NetworkPort> {
    let mut port = if strict {
        NetworkPort::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        NetworkPort::parse(xml).map_err(|error| error::xml(&error))?
    };
    port.complete(&mut Random);
    Ok(port)
}

/// Makes a port. With `RECLAIM`, one that is there already is taken for it, and what it is plugged into stays.
///
/// # Errors
/// That the network is not up, `NetworkPortExist`, or what is in the way.
pub(super) async fn add(
    core: &Arc<Core>,
    turn: &Turn,
    document: NetworkPort,
    flags: NetworkPortCreateFlags,
) -> Result<Arc<Port>> {
    let reclaim = flags.contains(NetworkPortCreateFlags::RECLAIM);
    let entry = &turn.entry;
    let live = entry.live()?;
    let uuid = document.uuid.map_or(Uuid::nil(), |uuid| uuid.0);
    let claimed = match core.table.claim_port(uuid)? {
        PortClaim::New(claimed) => claimed,
        PortClaim::There(owner, there) if reclaim && owner.id == entry.id => return Ok(there),
        PortClaim::There(owner, _) => {
            return Err(refused(
                ErrorCode::NetworkPortExist,
                format!("network '{}' has a port {uuid} already", owner.id.name),
            ));
        }
    };
    if live.ports.len() >= MOST {
        return Err(entry.wrong(&format!("has {MOST} ports, and no more are taken")));
    }
    let usage = Usage::of(live.ports.values().map(|port| &port.document));
    let definition = Arc::clone(&live.definition);
    let document = on_disk(&core.config, move || {
        let pool = functions::pool(&definition)?;
        let plugged = document.plug.clone().filter(|_| reclaim);
        let mut made = allocate(&definition, document, &usage, &pool)?;
        made.plug = plugged.or(made.plug);
        if let Some(Plug::Bridge(plug)) = &made.plug
            && !links::exists(&plug.bridge)
        {
            return Err(error::failed(format!(
                "the bridge '{}' of network '{}' is not there",
                plug.bridge, definition.name
            )));
        }
        Ok(made)
    })
    .await?;
    let port = put(core, turn, &live, uuid, Some(document)).await?;
    drop(claimed);
    port.ok_or_else(|| entry.wrong("has lost the port"))
}

/// Removes a port.
///
/// # Errors
/// If it could not be noted; then it is still there.
pub(super) async fn remove(core: &Arc<Core>, turn: &Turn, uuid: Uuid) -> Result<()> {
    let Ok(live) = turn.entry.live() else {
        return Ok(());
    };
    if !live.ports.contains_key(&uuid) {
        return Ok(());
    }
    put(core, turn, &live, uuid, None).await.map(drop)
}

/// Sets the bandwidth of a port.
///
/// # Errors
/// `NoNetworkPort`, what is wrong with the parameters, or that so much cannot be guaranteed.
pub(super) async fn set_bandwidth(
    core: &Arc<Core>,
    turn: &Turn,
    uuid: Uuid,
    given: &TypedParameters,
) -> Result<()> {
    let live = turn.entry.live()?;
    let Some(port) = live.ports.get(&uuid) else {
        let kind = virtbus_api::object::Kind::NetworkPort;
        return Err(virtbus_api::Error::not_found(kind, "uuid", uuid));
    };
    let mut document = port.document.clone();
    document.bandwidth = parameters::set(document.bandwidth.as_ref(), given)?;
    put(core, turn, &live, uuid, Some(document)).await.map(drop)
}

/// Has the network have this port, or not any more.
async fn put(
    core: &Arc<Core>,
    turn: &Turn,
    before: &Live,
    uuid: Uuid,
    document: Option<NetworkPort>,
) -> Result<Option<Arc<Port>>> {
    let mut live = before.clone();
    let (port, commands) = match document {
        Some(document) => {
            let change = bandwidth::change(before, uuid, &document)?;
            let id = turn.entry.id.clone();
            let port = Arc::new(Port::new(id, uuid, document, change.class));
            live.ports.insert(uuid, Arc::clone(&port));
            (Some(port), change.commands)
        }
        None => {
            let removed = live.ports.remove(&uuid);
            let without = removed.map(|port| NetworkPort {
                bandwidth: None,
                ..port.document.clone()
            });
            let change = without
                .map(|port| bandwidth::change(before, uuid, &port))
                .transpose()?;
            (None, change.unwrap_or_default().commands)
        }
    };
    core.note(&turn.entry, &live, Phase::Up).await?;
    if let Err(error) = crate::bandwidth::apply(&core.config, &commands).await {
        let name = &turn.entry.id.name;
        if port.is_none() {
            // The port goes whatever the host says, as the guest is gone.
            tracing::error!(network = %name, %error, "what was guaranteed to port {uuid} of network '{name}' could not be taken back: {error}");
        } else {
            if let Err(error) = core.note(&turn.entry, before, Phase::Up).await {
                tracing::error!(network = %name, %error, "that port {uuid} of network '{name}' was not changed could not be noted: {error}");
            }
            return Err(error);
        }
    }
    turn.publish(|state| state.live = Some(live), []);
    Ok(port)
}
