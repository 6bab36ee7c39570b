//! The states of a domain, each with its reasons (`virDomainState`, `virDomainRunningReason`, …).
//!
//! Numbers are libvirt's. A reason belongs to its state's variant, so a state with another state's reason cannot be written.

/// Declares the reasons of one state.
macro_rules! reasons {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal,)* })*) => {
        $($(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are libvirt's, documented there")]
        #[repr(i32)]
        pub enum $name { $($variant = $value,)* }

        impl $name {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        })*
    };
}

reasons! {
    /// Why a domain runs.
    RunningReason {
        Unknown = 0, Booted = 1, Migrated = 2, Restored = 3, FromSnapshot = 4, Unpaused = 5, MigrationCanceled = 6,
        SaveCanceled = 7, Wakeup = 8, Crashed = 9, Postcopy = 10, PostcopyFailed = 11,
    }
    /// Why a domain is paused.
    PausedReason {
        Unknown = 0, User = 1, Migration = 2, Save = 3, Dump = 4, IoError = 5, Watchdog = 6, FromSnapshot = 7,
        ShuttingDown = 8, Snapshot = 9, Crashed = 10, StartingUp = 11, Postcopy = 12, PostcopyFailed = 13, ApiError = 14,
    }
    /// Why a domain is being shut down.
    ShutdownReason { Unknown = 0, User = 1, }
    /// Why a domain is off.
    ShutoffReason {
        Unknown = 0, Shutdown = 1, Destroyed = 2, Crashed = 3, Migrated = 4, Saved = 5, Failed = 6, FromSnapshot = 7,
        Daemon = 8,
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
        match self {
            Self::NoState => (0, 0),
            Self::Running(reason) => (1, reason as i32),
            Self::Blocked => (2, 0),
            Self::Paused(reason) => (3, reason as i32),
            Self::Shutdown(reason) => (4, reason as i32),
            Self::Shutoff(reason) => (5, reason as i32),
            Self::Crashed { panicked } => (6, panicked as i32),
            Self::PmSuspended => (7, 0),
        }
    }

    /// Whether a hypervisor's process or context stands behind the domain.
    #[must_use]
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Shutoff(_) | Self::NoState)
    }
}
