//! What QEMU announces by itself, as types.
//!
//! An event that is not listed here, or whose data has another form than expected, becomes
//! [`Event::Other`] with its data as JSON text, so nothing is ever lost or fatal. What an event
//! means for a guest is not decided here.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::command::words;

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

/// The three moments of a graphical connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphicsPhase {
    /// The client connected.
    Connect,
    /// The client was let in.
    Initialize,
    /// The client went away.
    Disconnect,
}

/// Which graphical protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphicsType {
    /// VNC.
    Vnc,
    /// SPICE.
    Spice,
}

fn no_reason() -> ShutdownReason {
    ShutdownReason::None
}

/// Something that QEMU announced.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The guest is off or is being turned off (`SHUTDOWN`).
    Shutdown(Shutdown),
    /// The guest was reset (`RESET`).
    Reset(Shutdown),
    /// The guest was asked to turn itself off (`POWERDOWN`).
    Powerdown,
    /// The virtual CPUs stopped (`STOP`).
    Stop,
    /// The virtual CPUs run (`RESUME`).
    Resume,
    /// The guest sleeps in memory (`SUSPEND`).
    Suspend,
    /// The guest hibernated (`SUSPEND_DISK`); QEMU turns it off.
    SuspendDisk,
    /// The guest woke up (`WAKEUP`).
    Wakeup,
    /// See [`RtcChange`].
    RtcChange(RtcChange),
    /// See [`Watchdog`].
    Watchdog(Watchdog),
    /// See [`BlockIoError`].
    BlockIoError(BlockIoError),
    /// A device is gone (`DEVICE_DELETED`).
    DeviceDeleted(DeviceGone),
    /// The guest would not let go of a device (`DEVICE_UNPLUG_GUEST_ERROR`).
    DeviceUnplugGuestError(DeviceGone),
    /// See [`DeviceTrayMoved`].
    DeviceTrayMoved(DeviceTrayMoved),
    /// See [`BalloonChange`].
    BalloonChange(BalloonChange),
    /// `GUEST_PANICKED`.
    GuestPanicked(GuestPanicked),
    /// The guest loaded its crash kernel (`GUEST_CRASHLOADED`).
    GuestCrashloaded(GuestPanicked),
    /// See [`VserportChange`].
    VserportChange(VserportChange),
    /// See [`NicRxFilterChanged`].
    NicRxFilterChanged(NicRxFilterChanged),
    /// See [`AcpiOst`].
    AcpiDeviceOst(AcpiDeviceOst),
    /// `BLOCK_JOB_COMPLETED`.
    BlockJobCompleted(BlockJob),
    /// `BLOCK_JOB_CANCELLED`.
    BlockJobCancelled(BlockJob),
    /// `BLOCK_JOB_READY`.
    BlockJobReady(BlockJob),
    /// `BLOCK_JOB_ERROR`.
    BlockJobError(BlockJobError),
    /// `BLOCK_JOB_PENDING`.
    BlockJobPending(BlockJobPending),
    /// See [`JobStatusChange`].
    JobStatusChange(JobStatusChange),
    /// See [`Migration`].
    Migration(Migration),
    /// See [`MigrationPass`].
    MigrationPass(MigrationPass),
    /// See [`MemoryFailure`].
    MemoryFailure(MemoryFailure),
    /// See [`MemoryDeviceSizeChange`].
    MemoryDeviceSizeChange(MemoryDeviceSizeChange),
    /// See [`BlockWriteThreshold`].
    BlockWriteThreshold(BlockWriteThreshold),
    /// Another process provides a netdev's stream (`NETDEV_STREAM_CONNECTED`).
    NetdevStreamConnected(NetdevConnection),
    /// It went away (`NETDEV_STREAM_DISCONNECTED`).
    NetdevStreamDisconnected(NetdevConnection),
    /// A vhost-user back end connected (`NETDEV_VHOST_USER_CONNECTED`).
    NetdevVhostUserConnected(NetdevConnection),
    /// It went away (`NETDEV_VHOST_USER_DISCONNECTED`).
    NetdevVhostUserDisconnected(NetdevConnection),
    /// See [`UnplugPrimary`].
    UnplugPrimary(UnplugPrimary),
    /// See [`PrManagerStatusChanged`].
    PrManagerStatusChanged(PrManagerStatusChanged),
    /// `VNC_CONNECTED`, `SPICE_INITIALIZED` and their like.
    Graphics {
        /// VNC or SPICE.
        protocol: GraphicsType,
        /// Which of the moments.
        phase: GraphicsPhase,
        /// Who and where.
        connection: Box<Graphics>,
    },
    /// The memory of SPICE's display was moved to the migration's destination
    /// (`SPICE_MIGRATE_COMPLETED`).
    SpiceMigrateCompleted,
    /// Anything else, as it came.
    Other {
        /// The event's name.
        name: String,
        /// Its data as JSON text.
        data: Option<Box<str>>,
    },
}

impl Event {
    /// Gives an event its type.
    pub(crate) fn from_raw(name: String, data: Option<Box<RawValue>>) -> Self {
        match Self::parse(&name, data.as_deref()) {
            Ok(Some(event)) => event,
            Ok(None) => Self::other(name, data),
            Err(error) => {
                tracing::debug!(event = name, %error, "event data of unexpected form, passing it on as it is");
                Self::other(name, data)
            }
        }
    }

    fn other(name: String, data: Option<Box<RawValue>>) -> Self {
        Self::Other {
            name,
            data: data.map(Into::into),
        }
    }

    fn parse(name: &str, data: Option<&RawValue>) -> Result<Option<Self>, serde_json::Error> {
        let data = Payload(data);
        Ok(Some(match name {
            "SHUTDOWN" => Self::Shutdown(data.shutdown()?),
            "RESET" => Self::Reset(data.shutdown()?),
            "POWERDOWN" => Self::Powerdown,
            "STOP" => Self::Stop,
            "RESUME" => Self::Resume,
            "SUSPEND" => Self::Suspend,
            "SUSPEND_DISK" => Self::SuspendDisk,
            "WAKEUP" => Self::Wakeup,
            "RTC_CHANGE" => Self::RtcChange(data.read()?),
            "WATCHDOG" => Self::Watchdog(data.read()?),
            "BLOCK_IO_ERROR" => Self::BlockIoError(data.read()?),
            "DEVICE_DELETED" => Self::DeviceDeleted(data.read()?),
            "DEVICE_UNPLUG_GUEST_ERROR" => Self::DeviceUnplugGuestError(data.read()?),
            "DEVICE_TRAY_MOVED" => Self::DeviceTrayMoved(data.read()?),
            "BALLOON_CHANGE" => Self::BalloonChange(data.read()?),
            "GUEST_PANICKED" => Self::GuestPanicked(data.read()?),
            "GUEST_CRASHLOADED" => Self::GuestCrashloaded(data.read()?),
            "VSERPORT_CHANGE" => Self::VserportChange(data.read()?),
            "NIC_RX_FILTER_CHANGED" => Self::NicRxFilterChanged(data.read()?),
            "ACPI_DEVICE_OST" => Self::AcpiDeviceOst(data.read()?),
            "BLOCK_JOB_COMPLETED" => Self::BlockJobCompleted(data.read()?),
            "BLOCK_JOB_CANCELLED" => Self::BlockJobCancelled(data.read()?),
            "BLOCK_JOB_READY" => Self::BlockJobReady(data.read()?),
            "BLOCK_JOB_ERROR" => Self::BlockJobError(data.read()?),
            "BLOCK_JOB_PENDING" => Self::BlockJobPending(data.read()?),
            "JOB_STATUS_CHANGE" => Self::JobStatusChange(data.read()?),
            "MIGRATION" => Self::Migration(data.read()?),
            "MIGRATION_PASS" => Self::MigrationPass(data.read()?),
            "MEMORY_FAILURE" => Self::MemoryFailure(data.read()?),
            "MEMORY_DEVICE_SIZE_CHANGE" => Self::MemoryDeviceSizeChange(data.read()?),
            "BLOCK_WRITE_THRESHOLD" => Self::BlockWriteThreshold(data.read()?),
            "NETDEV_STREAM_CONNECTED" => Self::NetdevStreamConnected(data.read()?),
            "NETDEV_STREAM_DISCONNECTED" => Self::NetdevStreamDisconnected(data.read()?),
            "NETDEV_VHOST_USER_CONNECTED" => Self::NetdevVhostUserConnected(data.read()?),
            "NETDEV_VHOST_USER_DISCONNECTED" => Self::NetdevVhostUserDisconnected(data.read()?),
            "UNPLUG_PRIMARY" => Self::UnplugPrimary(data.read()?),
            "PR_MANAGER_STATUS_CHANGED" => Self::PrManagerStatusChanged(data.read()?),
            "SPICE_MIGRATE_COMPLETED" => Self::SpiceMigrateCompleted,
            "VNC_CONNECTED" => data.graphics(GraphicsType::Vnc, GraphicsPhase::Connect)?,
            "VNC_INITIALIZED" => data.graphics(GraphicsType::Vnc, GraphicsPhase::Initialize)?,
            "VNC_DISCONNECTED" => data.graphics(GraphicsType::Vnc, GraphicsPhase::Disconnect)?,
            "SPICE_CONNECTED" => data.graphics(GraphicsType::Spice, GraphicsPhase::Connect)?,
            "SPICE_INITIALIZED" => data.graphics(GraphicsType::Spice, GraphicsPhase::Initialize)?,
            "SPICE_DISCONNECTED" => {
                data.graphics(GraphicsType::Spice, GraphicsPhase::Disconnect)?
            }
            _ => return Ok(None),
        }))
    }
}

/// An event's data on its way to a type.
#[derive(Clone, Copy)]
struct Payload<'a>(Option<&'a RawValue>);

impl Payload<'_> {
    fn read<T: serde::de::DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.map_or("{}", RawValue::get))
    }

    fn graphics(
        self,
        protocol: GraphicsType,
        phase: GraphicsPhase,
    ) -> Result<Event, serde_json::Error> {
        Ok(Event::Graphics {
            protocol,
            phase,
            connection: Box::new(self.read()?),
        })
    }

    /// QEMU before 2.10 sent these two without data; nobody can say then who began it.
    fn shutdown(self) -> Result<Shutdown, serde_json::Error> {
        match self.0 {
            Some(_) => self.read(),
            None => Ok(Shutdown {
                guest: false,
                reason: ShutdownReason::None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BlockIoError, BlockJobType, ErrorAction, Event, GraphicsPhase, GraphicsType, IoOperation,
        PanicInfo, Shutdown, ShutdownReason,
    };
    use serde_json::value::RawValue;

    fn event(name: &str, data: &str) -> Event {
        let data = (!data.is_empty()).then(|| RawValue::from_string(data.to_owned()).unwrap());
        Event::from_raw(name.to_owned(), data)
    }

    #[test]
    fn shutdown_tells_who_began_it() {
        let expected = Event::Shutdown(Shutdown {
            guest: true,
            reason: ShutdownReason::GuestShutdown,
        });
        let found = event(
            "SHUTDOWN",
            r#"{"guest": true, "reason": "guest-shutdown", "new": {}}"#,
        );
        assert_eq!(found, expected);
        let new = event("RESET", r#"{"guest": false, "reason": "moon"}"#);
        assert!(
            matches!(new, Event::Reset(s) if s.reason == ShutdownReason::Other("moon".to_owned()))
        );
    }

    #[test]
    fn block_errors_keep_their_node() {
        let found = event(
            "BLOCK_IO_ERROR",
            r#"{"device": "", "node-name": "n1", "operation": "write", "action": "stop", "nospace": true, "reason": "No space left on device"}"#,
        );
        let expected = BlockIoError {
            device: String::new(),
            qom_path: None,
            node_name: Some("n1".to_owned()),
            operation: IoOperation::Write,
            action: ErrorAction::Stop,
            nospace: true,
            reason: "No space left on device".to_owned(),
        };
        assert_eq!(found, Event::BlockIoError(expected));
    }

    #[test]
    fn graphics_of_both_kinds_are_read() {
        let vnc = event(
            "VNC_INITIALIZED",
            r#"{"server": {"auth": "sasl", "family": "ipv4", "service": "5901", "host": "0.0.0.0", "websocket": false},
                "client": {"family": "ipv4", "service": "46089", "host": "127.0.0.1", "websocket": false, "sasl_username": "luiz"}}"#,
        );
        let Event::Graphics {
            protocol: GraphicsType::Vnc,
            phase: GraphicsPhase::Initialize,
            connection,
        } = vnc
        else {
            panic!("{vnc:?}")
        };
        assert_eq!(connection.client.sasl_username.as_deref(), Some("luiz"));
        let spice = event(
            "SPICE_CONNECTED",
            r#"{"server": {"port": "5920", "family": "ipv4", "host": "127.0.0.1"},
                "client": {"port": "52873", "family": "ipv4", "host": "127.0.0.1"}}"#,
        );
        assert!(
            matches!(spice, Event::Graphics { connection, .. } if connection.client.service == "52873")
        );
    }

    #[test]
    fn a_panic_may_come_with_details() {
        let found = event(
            "GUEST_PANICKED",
            r#"{"action": "pause", "info": {"type": "hyper-v", "arg1": 1, "arg2": 2, "arg3": 3, "arg4": 4, "arg5": 18446744073709551615}}"#,
        );
        assert!(
            matches!(found, Event::GuestPanicked(p) if matches!(p.info, Some(PanicInfo::HyperV { arg5: u64::MAX, .. })))
        );
        let new = event(
            "GUEST_PANICKED",
            r#"{"action": "pause", "info": {"type": "tdx", "x": 1}}"#,
        );
        assert!(matches!(new, Event::GuestPanicked(p) if p.info == Some(PanicInfo::Other)));
    }

    #[test]
    fn jobs_are_read() {
        let found = event(
            "BLOCK_JOB_READY",
            r#"{"device": "copy-vda", "type": "mirror", "speed": 0, "len": 10, "offset": 10}"#,
        );
        assert!(matches!(found, Event::BlockJobReady(j) if j.kind == BlockJobType::Mirror));
    }

    #[test]
    fn what_is_not_known_is_passed_on() {
        let data = r#"{"x":[1]}"#;
        let other = |name: &str, data: &str| Event::Other {
            name: name.to_owned(),
            data: (!data.is_empty()).then(|| data.into()),
        };
        assert_eq!(event("NEW_EVENT", data), other("NEW_EVENT", data));
        assert_eq!(event("NEW_EVENT", ""), other("NEW_EVENT", ""));
        // Known by name but of another form.
        assert_eq!(event("BALLOON_CHANGE", data), other("BALLOON_CHANGE", data));
        assert_eq!(event("WATCHDOG", ""), other("WATCHDOG", ""));
    }
}
