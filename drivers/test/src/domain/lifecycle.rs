//! Finding, defining, starting, halting and ending domains.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::access::Client;
use virtbus_api::domain::{
    DefinedDetail, DomainCreateFlags, DomainDefineFlags, DomainDestroyFlags, DomainEvent, DomainId,
    DomainInfo, DomainLifecycle, DomainRebootFlags, DomainShutdownFlags, DomainState,
    DomainUndefineFlags, DomainView, DomainXmlFlags, Domains, Lifecycle, PausedReason,
    ResumedDetail, RunningReason, ShutdownDetail, ShutoffReason, StartedDetail, StoppedDetail,
    SuspendedDetail, UndefinedDetail,
};
use virtbus_api::listing::Views;
use virtbus_api::{Error, Result, Uuid};
use virtbus_conf_base::Flags;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::lifecycle::LifecycleAction;

use super::{Domain, definition};
use crate::driver::{State, Test};
use crate::table::Named;

fn happened(lifecycle: Lifecycle) -> DomainEvent {
    DomainEvent::Lifecycle(lifecycle)
}

#[async_trait]
impl Domains for Test {
    async fn views(&self) -> Result<Views<DomainView>> {
        let gather = || self.lock().domains.iter().map(Domain::view).collect();
        Ok(self.listing.get(gather))
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<DomainView>> {
        let state = self.lock();
        let domain = state
            .domains
            .get(uuid)
            .ok_or_else(|| Error::no_domain(uuid))?;
        Ok(domain.view())
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<DomainView>> {
        let state = self.lock();
        let domain = state
            .domains
            .named(name)
            .ok_or_else(|| Error::no_domain_named(name))?;
        Ok(domain.view())
    }

    async fn view_by_id(&self, id: u32) -> Result<Arc<DomainView>> {
        let state = self.lock();
        let found = state.domains.iter().find(|domain| domain.id == Some(id));
        found
            .map(Domain::view)
            .ok_or_else(|| Error::no_domain_numbered(id.into()))
    }

    async fn xml_desc(&self, domain: &DomainId, flags: DomainXmlFlags) -> Result<String> {
        let definition = self.with_domain(domain, |domain| {
            let stored = flags.contains(DomainXmlFlags::INACTIVE);
            let shown = if stored { domain.stored.as_ref() } else { None };
            Ok(Arc::clone(match shown {
                Some(stored) => stored,
                None => domain.current()?,
            }))
        })?;
        let mut format = Flags::empty();
        format.set(Flags::SECURE, flags.contains(DomainXmlFlags::SECURE));
        format.set(Flags::INACTIVE, flags.contains(DomainXmlFlags::INACTIVE));
        format.set(
            Flags::MIGRATABLE,
            flags.contains(DomainXmlFlags::MIGRATABLE),
        );
        Ok(definition.format(format))
    }

    async fn info(&self, domain: &DomainId) -> Result<DomainInfo> {
        self.with_domain(domain, |domain| {
            let definition = domain.current()?;
            let memory = definition.memory_total();
            Ok(DomainInfo {
                state: domain.state,
                max_memory: memory,
                memory: definition.current_memory.map_or(memory, |memory| memory.0),
                vcpus: definition.vcpus(),
                cpu_time: domain.cpu_time(),
            })
        })
    }

    async fn identify_xml(&self, xml: &str) -> Result<DomainId> {
        definition::identify(xml)
    }

    async fn define_xml(&self, xml: &str, flags: DomainDefineFlags) -> Result<Arc<DomainView>> {
        let definition = definition::parse(xml, flags.contains(DomainDefineFlags::VALIDATE))?;
        let mut state = self.lock();
        let uuid = claim(&mut state, &definition)?;
        self.change_in(&mut state, uuid, |domain, _| {
            let detail = if domain.stored.is_some() {
                DefinedDetail::Updated
            } else {
                DefinedDetail::Added
            };
            domain.updated = domain.is_active();
            domain.stored = Some(Arc::new(definition));
            Ok(((), vec![happened(Lifecycle::Defined(detail))]))
        })?;
        state
            .domains
            .get(uuid)
            .map(Domain::view)
            .ok_or_else(|| Error::no_domain(uuid))
    }

    async fn undefine(&self, domain: &DomainId, flags: DomainUndefineFlags) -> Result<()> {
        use DomainUndefineFlags as F;
        if flags.contains(F::NVRAM | F::KEEP_NVRAM) || flags.contains(F::TPM | F::KEEP_TPM) {
            return Err(Error::invalid_argument(
                "flags that exclude each other are both set",
            ));
        }
        self.change_domain(domain, |domain, _| {
            let refuse = |why: &str| {
                Err(Error::operation_invalid(format!(
                    "domain '{}' {why}",
                    domain.name
                )))
            };
            if domain.stored.is_none() {
                return refuse("is transient and has no stored definition");
            }
            if domain.saved.is_some() && !flags.contains(F::MANAGED_SAVE) {
                return refuse("has a managed save image");
            }
            if !domain.is_active() {
                if domain.snapshots.len() > 0 && !flags.contains(F::SNAPSHOTS_METADATA) {
                    return refuse("has snapshots");
                }
                if domain.checkpoints.len() > 0 && !flags.contains(F::CHECKPOINTS_METADATA) {
                    return refuse("has checkpoints");
                }
            }
            domain.saved = None;
            domain.stored = None;
            domain.updated = false;
            domain.autostart = false;
            let removed = Lifecycle::Undefined(UndefinedDetail::Removed);
            Ok(((), vec![happened(removed)]))
        })
    }

    async fn set_autostart(&self, domain: &DomainId, autostart: bool) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            if domain.stored.is_none() {
                return Err(Error::operation_invalid(format!(
                    "domain '{}' is transient and cannot be autostarted",
                    domain.name
                )));
            }
            domain.autostart = autostart;
            Ok(((), Vec::new()))
        })
    }
}

/// The domain that a definition is about, made if it is not there.
pub(crate) fn claim(state: &mut State, definition: &Definition) -> Result<Uuid> {
    let uuid = definition::uuid(definition);
    let domain = Domain::new(uuid, &definition.name);
    if !state.domains.claim(domain.id(), uuid, &definition.name)? {
        state.domains.insert(domain);
    }
    Ok(uuid)
}

fn first_state(paused: bool) -> DomainState {
    if paused {
        DomainState::Paused(PausedReason::User)
    } else {
        DomainState::Running(RunningReason::Booted)
    }
}

/// What a start is announced by.
fn start_events(paused: bool, detail: StartedDetail) -> Vec<DomainEvent> {
    let mut events = vec![happened(Lifecycle::Started(detail))];
    if paused {
        events.push(happened(Lifecycle::Suspended(SuspendedDetail::Paused)));
    }
    events
}

fn check_create(flags: DomainCreateFlags) -> Result<()> {
    if flags.contains(DomainCreateFlags::AUTODESTROY) {
        return Err(Error::invalid_argument(
            "the flag AUTODESTROY is not supported by this driver",
        ));
    }
    Ok(())
}

#[async_trait]
impl DomainLifecycle for Test {
    async fn create(&self, domain: &DomainId, flags: DomainCreateFlags, _: &Client) -> Result<()> {
        check_create(flags)?;
        self.change_domain(domain, |domain, next_id| {
            domain.check_inactive()?;
            let stored = domain
                .stored
                .clone()
                .ok_or_else(|| Error::no_domain(domain.uuid))?;
            let saved = domain.saved.take();
            let paused = flags.contains(DomainCreateFlags::PAUSED);
            match saved.filter(|_| !flags.contains(DomainCreateFlags::FORCE_BOOT)) {
                Some(saved) => {
                    let paused = paused || !saved.running;
                    let state = if paused {
                        DomainState::Paused(PausedReason::User)
                    } else {
                        DomainState::Running(RunningReason::Restored)
                    };
                    domain.start(saved.definition, state, next_id);
                    Ok(((), start_events(paused, StartedDetail::Restored)))
                }
                None => {
                    domain.start(stored, first_state(paused), next_id);
                    Ok(((), start_events(paused, StartedDetail::Booted)))
                }
            }
        })
    }

    async fn create_xml(
        &self,
        xml: &str,
        flags: DomainCreateFlags,
        _: &Client,
    ) -> Result<Arc<DomainView>> {
        check_create(flags)?;
        let definition = definition::parse(xml, flags.contains(DomainCreateFlags::VALIDATE))?;
        let mut state = self.lock();
        let uuid = claim(&mut state, &definition)?;
        let paused = flags.contains(DomainCreateFlags::PAUSED);
        self.change_in(&mut state, uuid, |domain, next_id| {
            domain.check_inactive()?;
            domain.start(Arc::new(definition), first_state(paused), next_id);
            Ok(((), start_events(paused, StartedDetail::Booted)))
        })?;
        state
            .domains
            .get(uuid)
            .map(Domain::view)
            .ok_or_else(|| Error::no_domain(uuid))
    }

    async fn create_with_files(
        &self,
        domain: &DomainId,
        _files: Vec<OwnedFd>,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<()> {
        // There is no init here that could have them.
        self.create(domain, flags, client).await
    }

    async fn create_xml_with_files(
        &self,
        xml: &str,
        _files: Vec<OwnedFd>,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<Arc<DomainView>> {
        self.create_xml(xml, flags, client).await
    }

    async fn shutdown(&self, domain: &DomainId, _flags: DomainShutdownFlags) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            domain.check_active()?;
            let action = domain.current()?.on_poweroff;
            Ok(((), end(domain, action)))
        })
    }

    async fn reboot(&self, domain: &DomainId, _flags: DomainRebootFlags) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            domain.check_active()?;
            let action = domain
                .current()?
                .on_reboot
                .unwrap_or(LifecycleAction::Restart);
            Ok(((), end(domain, Some(action))))
        })
    }

    async fn reset(&self, domain: &DomainId) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            domain.check_active()?;
            Ok(((), vec![DomainEvent::Reboot]))
        })
    }

    async fn destroy(&self, domain: &DomainId, _flags: DomainDestroyFlags) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            domain.check_active()?;
            let stopped = domain.stop(ShutoffReason::Destroyed, StoppedDetail::Destroyed);
            Ok(((), vec![stopped]))
        })
    }

    async fn suspend(&self, domain: &DomainId) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            domain.check_active()?;
            if matches!(domain.state, DomainState::Paused(_)) {
                return Ok(((), Vec::new()));
            }
            domain.state = DomainState::Paused(PausedReason::User);
            Ok((
                (),
                vec![happened(Lifecycle::Suspended(SuspendedDetail::Paused))],
            ))
        })
    }

    async fn resume(&self, domain: &DomainId) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            domain.check_active()?;
            match domain.state {
                DomainState::Paused(_) => {
                    domain.state = DomainState::Running(RunningReason::Unpaused);
                    Ok((
                        (),
                        vec![happened(Lifecycle::Resumed(ResumedDetail::Unpaused))],
                    ))
                }
                DomainState::PmSuspended => Err(Error::operation_invalid(format!(
                    "domain '{}' is suspended by its guest; use PMWakeup",
                    domain.name
                ))),
                _ => Err(Error::operation_invalid(format!(
                    "domain '{}' is not paused",
                    domain.name
                ))),
            }
        })
    }

    async fn inject_nmi(&self, domain: &DomainId) -> Result<()> {
        self.with_domain(domain, Domain::check_active)
    }
}

/// Ends a run as the guest's power-off or reboot would, by the definition's action for that.
fn end(domain: &mut Domain, action: Option<LifecycleAction>) -> Vec<DomainEvent> {
    match action {
        Some(
            LifecycleAction::Restart
            | LifecycleAction::RenameRestart
            | LifecycleAction::CoredumpRestart,
        ) => {
            domain.state = DomainState::Running(RunningReason::Booted);
            vec![DomainEvent::Reboot]
        }
        Some(LifecycleAction::Preserve) => {
            domain.state = DomainState::Paused(PausedReason::ShuttingDown);
            vec![happened(Lifecycle::Shutdown(ShutdownDetail::Finished))]
        }
        Some(LifecycleAction::Destroy | LifecycleAction::CoredumpDestroy) | None => {
            vec![domain.stop(ShutoffReason::Shutdown, StoppedDetail::Shutdown)]
        }
    }
}
