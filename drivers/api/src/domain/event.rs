//! What happens to domains (`virDomainEventID`), with libvirt's numbers.

use super::{DomainBlockJobType, MetadataType};
use crate::declare::numbered;
use crate::typed::TypedParameters;

numbered! {
    /// What became of a domain.
    LifecycleKind: virDomainEventType, VIR_DOMAIN_EVENT_ {
        /// A definition was stored.
        Defined = 0 with DefinedDetail,
        /// Its definition was taken away.
        Undefined = 1 with UndefinedDetail,
        /// It was started.
        Started = 2 with StartedDetail,
        /// Its virtual CPUs were halted.
        Suspended = 3 with SuspendedDetail,
        /// Its virtual CPUs run again.
        Resumed = 4 with ResumedDetail,
        /// It ended.
        Stopped = 5 with StoppedDetail,
        /// It shuts down, and `Stopped` follows.
        Shutdown = 6 with ShutdownDetail,
        /// The guest suspended itself.
        PmSuspended as VIR_DOMAIN_EVENT_PMSUSPENDED = 7 with PmSuspendedDetail,
        /// It crashed.
        Crashed = 8 with CrashedDetail,
    }

    /// How a definition came.
    DefinedDetail: virDomainEventDefinedDetailType, VIR_DOMAIN_EVENT_DEFINED_ {
        /// There was none before.
        Added = 0,
        /// It replaced another one.
        Updated = 1,
        /// The domain got another name.
        Renamed = 2,
        /// The domain was returned to a snapshot that has it.
        FromSnapshot = 3,
    }

    /// How a definition went.
    UndefinedDetail: virDomainEventUndefinedDetailType, VIR_DOMAIN_EVENT_UNDEFINED_ {
        /// It was taken away.
        Removed = 0,
        /// The domain got another name.
        Renamed = 1,
    }

    /// How a domain started.
    StartedDetail: virDomainEventStartedDetailType, VIR_DOMAIN_EVENT_STARTED_ {
        /// It booted.
        Booted = 0,
        /// It came from another host.
        Migrated = 1,
        /// From a saved image.
        Restored = 2,
        /// From a snapshot.
        FromSnapshot = 3,
        /// It was woken up.
        Wakeup = 4,
    }

    /// Why a domain's CPUs were halted.
    SuspendedDetail: virDomainEventSuspendedDetailType, VIR_DOMAIN_EVENT_SUSPENDED_ {
        /// Somebody paused it.
        Paused = 0,
        /// For a migration.
        Migrated = 1,
        /// Reading or writing a disk failed.
        IoError as VIR_DOMAIN_EVENT_SUSPENDED_IOERROR = 2,
        /// Its watchdog fired.
        Watchdog = 3,
        /// It was restored from an image of a paused domain.
        Restored = 4,
        /// It was returned to a snapshot of a paused domain.
        FromSnapshot = 5,
        /// A call about it failed, or halted it for its own work.
        ApiError = 6,
        /// It runs on another host already, and its memory follows.
        Postcopy = 7,
        /// The same, and the migration failed.
        PostcopyFailed = 8,
    }

    /// Why a domain's CPUs run again.
    ResumedDetail: virDomainEventResumedDetailType, VIR_DOMAIN_EVENT_RESUMED_ {
        /// Somebody resumed it, or what it was halted for is over.
        Unpaused = 0,
        /// It came from another host.
        Migrated = 1,
        /// It was returned to a snapshot of a running domain.
        FromSnapshot = 2,
        /// It runs on this host while its memory is still on another one.
        Postcopy = 3,
        /// The same, and the migration failed.
        PostcopyFailed = 4,
    }

    /// Why a domain ended.
    StoppedDetail: virDomainEventStoppedDetailType, VIR_DOMAIN_EVENT_STOPPED_ {
        /// It shut down.
        Shutdown = 0,
        /// It was ended by `Destroy`.
        Destroyed = 1,
        /// It crashed.
        Crashed = 2,
        /// It went to another host.
        Migrated = 3,
        /// Its memory was saved.
        Saved = 4,
        /// The hypervisor failed.
        Failed = 5,
        /// It was returned to a snapshot of a domain that was off.
        FromSnapshot = 6,
    }

    /// Who shut a domain down.
    ShutdownDetail: virDomainEventShutdownDetailType, VIR_DOMAIN_EVENT_SHUTDOWN_ {
        /// Not known.
        Finished = 0,
        /// The guest itself.
        Guest = 1,
        /// The host: a signal to the hypervisor.
        Host = 2,
    }

    /// How a guest suspended itself.
    PmSuspendedDetail: virDomainEventPMSuspendedDetailType, VIR_DOMAIN_EVENT_PMSUSPENDED_ {
        /// To memory.
        Memory = 0,
        /// To disk.
        Disk = 1,
    }

    /// How a guest crashed.
    CrashedDetail: virDomainEventCrashedDetailType, VIR_DOMAIN_EVENT_CRASHED_ {
        /// It told of a panic.
        Panicked = 0,
        /// Its crash kernel was loaded.
        CrashLoaded as VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED = 1,
    }

    /// What a watchdog did.
    WatchdogAction: virDomainEventWatchdogAction, VIR_DOMAIN_EVENT_WATCHDOG_ {
        /// Nothing.
        None = 0,
        /// It paused the domain.
        Pause = 1,
        /// It reset the domain.
        Reset = 2,
        /// It ended the domain at once.
        PowerOff as VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF = 3,
        /// It asked the guest to shut down.
        Shutdown = 4,
        /// It only told of it.
        Debug = 5,
        /// It injected a non-maskable interrupt.
        InjectNmi as VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI = 6,
    }

    /// What was done about an error of a disk.
    IoErrorAction: virDomainEventIOErrorAction, VIR_DOMAIN_EVENT_IO_ERROR_ {
        /// Nothing.
        None = 0,
        /// The domain was paused.
        Pause = 1,
        /// The guest was told.
        Report = 2,
    }

    /// Where a graphics client is in its life.
    GraphicsPhase: virDomainEventGraphicsPhase, VIR_DOMAIN_EVENT_GRAPHICS_ {
        /// It connected.
        Connect = 0,
        /// It authenticated, and its session begins.
        Initialize = 1,
        /// It left.
        Disconnect = 2,
    }

    /// The family of an end of a graphics connection.
    GraphicsAddressFamily: virDomainEventGraphicsAddressType, VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_ {
        /// IPv4.
        Ipv4 = 0,
        /// IPv6.
        Ipv6 = 1,
        /// A Unix socket.
        Unix = 2,
    }

    /// Whether a guest agent is there.
    AgentState: virConnectDomainEventAgentLifecycleState, VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_ {
        /// It came.
        Connected = 1,
        /// It went.
        Disconnected = 2,
    }

    /// Why a guest agent came or went.
    AgentReason: virConnectDomainEventAgentLifecycleReason, VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_ {
        /// Not known.
        Unknown = 0,
        /// The domain was started.
        DomainStarted = 1,
        /// Its channel was opened or closed.
        Channel = 2,
    }

    /// What became of a job on a disk.
    BlockJobStatus: virConnectDomainEventBlockJobStatus, VIR_DOMAIN_BLOCK_JOB_ {
        /// It is done.
        Completed = 0,
        /// It failed.
        Failed = 1,
        /// Somebody ended it.
        Canceled = 2,
        /// All is copied; `BlockJobAbort` ends it, or goes over to the copy.
        Ready = 3,
    }

    /// Why a disk has another source.
    DiskChangeReason: virConnectDomainEventDiskChangeReason, VIR_DOMAIN_EVENT_DISK_ {
        /// It was missing at the start, and its drive is empty.
        ChangeMissingOnStart = 0,
        /// It was missing at the start, and is left out with its drive.
        DropMissingOnStart = 1,
    }

    /// What became of the tray of a removable medium.
    TrayChangeReason: virDomainEventTrayChangeReason, VIR_DOMAIN_EVENT_TRAY_CHANGE_ {
        /// It was opened.
        Open = 0,
        /// It was closed.
        Close = 1,
    }
}

/// The event that every client waits for: what became of the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its detail")]
pub enum Lifecycle {
    Defined(DefinedDetail),
    Undefined(UndefinedDetail),
    Started(StartedDetail),
    Suspended(SuspendedDetail),
    Resumed(ResumedDetail),
    Stopped(StoppedDetail),
    Shutdown(ShutdownDetail),
    PmSuspended(PmSuspendedDetail),
    Crashed(CrashedDetail),
}

impl Lifecycle {
    /// libvirt's numbers of event and detail.
    #[must_use]
    pub const fn numbers(self) -> (i32, i32) {
        let (kind, detail) = match self {
            Self::Defined(detail) => (LifecycleKind::Defined, detail.number()),
            Self::Undefined(detail) => (LifecycleKind::Undefined, detail.number()),
            Self::Started(detail) => (LifecycleKind::Started, detail.number()),
            Self::Suspended(detail) => (LifecycleKind::Suspended, detail.number()),
            Self::Resumed(detail) => (LifecycleKind::Resumed, detail.number()),
            Self::Stopped(detail) => (LifecycleKind::Stopped, detail.number()),
            Self::Shutdown(detail) => (LifecycleKind::Shutdown, detail.number()),
            Self::PmSuspended(detail) => (LifecycleKind::PmSuspended, detail.number()),
            Self::Crashed(detail) => (LifecycleKind::Crashed, detail.number()),
        };
        (kind.number(), detail)
    }
}

/// One end of a graphics connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphicsAddress {
    /// What node and service are.
    pub family: GraphicsAddressFamily,
    /// Host or path.
    pub node: String,
    /// Port; empty for a unix socket.
    pub service: String,
}

/// Something that a graphics client proved to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphicsIdentity {
    /// Such as `x509dname` or `saslUsername`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Something that happened to a domain.
#[derive(Debug, Clone, PartialEq)]
pub enum DomainEvent {
    /// It was defined, started, stopped, ….
    Lifecycle(Lifecycle),
    /// The guest rebooted.
    Reboot,
    /// The guest set its clock, by so many seconds from the host's.
    RtcChange {
        /// Seconds.
        offset: i64,
    },
    /// Its watchdog fired.
    Watchdog {
        /// What came of it.
        action: WatchdogAction,
    },
    /// Reading or writing a disk failed.
    IoError {
        /// The host's path of the disk's source, empty if it has none.
        source: String,
        /// The alias of the disk.
        device: String,
        /// What was done about it.
        action: IoErrorAction,
        /// `enospc`, or empty.
        reason: String,
    },
    /// A graphics client came or went.
    Graphics {
        /// Where in its life the client is.
        phase: GraphicsPhase,
        /// The client's end.
        remote: GraphicsAddress,
        /// The host's end.
        local: GraphicsAddress,
        /// `vnc`, `sasl`, …: how it authenticated.
        auth_scheme: String,
        /// Whom it authenticated as.
        identities: Vec<GraphicsIdentity>,
    },
    /// Memory was given to or taken from the guest; what it has now, in KiB.
    BalloonChange {
        /// KiB.
        actual: u64,
    },
    /// A removable medium's tray was opened or closed.
    TrayChange {
        /// The alias of the disk.
        device: String,
        /// Whether it is open now.
        open: bool,
    },
    /// A device was added.
    DeviceAdded {
        /// Its alias.
        device: String,
    },
    /// A device is gone.
    DeviceRemoved {
        /// Its alias.
        device: String,
    },
    /// The guest refused to let a device go.
    DeviceRemovalFailed {
        /// Its alias.
        device: String,
    },
    /// The guest agent came or went.
    AgentLifecycle {
        /// Whether it is connected now.
        connected: bool,
        /// Why.
        reason: AgentReason,
    },
    /// A job on a disk came to a point.
    BlockJob {
        /// The disk's target.
        disk: String,
        /// What the job does.
        kind: DomainBlockJobType,
        /// What became of it.
        status: BlockJobStatus,
    },
    /// The hypervisor cannot be reached.
    ControlError,
    /// A disk has another source, or none.
    DiskChange {
        /// The host's path until now.
        old: String,
        /// The host's path from now on.
        new: String,
        /// The alias of the disk.
        device: String,
        /// Why.
        reason: DiskChangeReason,
    },
    /// A job ended; its statistics.
    JobCompleted(TypedParameters),
    /// Title, description or an element of its metadata changed.
    MetadataChange {
        /// Which.
        kind: MetadataType,
        /// The element's namespace.
        namespace: Option<String>,
    },
    /// A migration copies memory once more.
    MigrationIteration {
        /// How often it has.
        iteration: i32,
    },
    /// Something was tuned; what is so now.
    Tunable(TypedParameters),
    /// Writing to a disk reached a threshold.
    BlockThreshold {
        /// The disk's target, with an index of the image.
        device: String,
        /// The host's path of the image, if it has one.
        path: String,
        /// Bytes.
        threshold: u64,
        /// By how many bytes it is exceeded.
        excess: u64,
    },
    /// The size of a memory device changed; KiB.
    MemoryDeviceSizeChange {
        /// Its alias.
        device: String,
        /// KiB.
        size: u64,
    },
    /// The guest suspended itself to memory.
    PmSuspend,
    /// The guest suspended itself to disk.
    PmSuspendDisk,
    /// The guest woke up.
    PmWakeup,
}
