//! Domains: how they are named, what is known of them, what happens to them, and what can be asked of them.

mod description;
mod event;
mod fields;
mod flags;
mod guest;
mod jobs;
mod moments;
mod signal;
mod state;
mod traits;
pub mod trees;
mod tuning;
mod view;

pub use description::{
    BlockInfo, DomainCounters, DomainDescription, DomainDiskErrorCode, DomainMemoryStatTag,
    DomainMessageTypes, MetadataType, NetworkMetadataType, SecurityLabel,
};
pub use event::{
    AgentReason, AgentState, BlockJobStatus, CrashedDetail, DefinedDetail, DiskChangeReason,
    DomainEvent, GraphicsAddress, GraphicsAddressFamily, GraphicsIdentity, GraphicsPhase,
    IoErrorAction, Lifecycle, LifecycleKind, PmSuspendedDetail, ResumedDetail, ShutdownDetail,
    StartedDetail, StoppedDetail, SuspendedDetail, TrayChangeReason, UndefinedDetail,
    WatchdogAction,
};
pub use fields::{JobFields, NumaFields, NumaMode, StatisticsFields, VcpuState};
pub use flags::{
    Checked, DomainCreateFlags, DomainDefineFlags, DomainDestroyFlags, DomainModificationImpact,
    DomainRebootFlags, DomainShutdownFlags, DomainStatsFlags, DomainStatsTypes,
    DomainUndefineFlags, DomainXmlFlags, ListAllDomainsFlags, check, retain,
};
pub use guest::{
    DomainAgent, DomainAuthorizedSshKeysSetFlags, DomainChannelFlags, DomainConsole,
    DomainConsoleFlags, DomainGetHostnameFlags, DomainGuestInfoTypes, DomainMemoryPeekFlags,
    DomainOpenGraphicsFlags, DomainSetTimeFlags, DomainSetUserPasswordFlags, FsInfo, GuestAddress,
    GuestInterface, InterfaceAddressesSource, IpAddressFamily, KeycodeSet,
};
pub use jobs::{
    BlockJobInfo, CallerFile, ControlInfo, DomainAbortJobFlags, DomainBlockCommitFlags,
    DomainBlockCopyFlags, DomainBlockJobAbortFlags, DomainBlockJobInfoFlags,
    DomainBlockJobSetSpeedFlags, DomainBlockJobType, DomainBlockJobs, DomainBlockPullFlags,
    DomainBlockRebaseFlags, DomainBlockResizeFlags, DomainControlErrorReason, DomainControlState,
    DomainCoreDumpFlags, DomainCoreDumpFormat, DomainGetJobStatsFlags, DomainJobOperation,
    DomainJobType, DomainJobs, DomainMigrateFlags, DomainMigrateMaxSpeedFlags, DomainMigration,
    DomainSaveImageXmlFlags, DomainSaveRestoreFlags, DomainSaving, ImageAccess, JobInfo,
    JobProgress, SavedImage,
};
pub use moments::{
    BackupBeginFlags, CheckpointCreateFlags, CheckpointDeleteFlags, CheckpointId,
    CheckpointListFlags, CheckpointView, CheckpointXmlFlags, DomainCheckpoints, DomainSnapshots,
    MomentDeleteFlags, SnapshotCreateFlags, SnapshotId, SnapshotKind, SnapshotListFlags,
    SnapshotRevertFlags, SnapshotView, SnapshotXmlFlags,
};
pub use signal::DomainProcessSignal;
pub use state::{
    BlockedReason, CrashedReason, DomainState, DomainStateKind, NoStateReason, PausedReason,
    PmSuspendedReason, RunningReason, ShutdownReason, ShutoffReason,
};
pub use traits::{DomainInfo, DomainLifecycle, DomainStatistics, Domains, VcpuInfo};
pub use tuning::{
    CpuMap, DomainDeviceModifyFlags, DomainDevices, DomainLifecycleAction, DomainLifecycleEvent,
    DomainMemoryFlags, DomainTuning, DomainVcpuFlags, DomainVcpus, IoThreadInfo,
};
pub use view::{DomainId, DomainView};
