//! What happens to domains (`virDomainEventID`), with libvirt's numbers.

use super::MetadataType;
use crate::typed::TypedParameters;

/// Declares the details of one kind of lifecycle event, or another numbered vocabulary.
macro_rules! details {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal,)* })*) => {
        $($(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are libvirt's, documented there")]
        #[repr(i32)]
        pub enum $name { $($variant = $value,)* })*
    };
}

details! {
    /// How a definition came.
    DefinedDetail { Added = 0, Updated = 1, Renamed = 2, FromSnapshot = 3, }
    /// How a definition went.
    UndefinedDetail { Removed = 0, Renamed = 1, }
    /// How a domain started.
    StartedDetail { Booted = 0, Migrated = 1, Restored = 2, FromSnapshot = 3, Wakeup = 4, }
    /// Why a domain's CPUs were halted.
    SuspendedDetail {
        Paused = 0, Migrated = 1, IoError = 2, Watchdog = 3, Restored = 4, FromSnapshot = 5, ApiError = 6, Postcopy = 7,
        PostcopyFailed = 8,
    }
    /// Why a domain's CPUs run again.
    ResumedDetail { Unpaused = 0, Migrated = 1, FromSnapshot = 2, Postcopy = 3, PostcopyFailed = 4, }
    /// Why a domain stopped.
    StoppedDetail { Shutdown = 0, Destroyed = 1, Crashed = 2, Migrated = 3, Saved = 4, Failed = 5, FromSnapshot = 6, }
    /// Who shut a domain down.
    ShutdownDetail { Finished = 0, Guest = 1, Host = 2, }
    /// How a guest suspended itself.
    PmSuspendedDetail { Memory = 0, Disk = 1, }
    /// How a guest crashed.
    CrashedDetail { Panicked = 0, CrashLoaded = 1, }
    /// What a watchdog did.
    WatchdogAction { None = 0, Pause = 1, Reset = 2, PowerOff = 3, Shutdown = 4, Debug = 5, InjectNmi = 6, }
    /// What was done about an I/O error.
    IoErrorAction { None = 0, Pause = 1, Report = 2, }
    /// Where a graphics client is in its life.
    GraphicsPhase { Connect = 0, Initialize = 1, Disconnect = 2, }
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
        match self {
            Self::Defined(detail) => (0, detail as i32),
            Self::Undefined(detail) => (1, detail as i32),
            Self::Started(detail) => (2, detail as i32),
            Self::Suspended(detail) => (3, detail as i32),
            Self::Resumed(detail) => (4, detail as i32),
            Self::Stopped(detail) => (5, detail as i32),
            Self::Shutdown(detail) => (6, detail as i32),
            Self::PmSuspended(detail) => (7, detail as i32),
            Self::Crashed(detail) => (8, detail as i32),
        }
    }
}

/// One end of a graphics connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphicsAddress {
    /// 0 IPv4, 1 IPv6, 2 unix socket.
    pub family: i32,
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
        /// 0 unknown, 1 the domain started, 2 the channel changed.
        reason: i32,
    },
    /// A job on a disk came to a point (`virConnectDomainEventBlockJobStatus`).
    BlockJob {
        /// The disk's target.
        disk: String,
        /// `virDomainBlockJobType`.
        kind: i32,
        /// 0 completed, 1 failed, 2 cancelled, 3 ready.
        status: i32,
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
        /// `virConnectDomainEventDiskChangeReason`.
        reason: i32,
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
