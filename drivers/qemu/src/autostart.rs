//! Starting what is to be started with the host. Who has a turn, and that it is one in each boot, is `virtbus_hypervisor::autostart`.

use std::sync::Arc;
use std::time::Duration;

use virtbus_api::Result;
use virtbus_api::domain::DomainCreateFlags;
use virtbus_hypervisor::autostart::Starter;

use crate::core::Core;
use crate::domain::Domain;
use crate::{jobs, start};

/// The file that tells which domains had their turn in this boot.
const NOTES: &str = "autostarted";

/// Starts domains as jobs of theirs.
struct Jobs(Arc<Core>);

impl Starter for Jobs {
    type Domain = Domain;

    fn domains(&self) -> Vec<Arc<Domain>> {
        self.0.table.all()
    }

    fn ended(&self, domain: &Domain) -> u64 {
        *domain.ended.borrow()
    }

    async fn start(&self, domain: &Arc<Domain>) -> Result<()> {
        let (core, job_domain) = (Arc::clone(&self.0), Arc::clone(domain));
        let limit = core.config.timeouts.job;
        let work = |turn| async move {
            if job_domain.snapshot().live.is_some() {
                return Ok(());
            }
            start::create(core, job_domain, &turn, DomainCreateFlags::empty(), None).await
        };
        // A task of its own, which goes on if it is not waited for any more.
        domain
            .jobs
            .run_with(&domain.name(), jobs::AUTOSTART, limit, work)
            .await
    }
}

/// Starts what is to be started with the host, unless that was done since it booted.
pub(crate) async fn autostart(core: Arc<Core>) {
    let notes = core.config.dirs.run.join(NOTES);
    let limit = deadline(core.config.timeouts.job, core.config.timeouts.start);
    virtbus_hypervisor::autostart::autostart(&Jobs(core), notes, limit).await;
}

/// A start has so long: its turn, and the emulator's time to come up, with as much again for what is done before and after.
const fn deadline(job: Duration, start: Duration) -> Duration {
    job.saturating_add(start).saturating_add(start)
}
