//! The daemon's life: opens the drivers, serves them, takes the names, tells systemd, and ends when nobody needs it.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use libsystemd::daemon::{NotifyState, notify, watchdog_enabled};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use virtbus_api::ErrorCode;
use virtbus_api::access::{Authorizer, Guard};
use virtbus_api::connections::{Connections, Driver, Drivers};
use virtbus_dbus::{Arrivals, BUS_NAME, Clients, Limits, PLAIN_BUS_NAME, Service};
use virtbus_util::dirs::Dirs;
use zbus::fdo::{DBusProxy, RequestNameFlags};
use zbus::names::BusName;
use zbus::{Address, Connection, MessageStream};

use crate::access::{Owner, Polkit};
use crate::bus_thread::BusThread;
use crate::descriptors;
use crate::drivers::{self, Host};
use crate::logging::Logging;
use crate::mode::Mode;
use crate::ownership::{self, OwnershipError};
use crate::settings::{Settings, named_uri};
use crate::subsystems;

/// What keeps the daemon from running.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    #[error("cannot start the thread of the bus")]
    Thread(#[source] std::io::Error),
    #[error("cannot connect to {bus}")]
    Connect { bus: Mode, source: zbus::Error },
    #[error("cannot take the name {name} on the bus")]
    Name {
        name: &'static str,
        source: zbus::Error,
    },
    #[error("cannot take the name {name} on the bus: process {process} has it")]
    Served { name: &'static str, process: u32 },
    #[error("the bus connection ended")]
    Bus(#[source] zbus::Error),
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    #[error("cannot open the driver '{name}'")]
    Driver {
        name: String,
        source: virtbus_api::Error,
    },
    #[error("the setting daemon.connections has '{name}', which cannot be served")]
    Connection {
        name: String,
        source: virtbus_api::Error,
    },
    #[error("unknown driver '{name}' (built in: {})", drivers::BUILT_IN.join(", "))]
    UnknownDriver { name: String },
    #[error("cannot listen to signals of the operating system")]
    Signals(#[source] std::io::Error),
}

impl DaemonError {
    /// Whether callers wait for an answer that nobody else gives.
    pub(crate) fn leaves_callers(&self) -> bool {
        match self {
            Self::UnknownDriver { .. }
            | Self::Ownership(_)
            | Self::Driver { .. }
            | Self::Connection { .. }
            | Self::Signals(_)
            | Self::Thread(_) => true,
            // There is no bus, or another daemon on it.
            Self::Connect { .. } | Self::Name { .. } | Self::Served { .. } | Self::Bus(_) => false,
        }
    }

    /// Whether only somebody who changes the command line, the settings or the system can help: starting again would end in the same way.
    pub(crate) fn is_configuration(&self) -> bool {
        match self {
            Self::UnknownDriver { .. } | Self::Connection { .. } => true,
            Self::Ownership(error) => matches!(error, OwnershipError::Taken { .. }),
            Self::Driver { source, .. } => source.code == ErrorCode::ConfigUnsupported,
            Self::Thread(_)
            | Self::Connect { .. }
            | Self::Name { .. }
            | Self::Served { .. }
            | Self::Bus(_)
            | Self::Signals(_) => false,
        }
    }
}

/// How the daemon is to run.
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) settings: Settings,
    pub(crate) dirs: Dirs,
    pub(crate) drivers: Vec<String>,
    /// Drivers of which connections can be opened, and none is served from the start.
    pub(crate) on_demand: Vec<Arc<dyn Driver>>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) logging: Arc<Logging>,
}

/// Runs until a signal, the end of the bus, or idleness ends it.
pub(crate) async fn run(plan: Plan) -> Result<(), DaemonError> {
    for name in &plan.drivers {
        if !drivers::BUILT_IN.contains(&name.as_str()) {
            let name = name.clone();
            return Err(DaemonError::UnknownDriver { name });
        }
    }
    let signals = Signals::listen().map_err(DaemonError::Signals)?;
    ownership::take(&plan.dirs).await?;
    let thread = BusThread::start().map_err(DaemonError::Thread)?;
    let calls = usize::try_from(plan.settings.daemon.calls_per_client).unwrap_or(usize::MAX);
    let limits = Limits::new(calls, descriptors::raise_limit());
    // What has not been looked at yet may be as much as what one user may have under way.
    let arrivals = Arrivals::new(limits.descriptors.user);
    let connecting = connect(plan.mode.clone(), Arc::clone(&arrivals));
    let connected = thread.run(connecting).await;
    let (bus, messages) = connected
        .unwrap_or_else(|error| Err(zbus::Error::Failure(error.to_string())))
        .map_err(|source| DaemonError::Connect {
            bus: plan.mode.clone(),
            source,
        })?;
    expect_no_other(&bus).await?;
    let authorizer: Arc<dyn Authorizer> = if plan.mode.is_system() {
        Arc::new(Polkit::new(drivers::guests_user(&plan.settings)))
    } else {
        Arc::new(Owner::current())
    };
    let host = Host {
        mode: &plan.mode,
        settings: &plan.settings,
        dirs: &plan.dirs,
    };
    let subsystems = subsystems::open(&host).await;
    let subsystems = subsystems.map_err(|failed| DaemonError::Driver {
        name: failed.name.to_owned(),
        source: failed.source,
    })?;
    let clients = Clients::new(&arrivals);
    let known = Drivers::new(subsystems.providers.with_clients(Arc::new(clients.clone())));
    let mut opened = Vec::new();
    for name in &plan.drivers {
        // A daemon without one of its drivers would look healthy to systemd, and like one that has lost all guests to clients.
        let driver = drivers::open(name, &host, known.providers()).await;
        let driver = driver.map_err(|source| DaemonError::Driver {
            name: name.clone(),
            source,
        })?;
        known.add(Arc::clone(&driver.driver));
        opened.push(driver);
    }
    for driver in &plan.on_demand {
        known.add(Arc::clone(driver));
    }
    let connections = Connections::new(Guard::new(authorizer), known);
    let service = Service::new(bus.clone(), arrivals, &clients, &connections, limits);
    service.serve_log_control(plan.logging.clone());
    let mut when_served = subsystems.when_served;
    for driver in opened {
        connections.serve(driver.connection);
        when_served.push(driver.when_served);
    }
    serve_later(&connections, &plan.settings)?;

    let serving = {
        let service = service.clone();
        thread.run(async move { service.run(messages).await })
    };
    // Objects first, names last: whoever sees the name finds the objects. The name that clients and systemd wait for is the very
    // last, so that whoever sees it finds the other too.
    for name in [PLAIN_BUS_NAME, BUS_NAME] {
        // Not with the library's defaults, by which the next one who asks has the name.
        bus.request_name_with_flags(name, RequestNameFlags::DO_NOT_QUEUE)
            .await
            .map_err(|source| DaemonError::Name { name, source })?;
    }
    tell_systemd(&[NotifyState::Ready]);
    tracing::info!(drivers = ?plan.drivers, "serving");
    for action in when_served {
        action();
    }

    let ended = tokio::select! {
        ended = serving => match ended {
            Ok(Ok(())) => Err(DaemonError::Bus(zbus::Error::InputOutput(Arc::new(std::io::Error::other("closed by the bus"))))),
            Ok(Err(error)) => Err(DaemonError::Bus(error)),
            Err(error) => Err(DaemonError::Bus(zbus::Error::Failure(error.to_string()))),
        },
        name = signals.end() => Ok(name),
        () = idle(&service, &connections, plan.idle_timeout) => Ok("no call, and no guest to watch"),
        never = report_to_watchdog(&thread) => match never {},
    };
    let reason = ended?;
    tracing::info!(reason, "ending");
    tell_systemd(&[NotifyState::Stopping]);
    for name in [PLAIN_BUS_NAME, BUS_NAME] {
        // Calls that come from now on start the next daemon; those that came before are answered yet.
        let _ = bus.release_name(name).await;
    }
    service.flush().await;
    Ok(())
}

/// Serves the connections of the settings, each from when it is used first.
fn serve_later(connections: &Connections, settings: &Settings) -> Result<(), DaemonError> {
    let named = settings.daemon.connections.iter();
    for (name, uri) in named.filter_map(|text| named_uri(text)) {
        let served = connections.serve_later(name, uri);
        served.map_err(|source| DaemonError::Connection {
            name: name.to_owned(),
            source,
        })?;
    }
    Ok(())
}

/// Signals of the operating system. Each has a handler here, as most would end the daemon otherwise; programs that are started have
/// none of them.
struct Signals {
    end: Vec<(&'static str, Signal)>,
    ignored: Vec<(&'static str, Signal)>,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let listen = |kinds: &[(&'static str, SignalKind)]| {
            let listen = |(name, kind): &(&'static str, SignalKind)| Ok((*name, signal(*kind)?));
            kinds
                .iter()
                .map(listen)
                .collect::<std::io::Result<Vec<_>>>()
        };
        Ok(Self {
            end: listen(&[
                ("SIGTERM", SignalKind::terminate()),
                ("SIGINT", SignalKind::interrupt()),
            ])?,
            ignored: listen(&[
                // A terminal that is closed, or who expects settings to be read again.
                ("SIGHUP", SignalKind::hangup()),
                ("SIGUSR1", SignalKind::user_defined1()),
                ("SIGUSR2", SignalKind::user_defined2()),
                ("SIGALRM", SignalKind::alarm()),
            ])?,
        })
    }

    /// Waits for a signal that asks the daemon to end, and says which. Tells of the others that nothing comes of them.
    async fn end(mut self) -> &'static str {
        std::future::poll_fn(|context| {
            for (name, signal) in &mut self.ignored {
                while signal.poll_recv(context).is_ready() {
                    tracing::info!(
                        "{name} is ignored: settings are read at start; restart the daemon, which does not disturb guests"
                    );
                }
            }
            for (name, signal) in &mut self.end {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*name);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Connects to the bus. What comes from then on is in the stream.
async fn connect(mode: Mode, arrivals: Arc<Arrivals>) -> zbus::Result<(Connection, MessageStream)> {
    let address = match &mode {
        Mode::System => Address::system()?,
        Mode::Session => Address::session()?,
        Mode::Private(address) => Address::try_from(address.as_str())?,
    };
    virtbus_dbus::connect(address, &arrivals).await
}

/// Makes sure that nobody serves this bus yet: the drivers take charge of guests as they are opened, which is before the names
/// are taken.
async fn expect_no_other(bus: &Connection) -> Result<(), DaemonError> {
    let owned = async |name| {
        let proxy = DBusProxy::new(bus).await?;
        zbus::Result::Ok(proxy.name_has_owner(BusName::try_from(name)?).await?)
    };
    for name in [BUS_NAME, PLAIN_BUS_NAME] {
        match owned(name).await {
            Ok(false) => {}
            Ok(true) => {
                let source = zbus::Error::NameTaken;
                return Err(match process_of(bus, name).await {
                    Some(process) => DaemonError::Served { name, process },
                    None => DaemonError::Name { name, source },
                });
            }
            Err(source) => return Err(DaemonError::Name { name, source }),
        }
    }
    Ok(())
}

/// The process that has a name.
async fn process_of(bus: &Connection, name: &str) -> Option<u32> {
    let proxy = DBusProxy::new(bus).await.ok()?;
    let name = BusName::try_from(name).ok()?;
    proxy.get_connection_unix_process_id(name).await.ok()
}

/// Waits until the daemon has been idle for the timeout: no call, no guest, nothing under way.
async fn idle(service: &Service, connections: &Connections, timeout: Option<Duration>) {
    let Some(timeout) = timeout else {
        return std::future::pending().await;
    };
    let (mut taken, _) = service.activity();
    loop {
        tokio::time::sleep(timeout).await;
        let (now, answered) = service.activity();
        let idle = answered && now == taken && connections.are_idle();
        if idle {
            return;
        }
        taken = now;
    }
}

/// Tells systemd's watchdog that tasks are still run, here and on the thread of the bus, if it wants to know.
async fn report_to_watchdog(thread: &BusThread) -> std::convert::Infallible {
    let Some(limit) = watchdog_enabled(false) else {
        return std::future::pending().await;
    };
    let mut tick = tokio::time::interval(limit / 3);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        if thread.run(async {}).await.is_ok() {
            tell_systemd(&[NotifyState::Watchdog]);
        }
    }
}

fn tell_systemd(state: &[NotifyState]) {
    if let Err(error) = notify(false, state) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}
