//! Snapshots: a definition and a state to go back to.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use virtbus_api::domain::{
    DefinedDetail, DomainEvent, DomainId, DomainSnapshots, DomainState, Lifecycle,
    MomentDeleteFlags, PausedReason, RunningReason, ShutoffReason, SnapshotCreateFlags, SnapshotId,
    SnapshotKind, SnapshotRevertFlags, SnapshotView, SnapshotXmlFlags, StartedDetail,
    StoppedDetail, SuspendedDetail,
};
use virtbus_api::object::{IdRef, Kind};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, naming};
use virtbus_conf_base::{Flags, Text};
use virtbus_conf_domain::domain::devices::disk::SnapshotMode;
use virtbus_conf_domain::domain::{AbiFlags, CompleteFlags};
use virtbus_conf_domain::moment::{Guest, Purpose};
use virtbus_conf_domain::snapshot::{AlignOptions, Snapshot, SnapshotState};

use super::{Domain, definition};
use crate::driver::{State, Test};
use crate::error;

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn view(domain: &Domain, name: &str) -> Option<SnapshotView> {
    let moment = domain.snapshots.get(name)?;
    let snapshot = &moment.content;
    let kind = match snapshot.state {
        Some(SnapshotState::DiskSnapshot) => SnapshotKind::DiskOnly,
        Some(state) if state.is_offline() => SnapshotKind::Inactive,
        None => SnapshotKind::Inactive,
        Some(_) => SnapshotKind::Active,
    };
    let external = |mode: Option<SnapshotMode>| mode == Some(SnapshotMode::External);
    Some(SnapshotView {
        id: SnapshotId {
            domain: domain.view().id.clone(),
            name: Arc::clone(&moment.name),
        },
        parent: moment.parent.clone(),
        current: domain.snapshots.is_current(name),
        children: domain.snapshots.children(name),
        kind,
        external: external(snapshot.memory.as_ref().and_then(|memory| memory.snapshot))
            || snapshot.disks.iter().any(|disk| external(disk.snapshot)),
        metadata: true,
    })
}

fn views(domain: &Domain) -> Vec<Arc<SnapshotView>> {
    let names = domain.snapshots.iter().map(|moment| &moment.name);
    names
        .filter_map(|name| view(domain, name))
        .map(Arc::new)
        .collect()
}

fn not_found(name: &str) -> Error {
    Error::not_found(Kind::DomainSnapshot, "name", name)
}

impl Test {
    /// Changes a domain and its snapshots; the snapshots' changes are announced after the domain's.
    fn change_snapshots<T>(
        &self,
        state: &mut State,
        id: &DomainId,
        change: impl FnOnce(&mut Domain, &mut u32) -> Result<(T, Vec<DomainEvent>)>,
    ) -> Result<T> {
        let seen = |state: &State| state.domains.get(id.uuid).map(views).unwrap_or_default();
        let before = seen(state);
        let answer = self.change_named(state, id, change)?;
        self.announce_all(&before, &seen(state), |view| &view.id.name);
        Ok(answer)
    }
}

/// The state that a snapshot of a domain has.
fn state_of(domain: &Domain, disks_only: bool) -> SnapshotState {
    match domain.state {
        _ if disks_only && domain.is_active() => SnapshotState::DiskSnapshot,
        DomainState::Running(_) => SnapshotState::Running,
        DomainState::Paused(_) => SnapshotState::Paused,
        DomainState::Crashed { .. } => SnapshotState::Crashed,
        _ => SnapshotState::Shutoff,
    }
}

#[async_trait]
impl DomainSnapshots for Test {
    async fn snapshots(&self, id: &DomainId) -> Result<Vec<Arc<SnapshotView>>> {
        self.with_domain(id, |domain| Ok(views(domain)))
    }

    async fn snapshot(&self, id: &DomainId, name: &str) -> Result<Arc<SnapshotView>> {
        self.with_domain(id, |domain| {
            view(domain, name)
                .map(Arc::new)
                .ok_or_else(|| not_found(name))
        })
    }

    async fn create_xml(
        &self,
        id: &DomainId,
        xml: &str,
        flags: SnapshotCreateFlags,
    ) -> Result<Arc<SnapshotView>> {
        use SnapshotCreateFlags as F;
        if flags.contains(F::CURRENT) && !flags.contains(F::REDEFINE) {
            return Err(Error::invalid_argument(
                "flag CURRENT requires flag REDEFINE",
            ));
        }
        let mut snapshot = if flags.contains(F::VALIDATE) {
            Snapshot::parse_strict(xml).map_err(|error| error::schema(&error))?
        } else {
            Snapshot::parse(xml).map_err(|error| error::xml(&error))?
        };
        let redefine = flags.contains(F::REDEFINE);
        let purpose = if redefine {
            Purpose::Redefine
        } else {
            Purpose::Create
        };
        definition::with_seams(CompleteFlags::empty(), |seams| {
            snapshot.complete(purpose, now(), seams)
        })
        .map_err(|error| error::conf(&error))?;
        let mut state = self.lock();
        let name: Arc<str> = snapshot.name.as_deref().unwrap_or_default().into();
        let named = SnapshotId {
            domain: id.clone(),
            name: Arc::clone(&name),
        };
        naming::claim(IdRef::DomainSnapshot(&named), [])?;
        self.change_snapshots(&mut state, id, |domain, _| {
            let mut events = Vec::new();
            if redefine {
                let previous = domain.snapshots.get(&name).map(|moment| &moment.content);
                let uuid = virtbus_conf_base::common::Uuid(domain.uuid);
                snapshot
                    .redefine(uuid, previous)
                    .map_err(|error| error::conf(&error))?;
                let parent = snapshot.parent.clone();
                if let Some(parent) = &parent
                    && domain.snapshots.get(parent).is_none()
                {
                    return Err(Error::invalid_argument(format!(
                        "snapshot '{name}' has an unknown parent '{parent}'"
                    )));
                }
                let ring = parent
                    .as_deref()
                    .is_some_and(|parent| domain.snapshots.is_below(parent, &name));
                if ring {
                    return Err(Error::invalid_argument(format!(
                        "snapshot '{name}' would be its own parent"
                    )));
                }
                domain
                    .snapshots
                    .insert(Arc::clone(&name), parent.as_deref(), snapshot);
                if flags.contains(F::CURRENT) {
                    domain.snapshots.set_current(Some(Arc::clone(&name)));
                }
            } else {
                if domain.snapshots.get(&name).is_some() {
                    return Err(error::failed(format!(
                        "domain '{}' already has a snapshot '{name}'",
                        domain.name
                    )));
                }
                if flags.contains(F::HALT) && domain.is_active() && domain.stored.is_none() {
                    return Err(Error::operation_invalid(format!(
                        "flag HALT is not possible: domain '{}' is transient and would vanish with its snapshot",
                        domain.name
                    )));
                }
                take(domain, &mut snapshot, flags)?;
                let parent = domain.snapshots.current().cloned();
                if flags.contains(F::HALT) && domain.is_active() {
                    events.push(
                        domain.stop(ShutoffReason::FromSnapshot, StoppedDetail::FromSnapshot),
                    );
                }
                domain
                    .snapshots
                    .insert(Arc::clone(&name), parent.as_deref(), snapshot);
                domain.snapshots.set_current(Some(Arc::clone(&name)));
            }
            Ok(((), events))
        })?;
        let domain = state
            .domains
            .get_as(id.uuid, &id.name)
            .ok_or_else(|| Error::no_domain(id.uuid))?;
        view(domain, &name)
            .map(Arc::new)
            .ok_or_else(|| not_found(&name))
    }

    async fn xml_desc(&self, snapshot: &SnapshotId, flags: SnapshotXmlFlags) -> Result<String> {
        self.with_domain(&snapshot.domain, |domain| {
            let moment = domain
                .snapshots
                .get(&snapshot.name)
                .ok_or_else(|| not_found(&snapshot.name))?;
            let mut content = moment.content.clone();
            content.parent = moment.parent.as_deref().map(Text::from);
            let secure = flags.contains(SnapshotXmlFlags::SECURE);
            Ok(content.format(if secure {
                Flags::SECURE
            } else {
                Flags::empty()
            }))
        })
    }

    async fn revert(&self, snapshot: &SnapshotId, flags: SnapshotRevertFlags) -> Result<()> {
        use SnapshotRevertFlags as F;
        if flags.contains(F::RUNNING | F::PAUSED) {
            return Err(Error::invalid_argument(
                "flags RUNNING and PAUSED exclude each other",
            ));
        }
        let mut state = self.lock();
        self.change_snapshots(&mut state, &snapshot.domain, |domain, next_id| {
            let moment = domain
                .snapshots
                .get(&snapshot.name)
                .ok_or_else(|| not_found(&snapshot.name))?;
            let name = Arc::clone(&moment.name);
            let taken = moment.content.clone();
            let events = go_back(domain, &taken, flags, next_id)?;
            domain.snapshots.set_current(Some(name));
            Ok(((), events))
        })
    }

    async fn delete(&self, snapshot: &SnapshotId, flags: MomentDeleteFlags) -> Result<()> {
        let mut state = self.lock();
        self.change_snapshots(&mut state, &snapshot.domain, |domain, _| {
            if domain.snapshots.get(&snapshot.name).is_none() {
                return Err(not_found(&snapshot.name));
            }
            domain.snapshots.delete(&snapshot.name, flags);
            Ok(((), Vec::new()))
        })
    }
}

/// Fills a new snapshot with what the domain is now.
fn take(domain: &Domain, snapshot: &mut Snapshot, flags: SnapshotCreateFlags) -> Result<()> {
    let disks_only = flags.contains(SnapshotCreateFlags::DISK_ONLY);
    snapshot.state = Some(state_of(domain, disks_only));
    snapshot.parent = domain.snapshots.current().map(|name| (**name).into());
    let mut now = (**domain.current()?).clone();
    now.id = None;
    snapshot.definitions.guest = Some(Guest::Definition(Box::new(now.clone())));
    if domain.is_active()
        && let Some(stored) = &domain.stored
        && **stored != now
    {
        snapshot.definitions.inactive = Some(Box::new((**stored).clone()));
    }
    let default = if disks_only {
        SnapshotMode::External
    } else {
        SnapshotMode::Internal
    };
    let options = AlignOptions {
        default,
        uniform_internal: false,
        force_default: false,
        // There are no files here to look at.
        is_regular_file: &|_| true,
    };
    snapshot
        .align_disks(None, options)
        .map_err(|error| error::conf(&error))?;
    let memory = snapshot.memory.get_or_insert_default();
    let whole = domain.is_active() && !disks_only;
    let how = memory.snapshot.filter(|how| *how != SnapshotMode::No);
    if how.is_some() && !whole {
        return Err(Error::new(
            ErrorCode::XmlError,
            ErrorDomain::Test,
            "a snapshot of disks only, or of a domain that is off, cannot include memory",
        ));
    }
    let disks = || snapshot.disks.iter().filter_map(|disk| disk.snapshot);
    let is_other = |disk: SnapshotMode| {
        matches!(disk, SnapshotMode::Internal | SnapshotMode::External) && Some(disk) != how
    };
    if how.is_some() && disks().any(is_other) {
        return Err(Error::new(
            ErrorCode::ConfigUnsupported,
            ErrorDomain::Test,
            "memory and disks of a snapshot must all be internal or all external",
        ));
    }
    if memory.snapshot.is_none() {
        memory.snapshot = Some(if whole {
            SnapshotMode::Internal
        } else {
            SnapshotMode::No
        });
    }
    Ok(())
}

fn risky(why: String) -> Error {
    Error::new(ErrorCode::SnapshotRevertRisky, ErrorDomain::Test, why)
}

/// Brings a domain to what it was.
fn go_back(
    domain: &mut Domain,
    taken: &Snapshot,
    flags: SnapshotRevertFlags,
    next_id: &mut u32,
) -> Result<Vec<DomainEvent>> {
    use SnapshotRevertFlags as F;
    let name = taken.name.as_deref().unwrap_or_default();
    let force = flags.contains(F::FORCE);
    let Some(Guest::Definition(guest)) = &taken.definitions.guest else {
        return Err(risky(format!(
            "snapshot '{name}' does not include a definition of the domain"
        )));
    };
    let was_active = taken
        .state
        .is_some_and(|state| matches!(state, SnapshotState::Running | SnapshotState::Paused));
    let wants_running = flags.contains(F::RUNNING)
        || (taken.state == Some(SnapshotState::Running) && !flags.contains(F::PAUSED));
    let active_after = was_active || flags.intersects(F::RUNNING | F::PAUSED);
    if domain.stored.is_none() && !active_after {
        return Err(Error::operation_invalid(format!(
            "domain '{}' is transient and would vanish: use flag RUNNING or PAUSED",
            domain.name
        )));
    }
    let mut events = Vec::new();
    let happened = |lifecycle| DomainEvent::Lifecycle(lifecycle);
    let mut guest = (**guest).clone();
    guest.id = domain.id;
    if was_active && let Some(live) = &domain.live {
        let same = live.check_abi(&guest, AbiFlags::empty());
        if let Err(difference) = same
            && !force
        {
            return Err(risky(format!(
                "the domain's hardware differs from that in snapshot '{name}': {difference}"
            )));
        }
    } else if domain.is_active() && active_after && !force {
        return Err(risky(format!(
            "the domain must be stopped to revert to snapshot '{name}'"
        )));
    }
    // What runs, ends, and what was, begins: also if both run, it is another run.
    if domain.is_active() {
        events.push(domain.stop(ShutoffReason::FromSnapshot, StoppedDetail::FromSnapshot));
    }
    if domain.stored.is_some() {
        let inactive = taken.definitions.inactive.as_deref();
        let mut stored = inactive.unwrap_or(&guest).clone();
        stored.id = None;
        domain.stored = Some(Arc::new(stored));
        events.push(happened(Lifecycle::Defined(DefinedDetail::FromSnapshot)));
    }
    if !active_after {
        domain.state = DomainState::Shutoff(ShutoffReason::FromSnapshot);
        return Ok(events);
    }
    let state = if wants_running {
        DomainState::Running(RunningReason::FromSnapshot)
    } else {
        DomainState::Paused(PausedReason::FromSnapshot)
    };
    guest.id = None;
    domain.start(Arc::new(guest), state, next_id);
    events.push(happened(Lifecycle::Started(StartedDetail::FromSnapshot)));
    if !wants_running {
        events.push(happened(Lifecycle::Suspended(
            SuspendedDetail::FromSnapshot,
        )));
    }
    Ok(events)
}
