//! A domain: what it does, with what exists only then, and what is known of it.
//!
//! ```text
//!            create                 monitor up, CPUs released
//!   Off ───────────────▶ Starting ───────────────────────────▶ Live { running │ paused │ shutting down │ … }
//!    ▲                      │                                    │
//!    └──────────────────────┴────────────────────────────────────┘  the process ended, whatever ended it
//! ```
//!
//! It changes in one way only, which announces it (`virtbus_hypervisor::domains`). Nothing waits for a guest under its lock.

mod live;
mod texts;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use virtbus_api::domain::{DomainId, DomainState, DomainView, JobProgress, ShutoffReason};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::domains::{self, Entry, Published, Starting, State};
use virtbus_hypervisor::jobs::{Jobs, Turn};
use virtbus_hypervisor::recovery::Stray;
use virtbus_qemu_monitor::Monitor;
use virtbus_util::process::Pidfd;

pub(crate) use live::{Ending, Flow, Handle, Request};

use crate::persist::Status;

/// The domains of a connection.
pub(crate) type Table = domains::Table<Domain>;

/// Keeps a domain in the table while something is being made of it.
pub(crate) type Claim = domains::Claim<Domain>;

/// A process that has closed its monitor's connection ends within this time, and is cleaned up after, or goes on.
const ENDING: Duration = Duration::from_secs(3);

/// What readers see: published whole, never changed.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) view: Arc<DomainView>,
    /// The stored definition.
    pub(crate) config: Option<Arc<Definition>>,
    /// The running definition.
    pub(crate) live: Option<Arc<Definition>>,
    /// Whether it runs without being known; see [`Run::Stray`].
    stray: bool,
    /// The running definition as text.
    texts: texts::Texts,
}

impl domains::Snapshot for Snapshot {
    fn view(&self) -> &Arc<DomainView> {
        &self.view
    }

    fn is_shown(&self) -> bool {
        self.config.is_some() || self.live.is_some() || self.stray
    }
}

impl Snapshot {
    /// The definition that counts now.
    pub(crate) fn current(&self) -> Option<&Arc<Definition>> {
        self.live.as_ref().or(self.config.as_ref())
    }
}

/// A running guest, as the driver holds it. Made by a start or by finding it again.
#[derive(Debug)]
pub(crate) struct Live {
    /// Tells this run from the domain's earlier and later ones.
    pub(crate) epoch: u64,
    /// What is written to the status file: identity of the process, state, definition, ….
    pub(crate) status: Status,
    /// The definition as it runs.
    pub(crate) definition: Arc<Definition>,
    /// QEMU's process.
    pub(crate) process: Arc<Pidfd>,
    /// The monitor, once it is up; none while a guest that was found again does not answer.
    pub(crate) monitor: Option<Monitor>,
    /// Whether this daemon has ever reached the monitor.
    pub(crate) reached: watch::Sender<bool>,
    /// How the stream of its state is doing, when there is one.
    pub(crate) flow: watch::Sender<Flow>,
    /// The state that the next stop or release of its CPUs leads to, if a job wants it.
    pub(crate) wanted: Option<DomainState>,
    /// Whether it is being ended from here.
    pub(crate) ending: Ending,
    /// Reaches the task that watches the guest.
    pub(crate) watcher: Handle,
}

/// What the domain is doing, with what exists only then.
#[derive(Debug)]
pub(crate) enum Run {
    /// No process.
    Off(ShutoffReason),
    /// A process is being started.
    Starting(Arc<Starting>),
    /// A process runs.
    Live(Box<Live>),
    /// A process runs of which nothing else is known.
    Stray(Arc<Stray>),
}

/// What writers change, under the domain's lock.
#[derive(Debug)]
pub(crate) struct Inner {
    uuid: Uuid,
    pub(crate) name: Arc<str>,
    pub(crate) config: Option<Arc<Definition>>,
    pub(crate) autostart: bool,
    /// Whether the stored definition was changed while the domain ran.
    pub(crate) updated: bool,
    /// Whether there is a managed save image that the next start takes.
    pub(crate) managed_save: bool,
    /// The long job that is under way.
    pub(crate) job: Option<JobProgress>,
    pub(crate) run: Run,
}

/// A domain of the connection.
#[derive(Debug)]
pub(crate) struct Domain {
    published: Published<Inner>,
    pub(crate) jobs: Jobs,
    /// The domain's turn, kept from a new daemon's start until it has dealt with what the last one left half done.
    recovery: Mutex<Option<Turn>>,
    /// Follows [`Run`]: how many runs have ended. Who waits for an end waits for this to grow.
    pub(crate) ended: watch::Sender<u64>,
}

impl Deref for Domain {
    type Target = Published<Inner>;

    fn deref(&self) -> &Published<Inner> {
        &self.published
    }
}

impl Entry for Domain {
    type State = Inner;
}

impl Domain {
    /// A domain that is off and not defined, and so not shown yet.
    pub(crate) fn new(uuid: Uuid, name: &str, reason: ShutoffReason) -> Self {
        let inner = Inner {
            uuid,
            name: name.into(),
            config: None,
            autostart: false,
            updated: false,
            managed_save: false,
            job: None,
            run: Run::Off(reason),
        };
        Self {
            published: Published::new(inner),
            jobs: Jobs::new(ErrorDomain::Qemu),
            recovery: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    /// Refuses a definition of another name: the domain may have been renamed while its turn was waited for.
    ///
    /// # Errors
    /// `OperationFailed`.
    pub(crate) fn check_name(&self, definition: &Definition) -> Result<()> {
        let (name, wanted) = (self.name(), &definition.name);
        if *name == **wanted {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::OperationFailed,
            ErrorDomain::Dom,
            format!(
                "the domain with the uuid {} is not called '{wanted}' any more",
                self.uuid
            ),
        ))
    }

    /// Waits until the monitor of a guest that was found again has been reached for the first time, at most `limit`. Whoever comes
    /// first after the daemon's start is not refused for that. Cancel safe.
    pub(crate) async fn reached(&self, limit: Duration) {
        let mut reached = match &self.lock().run {
            Run::Live(live) => live.reached.subscribe(),
            Run::Off(_) | Run::Starting(_) | Run::Stray(_) => return,
        };
        // If the time is over, or the run is, whoever asks for the monitor is told.
        let _ = tokio::time::timeout(limit, reached.wait_for(|reached| *reached)).await;
    }

    /// Keeps the domain's turn for what a new daemon has to deal with first.
    pub(crate) fn keep_for_recovery(&self, turn: Option<Turn>) {
        *self.recovery.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    /// Takes the turn that was kept, to deal with it.
    pub(crate) fn take_recovery(&self) -> Option<Turn> {
        self.recovery
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Whether this run is over, or is being ended. One whose monitor's connection has closed is about to be over, or is not: it has a
    /// moment to end. Cancel safe.
    pub(crate) async fn is_over(&self, epoch: u64) -> bool {
        let mut ended = self.ended.subscribe();
        let seen = *ended.borrow_and_update();
        let closed = match self.lock().live_mut(epoch) {
            Ok(live) if live.ending != Ending::None => return true,
            Ok(live) => live.monitor.as_ref().is_none_or(Monitor::is_closed),
            Err(_) => return true,
        };
        closed
            && tokio::time::timeout(ENDING, ended.wait_for(|count| *count > seen))
                .await
                .is_ok()
    }

    /// Whether this run is the domain's current one.
    pub(crate) fn is_current(&self, epoch: u64) -> bool {
        matches!(&self.lock().run, Run::Live(live) if live.epoch == epoch)
    }

    /// Lets the watcher of this run handle what arrived before the answer to a command.
    pub(crate) async fn settled(&self, epoch: u64) {
        let watcher = self.lock().live_mut(epoch).map(|live| live.watcher.clone());
        if let Ok(watcher) = watcher {
            watcher.settled().await;
        }
    }

    /// The monitor of the running guest and the run that it belongs to.
    ///
    /// # Errors
    /// `OperationInvalid` if the domain does not run; `OperationTimeout` if its monitor was not found again yet.
    pub(crate) fn monitor(&self) -> Result<(Monitor, u64)> {
        let inner = self.lock();
        let live = inner.live()?;
        let monitor = live.monitor.clone().ok_or_else(|| {
            Error::new(
                ErrorCode::OperationTimeout,
                ErrorDomain::Qemu,
                format!("the monitor of domain '{}' does not answer", inner.name),
            )
        })?;
        Ok((monitor, live.epoch))
    }
}

impl Inner {
    /// The running guest.
    ///
    /// # Errors
    /// `OperationInvalid` if there is none.
    pub(crate) fn live(&self) -> Result<&Live> {
        match &self.run {
            Run::Live(live) => Ok(live),
            Run::Off(_) | Run::Starting(_) | Run::Stray(_) => Err(self.not_running()),
        }
    }

    /// The running guest of this run, if it is still the same.
    pub(crate) fn live_mut(&mut self, epoch: u64) -> Result<&mut Live> {
        let error = self.not_running();
        match &mut self.run {
            Run::Live(live) if live.epoch == epoch => Ok(live),
            Run::Live(_) | Run::Off(_) | Run::Starting(_) | Run::Stray(_) => Err(error),
        }
    }

    fn not_running(&self) -> Error {
        if let Run::Stray(stray) = &self.run {
            return stray.refusal(&self.name);
        }
        Error::operation_invalid(format!("domain '{}' is not running", self.name))
    }
}

impl State for Inner {
    type Snapshot = Snapshot;

    fn snapshot(&self) -> Snapshot {
        let (state, id, live) = match &self.run {
            Run::Off(reason) => (DomainState::Shutoff(*reason), None, None),
            // Not up yet: nobody can do anything with it but end it.
            Run::Starting(_) => (DomainState::Shutoff(ShutoffReason::Unknown), None, None),
            Run::Live(live) => (
                live.status.state(),
                Some(live.status.id),
                Some(Arc::clone(&live.definition)),
            ),
            Run::Stray(_) => (DomainState::NoState, None, None),
        };
        let os_type = live.as_ref().or(self.config.as_ref()).map_or_else(
            || "hvm",
            |definition| crate::definition::os_type(definition),
        );
        let view = DomainView {
            id: DomainId {
                uuid: self.uuid,
                name: Arc::clone(&self.name),
                id,
            },
            state,
            os_type: os_type.into(),
            persistent: self.config.is_some(),
            autostart: self.autostart,
            updated: self.updated,
            managed_save: self.managed_save,
            scheduler: None,
            snapshots: 0,
            checkpoints: 0,
            job: self.job,
        };
        Snapshot {
            view: Arc::new(view),
            config: self.config.clone(),
            live,
            stray: matches!(self.run, Run::Stray(_)),
            texts: texts::Texts::default(),
        }
    }
}

impl Live {
    /// The folder of this run's sockets and files.
    pub(crate) fn dir(&self) -> &PathBuf {
        &self.status.dir
    }
}
