//! Networks that others take something from: rules that somebody flushed are put back, and a network whose bridge was deleted is down.
//!
//! The kernel tells of each change. It does not tell whether it was ours, so it is looked whether something is missing; that is so seldom, as
//! only what takes something away from a network's own table, chains or bridge is looked at.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use virtbus_api::Result;
use virtbus_api::network::{NetworkEvent, NetworkLifecycle};

use super::{problems, stop};
use crate::core::Core;
use crate::firewall::rules;
use crate::host::watch::{Change, Watch};
use crate::host::{bridge, filter};
use crate::status::Step;
use crate::table::{Entry, Turn};

/// What others do is often done in several steps, such as flushing all rules and loading others. It is looked at when they have had so long.
const SETTLING: Duration = Duration::from_millis(100);

/// Ends the watch when it is dropped.
#[derive(Debug)]
pub(crate) struct Guard(Vec<tokio::task::AbortHandle>);

impl Drop for Guard {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Watches over all networks for as long as the guard is there. A host whose kernel tells nothing is left as it is, and that is logged.
pub(crate) fn guard(core: &Arc<Core>) -> Guard {
    let weak = Arc::downgrade(core);
    let problems = problems::keep(weak.clone(), Arc::clone(&core.look_for_problems));
    let mut tasks = vec![tokio::spawn(problems).abort_handle()];
    match Watch::open() {
        Ok(watch) => tasks.push(tokio::spawn(keep(weak, watch)).abort_handle()),
        Err(error) => {
            tracing::info!(%error, "changes of this host's packet filter and interfaces cannot be watched, so what others remove of networks is not put back: {error}");
        }
    }
    Guard(tasks)
}

async fn keep(core: Weak<Core>, watch: Watch) {
    loop {
        let changes = match watch.next().await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::error!(%error, "changes of this host's packet filter and interfaces are not told any more: {error}");
                return;
            }
        };
        tokio::time::sleep(SETTLING).await;
        let Some(core) = core.upgrade() else { return };
        if changes.iter().any(is_of_others) {
            core.look_for_problems.notify_one();
        }
        for entry in concerned(&core, &changes) {
            let (core, entry) = (Arc::clone(&core), entry);
            // Each waits for its own turn.
            tokio::spawn(async move {
                if let Err(error) = look(&core, &entry).await {
                    let name = &entry.id.name;
                    tracing::error!(network = %name, %error, "something of network '{name}' was removed by somebody else and cannot be put back: {error}");
                }
            });
        }
    }
}

/// Whether it is about rules that are not in tables of our own.
fn is_of_others(change: &Change) -> bool {
    match change {
        Change::Table { name, .. } => !filter::is_ours(name),
        Change::LinkGone(_) => false,
        Change::Unknown => true,
    }
}

/// The networks that may have lost something.
fn concerned(core: &Core, changes: &[Change]) -> Vec<Arc<Entry>> {
    let all = changes.contains(&Change::Unknown);
    let mut tables = BTreeSet::new();
    let mut links = BTreeSet::new();
    for change in changes {
        match change {
            Change::Table {
                name,
                is_loss: true,
            } => tables.insert(name.as_str()),
            Change::LinkGone(name) => links.insert(name.as_str()),
            Change::Table { .. } | Change::Unknown => false,
        };
    }
    let lost = |step: &Step| match step {
        Step::Bridge { name, .. } => links.contains(name.as_str()),
        Step::Filter { backend, bridge } => filter::tables(*backend, bridge)
            .iter()
            .any(|table| tables.contains(table.as_str())),
        Step::Bandwidth { .. } | Step::Server { .. } => false,
    };
    let shown = core.table.shown().into_iter();
    let concerned = shown.filter(|(_, snapshot)| {
        let live = snapshot.state.live.as_ref();
        live.is_some_and(|live| all || live.steps.iter().any(lost))
    });
    concerned.map(|(entry, _)| entry).collect()
}

/// Looks whether something of a network is missing, and puts it back.
async fn look(core: &Arc<Core>, entry: &Arc<Entry>) -> Result<()> {
    let limit = core.config.timeouts.job;
    let turn = core
        .table
        .turn(entry, "looking for what others removed", limit)
        .await;
    let turn = match turn {
        Ok(turn) => turn,
        Err(error) if error.code == virtbus_api::ErrorCode::NoNetwork => return Ok(()),
        Err(error) => return Err(error),
    };
    let Ok(live) = entry.live() else {
        return Ok(());
    };
    let name = &entry.id.name;
    for step in &live.steps {
        match step {
            Step::Bridge { name: bridge, mac } => {
                if !bridge::is_ours(&core.config, bridge, mac).await? {
                    tracing::warn!(network = %name, "the bridge '{bridge}' of network '{name}' was deleted by somebody else, so the network is not active any more");
                    return down(core, &turn).await;
                }
            }
            Step::Filter { backend, bridge } => {
                let rules = rules(&live.definition);
                if !filter::holds(&core.config, *backend, &rules, bridge).await? {
                    filter::put(&core.config, *backend, &rules, &[], bridge).await?;
                    tracing::warn!(network = %name, "rules of network '{name}' in the packet filter were removed by somebody else and have been put back");
                }
            }
            Step::Bandwidth { .. } | Step::Server { .. } => {}
        }
    }
    Ok(())
}

async fn down(core: &Arc<Core>, turn: &Turn) -> Result<()> {
    let live = turn.entry.live()?;
    stop::clear(core, &turn.entry, &live).await;
    turn.publish(
        |state| state.live = None,
        [NetworkEvent::Lifecycle(NetworkLifecycle::Stopped)],
    );
    Ok(())
}
