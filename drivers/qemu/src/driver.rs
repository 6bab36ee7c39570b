//! The calls of the driver API, each forwarded to the module that does it.

mod description;
mod saving;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use virtbus_api::access::Client;
use virtbus_api::connection::{Connection, Host};
use virtbus_api::domain::{
    DefinedDetail, DomainAgent, DomainCreateFlags, DomainDefineFlags, DomainDescription,
    DomainDestroyFlags, DomainEvent, DomainId, DomainInfo, DomainJobs, DomainLifecycle,
    DomainModificationImpact, DomainRebootFlags, DomainSaving, DomainShutdownFlags, DomainState,
    DomainStatistics, DomainStatsFlags, DomainStatsTypes, DomainUndefineFlags, DomainVcpuFlags,
    DomainVcpus, DomainView, DomainXmlFlags, Domains, Lifecycle, RunningReason, UndefinedDetail,
};
use virtbus_api::event::EventHub;
use virtbus_api::listing::Views;
use virtbus_api::node::Node;
use virtbus_api::providers::{Offered, Providers};
use virtbus_api::typed::TypedParameters;
use virtbus_api::{Error, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::store::{Belonging, Whose};
use virtbus_qemu_monitor::commands::system::{InjectNmi, SystemReset, SystemWakeup};

use crate::belongings::{ManagedSave, TpmState};
use crate::config::Config;
use crate::connection::Qemu;
use crate::core::{Core, monitor_failed};
use crate::domain::{Domain, Run};
use crate::outside::blocking;
use crate::shutdown::{Way, Wish};
use crate::start::Origin;
use crate::{
    autostart, bound, completing, cpus, definition, jobs, reading, reconnect, shutdown, start,
    stats, stop, translate,
};

impl Qemu {
    /// Opens the connection: reads the definitions, and finds the guests of an earlier daemon again. Guests are known when this
    /// returns; their monitors are reached in the background. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the driver's directories cannot be made.
    pub async fn open(config: Config, providers: Providers) -> Result<Arc<Self>> {
        let core = Arc::new(Core::new(config, providers));
        let loading = Arc::clone(&core);
        let statuses = blocking(move || reconnect::load(&loading)).await?;
        reconnect::resume(&core, statuses).await;
        tokio::spawn(completing::complete_stored(Arc::clone(&core)));
        Ok(Arc::new(Self { core }))
    }

    /// Starts the domains that are to be started with the host, once per boot. Failures are logged, each by itself.
    pub fn autostart(self: &Arc<Self>) {
        if self.core.config.autostart {
            tokio::spawn(autostart::autostart(Arc::clone(&self.core)));
        }
    }

    /// Asks the guest in one way after the other until one of them is taken, each as a job of its own: an agent that does not answer holds
    /// up only those who ask it. Tells the last failure.
    async fn ask(&self, domain: &Arc<Domain>, wish: Wish, ways: Vec<Way>) -> Result<()> {
        let mut failure = Error::internal("no way to ask the guest was given");
        for way in ways {
            let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(domain));
            let asking = async move { shutdown::ask(&core, &job_domain, wish, way).await };
            match self.guest_job(domain, wish.job(way), asking).await {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Connection for Qemu {
    fn flags(&self) -> &'static [virtbus_api::flags::KnownFlags] {
        crate::flags::FLAGS
    }

    fn driver(&self) -> &'static str {
        "QEMU"
    }

    fn uri(&self) -> &str {
        &self.core.config.uri
    }

    fn events(&self) -> &EventHub {
        &self.core.hub
    }

    fn host(&self) -> &dyn Host {
        &*self.core
    }

    fn offered(&self) -> &Offered {
        &self.core.offered
    }

    fn domains(&self) -> Option<&dyn Domains> {
        Some(self)
    }

    fn lifecycle(&self) -> Option<&dyn DomainLifecycle> {
        Some(self)
    }

    fn saving(&self) -> Option<&dyn DomainSaving> {
        Some(self)
    }

    fn jobs(&self) -> Option<&dyn DomainJobs> {
        Some(self)
    }

    fn statistics(&self) -> Option<&dyn DomainStatistics> {
        Some(self)
    }

    fn vcpus(&self) -> Option<&dyn DomainVcpus> {
        Some(self)
    }

    fn node(&self) -> Option<&dyn Node> {
        Some(self)
    }

    fn description(&self) -> Option<&dyn DomainDescription> {
        Some(self)
    }

    fn agent(&self) -> Option<&dyn DomainAgent> {
        Some(self)
    }

    fn is_idle(&self) -> bool {
        self.core.watched.load(Ordering::Relaxed) == 0 && self.core.offered.is_idle()
    }
}

#[async_trait]
impl Domains for Qemu {
    async fn views(&self) -> Result<Views<DomainView>> {
        let core = &self.core;
        Ok(core.listing.get(|| core.table.views().into()))
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<DomainView>> {
        Ok(Arc::clone(&self.core.table.get(uuid)?.snapshot().view))
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<DomainView>> {
        Ok(Arc::clone(
            &self.core.table.get_by_name(name)?.snapshot().view,
        ))
    }

    async fn view_by_id(&self, id: u32) -> Result<Arc<DomainView>> {
        Ok(Arc::clone(&self.core.table.get_by_id(id)?.snapshot().view))
    }

    async fn xml_desc(&self, domain: &DomainId, flags: DomainXmlFlags) -> Result<String> {
        let snapshot = self.domain(domain)?.snapshot();
        let text = if flags.contains(DomainXmlFlags::INACTIVE) {
            None
        } else {
            snapshot.live_xml(flags)
        };
        if let Some(text) = text {
            return Ok(text);
        }
        let stored = snapshot.config.as_ref().or(snapshot.live.as_ref());
        let definition = stored.ok_or_else(|| Error::no_domain(domain.uuid))?;
        Ok(definition::format(definition, None, flags))
    }

    async fn info(&self, domain: &DomainId) -> Result<DomainInfo> {
        let domain = self.domain(domain)?;
        let snapshot = domain.snapshot();
        let definition = snapshot
            .current()
            .ok_or_else(|| Error::no_domain(domain.uuid))?;
        let pid = match &domain.lock().run {
            Run::Live(live) => live.status.pid,
            Run::Off(_) | Run::Starting(_) | Run::Stray(_) => None,
        };
        Ok(DomainInfo {
            state: snapshot.view.state,
            max_memory: definition::max_memory(definition),
            memory: definition::memory(definition),
            vcpus: definition::vcpus(definition, false),
            cpu_time: pid.map_or(0, crate::host::cpu_time),
        })
    }

    async fn identify_xml(&self, xml: &str) -> Result<DomainId> {
        reading::identify(&self.core, xml).await
    }

    async fn define_xml(&self, xml: &str, flags: DomainDefineFlags) -> Result<Arc<DomainView>> {
        let definition =
            reading::parse(&self.core, xml, flags.contains(DomainDefineFlags::VALIDATE)).await?;
        let claim = self.claim(&definition)?;
        let domain = Arc::clone(claim.domain());
        let core = Arc::clone(&self.core);
        let (job_domain, definition) = (Arc::clone(&domain), Arc::new(definition));
        self.job(&domain, jobs::DEFINE_XML, async move {
            let answer = blocking(move || define(&core, &job_domain, definition)).await;
            // Held until the definition is published, or the entry is given back.
            drop(claim);
            answer
        })
        .await
    }

    async fn undefine(&self, domain: &DomainId, flags: DomainUndefineFlags) -> Result<()> {
        if flags.contains(DomainUndefineFlags::NVRAM | DomainUndefineFlags::KEEP_NVRAM)
            || flags.contains(DomainUndefineFlags::TPM | DomainUndefineFlags::KEEP_TPM)
        {
            return Err(Error::invalid_argument(
                "Undefine: flags to remove and to keep the same state exclude each other",
            ));
        }
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.job(
            &domain,
            jobs::UNDEFINE,
            blocking(move || undefine(&core, &job_domain, flags)),
        )
        .await
    }

    async fn set_autostart(&self, domain: &DomainId, autostart: bool) -> Result<()> {
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        let work = blocking(move || {
            let name = job_domain.name();
            if job_domain.snapshot().config.is_none() {
                let message =
                    format!("domain '{name}' has no stored definition that could be started");
                return Err(Error::operation_invalid(message));
            }
            core.store.write_autostart(&name, autostart)?;
            job_domain.change(&core.hub, |inner| {
                inner.autostart = autostart;
                Ok(((), Vec::new()))
            })
        });
        self.job(&domain, jobs::SET_AUTOSTART, work).await
    }
}

/// Stores a definition and publishes it.
fn define(core: &Core, domain: &Domain, definition: Arc<Definition>) -> Result<Arc<DomainView>> {
    domain.check_name(&definition)?;
    core.store.write_config(&definition)?;
    domain.change(&core.hub, |inner| -> Result<_> {
        let detail = if inner.config.is_some() {
            DefinedDetail::Updated
        } else {
            DefinedDetail::Added
        };
        inner.config = Some(definition);
        // One that is being started finds out itself whether it has another one.
        inner.updated = matches!(inner.run, Run::Live(_));
        Ok(((), vec![DomainEvent::Lifecycle(Lifecycle::Defined(detail))]))
    })?;
    Ok(Arc::clone(&domain.snapshot().view))
}

/// Takes a definition away and publishes that.
fn undefine(core: &Core, domain: &Arc<Domain>, flags: DomainUndefineFlags) -> Result<()> {
    let name = domain.name();
    // The disk may be slow, and the domain is not locked meanwhile: this job is the only one that changes definitions.
    let config = domain.snapshot().config.clone().ok_or_else(|| {
        Error::operation_invalid(format!("domain '{name}' has no stored definition"))
    })?;
    definition::check_undefine(&config, flags)?;
    let saved = domain.snapshot().view.managed_save;
    if saved && !flags.contains(DomainUndefineFlags::MANAGED_SAVE) {
        return Err(Error::operation_invalid(format!(
            "domain '{name}' has a managed save image; say that it is to be removed (MANAGED_SAVE)"
        )));
    }
    if flags.contains(DomainUndefineFlags::NVRAM)
        && let Some(store) = definition::firmware::store(&config)
        && definition::firmware::is_there(&store)
    {
        // First: a file that nothing tells of any more would stay for ever.
        core.preparer.remove_nvram(domain.uuid, &store)?;
    }
    let (image, tpm) = (ManagedSave(core), TpmState(core));
    let mut belongings: Vec<&dyn Belonging> = Vec::new();
    if saved {
        belongings.push(&image);
    }
    if definition::drops_tpm_state(&config, flags) {
        belongings.push(&tpm);
    }
    let whose = Whose {
        uuid: domain.uuid,
        name: &name,
    };
    core.store.remove_config(whose, &belongings)?;
    domain.change(&core.hub, |inner| -> Result<_> {
        inner.config = None;
        inner.autostart = false;
        inner.updated = false;
        inner.managed_save = false;
        let event = DomainEvent::Lifecycle(Lifecycle::Undefined(UndefinedDetail::Removed));
        Ok(((), vec![event]))
    })?;
    core.table.give_back(domain);
    Ok(())
}

#[async_trait]
impl DomainVcpus for Qemu {
    async fn vcpus_flags(&self, domain: &DomainId, flags: DomainVcpuFlags) -> Result<u32> {
        let impact = flags.impact();
        let snapshot = self.domain(domain)?.snapshot();
        if impact == DomainModificationImpact::all() {
            return Err(Error::invalid_argument(
                "GetVcpus: the flags LIVE and CONFIG exclude each other",
            ));
        }
        let definition = if impact.contains(DomainModificationImpact::LIVE) {
            snapshot.live.as_ref().ok_or_else(|| {
                Error::operation_invalid(format!(
                    "domain '{}' is not running",
                    snapshot.view.id.name
                ))
            })?
        } else if impact.contains(DomainModificationImpact::CONFIG) {
            snapshot.config.as_ref().ok_or_else(|| {
                Error::operation_invalid(format!(
                    "domain '{}' has no stored definition",
                    snapshot.view.id.name
                ))
            })?
        } else {
            snapshot
                .current()
                .ok_or_else(|| Error::no_domain(domain.uuid))?
        };
        Ok(definition::vcpus(
            definition,
            flags.contains(DomainVcpuFlags::MAXIMUM),
        ))
    }
}

#[async_trait]
impl DomainStatistics for Qemu {
    async fn stats(
        &self,
        domain: &DomainId,
        groups: DomainStatsTypes,
        flags: DomainStatsFlags,
    ) -> Result<TypedParameters> {
        stats::collect(&self.core, domain, groups, flags).await
    }
}

#[async_trait]
impl DomainLifecycle for Qemu {
    async fn create(
        &self,
        domain: &DomainId,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<()> {
        let client = bound::asked_for(flags, client);
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.long_job(&domain, jobs::CREATE, |turn| async move {
            start::create(core, job_domain, &turn, flags, client).await
        })
        .await
    }

    async fn create_xml(
        &self,
        xml: &str,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<Arc<DomainView>> {
        let client = bound::asked_for(flags, client);
        let validate = flags.contains(DomainCreateFlags::VALIDATE);
        let definition = Arc::new(reading::parse(&self.core, xml, validate).await?);
        let claim = self.claim(&definition)?;
        let domain = Arc::clone(claim.domain());
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.job(&domain, jobs::CREATE_XML, async move {
            if job_domain.snapshot().view.managed_save {
                // It would be older than the disks from then on, and be gone back to by the start after this one.
                return Err(Error::operation_invalid(format!(
                    "domain '{}' has a managed save image; use Create to go on with it, or ManagedSaveRemove to give it up",
                    job_domain.name()
                )));
            }
            let answer = start::start(
                core,
                Arc::clone(&job_domain),
                Some(definition),
                flags,
                Origin::Boot,
                client,
            )
            .await;
            drop(claim);
            answer.map(|()| Arc::clone(&job_domain.snapshot().view))
        })
        .await
    }

    async fn shutdown(&self, domain: &DomainId, flags: DomainShutdownFlags) -> Result<()> {
        let domain = self.domain(domain)?;
        let ways = shutdown::ways_to_shut_down(&domain, flags);
        self.ask(&domain, Wish::Shutdown, ways).await
    }

    async fn reboot(&self, domain: &DomainId, flags: DomainRebootFlags) -> Result<()> {
        let domain = self.domain(domain)?;
        let ways = shutdown::ways_to_reboot(&domain, flags);
        self.ask(&domain, Wish::Reboot, ways).await
    }

    async fn reset(&self, domain: &DomainId) -> Result<()> {
        let domain = self.domain(domain)?;
        let job_domain = Arc::clone(&domain);
        self.guest_job(&domain, jobs::RESET, async move {
            let (monitor, _) = job_domain.monitor()?;
            monitor
                .execute(&SystemReset {})
                .await
                .map_err(|error| monitor_failed(&job_domain, &error))?;
            Ok(())
        })
        .await
    }

    async fn destroy(&self, domain: &DomainId, flags: DomainDestroyFlags) -> Result<()> {
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.job(&domain, jobs::DESTROY, async move {
            stop::destroy(&core, &job_domain, flags).await
        })
        .await
    }

    async fn suspend(&self, domain: &DomainId) -> Result<()> {
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.guest_job(&domain, jobs::SUSPEND, async move {
            cpus::suspend(&core, &job_domain).await
        })
        .await
    }

    async fn resume(&self, domain: &DomainId) -> Result<()> {
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.guest_job(&domain, jobs::RESUME, async move {
            match job_domain.snapshot().view.state {
                DomainState::Running(_) => {
                    let message = format!("domain '{}' is already running", job_domain.name());
                    return Err(Error::operation_invalid(message));
                }
                DomainState::PmSuspended => {
                    let message = format!(
                        "domain '{}' is suspended to memory (S3); use PMWakeup",
                        job_domain.name()
                    );
                    return Err(Error::operation_invalid(message));
                }
                _ => {}
            }
            let (monitor, epoch) = job_domain.monitor()?;
            cpus::release(&monitor)
                .await
                .map_err(|error| monitor_failed(&job_domain, &error))?;
            job_domain.settled(epoch).await;
            core.transition(&job_domain, epoch, |live| {
                let running = DomainState::Running(RunningReason::Unpaused);
                let paused = matches!(live.status.state(), DomainState::Paused(_));
                paused.then(|| (running, translate::cpus(running)))
            });
            Ok(())
        })
        .await
    }

    async fn inject_nmi(&self, domain: &DomainId) -> Result<()> {
        let domain = self.domain(domain)?;
        let job_domain = Arc::clone(&domain);
        self.guest_job(&domain, jobs::INJECT_NMI, async move {
            let (monitor, _) = job_domain.monitor()?;
            monitor
                .execute(&InjectNmi {})
                .await
                .map_err(|error| monitor_failed(&job_domain, &error))?;
            Ok(())
        })
        .await
    }

    async fn pm_wakeup(&self, domain: &DomainId) -> Result<()> {
        let domain = self.domain(domain)?;
        let job_domain = Arc::clone(&domain);
        self.guest_job(&domain, jobs::PM_WAKEUP, async move {
            let (monitor, _) = job_domain.monitor()?;
            if job_domain.snapshot().view.state != DomainState::PmSuspended {
                let message = format!("domain '{}' does not sleep", job_domain.name());
                return Err(Error::operation_invalid(message));
            }
            monitor
                .execute(&SystemWakeup {})
                .await
                .map_err(|error| monitor_failed(&job_domain, &error))?;
            Ok(())
        })
        .await
    }
}
