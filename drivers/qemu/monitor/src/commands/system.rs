//! The machine as a whole: run state, power, version, keys, watchdog.

use crate::Nothing;
use crate::command::{commands, words};

use super::replies;

words! {
    /// QEMU's run state.
    RunState {
        /// Stopped by the debugger.
        Debug = "debug",
        /// Waits for incoming migration.
        InMigrate = "inmigrate",
        /// An error inside QEMU or KVM; only a reset helps.
        InternalError = "internal-error",
        /// Stopped because of an I/O error.
        IoError = "io-error",
        /// Stopped by `stop`.
        Paused = "paused",
        /// Migrated away.
        PostMigrate = "postmigrate",
        /// Not started yet (`-S`).
        PreLaunch = "prelaunch",
        /// At the end of migration.
        FinishMigrate = "finish-migrate",
        /// Restoring a snapshot.
        RestoreVm = "restore-vm",
        /// The guest runs.
        Running = "running",
        /// Saving a snapshot.
        SaveVm = "save-vm",
        /// Turned off, QEMU waits (`-no-shutdown`).
        Shutdown = "shutdown",
        /// Sleeps in memory.
        Suspended = "suspended",
        /// Stopped by the watchdog.
        Watchdog = "watchdog",
        /// Stopped because the guest panicked.
        GuestPanicked = "guest-panicked",
        /// Stopped by COLO.
        Colo = "colo",
    }

    /// What follows when the guest resets itself.
    RebootAction {
        /// Reset.
        Reset = "reset",
        /// As if it turned itself off.
        Shutdown = "shutdown",
    }

    /// What follows when the guest turns itself off.
    ShutdownAction {
        /// QEMU ends.
        Poweroff = "poweroff",
        /// QEMU stops and waits.
        Pause = "pause",
    }

    /// What follows when the guest panics.
    PanicAction {
        /// Stop.
        Pause = "pause",
        /// Turn off.
        Shutdown = "shutdown",
        /// Turn off, QEMU exits with an error.
        ExitFailure = "exit-failure",
        /// Go on.
        None = "none",
    }
}

commands! {
    /// QEMU's version.
    QueryVersion = "query-version" -> Version;
    /// The run state.
    QueryStatus = "query-status" -> Status;
    /// Lets the virtual CPUs run.
    Cont = "cont" -> Nothing;
    /// Stops the virtual CPUs.
    Stop = "stop" -> Nothing;
    /// Asks the guest to turn itself off.
    SystemPowerdown = "system_powerdown" -> Nothing;
    /// Resets the guest at once.
    SystemReset = "system_reset" -> Nothing;
    /// Wakes a guest that sleeps in memory.
    SystemWakeup = "system_wakeup" -> Nothing;
    /// Ends QEMU.
    Quit = "quit" -> Nothing;
    /// Sends a non-maskable interrupt to the guest.
    InjectNmi = "inject-nmi" -> Nothing;
    /// Whether KVM is there and used.
    QueryKvm = "query-kvm" -> Kvm;
    /// Facts that hold for the running machine.
    QueryCurrentMachine = "query-current-machine" -> CurrentMachine;
    /// What the watchdog does when it runs out.
    WatchdogSetAction(
        /// As for [`crate::event::WatchdogAction`].
        action: crate::event::WatchdogAction,
    ) = "watchdog-set-action" -> Nothing;
    /// What follows when the guest resets, turns off, panics. QEMU 6.0 on.
    SetAction[
        /// On reset.
        reboot: RebootAction,
        /// On power off.
        shutdown: ShutdownAction,
        /// On a panic.
        panic: PanicAction,
        /// When the watchdog runs out.
        watchdog: crate::event::WatchdogAction,
    ] = "set-action" -> Nothing;
    /// Presses keys together and lets them go.
    SendKey(
        /// The keys.
        keys: Vec<KeyValue>,
    )[
        /// How long they are held, in milliseconds. Default 100.
        hold_time: u32,
    ] = "send-key" -> Nothing;
    /// Runs a command of QEMU's text monitor and gives its output.
    HumanMonitorCommand(
        /// The line.
        command_line: String,
    )[
        /// The virtual CPU whose view is asked for.
        cpu_index: u32,
    ] = "human-monitor-command" -> String;
    /// Forgets clock ticks that the guest did not get (x86).
    RtcResetReinjection = "rtc-reset-reinjection" -> Nothing;
    /// The threads for I/O.
    QueryIothreads = "query-iothreads" -> Vec<Iothread>;
    /// Makes a descriptor known by name. It is passed with the command.
    Getfd(
        /// Its name.
        fdname: String,
    ) = "getfd" -> Nothing;
    /// Closes a descriptor that was made known by name.
    Closefd(
        /// Its name.
        fdname: String,
    ) = "closefd" -> Nothing;
    /// Adds a descriptor to a set, for names such as `/dev/fdset/3`. It is passed with the command.
    AddFd[
        /// The set; a new one if absent.
        fdset_id: i64,
        /// Free text that comes back in `query-fdsets`.
        opaque: String,
    ] = "add-fd" -> AddedFd;
    /// Takes a descriptor, or all, from a set.
    RemoveFd(
        /// The set.
        fdset_id: i64,
    )[
        /// The descriptor's number in QEMU.
        fd: i64,
    ] = "remove-fd" -> Nothing;
    /// The descriptor sets.
    QueryFdsets = "query-fdsets" -> Vec<Fdset>;
}

/// A key for `send-key`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum KeyValue {
    /// A scan code as QEMU numbers them.
    Number(u32),
    /// QEMU's name for the key.
    Qcode(String),
}

replies! {
    /// QEMU's version.
    Version {
        /// The numbers.
        qemu: VersionTriple,
        /// What the distribution calls it.
        #[serde(default)]
        package: String,
    }
    /// Major, minor and micro version.
    VersionTriple {
        /// First number.
        major: u32,
        /// Second number.
        minor: u32,
        /// Third number; 50 and more are development versions.
        micro: u32,
    }
    /// The run state.
    Status {
        /// Whether virtual CPUs run.
        running: bool,
        /// More exactly.
        status: RunState,
    }
    /// KVM.
    Kvm {
        /// Used by this QEMU.
        enabled: bool,
        /// Built in and `/dev/kvm` can be had.
        present: bool,
    }
    /// Facts that hold for the running machine.
    CurrentMachine {
        /// Whether `system_wakeup` works.
        #[serde(default)]
        wakeup_suspend_support: bool,
    }
    /// A thread for I/O.
    Iothread {
        /// Its id.
        id: String,
        /// The kernel's thread id.
        thread_id: i64,
        /// Longest busy wait in nanoseconds.
        poll_max_ns: Option<i64>,
        /// How fast the busy wait grows.
        poll_grow: Option<i64>,
        /// How fast the busy wait shrinks.
        poll_shrink: Option<i64>,
    }
    /// A descriptor that was added to a set.
    AddedFd {
        /// The set.
        fdset_id: i64,
        /// Its number in QEMU.
        fd: i64,
    }
    /// A set of descriptors.
    Fdset {
        /// The set.
        fdset_id: i64,
        /// What is in it.
        fds: Vec<FdsetFd>,
    }
    /// A descriptor of a set.
    FdsetFd {
        /// Its number in QEMU.
        fd: i64,
        /// Free text that was given with it.
        opaque: Option<String>,
    }
}
