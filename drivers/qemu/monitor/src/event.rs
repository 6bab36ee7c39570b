//! What QEMU announces by itself, as types.
//!
//! An event that is not listed here, or whose data has another form than expected, becomes
//! [`Event::Other`] with its data as JSON text, so nothing is ever lost or fatal. What an event
//! means for a guest is not decided here.

mod payload;

use serde_json::value::RawValue;

pub use payload::{
    AcpiDeviceOst, AcpiOst, BalloonChange, BlockIoError, BlockJob, BlockJobError, BlockJobPending,
    BlockJobType, BlockWriteThreshold, DeviceGone, DeviceTrayMoved, DumpCompleted, ErrorAction,
    Graphics, GraphicsAddress, GuestPanicked, IoOperation, JobStatus, JobStatusChange,
    MemoryDeviceSizeChange, MemoryFailure, MemoryFailureFlags, Migration, MigrationPass,
    MigrationStatus, NetdevConnection, NicRxFilterChanged, PanicAction, PanicInfo,
    PrManagerStatusChanged, RtcChange, Shutdown, ShutdownReason, UnplugPrimary, VserportChange,
    Watchdog, WatchdogAction,
};

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
    /// See [`DumpCompleted`].
    DumpCompleted(DumpCompleted),
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
            "DUMP_COMPLETED" => Self::DumpCompleted(data.read()?),
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
