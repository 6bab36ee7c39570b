//! What comes with QEMU's events: words, and one struct for each kind of data.
//!
//! Which event carries what is told by [`Event`](super::Event).

use serde::Deserialize;

use crate::command::words;

words! {
    /// Why QEMU shut down or reset.
    ShutdownReason {
        /// No reason known.
        None = "none",
        /// An error on the host.
        HostError = "host-error",
        /// The `quit` command.
        HostQmpQuit = "host-qmp-quit",
        /// The `system_reset` command.
        HostQmpSystemReset = "host-qmp-system-reset",
        /// A signal such as SIGTERM.
        HostSignal = "host-signal",
        /// The window was closed.
        HostUi = "host-ui",
        /// The guest turned itself off.
        GuestShutdown = "guest-shutdown",
        /// The guest reset itself.
        GuestReset = "guest-reset",
        /// The guest panicked and its action is to shut down.
        GuestPanic = "guest-panic",
        /// Part of a subsystem's own reset.
        SubsystemReset = "subsystem-reset",
        /// A snapshot is being loaded.
        SnapshotLoad = "snapshot-load",
    }

    /// What was done after a block I/O error.
    ErrorAction {
        /// The guest does not hear of it.
        Ignore = "ignore",
        /// The guest got the error.
        Report = "report",
        /// The guest was stopped.
        Stop = "stop",
    }

    /// Whether an I/O error met a read or a write.
    IoOperation {
        /// A read.
        Read = "read",
        /// A write.
        Write = "write",
    }

    /// What the watchdog did.
    WatchdogAction {
        /// Reset the guest.
        Reset = "reset",
        /// Asked the guest to shut down.
        Shutdown = "shutdown",
        /// Turned the guest off.
        Poweroff = "poweroff",
        /// Stopped the guest.
        Pause = "pause",
        /// Wrote a message only.
        Debug = "debug",
        /// Nothing.
        None = "none",
        /// Sent a non-maskable interrupt.
        InjectNmi = "inject-nmi",
    }

    /// What followed a guest's panic.
    PanicAction {
        /// The guest was stopped.
        Pause = "pause",
        /// The guest was turned off.
        Poweroff = "poweroff",
        /// The guest goes on.
        Run = "run",
    }

    /// How an I/O job (QEMU's `JobStatus`) is doing.
    JobStatus {
        /// Erroneous.
        Undefined = "undefined",
        /// Made, not started.
        Created = "created",
        /// Working.
        Running = "running",
        /// Held by the user or an error.
        Paused = "paused",
        /// Ready to complete.
        Ready = "ready",
        /// Paused while ready.
        Standby = "standby",
        /// Waits for the others of its transaction.
        Waiting = "waiting",
        /// Waits for `job-finalize`.
        Pending = "pending",
        /// Being cancelled or failing.
        Aborting = "aborting",
        /// Done; waits for `job-dismiss`.
        Concluded = "concluded",
        /// Gone.
        Null = "null",
    }

    /// What kind of work a block job does.
    BlockJobType {
        /// Block commit.
        Commit = "commit",
        /// Block pull.
        Stream = "stream",
        /// Block copy.
        Mirror = "mirror",
        /// Backup.
        Backup = "backup",
        /// Image creation.
        Create = "create",
        /// Change of image options.
        Amend = "amend",
    }

    /// How migration is doing.
    MigrationStatus {
        /// Never began.
        None = "none",
        /// Being set up.
        Setup = "setup",
        /// Being cancelled.
        Cancelling = "cancelling",
        /// Was cancelled.
        Cancelled = "cancelled",
        /// Transferring.
        Active = "active",
        /// The destination runs, pages still come.
        PostcopyActive = "postcopy-active",
        /// Post-copy lost its connection.
        PostcopyPaused = "postcopy-paused",
        /// Post-copy is about to go on.
        PostcopyRecoverSetup = "postcopy-recover-setup",
        /// Post-copy is going on after an interruption.
        PostcopyRecover = "postcopy-recover",
        /// Done.
        Completed = "completed",
        /// Failed.
        Failed = "failed",
        /// COLO replication.
        Colo = "colo",
        /// Stopped before the switch, waits for `migrate-continue`.
        PreSwitchover = "pre-switchover",
        /// The last device state is on its way.
        Device = "device",
        /// Waits for a device to be unplugged.
        WaitUnplug = "wait-unplug",
    }
}

/// Declares the payloads.
macro_rules! payloads {
    ($( $(#[$meta:meta])* $name:ident { $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* $(,)? } )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }
    )*};
}

payloads! {
    /// QEMU shuts down or resets the guest.
    Shutdown {
        /// Whether the guest began it.
        guest: bool,
        /// Why; [`ShutdownReason::None`] from QEMU that does not say.
        #[serde(default = "no_reason")]
        reason: ShutdownReason,
    }
    /// The guest set its clock.
    RtcChange {
        /// Seconds from the host's clock that QEMU started with.
        offset: i64,
        /// The clock device, from QEMU 7.0 on.
        qom_path: Option<String>,
    }
    /// The watchdog timer ran out.
    Watchdog {
        /// What was done.
        action: WatchdogAction,
    }
    /// Reading or writing a disk failed.
    BlockIoError {
        /// Name of the drive; empty for disks made by `-blockdev`.
        #[serde(default)]
        device: String,
        /// QOM path of the device, from QEMU 9.2 on.
        qom_path: Option<String>,
        /// Block node.
        node_name: Option<String>,
        /// Read or write.
        operation: IoOperation,
        /// What was done.
        action: ErrorAction,
        /// Whether the host's storage is full.
        #[serde(default)]
        nospace: bool,
        /// For a person.
        #[serde(default)]
        reason: String,
    }
    /// A device was removed, or the guest refused to let it go.
    DeviceGone {
        /// The device's id, if it has one.
        device: Option<String>,
        /// Its QOM path.
        path: String,
    }
    /// A removable medium's tray moved.
    DeviceTrayMoved {
        /// Name of the drive; empty for disks made by `-blockdev`.
        #[serde(default)]
        device: String,
        /// The device's id or QOM path.
        id: String,
        /// Whether the tray is open now.
        tray_open: bool,
    }
    /// The balloon changed.
    BalloonChange {
        /// The guest's memory now, in bytes.
        actual: u64,
    }
    /// A guest panicked, or its crash kernel was loaded.
    GuestPanicked {
        /// What followed.
        action: PanicAction,
        /// What the guest told about it.
        info: Option<PanicInfo>,
    }
    /// A guest opened or closed a virtio serial port.
    VserportChange {
        /// The port's device id.
        id: String,
        /// Whether it is open in the guest.
        open: bool,
    }
    /// A network card's receive filter changed; `query-rx-filter` tells how.
    NicRxFilterChanged {
        /// The device's id.
        name: Option<String>,
        /// Its QOM path.
        path: String,
    }
    /// The guest's firmware reported on a hot-plug request.
    AcpiDeviceOst {
        /// What it said.
        info: AcpiOst,
    }
    /// ACPI `_OST` data.
    AcpiOst {
        /// The device's id.
        device: Option<String>,
        /// Slot.
        slot: String,
        /// `DIMM` or `CPU`.
        slot_type: String,
        /// The `_OST` source event.
        source: i64,
        /// The `_OST` status code.
        status: i64,
    }
    /// A block job came to its end, or became ready for it.
    BlockJob {
        /// The kind of job.
        #[serde(rename = "type")]
        kind: BlockJobType,
        /// The job's id.
        device: String,
        /// Bytes to do altogether.
        len: u64,
        /// Bytes done.
        offset: u64,
        /// Speed limit in bytes per second; 0 is none.
        speed: i64,
        /// Why it failed, if it did.
        error: Option<String>,
    }
    /// A block job met an I/O error.
    BlockJobError {
        /// The job's id.
        device: String,
        /// Read or write.
        operation: IoOperation,
        /// What was done.
        action: ErrorAction,
    }
    /// A block job waits for `job-finalize`.
    BlockJobPending {
        /// The kind of job.
        #[serde(rename = "type")]
        kind: BlockJobType,
        /// The job's id.
        id: String,
    }
    /// A job changed its status.
    JobStatusChange {
        /// The job's id.
        id: String,
        /// Its status now.
        status: JobStatus,
    }
    /// A dump of the guest's memory ended.
    DumpCompleted {
        /// Why it failed, if it did.
        error: Option<String>,
    }
    /// Migration changed its status.
    Migration {
        /// The status now.
        status: MigrationStatus,
    }
    /// Migration began a pass over memory.
    MigrationPass {
        /// Number of the pass, from 1.
        pass: i64,
    }
    /// The host's memory failed under the guest.
    MemoryFailure {
        /// `hypervisor` or `guest`.
        recipient: String,
        /// `ignore`, `inject`, `fatal` or `reset`.
        action: String,
        /// Details.
        flags: MemoryFailureFlags,
    }
    /// Details of a memory failure.
    MemoryFailureFlags {
        /// The guest must act at once.
        #[serde(default)]
        action_required: bool,
        /// A failure while an earlier one was being handled.
        #[serde(default)]
        recursive: bool,
    }
    /// A memory device took its new size.
    MemoryDeviceSizeChange {
        /// The device's id.
        id: Option<String>,
        /// Its size now, in bytes.
        size: u64,
        /// Its QOM path, from QEMU 6.2 on.
        qom_path: Option<String>,
    }
    /// A block node was written to beyond its threshold.
    BlockWriteThreshold {
        /// The node.
        node_name: String,
        /// By how many bytes.
        amount_exceeded: u64,
        /// The threshold, in bytes.
        write_threshold: u64,
    }
    /// One side of a graphical connection.
    GraphicsAddress {
        /// Address, or path of a socket.
        host: String,
        /// Port.
        #[serde(alias = "port", default)]
        service: String,
        /// `ipv4`, `ipv6`, `unix`, …
        family: String,
        /// How the client is authenticated, or the server asks for it.
        auth: Option<String>,
        /// Distinguished name from the client's certificate (VNC).
        #[serde(rename = "x509_dname")]
        x509_dname: Option<String>,
        /// User name (VNC with SASL).
        #[serde(rename = "sasl_username")]
        sasl_username: Option<String>,
    }
    /// A graphical client came, was let in, or went.
    Graphics {
        /// This host's side.
        server: GraphicsAddress,
        /// The client's side.
        client: GraphicsAddress,
    }
    /// A host network interface was attached to or lost by a netdev.
    NetdevConnection {
        /// The netdev's id.
        netdev_id: String,
    }
    /// A virtio failover primary was unplugged or could not be.
    UnplugPrimary {
        /// The device's id.
        device_id: String,
    }
    /// The persistent reservation helper came or went.
    PrManagerStatusChanged {
        /// The object's id.
        id: String,
        /// Whether it is there.
        connected: bool,
    }
}

/// What a panicked guest told about itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum PanicInfo {
    /// Hyper-V's crash registers.
    HyperV {
        /// First parameter.
        arg1: u64,
        /// Second parameter.
        arg2: u64,
        /// Third parameter.
        arg3: u64,
        /// Fourth parameter.
        arg4: u64,
        /// Fifth parameter.
        arg5: u64,
    },
    /// s390's wait state.
    S390 {
        /// The CPU.
        core: u32,
        /// Mask of the program status word.
        #[serde(rename = "psw-mask")]
        psw_mask: u64,
        /// Address of the program status word.
        #[serde(rename = "psw-addr")]
        psw_addr: u64,
        /// Why.
        reason: String,
    },
    /// A kind that is not known here.
    #[serde(other)]
    Other,
}

fn no_reason() -> ShutdownReason {
    ShutdownReason::None
}
