//! A connection: what every call of it needs, such as its domains and the turns of their jobs.
//!
//! What the calls do is in the modules that do it; `driver` forwards most of them.

use std::sync::Arc;

use virtbus_api::domain::{DomainId, ShutoffReason};
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::jobs::{Job, Turn};

use crate::core::Core;
use crate::definition;
use crate::domain::{Claim, Domain};

/// A connection to QEMU on this host.
pub struct Qemu {
    pub(crate) core: Arc<Core>,
}

impl std::fmt::Debug for Qemu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qemu")
            .field("uri", &self.core.config.uri)
            .finish_non_exhaustive()
    }
}

impl Qemu {
    /// The domain with both this UUID and this name: what its caller was allowed to do to one is not done to another that has taken over
    /// its UUID since.
    pub(crate) fn domain(&self, id: &DomainId) -> Result<Arc<Domain>> {
        self.core.table.get_named(id)
    }

    /// Runs `work` as this job of the domain.
    pub(crate) async fn job<T, F>(&self, domain: &Arc<Domain>, job: Job, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let work = |turn: Turn| async move {
            let answer = work.await;
            drop(turn);
            answer
        };
        self.long_job(domain, job, work).await
    }

    /// Runs `work` as this job of the domain, and gives it its turn.
    pub(crate) async fn long_job<T, F>(
        &self,
        domain: &Arc<Domain>,
        job: Job,
        work: impl FnOnce(Turn) -> F + Send,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let known = domain.name();
        let (asked, called) = (Arc::clone(domain), Arc::clone(&known));
        // Whoever was allowed to do it to a domain of one name was not asked about another one.
        let work = |turn| {
            let work = work(turn);
            async move {
                if asked.name() != called {
                    return Err(Error::no_domain(asked.uuid));
                }
                work.await
            }
        };
        let limit = self.core.config.timeouts.job;
        domain.jobs.run_with(&known, job, limit, work).await
    }

    /// As [`Qemu::job`], for one that talks to the guest.
    pub(crate) async fn guest_job<T, F>(&self, domain: &Arc<Domain>, job: Job, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let work = |turn: Turn| async move {
            let answer = work.await;
            drop(turn);
            answer
        };
        self.long_guest_job(domain, job, work).await
    }

    /// As [`Qemu::long_job`], for one that talks to the guest. A guest that was found again is waited for before the job's turn, so that
    /// many who wait for one that hangs do not wait for one another.
    pub(crate) async fn long_guest_job<T, F>(
        &self,
        domain: &Arc<Domain>,
        job: Job,
        work: impl FnOnce(Turn) -> F + Send,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        domain.reached(self.core.config.timeouts.command).await;
        let run = domain.lock().live().map(|live| live.epoch).ok();
        let answer = self.long_job(domain, job, work).await;
        match (answer, run) {
            // What the monitor of a guest that ends has to say about it is that it says nothing.
            (Err(error), Some(run)) if is_of_monitor(&error) && domain.is_over(run).await => {
                let name = domain.name();
                Err(Error::operation_invalid(format!(
                    "domain '{name}' is not running: it ended meanwhile"
                )))
            }
            (answer, _) => answer,
        }
    }

    /// Takes a name and UUID for a definition from a client.
    pub(crate) fn claim(&self, definition: &Definition) -> Result<Claim> {
        let (uuid, name) = (
            definition::uuid(definition)?,
            definition::name(definition).to_owned(),
        );
        self.core.table.claim(uuid, &name, || {
            Domain::new(uuid, &name, ShutoffReason::Unknown)
        })
    }
}

/// Whether an error may be due to a monitor that is gone.
fn is_of_monitor(error: &Error) -> bool {
    matches!(
        error.code,
        ErrorCode::OperationTimeout | ErrorCode::OperationFailed
    )
}
