//! What QEMU's events mean in the public API's terms, where that needs nothing but the event.

use virtbus_api::domain::{
    AgentReason, DomainEvent, DomainState, GraphicsAddress, GraphicsAddressFamily,
    GraphicsIdentity, GraphicsPhase, IoErrorAction, Lifecycle, PausedReason, ResumedDetail,
    RunningReason, SuspendedDetail, WatchdogAction,
};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_qemu_monitor::event::{self, Event};

use crate::definition;

/// The alias of the guest agent's channel begins so.
const AGENT_CHANNEL: &str = "channel";

/// What is told of a guest whose CPUs were halted or released, by the state that it has from then on: nothing of any other state.
pub(crate) fn cpus(state: DomainState) -> Vec<DomainEvent> {
    use PausedReason as P;
    use RunningReason as R;
    let happened = match state {
        DomainState::Paused(reason) => Lifecycle::Suspended(match reason {
            P::Migration => SuspendedDetail::Migrated,
            P::FromSnapshot => SuspendedDetail::FromSnapshot,
            P::IoError => SuspendedDetail::IoError,
            P::Watchdog => SuspendedDetail::Watchdog,
            P::Postcopy => SuspendedDetail::Postcopy,
            P::PostcopyFailed => SuspendedDetail::PostcopyFailed,
            P::ApiError => SuspendedDetail::ApiError,
            P::Unknown
            | P::User
            | P::Save
            | P::Dump
            | P::ShuttingDown
            | P::Snapshot
            | P::Crashed
            | P::StartingUp => SuspendedDetail::Paused,
        }),
        DomainState::Running(reason) => Lifecycle::Resumed(match reason {
            R::Restored | R::FromSnapshot => ResumedDetail::FromSnapshot,
            R::Migrated | R::MigrationCanceled => ResumedDetail::Migrated,
            R::Postcopy => ResumedDetail::Postcopy,
            R::PostcopyFailed => ResumedDetail::PostcopyFailed,
            R::Unknown | R::Booted | R::Unpaused | R::SaveCanceled | R::Wakeup | R::Crashed => {
                ResumedDetail::Unpaused
            }
        }),
        DomainState::NoState
        | DomainState::Blocked
        | DomainState::Shutdown(_)
        | DomainState::Shutoff(_)
        | DomainState::Crashed { .. }
        | DomainState::PmSuspended => return Vec::new(),
    };
    vec![DomainEvent::Lifecycle(happened)]
}

/// Events that only have to be told.
pub(crate) fn plain(event: &Event) -> Option<DomainEvent> {
    match event {
        Event::DeviceDeleted(gone) => Some(DomainEvent::DeviceRemoved {
            device: gone.device.clone()?,
        }),
        Event::DeviceUnplugGuestError(gone) => Some(DomainEvent::DeviceRemovalFailed {
            device: gone.device.clone()?,
        }),
        Event::DeviceTrayMoved(moved) => Some(DomainEvent::TrayChange {
            device: alias(&moved.id),
            open: moved.tray_open,
        }),
        Event::BalloonChange(change) => Some(DomainEvent::BalloonChange {
            actual: change.actual / 1024,
        }),
        Event::VserportChange(change) if change.id.starts_with(AGENT_CHANNEL) => {
            Some(DomainEvent::AgentLifecycle {
                connected: change.open,
                reason: AgentReason::Channel,
            })
        }
        Event::Graphics {
            phase, connection, ..
        } => Some(graphics(*phase, connection)),
        _ => None,
    }
}

/// A device's alias from its id or its QOM path.
fn alias(id: &str) -> String {
    id.rsplit('/')
        .find(|element| *element != "virtio-backend")
        .unwrap_or(id)
        .to_owned()
}

fn graphics(phase: event::GraphicsPhase, connection: &event::Graphics) -> DomainEvent {
    let address = |address: &event::GraphicsAddress| GraphicsAddress {
        family: match address.family.as_str() {
            "ipv6" => GraphicsAddressFamily::Ipv6,
            "unix" => GraphicsAddressFamily::Unix,
            _ => GraphicsAddressFamily::Ipv4,
        },
        node: address.host.clone(),
        service: address.service.clone(),
    };
    let identity = |kind: &str, name: &Option<String>| {
        name.as_ref().map(|name| GraphicsIdentity {
            kind: kind.to_owned(),
            name: name.clone(),
        })
    };
    DomainEvent::Graphics {
        phase: match phase {
            event::GraphicsPhase::Connect => GraphicsPhase::Connect,
            event::GraphicsPhase::Initialize => GraphicsPhase::Initialize,
            event::GraphicsPhase::Disconnect => GraphicsPhase::Disconnect,
        },
        remote: address(&connection.client),
        local: address(&connection.server),
        auth_scheme: connection.server.auth.clone().unwrap_or_default(),
        identities: [
            identity("x509dname", &connection.client.x509_dname),
            identity("saslUsername", &connection.client.sasl_username),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// A watchdog that fired.
pub(crate) fn watchdog(watchdog: &event::Watchdog) -> DomainEvent {
    use event::WatchdogAction as Qemu;
    let action = match watchdog.action {
        Qemu::Reset => WatchdogAction::Reset,
        Qemu::Shutdown => WatchdogAction::Shutdown,
        Qemu::Poweroff => WatchdogAction::PowerOff,
        Qemu::Pause => WatchdogAction::Pause,
        Qemu::Debug => WatchdogAction::Debug,
        Qemu::InjectNmi => WatchdogAction::InjectNmi,
        Qemu::None | Qemu::Other(_) => WatchdogAction::None,
    };
    DomainEvent::Watchdog { action }
}

/// An I/O error of a disk.
pub(crate) fn io_error(error: &event::BlockIoError, live: Option<&Definition>) -> DomainEvent {
    let device = match (&error.qom_path, error.device.as_str()) {
        (Some(path), "") => alias(path),
        (_, device) => device.to_owned(),
    };
    let source =
        live.and_then(|live| definition::disk_source(live, &device, error.node_name.as_deref()));
    DomainEvent::IoError {
        source: source.unwrap_or_default(),
        device,
        action: match error.action {
            event::ErrorAction::Report => IoErrorAction::Report,
            event::ErrorAction::Stop => IoErrorAction::Pause,
            event::ErrorAction::Ignore | event::ErrorAction::Other(_) => IoErrorAction::None,
        },
        reason: if error.nospace {
            "enospc".to_owned()
        } else {
            String::new()
        },
    }
}
