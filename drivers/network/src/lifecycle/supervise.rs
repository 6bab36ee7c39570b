//! A DHCP and DNS server that ends by itself is started again, at once and then ever less often.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use virtbus_api::Result;
use virtbus_util::process::ProcessId;

use crate::core::Core;
use crate::dnsmasq::Configuration;
use crate::host::server;
use crate::status::Phase;
use crate::table::Entry;

/// One that served for so long did not fail at once.
const STABLE: Duration = Duration::from_secs(30);
/// The longest wait before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Starts the server of a network again when it ends, for as long as the network is up with it. `failures` is how often it ended soon after it
/// was started.
pub(super) fn watch(
    core: &Arc<Core>,
    entry: &Arc<Entry>,
    server: Option<ProcessId>,
    failures: u32,
) {
    let Some(id) = server else { return };
    let (core, entry) = (Arc::downgrade(core), Arc::clone(entry));
    tokio::spawn(async move {
        let begun = Instant::now();
        match id.open() {
            Ok(Some(handle)) => {
                if let Err(error) = handle.exited().await {
                    let name = &entry.id.name;
                    tracing::error!(network = %name, %error, "the DHCP and DNS server of network '{name}' cannot be watched: {error}");
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => {
                let name = &entry.id.name;
                tracing::error!(network = %name, %error, "the DHCP and DNS server of network '{name}' cannot be watched: {error}");
                return;
            }
        }
        let failures = if begun.elapsed() < STABLE {
            failures + 1
        } else {
            1
        };
        revive(&core, &entry, id, failures).await;
    });
}

async fn revive(core: &Weak<Core>, entry: &Arc<Entry>, ended: ProcessId, mut failures: u32) {
    loop {
        if failures > 1 {
            let pause = Duration::from_secs(1 << failures.min(6));
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        }
        let Some(core) = core.upgrade() else { return };
        match again(&core, entry, ended).await {
            Ok(Some(server)) => {
                watch(&core, entry, Some(server), failures);
                return;
            }
            Ok(None) => return,
            Err(error) => {
                let name = &entry.id.name;
                tracing::error!(network = %name, %error, "the DHCP and DNS server of network '{name}' ended and cannot be started again: {error}");
                failures += 1;
            }
        }
    }
}

/// Starts it again, unless the network is down or has another server meanwhile.
async fn again(
    core: &Arc<Core>,
    entry: &Arc<Entry>,
    ended: ProcessId,
) -> Result<Option<ProcessId>> {
    let config = &core.config;
    let turn = core.table.turn(
        entry,
        "starting its DHCP and DNS server again",
        config.timeouts.job,
    );
    let turn = match turn.await {
        Ok(turn) => turn,
        Err(error) if error.code == virtbus_api::ErrorCode::NoNetwork => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(mut live) = entry.live() else {
        return Ok(None);
    };
    if live.server != Some(ended) {
        return Ok(None);
    }
    let name = &entry.id.name;
    tracing::warn!(network = %name, "the DHCP and DNS server of network '{name}' (process {}) ended by itself, starting it again", ended.pid);
    let files = server::Files::of(config, name);
    let bridge = live.definition.bridge_name().unwrap_or_default();
    let texts = Configuration::of(&live.definition, bridge, &files.paths);
    let server = server::start(config, &files, texts).await?;
    live.server = Some(server);
    core.note(entry, &live, Phase::Up).await?;
    turn.publish(|state| state.live = Some(live), []);
    Ok(Some(server))
}
