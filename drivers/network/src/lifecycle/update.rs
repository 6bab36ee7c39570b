//! Changing a network's definitions: the running one, the stored one, or both; all or none.

use std::sync::Arc;

use virtbus_api::domain::DomainModificationImpact as Impact;
use virtbus_api::network::{NetworkEvent, NetworkUpdateCommand, NetworkUpdateSection};
use virtbus_api::{Error, Result};
use virtbus_conf_host::network::{Network as Definition, UpdateCommand, UpdateSection};

use crate::check::check;
use crate::core::Core;
use crate::dnsmasq::{Configuration, is_needed};
use crate::error;
use crate::firewall::{Rule, rules};
use crate::host::{filter, server};
use crate::status::{Phase, Step};
use crate::table::{Live, State, Turn};

fn command(command: NetworkUpdateCommand) -> UpdateCommand {
    match command {
        NetworkUpdateCommand::Modify => UpdateCommand::Modify,
        NetworkUpdateCommand::Delete => UpdateCommand::Delete,
        NetworkUpdateCommand::AddLast => UpdateCommand::AddLast,
        NetworkUpdateCommand::AddFirst => UpdateCommand::AddFirst,
    }
}

/// One change of a section, for both definitions.
pub(crate) fn section(
    what: NetworkUpdateCommand,
    place: NetworkUpdateSection,
    parent: i32,
    xml: &str,
) -> impl Fn(&mut Definition) -> Result<()> + Send + use<> {
    use NetworkUpdateSection as S;
    let section = match place {
        S::Bridge => UpdateSection::Bridge,
        S::Domain => UpdateSection::Domain,
        S::Ip => UpdateSection::Ip,
        S::IpDhcpHost => UpdateSection::IpDhcpHost,
        S::IpDhcpRange => UpdateSection::IpDhcpRange,
        S::Forward => UpdateSection::Forward,
        S::ForwardInterface => UpdateSection::ForwardInterface,
        S::ForwardPf => UpdateSection::ForwardPf,
        S::PortGroup => UpdateSection::PortGroup,
        S::DnsHost => UpdateSection::DnsHost,
        S::DnsTxt => UpdateSection::DnsTxt,
        S::DnsSrv => UpdateSection::DnsSrv,
    };
    let xml = xml.to_owned();
    move |definition| {
        let updated = definition.update(command(what), section, parent, &xml);
        updated.map_err(|error| error::conf(&error))?;
        // Counts of guests are the driver's.
        without_connections(definition);
        check(definition).map_err(|error| error::conf(&error))
    }
}

fn without_connections(definition: &mut Definition) {
    definition.connections = None;
    if let Some(forward) = &mut definition.forward {
        for interface in &mut forward.interfaces {
            interface.connections = None;
        }
        for address in &mut forward.addresses {
            address.connections = None;
        }
    }
}

/// Which definitions are changed: the running one, the stored one.
fn meant(turn: &Turn, state: &State, impact: Impact) -> Result<(bool, bool)> {
    let is_up = state.live.is_some();
    if impact.is_empty() {
        return Ok((is_up, !is_up));
    }
    let (live, stored) = (
        impact.contains(Impact::LIVE),
        impact.contains(Impact::CONFIG),
    );
    if live && !is_up {
        return Err(turn.entry.wrong("is not active"));
    }
    if stored && state.stored.is_none() {
        return Err(turn
            .entry
            .wrong("is transient and has no stored definition"));
    }
    Ok((live, stored))
}

/// Changes the definitions that are meant, and tells `events`. The host is as it was if that fails.
///
/// # Errors
/// That the network has no such definition, what is wrong with the change, or which program failed at what.
pub(crate) async fn edit(
    core: &Arc<Core>,
    turn: &Turn,
    impact: Impact,
    edit: impl Fn(&mut Definition) -> Result<()> + Send,
    events: Vec<NetworkEvent>,
) -> Result<()> {
    let snapshot = turn.entry.snapshot();
    let state = &snapshot.state;
    let (change_live, change_stored) = meant(turn, state, impact)?;
    let edited = |definition: Option<Definition>| -> Result<Option<Definition>> {
        let Some(mut definition) = definition else {
            return Ok(None);
        };
        edit(&mut definition)?;
        Ok(Some(definition))
    };
    let live = state.live.as_ref().filter(|_| change_live);
    let new_live = edited(live.map(crate::table::with_connections))?;
    let stored = state.stored.as_ref().filter(|_| change_stored);
    let new_stored = edited(stored.map(|stored| (**stored).clone()))?.map(Arc::new);
    let mut new_live = match (live, new_live) {
        (Some(live), Some(mut definition)) => {
            without_connections(&mut definition);
            Some(Live {
                definition: Arc::new(definition),
                ..live.clone()
            })
        }
        _ => None,
    };
    if let (Some(before), Some(after)) = (live, &mut new_live) {
        apply(core, turn, before, after).await?;
    }
    if let Some(definition) = new_stored.clone() {
        let written = core
            .stored(move |store| store.write_definition(&definition))
            .await;
        if let Err(error) = written {
            if let (Some(before), Some(after)) = (live, &mut new_live) {
                revert(core, turn, after, before).await;
            }
            return Err(error);
        }
    }
    let server = new_live.as_ref().and_then(|live| live.server);
    let was = live.and_then(|live| live.server);
    turn.publish(
        |state| {
            if let Some(live) = new_live {
                state.live = Some(live);
            }
            if let Some(stored) = new_stored {
                state.stored = Some(stored);
            }
        },
        events,
    );
    if server != was {
        super::supervise::watch(core, &turn.entry, server, 0);
    }
    Ok(())
}

/// Has the host be as the new definition says.
async fn apply(core: &Arc<Core>, turn: &Turn, before: &Live, after: &mut Live) -> Result<()> {
    let done = match host(core, turn, before, after).await {
        Ok(()) => core.note(&turn.entry, after, Phase::Up).await,
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        revert(core, turn, after, before).await;
        return Err(error);
    }
    Ok(())
}

/// Goes back to how it was.
async fn revert(core: &Arc<Core>, turn: &Turn, from: &Live, to: &Live) {
    let mut back = to.clone();
    back.server = from.server;
    let name = &turn.entry.id.name;
    let reverted = match host(core, turn, from, &mut back).await {
        Ok(()) => core.note(&turn.entry, &back, Phase::Up).await,
        Err(error) => Err(error),
    };
    let server = back.server;
    turn.publish(|state| state.live = Some(back), []);
    super::supervise::watch(core, &turn.entry, server, 0);
    if let Err(error) = reverted {
        tracing::error!(network = %name, %error, "network '{name}' could not be changed, and not all of it is as it was before: {error}");
    }
}

/// What differs between two definitions of a network that is up, done to the host.
async fn host(core: &Arc<Core>, turn: &Turn, before: &Live, after: &mut Live) -> Result<()> {
    let config = &core.config;
    let definition = Arc::clone(&after.definition);
    let Some(bridge) = definition
        .bridge_name()
        .filter(|_| definition.has_own_bridge())
    else {
        return Ok(());
    };
    let (old, new) = (rules(&before.definition), rules(&definition));
    if old != new {
        // A network that is up keeps its back end, whatever the settings say since.
        let kept = before.steps.iter().find_map(|step| match step {
            Step::Filter { backend, .. } => Some(*backend),
            _ => None,
        });
        let backend = kept.unwrap_or(config.backend);
        let filter = Step::Filter {
            backend,
            bridge: bridge.to_owned(),
        };
        note(core, turn, after, filter).await?;
        filter::put(config, backend, &new, &old, bridge).await?;
        if !old.contains(&Rule::FixChecksums) {
            filter::fix_checksums(config, backend, &new, bridge, None).await;
        }
    }
    let files = server::Files::of(config, &turn.entry.id.name);
    let texts = |definition: &Definition| Configuration::of(definition, bridge, &files.paths);
    let (old, new) = (texts(&before.definition), texts(&definition));
    match (is_needed(&before.definition), is_needed(&definition)) {
        (_, true) if old == new && before.server.is_some() => {}
        (true, true) => {
            let changed = server::change(config, &files, before.server, &old, new).await?;
            after.server = Some(changed);
        }
        (false, true) => {
            let configuration = files.configuration.clone();
            note(core, turn, after, Step::Server { configuration }).await?;
            after.server = Some(server::start(config, &files, new).await?);
        }
        (true, false) => {
            server::stop(config, &files, before.server).await?;
            after.server = None;
            after
                .steps
                .retain(|step| !matches!(step, Step::Server { .. }));
        }
        (false, false) => {}
    }
    Ok(())
}

/// Notes something that is about to be done, if it was not done before.
async fn note(core: &Core, turn: &Turn, live: &mut Live, step: Step) -> Result<()> {
    if live.steps.contains(&step) {
        return Ok(());
    }
    live.steps.push(step);
    core.note(&turn.entry, live, Phase::Up)
        .await
        .map_err(|error| Error {
            message: format!(
                "what is done for network '{}' cannot be noted: {}",
                turn.entry.id.name, error.message
            ),
            ..error
        })
}
