//! A domain: its definitions, what it is doing, and how it changes.

mod agent;
mod checkpoints;
mod console;
mod definition;
mod description;
mod devices;
mod lifecycle;
mod moments;
mod saving;
mod snapshots;
mod statistics;
mod tuning;
mod vcpus;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use virtbus_api::domain::{
    DomainEvent, DomainId, DomainModificationImpact as Impact, DomainState, DomainView, Lifecycle,
    ShutoffReason, StoppedDetail,
};
use virtbus_api::event::Event;
use virtbus_api::object::{IdRef, View};
use virtbus_api::{Error, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;

use crate::driver::{State, Test};
use crate::table::Named;

pub(crate) use definition::{Random, parse};
pub(crate) use moments::Tree;

/// A domain as the driver keeps it.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) uuid: Uuid,
    pub(crate) name: Arc<str>,
    pub(crate) state: DomainState,
    /// The number of its run.
    pub(crate) id: Option<u32>,
    /// The definition for the next start.
    pub(crate) stored: Option<Arc<Definition>>,
    /// The definition of its run.
    pub(crate) live: Option<Arc<Definition>>,
    pub(crate) autostart: bool,
    /// Whether the stored definition was replaced during the run.
    pub(crate) updated: bool,
    /// The state that the next start takes up, and the definition to start with.
    pub(crate) saved: Option<Saved>,
    pub(crate) scheduler_weight: u32,
    pub(crate) snapshots: Tree<virtbus_conf_domain::snapshot::Snapshot>,
    pub(crate) checkpoints: Tree<virtbus_conf_domain::checkpoint::Checkpoint>,
    /// Mount points of frozen file systems.
    pub(crate) frozen: BTreeSet<String>,
    started: Instant,
    view: Arc<DomainView>,
}

/// The memory of a domain that was saved: only whether it ran.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub(crate) definition: Arc<Definition>,
    pub(crate) running: bool,
}

impl Named for Domain {
    const NOUN: &'static str = "domain";

    fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn id(&self) -> IdRef<'_> {
        IdRef::Domain(&self.view.id)
    }
}

impl Domain {
    /// A domain that is neither defined nor running yet.
    pub(crate) fn new(uuid: Uuid, name: &str) -> Self {
        let name: Arc<str> = name.into();
        let state = DomainState::Shutoff(ShutoffReason::Unknown);
        Self {
            uuid,
            name: Arc::clone(&name),
            state,
            id: None,
            stored: None,
            live: None,
            autostart: false,
            updated: false,
            saved: None,
            scheduler_weight: 50,
            snapshots: Tree::default(),
            checkpoints: Tree::default(),
            frozen: BTreeSet::new(),
            started: Instant::now(),
            view: Arc::new(DomainView {
                id: DomainId {
                    uuid,
                    name,
                    id: None,
                },
                state,
                os_type: "hvm".into(),
                persistent: false,
                autostart: false,
                updated: false,
                managed_save: false,
                scheduler: None,
                snapshots: 0,
                checkpoints: 0,
                job: None,
            }),
        }
    }

    /// Whether it is in lists: defined or running.
    fn is_shown(&self) -> bool {
        self.stored.is_some() || self.live.is_some()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.live.is_some()
    }

    /// The definition that counts now.
    pub(crate) fn current(&self) -> Result<&Arc<Definition>> {
        self.live
            .as_ref()
            .or(self.stored.as_ref())
            .ok_or_else(|| Error::no_domain(self.uuid))
    }

    /// What was published last.
    pub(crate) fn view(&self) -> Arc<DomainView> {
        Arc::clone(&self.view)
    }

    fn publish(&mut self) {
        let os_type = self
            .current()
            .ok()
            .and_then(|definition| definition.os_type());
        let os_type = os_type.map_or("hvm", |kind| kind.as_str());
        let view = DomainView {
            id: DomainId {
                uuid: self.uuid,
                name: Arc::clone(&self.name),
                id: self.id,
            },
            state: self.state,
            os_type: os_type.into(),
            persistent: self.stored.is_some(),
            autostart: self.autostart,
            updated: self.updated,
            managed_save: self.saved.is_some(),
            scheduler: Some((FAIR.into(), 1)),
            snapshots: self.snapshots.len(),
            checkpoints: self.checkpoints.len(),
            job: None,
        };
        if view != *self.view {
            self.view = Arc::new(view);
        }
    }

    /// `OperationInvalid` unless it runs.
    pub(crate) fn check_active(&self) -> Result<()> {
        if self.is_active() {
            return Ok(());
        }
        Err(Error::operation_invalid(format!(
            "domain '{}' is not running",
            self.name
        )))
    }

    /// `OperationInvalid` unless it is off.
    pub(crate) fn check_inactive(&self) -> Result<()> {
        if !self.is_active() {
            return Ok(());
        }
        Err(Error::operation_invalid(format!(
            "domain '{}' is already running",
            self.name
        )))
    }

    fn check_impact(&self, impact: Impact) -> Result<()> {
        if impact.contains(Impact::LIVE) {
            self.check_active()?;
        }
        if impact.contains(Impact::CONFIG) && self.stored.is_none() {
            return Err(Error::operation_invalid(format!(
                "domain '{}' is transient and has no stored definition",
                self.name
            )));
        }
        Ok(())
    }

    /// The one definition that a question is about.
    pub(crate) fn asked(&self, impact: Impact) -> Result<&Arc<Definition>> {
        if impact == Impact::all() {
            return Err(Error::invalid_argument(
                "flags LIVE and CONFIG exclude each other",
            ));
        }
        self.check_impact(impact)?;
        let definition = if impact.contains(Impact::CONFIG) {
            self.stored.as_ref()
        } else {
            self.live.as_ref().or(self.stored.as_ref())
        };
        definition.ok_or_else(|| Error::no_domain(self.uuid))
    }

    /// Changes the definitions that `impact` means, all or none of them.
    pub(crate) fn edit(
        &mut self,
        impact: Impact,
        edit: impl Fn(&mut Definition) -> Result<()>,
    ) -> Result<()> {
        self.check_impact(impact)?;
        let current = impact.is_empty();
        let edited = |definition: &Option<Arc<Definition>>, wanted: bool| match definition {
            Some(definition) if wanted => {
                let mut changed = (**definition).clone();
                edit(&mut changed)?;
                Ok::<_, Error>(Some(Arc::new(changed)))
            }
            _ => Ok(None),
        };
        let active = self.is_active();
        let live = edited(
            &self.live,
            impact.contains(Impact::LIVE) || current && active,
        )?;
        let stored = edited(
            &self.stored,
            impact.contains(Impact::CONFIG) || current && !active,
        )?;
        self.live = live.or(self.live.take());
        self.stored = stored.or(self.stored.take());
        Ok(())
    }

    /// Processor time used, nanoseconds: as if every virtual CPU were busy.
    pub(crate) fn cpu_time(&self) -> u64 {
        let Some(live) = &self.live else { return 0 };
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        elapsed.saturating_mul(live.vcpus().into())
    }

    /// Begins a run.
    pub(crate) fn start(
        &mut self,
        definition: Arc<Definition>,
        state: DomainState,
        next_id: &mut u32,
    ) {
        let id = *next_id;
        *next_id = next_id.wrapping_add(1).max(1);
        let mut live = (*definition).clone();
        live.id = Some(id);
        definition::assign_aliases(&mut live);
        self.live = Some(Arc::new(live));
        self.id = Some(id);
        self.state = state;
        self.started = Instant::now();
    }

    /// Ends its run.
    pub(crate) fn stop(&mut self, reason: ShutoffReason, detail: StoppedDetail) -> DomainEvent {
        self.live = None;
        self.id = None;
        self.updated = false;
        self.frozen.clear();
        self.state = DomainState::Shutoff(reason);
        DomainEvent::Lifecycle(Lifecycle::Stopped(detail))
    }
}

/// The scheduler's name.
const FAIR: &str = "fair";

impl Test {
    /// Looks at a domain.
    pub(crate) fn with_domain<T>(
        &self,
        id: &DomainId,
        look: impl FnOnce(&Domain) -> Result<T>,
    ) -> Result<T> {
        let state = self.lock();
        let domain = state
            .domains
            .get_as(id.uuid, &id.name)
            .ok_or_else(|| Error::no_domain(id.uuid))?;
        look(domain)
    }

    /// Changes a domain, publishes what is known of it, and announces what happened. A change that fails must have left it
    /// as it was.
    pub(crate) fn change_domain<T>(
        &self,
        id: &DomainId,
        change: impl FnOnce(&mut Domain, &mut u32) -> Result<(T, Vec<DomainEvent>)>,
    ) -> Result<T> {
        self.change_named(&mut self.lock(), id, change)
    }

    /// The same with the lock held.
    pub(crate) fn change_named<T>(
        &self,
        state: &mut State,
        id: &DomainId,
        change: impl FnOnce(&mut Domain, &mut u32) -> Result<(T, Vec<DomainEvent>)>,
    ) -> Result<T> {
        match state.domains.get_as(id.uuid, &id.name) {
            Some(_) => self.change_in(state, id.uuid, change),
            None => Err(Error::no_domain(id.uuid)),
        }
    }

    /// The same of the domain that has this UUID now.
    pub(crate) fn change_in<T>(
        &self,
        state: &mut State,
        uuid: Uuid,
        change: impl FnOnce(&mut Domain, &mut u32) -> Result<(T, Vec<DomainEvent>)>,
    ) -> Result<T> {
        let State {
            domains, next_id, ..
        } = state;
        let domain = domains
            .get_mut(uuid)
            .ok_or_else(|| Error::no_domain(uuid))?;
        let was = domain.is_shown().then(|| domain.view());
        // A domain that is in no list has not been published.
        let was = was.filter(|view| view.persistent || view.is_active());
        let changed = change(domain, next_id);
        let (answer, events) = match changed {
            Ok(done) => done,
            Err(error) => {
                if !domain.is_shown() {
                    domains.remove(uuid);
                }
                return Err(error);
            }
        };
        domain.publish();
        let now = domain.view();
        let shown = domain.is_shown();
        if !shown {
            domains.remove(uuid);
        }
        state.touched = true;
        let events = events.into_iter();
        self.announce(
            was.map(View::from),
            shown.then(|| View::from(Arc::clone(&now))),
            events.map(|event| Event::Domain(now.id.clone(), event)),
        );
        Ok(answer)
    }
}
