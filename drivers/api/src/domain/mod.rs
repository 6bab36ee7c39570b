//! Domains: how they are named, what is known of them, what happens to them, and what can be asked of them.

mod description;
mod event;
mod flags;
mod guest;
mod jobs;
mod moments;
mod state;
mod traits;
mod tuning;
mod view;

pub use description::{
    BlockInfo, DomainCounters, DomainDescription, DomainMessageTypes, MetadataType, SecurityLabel,
};
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
pub use guest::{
    DomainAgent, DomainAuthorizedSshKeysSetFlags, DomainChannelFlags, DomainConsole,
    DomainConsoleFlags, DomainGetHostnameFlags, DomainGuestInfoTypes, DomainMemoryPeekFlags,
    DomainOpenGraphicsFlags, DomainSetTimeFlags, DomainSetUserPasswordFlags, FsInfo, GuestAddress,
    GuestInterface, InterfaceAddressesSource, KeycodeSet,
};
pub use jobs::{
    BlockJobInfo, CallerFile, ControlInfo, DomainAbortJobFlags, DomainBlockCommitFlags,
    DomainBlockCopyFlags, DomainBlockJobAbortFlags, DomainBlockJobInfoFlags,
    DomainBlockJobSetSpeedFlags, DomainBlockJobs, DomainBlockPullFlags, DomainBlockRebaseFlags,
    DomainBlockResizeFlags, DomainCoreDumpFlags, DomainCoreDumpFormat, DomainGetJobStatsFlags,
    DomainJobOperation, DomainJobType, DomainJobs, DomainMigrateFlags, DomainMigrateMaxSpeedFlags,
    DomainMigration, DomainSaveImageXmlFlags, DomainSaveRestoreFlags, DomainSaving, ImageAccess,
    JobInfo, JobProgress, SavedImage,
};
pub use moments::{
    BackupBeginFlags, CheckpointCreateFlags, CheckpointId, CheckpointListFlags, CheckpointView,
    CheckpointXmlFlags, DomainCheckpoints, DomainSnapshots, MomentDeleteFlags, SnapshotCreateFlags,
    SnapshotId, SnapshotKind, SnapshotListFlags, SnapshotRevertFlags, SnapshotView,
    SnapshotXmlFlags,
};
pub use state::{DomainState, PausedReason, RunningReason, ShutdownReason, ShutoffReason};
pub use traits::{DomainInfo, DomainLifecycle, DomainStatistics, Domains, VcpuInfo};
pub use tuning::{
    CpuMap, DomainDeviceModifyFlags, DomainDevices, DomainLifecycleAction, DomainLifecycleEvent,
    DomainMemoryFlags, DomainTuning, DomainVcpuFlags, DomainVcpus, IoThreadInfo,
};
pub use view::{DomainId, DomainView};
