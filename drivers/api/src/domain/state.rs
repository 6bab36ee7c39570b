//! The states of a domain, each with its reasons.
//!
//! Numbers are libvirt's. A reason belongs to its state's variant, so a state with another state's reason cannot be written.

use crate::declare::numbered;

numbered! {
    /// What a domain is doing.
    DomainStateKind: virDomainState, VIR_DOMAIN_ {
        /// The hypervisor has no state to tell.
        NoState as VIR_DOMAIN_NOSTATE = 0 with NoStateReason,
        /// Its virtual CPUs run.
        Running = 1 with RunningReason,
        /// It waits for a resource.
        Blocked = 2 with BlockedReason,
        /// Its virtual CPUs are halted by the host.
        Paused = 3 with PausedReason,
        /// It is going down.
        Shutdown = 4 with ShutdownReason,
        /// It is off.
        Shutoff = 5 with ShutoffReason,
        /// It crashed, and was preserved.
        Crashed = 6 with CrashedReason,
        /// The guest suspended itself to memory.
        PmSuspended as VIR_DOMAIN_PMSUSPENDED = 7 with PmSuspendedReason,
    }

    /// Why a domain has no state.
    NoStateReason: virDomainNostateReason, VIR_DOMAIN_NOSTATE_ {
        /// Not known.
        Unknown = 0,
    }

    /// Why a domain runs.
    RunningReason: virDomainRunningReason, VIR_DOMAIN_RUNNING_ {
        /// Not known.
        Unknown = 0,
        /// It was started.
        Booted = 1,
        /// It came from another host.
        Migrated = 2,
        /// It was started from a saved image.
        Restored = 3,
        /// It was returned to a snapshot.
        FromSnapshot = 4,
        /// It was paused, and resumed.
        Unpaused = 5,
        /// It goes on after a migration that did not succeed.
        MigrationCanceled = 6,
        /// It goes on after a save that did not succeed.
        SaveCanceled = 7,
        /// It was woken up.
        Wakeup = 8,
        /// It goes on after a crash.
        Crashed = 9,
        /// It runs on this host while its memory is still on another one.
        Postcopy = 10,
        /// The same, and the migration failed.
        PostcopyFailed = 11,
    }

    /// Why a domain waits.
    BlockedReason: virDomainBlockedReason, VIR_DOMAIN_BLOCKED_ {
        /// Not known.
        Unknown = 0,
    }

    /// Why a domain is paused.
    PausedReason: virDomainPausedReason, VIR_DOMAIN_PAUSED_ {
        /// Not known.
        Unknown = 0,
        /// Somebody paused it.
        User = 1,
        /// It goes to another host.
        Migration = 2,
        /// Its memory is being saved.
        Save = 3,
        /// Its memory is being dumped.
        Dump = 4,
        /// Reading or writing a disk failed.
        IoError as VIR_DOMAIN_PAUSED_IOERROR = 5,
        /// Its watchdog fired.
        Watchdog = 6,
        /// It was returned to a snapshot.
        FromSnapshot = 7,
        /// It has shut down, and is being ended.
        ShuttingDown = 8,
        /// A snapshot is being made.
        Snapshot = 9,
        /// It crashed.
        Crashed = 10,
        /// It is being started.
        StartingUp = 11,
        /// It runs on another host already, and its memory follows.
        Postcopy = 12,
        /// The same, and the migration failed.
        PostcopyFailed = 13,
        /// A call about it failed and left it so.
        ApiError = 14,
    }

    /// Why a domain is being shut down.
    ShutdownReason: virDomainShutdownReason, VIR_DOMAIN_SHUTDOWN_ {
        /// Not known.
        Unknown = 0,
        /// Somebody asked for it.
        User = 1,
    }

    /// Why a domain is off.
    ShutoffReason: virDomainShutoffReason, VIR_DOMAIN_SHUTOFF_ {
        /// Not known; it was not started since the daemon knows it.
        Unknown = 0,
        /// It shut down.
        Shutdown = 1,
        /// It was ended by `Destroy`.
        Destroyed = 2,
        /// It crashed.
        Crashed = 3,
        /// It went to another host.
        Migrated = 4,
        /// Its memory was saved.
        Saved = 5,
        /// It could not be started.
        Failed = 6,
        /// It was returned to a snapshot of a domain that was off.
        FromSnapshot = 7,
        /// The daemon ended it because it could not be managed any more.
        Daemon = 8,
    }

    /// Why a domain crashed.
    CrashedReason: virDomainCrashedReason, VIR_DOMAIN_CRASHED_ {
        /// Not known.
        Unknown = 0,
        /// The guest told of a panic.
        Panicked = 1,
    }

    /// Why a guest suspended itself.
    PmSuspendedReason: virDomainPMSuspendedReason, VIR_DOMAIN_PMSUSPENDED_ {
        /// Not known.
        Unknown = 0,
    }
}

/// What a domain is doing and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DomainState {
    /// The hypervisor has no state to tell.
    NoState,
    /// Its virtual CPUs run.
    Running(RunningReason),
    /// It waits for a resource.
    Blocked,
    /// Its virtual CPUs are halted by the host.
    Paused(PausedReason),
    /// It is going down.
    Shutdown(ShutdownReason),
    /// It is off.
    Shutoff(ShutoffReason),
    /// It crashed, and was preserved. The value says whether the guest's kernel panicked.
    Crashed {
        /// Whether the guest told of a panic.
        panicked: bool,
    },
    /// The guest suspended itself to memory.
    PmSuspended,
}

impl DomainState {
    /// libvirt's numbers of state and reason.
    #[must_use]
    pub const fn numbers(self) -> (i32, i32) {
        let (kind, reason) = match self {
            Self::NoState => (DomainStateKind::NoState, NoStateReason::Unknown.number()),
            Self::Running(reason) => (DomainStateKind::Running, reason.number()),
            Self::Blocked => (DomainStateKind::Blocked, BlockedReason::Unknown.number()),
            Self::Paused(reason) => (DomainStateKind::Paused, reason.number()),
            Self::Shutdown(reason) => (DomainStateKind::Shutdown, reason.number()),
            Self::Shutoff(reason) => (DomainStateKind::Shutoff, reason.number()),
            Self::Crashed { panicked: true } => {
                (DomainStateKind::Crashed, CrashedReason::Panicked.number())
            }
            Self::Crashed { panicked: false } => {
                (DomainStateKind::Crashed, CrashedReason::Unknown.number())
            }
            Self::PmSuspended => (
                DomainStateKind::PmSuspended,
                PmSuspendedReason::Unknown.number(),
            ),
        };
        (kind.number(), reason)
    }

    /// Whether a hypervisor's process or context stands behind the domain.
    #[must_use]
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Shutoff(_) | Self::NoState)
    }
}
