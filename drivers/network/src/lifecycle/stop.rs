//! Bringing a network down: all that its status tells of is undone, the last first.

use std::sync::Arc;

use virtbus_api::network::{NetworkEvent, NetworkLifecycle};
use virtbus_api::{Error, Result};
use virtbus_conf_host::network::Network as Definition;

use crate::bandwidth;
use crate::core::Core;
use crate::firewall::{Rule, rules};
use crate::host::{bridge, filter, server};
use crate::status::{Phase, Status, Step};
use crate::store::Store;
use crate::table::{Entry, Live, Turn};

/// Stops a network that is up, and tells of it. What cannot be undone is logged, and tried again when the network is started or a new
/// daemon comes.
///
/// # Errors
/// That it is not up, or that it could not be noted what is about to be done; then it is still up.
pub(crate) async fn stop(core: &Arc<Core>, turn: &Turn) -> Result<()> {
    let entry = &turn.entry;
    let live = entry.live()?;
    core.note(entry, &live, Phase::Changing).await?;
    clear(core, entry, &live).await;
    turn.publish(
        |state| state.live = None,
        [NetworkEvent::Lifecycle(NetworkLifecycle::Stopped)],
    );
    tracing::info!(network = %entry.id.name, "network '{}' was stopped", entry.id.name);
    Ok(())
}

/// Undoes what was done for a network, and removes its status file if nothing is left. One that is not stored has no further use for its
/// leases.
pub(super) async fn clear(core: &Core, entry: &Entry, live: &Live) {
    let status = core.status(entry, live, Phase::Changing);
    let is_stored = entry.snapshot().state.stored.is_some();
    let files = server::Files::of(&core.config, &entry.id.name);
    let cleared = match undo(core, &status).await {
        Ok(()) => {
            let uuid = entry.id.uuid;
            let remove = move |store: &Store| {
                if !is_stored {
                    files.remove_leases()?;
                }
                store.remove_status(uuid)
            };
            core.stored(remove).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = cleared {
        let name = &entry.id.name;
        tracing::error!(network = %name, %error, "something of network '{name}' is left on this host, and is removed when it is started next: {error}");
    }
}

/// Undoes all that a status tells of, whatever fails.
///
/// # Errors
/// The first failure.
pub(crate) async fn undo(core: &Core, status: &Status) -> Result<()> {
    let mut first: Option<Error> = None;
    for step in status.steps.iter().rev() {
        if let Err(error) = undo_one(core, status, step).await {
            first.get_or_insert(error);
        }
    }
    first.map_or(Ok(()), Err)
}

async fn undo_one(core: &Core, status: &Status, step: &Step) -> Result<()> {
    let config = &core.config;
    match step {
        Step::Bridge { name, mac } => bridge::remove(config, name, mac).await,
        Step::Filter { backend, bridge } => {
            filter::remove(config, *backend, &rules_of(status), bridge).await
        }
        Step::Bandwidth { device } => bandwidth::clear(config, device).await,
        Step::Server { .. } => {
            let files = server::Files::of(config, &status.name);
            server::stop(config, &files, status.server.map(Into::into)).await
        }
    }
}

fn rules_of(status: &Status) -> Vec<Rule> {
    Definition::parse(&status.definition)
        .map_or_else(|_| Vec::new(), |definition| rules(&definition))
}
