//! Bringing a network up.

use std::collections::BTreeMap;
use std::sync::Arc;

use virtbus_api::network::{NetworkEvent, NetworkLifecycle};
use virtbus_api::{Error, Result};
use virtbus_conf_host::network::Network as Definition;

use super::{stop, supervise};
use crate::bandwidth;
use crate::core::Core;
use crate::dnsmasq::{Configuration, is_needed};
use crate::error::while_doing;
use crate::firewall::{Rule, rules};
use crate::host::bridge::{self, Bridge};
use crate::host::{filter, on_disk, routes, server};
use crate::status::{Phase, Step};
use crate::table::{Live, Turn};

/// Starts the network with this definition, and tells of it. Whatever fails, all that was done is undone.
///
/// # Errors
/// What is in the way on this host, or which program failed at what.
pub(crate) async fn start(
    core: &Arc<Core>,
    turn: &Turn,
    definition: Arc<Definition>,
) -> Result<()> {
    let entry = &turn.entry;
    clear_left_over(core, turn).await?;
    let mut live = Live {
        definition,
        steps: Vec::new(),
        server: None,
        ports: BTreeMap::new(),
    };
    let done = prepare(core, turn, &mut live).await;
    let done = match done {
        Ok(()) => core.note(entry, &live, Phase::Up).await,
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        stop::clear(core, entry, &live).await;
        return Err(while_doing(
            &format!("network '{}' cannot be started", entry.id.name),
            error,
        ));
    }
    let server = live.server;
    turn.publish(
        |state| state.live = Some(live),
        [NetworkEvent::Lifecycle(NetworkLifecycle::Started)],
    );
    supervise::watch(core, entry, server, 0);
    core.look_for_problems.notify_one();
    tracing::info!(network = %entry.id.name, "network '{}' was started", entry.id.name);
    Ok(())
}

/// Undoes what could not be undone when the network was stopped.
async fn clear_left_over(core: &Arc<Core>, turn: &Turn) -> Result<()> {
    let uuid = turn.entry.id.uuid;
    let left = core
        .stored(move |store| Ok(store.read_status(uuid)))
        .await?;
    let Some(status) = left else { return Ok(()) };
    if status.boot == core.boot {
        stop::undo(core, &status).await?;
    }
    core.stored(move |store| store.remove_status(uuid)).await
}

/// Does one thing, which is noted first.
async fn step(core: &Core, turn: &Turn, live: &mut Live, step: Step) -> Result<()> {
    live.steps.push(step);
    core.note(&turn.entry, live, Phase::Changing).await
}

/// All that is done to the host.
async fn prepare(core: &Arc<Core>, turn: &Turn, live: &mut Live) -> Result<()> {
    let definition = Arc::clone(&live.definition);
    if definition.has_own_bridge() {
        return own_bridge(core, turn, live, &definition).await;
    }
    let Some((device, limits)) = bandwidth::of_host(&definition) else {
        return Ok(());
    };
    let bandwidth = Step::Bandwidth {
        device: device.to_owned(),
    };
    step(core, turn, live, bandwidth).await?;
    bandwidth::apply(&core.config, &bandwidth::of_bridge(device, limits)).await
}

async fn own_bridge(
    core: &Arc<Core>,
    turn: &Turn,
    live: &mut Live,
    definition: &Arc<Definition>,
) -> Result<()> {
    let config = &core.config;
    let missing = || Error::internal("the definition of a network lacks its bridge".to_owned());
    let name = definition.bridge_name().ok_or_else(missing)?.to_owned();
    let mac = definition.mac.ok_or_else(missing)?;
    let (checked, called) = (Arc::clone(definition), name.clone());
    on_disk(config, move || {
        bridge::check_free(&called)?;
        routes::check_free(&checked, &called)?;
        routes::check_forwarding(&checked)
    })
    .await?;
    let made = Step::Bridge {
        name: name.clone(),
        mac: mac.to_string(),
    };
    step(core, turn, live, made).await?;
    let made = Bridge {
        name: &name,
        mac,
        network: definition,
    };
    made.make(config).await?;
    if let Some(limits) = &definition.bandwidth {
        // Gone with the bridge.
        bandwidth::apply(config, &bandwidth::of_bridge(&name, limits)).await?;
    }
    let rules = rules(definition);
    if !rules.is_empty() {
        let filter = Step::Filter {
            backend: config.backend,
            bridge: name.clone(),
        };
        step(core, turn, live, filter).await?;
    }
    // At the same time: nobody is on the bridge yet.
    let (filtered, brought_up) = tokio::join!(
        filter(core, definition, &rules, &name),
        made.bring_up(config)
    );
    filtered.and(brought_up)?;
    if is_needed(definition) {
        let files = server::Files::of(config, &turn.entry.id.name);
        let served = Step::Server {
            configuration: files.configuration.clone(),
        };
        step(core, turn, live, served).await?;
        let texts = Configuration::of(definition, &name, &files.paths);
        live.server = Some(server::start(config, &files, texts).await?);
    }
    Ok(())
}

/// Tells the packet filter of the network.
async fn filter(core: &Core, definition: &Definition, rules: &[Rule], bridge: &str) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    let config = &core.config;
    let limits = definition.bandwidth.as_ref();
    let is_queued = limits.is_some_and(|limits| limits.inbound.is_some());
    let (put, ()) = tokio::join!(
        filter::put(config, config.backend, rules, &[], bridge),
        filter::fix_checksums(config, config.backend, rules, bridge, Some(is_queued)),
    );
    put
}
