//! Domains: how they are named, what is known of them, what happens to them, and what can be asked of them.

mod event;
mod flags;
mod state;
mod traits;
mod view;

pub use event::{
    CrashedDetail, DefinedDetail, DomainEvent, GraphicsAddress, GraphicsIdentity, GraphicsPhase,
    IoErrorAction, Lifecycle, PmSuspendedDetail, ResumedDetail, ShutdownDetail, StartedDetail,
    StoppedDetail, SuspendedDetail, UndefinedDetail, WatchdogAction,
};
pub use flags::{
    Checked, DomainCreateFlags, DomainDefineFlags, DomainDestroyFlags, DomainModificationImpact,
    DomainRebootFlags, DomainShutdownFlags, DomainStatsFlags, DomainStatsTypes,
    DomainUndefineFlags, DomainXmlFlags, ListAllDomainsFlags, check,
};
pub use state::{DomainState, PausedReason, RunningReason, ShutdownReason, ShutoffReason};
pub use traits::{DomainInfo, DomainLifecycle, DomainStatistics, Domains, VcpuInfo};
pub use view::{DomainId, DomainObject, DomainView};
