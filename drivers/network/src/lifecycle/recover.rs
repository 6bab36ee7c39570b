//! Networks that an earlier daemon left: those that are up are taken in with all traffic going on, and what was done for others is undone.

use std::sync::Arc;

use virtbus_api::network::{NetworkEvent, NetworkId, NetworkLifecycle};
use virtbus_api::{Error, Result, Uuid};
use virtbus_conf_host::network::Network as Definition;
use virtbus_conf_host::network_port::NetworkPort;

use super::{stop, supervise};
use crate::core::Core;
use crate::dnsmasq::Configuration;
use crate::firewall::rules;
use crate::host::{bridge, filter, server};
use crate::status::{Phase, Status, Step};
use crate::table::{Live, Port, State, Turn};

/// Puts all networks into the table that are stored or up, and has what an earlier daemon left be taken in or undone. Networks that are up are
/// so for readers when this returns; who wants to change one waits until it is taken in.
///
/// # Errors
/// If the directories cannot be made or read.
pub(crate) async fn recover(core: &Arc<Core>) -> Result<()> {
    let read = |store: &crate::store::Store| {
        store.prepare()?;
        Ok((store.read_definitions()?, store.read_statuses()?))
    };
    let (definitions, statuses) = core.stored(read).await?;
    for stored in definitions {
        let definition = Arc::new(stored.definition);
        let id = id_of(&definition);
        let state = State {
            stored: Some(definition),
            live: None,
            autostart: stored.autostart,
            problems: Arc::default(),
        };
        if let Err(error) = core.table.add(id.clone(), state) {
            tracing::error!(network = %id.name, %error, "the stored definition of network '{}' cannot be used, ignoring it: {error}", id.name);
        }
    }
    for status in statuses {
        let name = status.name.clone();
        if let Err(error) = found(core, status).await {
            tracing::error!(network = %name, %error, "network '{name}', which an earlier daemon left, cannot be taken in: {error}");
        }
    }
    Ok(())
}

pub(crate) fn id_of(definition: &Definition) -> NetworkId {
    NetworkId {
        uuid: definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
        name: definition.name.as_str().into(),
    }
}

async fn found(core: &Arc<Core>, status: Status) -> Result<()> {
    let uuid = status.uuid;
    if status.boot != core.boot {
        // Nothing of it has outlived the host's boot.
        return core.stored(move |store| store.remove_status(uuid)).await;
    }
    let id = NetworkId {
        uuid,
        name: status.name.as_str().into(),
    };
    let limit = core.config.timeouts.job;
    let turn = core.table.turn_for(&id, "taking it in", limit).await?;
    let core = Arc::clone(core);
    let live = match status.phase {
        Phase::Up => Some(live(&turn, &status)?),
        Phase::Changing => None,
    };
    match live {
        Some(live) => {
            let known = live.clone();
            turn.publish(|state| state.live = Some(known), []);
            tokio::spawn(async move { take_in(&core, &turn, live).await });
        }
        None => {
            tokio::spawn(async move {
                let name = &turn.entry.id.name;
                tracing::warn!(network = %name, "network '{name}' was being started or stopped when the daemon ended, undoing that");
                let undone = match stop::undo(&core, &status).await {
                    Ok(()) => core.stored(move |store| store.remove_status(uuid)).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = undone {
                    tracing::error!(network = %name, %error, "something of network '{name}' is left on this host: {error}");
                }
            });
        }
    }
    Ok(())
}

/// What a status tells of a network that is up.
fn live(turn: &Turn, status: &Status) -> Result<Live> {
    let unreadable = |error: virtbus_conf_base::XmlError| Error::internal(error.to_string());
    let definition = Definition::parse(&status.definition).map_err(unreadable)?;
    let mut ports = std::collections::BTreeMap::new();
    for port in &status.ports {
        let document = NetworkPort::parse(&port.xml).map_err(unreadable)?;
        let Some(uuid) = document.uuid else { continue };
        let port = Port::new(turn.entry.id.clone(), uuid.0, document, port.class);
        ports.insert(uuid.0, Arc::new(port));
    }
    Ok(Live {
        definition: Arc::new(definition),
        steps: status.steps.clone(),
        server: status.server.map(Into::into),
        ports,
    })
}

async fn take_in(core: &Arc<Core>, turn: &Turn, mut live: Live) {
    let name = &turn.entry.id.name;
    match restore(core, turn, &mut live).await {
        Ok(true) => {
            let server = live.server;
            if let Err(error) = core.note(&turn.entry, &live, Phase::Up).await {
                tracing::error!(network = %name, %error, "how network '{name}' is cannot be noted: {error}");
            }
            turn.publish(|state| state.live = Some(live), []);
            supervise::watch(core, &turn.entry, server, 0);
            core.look_for_problems.notify_one();
            tracing::info!(network = %name, "network '{name}' is up and was taken in");
        }
        Ok(false) => {
            tracing::warn!(network = %name, "the bridge of network '{name}' is gone, so it is not active any more");
            stop::clear(core, &turn.entry, &live).await;
            turn.publish(
                |state| state.live = None,
                [NetworkEvent::Lifecycle(NetworkLifecycle::Stopped)],
            );
        }
        Err(error) => {
            tracing::error!(network = %name, %error, "network '{name}' is up, but not all of it could be restored: {error}");
            supervise::watch(core, &turn.entry, live.server, 1);
        }
    }
}

/// Has everything be there that was done for a network. Whether it is still up at all: nobody can be on a bridge that is gone.
async fn restore(core: &Core, turn: &Turn, live: &mut Live) -> Result<bool> {
    let config = &core.config;
    let definition = Arc::clone(&live.definition);
    for step in live.steps.clone() {
        match step {
            Step::Bridge { name, mac } => {
                if !bridge::is_ours(config, &name, &mac).await? {
                    return Ok(false);
                }
            }
            Step::Filter { backend, bridge } => {
                let rules = rules(&definition);
                filter::put(config, backend, &rules, &rules, &bridge).await?;
            }
            // It is where it was.
            Step::Bandwidth { .. } => {}
            Step::Server { .. } => {
                let files = server::Files::of(config, &turn.entry.id.name);
                let bridge = definition.bridge_name().unwrap_or_default();
                let texts = Configuration::of(&definition, bridge, &files.paths);
                let known = live.server;
                let server = match server::find(config, &files, known).await? {
                    Some((id, _)) => id,
                    None => server::start(config, &files, texts).await?,
                };
                live.server = Some(server);
            }
        }
    }
    Ok(true)
}
