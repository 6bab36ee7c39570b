//! The calls about saving and about jobs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use virtbus_api::domain::{
    CallerFile, ControlInfo, DomainAbortJobFlags, DomainControlErrorReason, DomainControlState,
    DomainCoreDumpFlags, DomainCoreDumpFormat, DomainCreateFlags, DomainGetJobStatsFlags, DomainId,
    DomainJobOperation, DomainJobType, DomainJobs, DomainSaveImageXmlFlags, DomainSaveRestoreFlags,
    DomainSaving, ImageAccess, JobInfo, SavedImage,
};
use virtbus_api::typed::TypedParameters;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::Flags;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::jobs::Aborting;

use crate::connection::Qemu;
use crate::core::Core;
use crate::domain::Domain;
use crate::jobs::{self, Abort};
use crate::outside::blocking;
use crate::saving::{self, Access, Opened, Work};
use crate::start::{self, Origin};
use crate::{definition, reading};

/// A client's path, which must not depend on where the daemon happens to be.
fn absolute(path: &str) -> Result<PathBuf> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Error::invalid_argument(format!(
        "'{}' is not an absolute path",
        path.display()
    )))
}

fn xml_flags(flags: DomainSaveImageXmlFlags) -> Flags {
    if flags.contains(DomainSaveImageXmlFlags::SECURE) {
        Flags::SECURE | Flags::INACTIVE
    } else {
        Flags::INACTIVE
    }
}

/// A definition that a client gives in place of one that runs or ran.
async fn replacement(
    core: &Core,
    xml: Option<&str>,
    like: &Definition,
) -> Result<Option<Definition>> {
    match xml {
        Some(xml) => reading::parse_in_place(core, xml, like).await.map(Some),
        None => Ok(None),
    }
}

/// Where the domain's managed save image is, if it has one.
fn managed(core: &Core, domain: &Domain) -> Result<PathBuf> {
    if domain.snapshot().view.managed_save {
        return Ok(saving::managed_path(core, &domain.name()));
    }
    Err(Error::operation_invalid(format!(
        "domain '{}' has no managed save image",
        domain.name()
    )))
}

/// A saved guest that was opened for a client.
struct Image<'a> {
    qemu: &'a Qemu,
    opened: Opened,
    id: DomainId,
}

#[async_trait]
impl SavedImage for Image<'_> {
    fn domain(&self) -> &DomainId {
        &self.id
    }

    async fn xml_desc(&self, flags: DomainSaveImageXmlFlags) -> Result<String> {
        Ok(self.opened.definition.format(xml_flags(flags)))
    }

    async fn restore(
        self: Box<Self>,
        xml: Option<&str>,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()> {
        let Self { qemu, opened, .. } = *self;
        let looking = Arc::clone(&qemu.core);
        let opened = blocking(move || opened.check_vouched(&looking).map(|()| opened)).await?;
        let running = saving::runs(flags, opened.running())?;
        let definition = match replacement(&qemu.core, xml, &opened.definition).await? {
            Some(definition) => {
                saving::check_abi(&opened.definition, &definition)?;
                definition
            }
            None => opened.definition,
        };
        let claim = qemu.claim(&definition)?;
        let domain = Arc::clone(claim.domain());
        let origin = Origin::Saved {
            state: opened.state,
            running,
            managed: None,
        };
        let (core, job_domain) = (Arc::clone(&qemu.core), Arc::clone(&domain));
        qemu.long_job(&domain, jobs::RESTORE, |turn| async move {
            let restoring = DomainJobOperation::Restore;
            let job = jobs::progress(&core, &job_domain, &turn, restoring, Abort::Impossible);
            let flags = DomainCreateFlags::empty();
            let definition = Some(Arc::new(definition));
            let (after, restored) = (Arc::clone(&core), Arc::clone(&job_domain));
            let started = start::start(core, job_domain, definition, flags, origin, None).await;
            drop(job);
            drop(claim);
            if started.is_ok() && restored.snapshot().view.managed_save {
                // Older than the guest from now on.
                saving::outlived(&after, &restored).await;
            }
            started
        })
        .await
    }

    async fn define_xml(self: Box<Self>, xml: &str, flags: DomainSaveRestoreFlags) -> Result<()> {
        saving::runs(flags, false)?;
        let like = &self.opened.definition;
        let definition = reading::parse_in_place(&self.qemu.core, xml, like).await?;
        let (core, opened) = (Arc::clone(&self.qemu.core), self.opened);
        blocking(move || {
            opened.check_vouched(&core)?;
            opened.exchange(&core, &definition, flags)
        })
        .await
    }
}

#[async_trait]
impl DomainSaving for Qemu {
    async fn save(
        &self,
        domain: &DomainId,
        to: CallerFile<'_>,
        xml: Option<&str>,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()> {
        saving::runs(flags, false)?;
        let (path, by_root) = (absolute(to.path)?, to.by_root);
        let domain = self.domain(domain)?;
        let live = domain.snapshot().live.clone();
        let definition = match live {
            Some(live) => replacement(&self.core, xml, &live).await?,
            // Which is found out when it is to be saved.
            None => None,
        };
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.long_guest_job(&domain, jobs::SAVE, |turn| async move {
            let work = Work::begin(&core, &job_domain, turn)?;
            saving::save_as(&work, (path, by_root), definition, flags).await
        })
        .await
    }

    async fn open_image(
        &self,
        file: CallerFile<'_>,
        access: ImageAccess,
    ) -> Result<Box<dyn SavedImage + '_>> {
        let path = absolute(file.path)?;
        let access = match access {
            ImageAccess::Read => Access::Read,
            ImageAccess::Change => Access::Change,
        };
        let core = Arc::clone(&self.core);
        let opened = blocking(move || Opened::open(&core, &path, access)).await?;
        let id = DomainId {
            uuid: definition::uuid(&opened.definition)?,
            name: definition::name(&opened.definition).into(),
            id: None,
        };
        Ok(Box::new(Image {
            qemu: self,
            opened,
            id,
        }))
    }

    async fn managed_save(&self, domain: &DomainId, flags: DomainSaveRestoreFlags) -> Result<()> {
        saving::runs(flags, false)?;
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.long_guest_job(&domain, jobs::MANAGED_SAVE, |turn| async move {
            let work = Work::begin(&core, &job_domain, turn)?;
            saving::managed_save(&work, flags).await
        })
        .await
    }

    async fn managed_save_remove(&self, domain: &DomainId) -> Result<()> {
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.job(&domain, jobs::MANAGED_SAVE_REMOVE, async move {
            saving::remove_managed(&core, &job_domain).await
        })
        .await
    }

    async fn managed_save_xml_desc(
        &self,
        domain: &DomainId,
        flags: DomainSaveImageXmlFlags,
    ) -> Result<String> {
        let domain = self.domain(domain)?;
        let path = managed(&self.core, &domain)?;
        let core = Arc::clone(&self.core);
        let opened = blocking(move || {
            let opened = Opened::open(&core, &path, Access::Read)?;
            Ok(opened.of(&domain))
        })
        .await?;
        Ok(opened.definition.format(xml_flags(flags)))
    }

    async fn managed_save_define_xml(
        &self,
        domain: &DomainId,
        xml: &str,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()> {
        saving::runs(flags, false)?;
        let domain = self.domain(domain)?;
        let path = managed(&self.core, &domain)?;
        let core = Arc::clone(&self.core);
        let opened = blocking(move || Opened::open(&core, &path, Access::Read)).await?;
        let like = &opened.definition;
        let definition = reading::parse_in_place(&self.core, xml, like).await?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.job(&domain, jobs::MANAGED_SAVE_DEFINE_XML, async move {
            let path = managed(&core, &job_domain)?;
            blocking(move || {
                let opened = Opened::open(&core, &path, Access::Change)?;
                opened.check_own(&core)?;
                let opened = opened.of(&job_domain);
                opened.exchange(&core, &definition, flags)
            })
            .await
        })
        .await
    }

    async fn core_dump(
        &self,
        domain: &DomainId,
        to: CallerFile<'_>,
        format: DomainCoreDumpFormat,
        flags: DomainCoreDumpFlags,
    ) -> Result<()> {
        use DomainCoreDumpFlags as F;
        let (path, by_root) = (absolute(to.path)?, to.by_root);
        let afterwards = flags & (F::CRASH | F::LIVE | F::RESET);
        if afterwards.bits().count_ones() > 1 {
            return Err(Error::invalid_argument(
                "the flags CRASH, LIVE and RESET exclude each other",
            ));
        }
        if flags.contains(F::BYPASS_CACHE) {
            return Err(Error::new(
                ErrorCode::ArgumentUnsupported,
                ErrorDomain::Qemu,
                "dumps past the host's page cache (BYPASS_CACHE) are not supported",
            ));
        }
        saving::dump_format(format)?;
        if format != DomainCoreDumpFormat::Raw && !flags.contains(F::MEMORY_ONLY) {
            return Err(Error::invalid_argument(
                "a dump in another format than raw is one of memory alone (MEMORY_ONLY)",
            ));
        }
        let domain = self.domain(domain)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        self.long_guest_job(&domain, jobs::CORE_DUMP, |turn| async move {
            let work = Work::begin(&core, &job_domain, turn)?;
            saving::core_dump(&work, (path, by_root), format, flags).await
        })
        .await
    }
}

#[async_trait]
impl DomainJobs for Qemu {
    async fn job_info(&self, domain: &DomainId) -> Result<JobInfo> {
        let domain = self.domain(domain)?;
        check_active(&domain)?;
        Ok(domain
            .jobs
            .long()
            .map_or(JobInfo::NONE, |report| report.info()))
    }

    async fn job_stats(
        &self,
        domain: &DomainId,
        flags: DomainGetJobStatsFlags,
    ) -> Result<(DomainJobType, TypedParameters)> {
        let domain = self.domain(domain)?;
        let report = if flags.contains(DomainGetJobStatsFlags::COMPLETED) {
            domain
                .jobs
                .completed(flags.contains(DomainGetJobStatsFlags::KEEP_COMPLETED))
        } else if flags.contains(DomainGetJobStatsFlags::KEEP_COMPLETED) {
            return Err(Error::invalid_argument(
                "the flag KEEP_COMPLETED goes with COMPLETED only",
            ));
        } else {
            check_active(&domain)?;
            domain.jobs.long()
        };
        Ok(report.map_or_else(
            || (DomainJobType::None, Vec::new()),
            |report| (report.kind(), report.stats()),
        ))
    }

    async fn abort_job(&self, domain: &DomainId, flags: DomainAbortJobFlags) -> Result<()> {
        if !flags.is_empty() {
            return Err(Error::invalid_argument(
                "only a migration after its switch-over can be interrupted (POSTCOPY)",
            ));
        }
        let domain = self.domain(domain)?;
        check_active(&domain)?;
        let name = domain.name();
        match domain.jobs.abort() {
            Aborting::Told => Ok(()),
            Aborting::Impossible => Err(Error::operation_invalid(format!(
                "this job of domain '{name}' cannot be aborted"
            ))),
            Aborting::Nothing => Err(Error::operation_invalid(format!(
                "domain '{name}' has no job that could be aborted"
            ))),
        }
    }

    async fn control_info(&self, domain: &DomainId) -> Result<ControlInfo> {
        let domain = self.domain(domain)?;
        check_active(&domain)?;
        let answers = domain
            .monitor()
            .is_ok_and(|(monitor, _)| monitor.is_responsive());
        let (state, since) = match domain.jobs.busy() {
            _ if !answers => (DomainControlState::Occupied, Duration::ZERO),
            Some(since) => (DomainControlState::Job, since),
            None => (DomainControlState::Ok, Duration::ZERO),
        };
        Ok(ControlInfo {
            state,
            details: DomainControlErrorReason::None,
            state_time: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn check_active(domain: &Domain) -> Result<()> {
    domain.lock().live().map(drop)
}
