//! The driver's jobs: for each call that is one, what it is called and of which kinds it is, and who hears of long ones.
//!
//! What may run beside what follows from the kinds (`virtbus_hypervisor::jobs`). Calls that are not here are no jobs: what is known is read
//! from the snapshot, and statistics are asked for beside whatever is done to the guest.

use std::sync::Arc;

use virtbus_api::Result;
use virtbus_api::domain::{DomainEvent, DomainJobOperation, JobProgress};
use virtbus_api::typed::TypedParameters;
use virtbus_hypervisor::jobs::{Audience, Job, Kind, Long, Progress, Turn};

use crate::core::Core;
use crate::domain::Domain;

// The life of a guest. A guest is started with the definition that is stored when its job begins, so another one may be stored meanwhile.
pub(crate) const CREATE: Job = Job::new("Create", &[Kind::Long(Long::Start)]);
pub(crate) const CREATE_XML: Job = Job::new("CreateXML", &[Kind::Long(Long::Start)]);
pub(crate) const RESTORE: Job = Job::new("Restore", &[Kind::Long(Long::Start)]);
pub(crate) const AUTOSTART: Job = Job::new("Autostart", &[Kind::Long(Long::Start)]);
pub(crate) const DESTROY: Job = Job::new("Destroy", &[Kind::Destroy]);

// What is asked of a guest, or done to it.
pub(crate) const SUSPEND: Job = Job::new("Suspend", &[Kind::Suspend]);
pub(crate) const RESUME: Job = Job::new("Resume", &[Kind::Modify]);
pub(crate) const RESET: Job = Job::new("Reset", &[Kind::Modify]);
pub(crate) const INJECT_NMI: Job = Job::new("InjectNMI", &[Kind::Modify]);
pub(crate) const PM_WAKEUP: Job = Job::new("PMWakeup", &[Kind::Modify]);
pub(crate) const SHUTDOWN: Job = Job::new("Shutdown", &[Kind::Modify]);
pub(crate) const SHUTDOWN_BY_AGENT: Job = Job::new("Shutdown", &[Kind::Agent]);
pub(crate) const REBOOT: Job = Job::new("Reboot", &[Kind::Modify]);
pub(crate) const REBOOT_BY_AGENT: Job = Job::new("Reboot", &[Kind::Agent]);
pub(crate) const INTERFACE_ADDRESSES: Job = Job::new("InterfaceAddresses", &[Kind::Agent]);

// What takes memory to a file.
pub(crate) const SAVE: Job = Job::new("Save", &[Kind::Long(Long::Save)]);
pub(crate) const MANAGED_SAVE: Job = Job::new("ManagedSave", &[Kind::Long(Long::Save)]);
pub(crate) const CORE_DUMP: Job = Job::new("CoreDump", &[Kind::Long(Long::Dump)]);
pub(crate) const MANAGED_SAVE_REMOVE: Job = Job::new("ManagedSaveRemove", &[Kind::Modify]);
pub(crate) const MANAGED_SAVE_DEFINE_XML: Job = Job::new("ManagedSaveDefineXML", &[Kind::Modify]);

// The stored definition. What goes with it when it is taken away or renamed is the guest's.
pub(crate) const DEFINE_XML: Job = Job::new("DefineXML", &[Kind::Define]);
pub(crate) const SET_AUTOSTART: Job = Job::new("SetAutostart", &[Kind::Define]);
pub(crate) const UNDEFINE: Job = Job::new("Undefine", &[Kind::Modify, Kind::Define]);
pub(crate) const RENAME: Job = Job::new("Rename", &[Kind::Modify, Kind::Define]);

/// Whether a long job may be aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abort {
    /// The job watches whether it is.
    Possible,
    /// It goes on to its end.
    Impossible,
}

/// Begins to tell how far the long job is that has this turn: to those who ask, and in the domain's snapshot.
pub(crate) fn progress(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    turn: &Turn,
    operation: DomainJobOperation,
    abort: Abort,
) -> Progress {
    let publisher = Publisher {
        core: Arc::clone(core),
        domain: Arc::clone(domain),
    };
    turn.progress(operation, abort == Abort::Possible, Arc::new(publisher))
}

/// Puts how far a long job is into its domain's snapshot, and announces it.
struct Publisher {
    core: Arc<Core>,
    domain: Arc<Domain>,
}

impl Audience for Publisher {
    fn hear(&self, job: Option<JobProgress>, completed: Option<TypedParameters>) {
        let completed = completed.map(DomainEvent::JobCompleted);
        let published: Result<()> = self.domain.change(&self.core.hub, |inner| {
            inner.job = job;
            Ok(((), completed.into_iter().collect()))
        });
        if let Err(error) = published {
            let name = self.domain.name();
            tracing::error!(domain = %name, %error, "the progress of a job of domain '{name}' cannot be published, ignoring: {error}");
        }
    }
}
