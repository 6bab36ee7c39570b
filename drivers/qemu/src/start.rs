//! Starting a guest, from its definition to released CPUs.
//!
//! Each step either notes in the status file what it is about to do or leaves nothing behind, so that a daemon killed at any point
//! leaves what its successor can undo. What fails unwinds everything, and the domain is *shut off* again.

mod backing;
mod create;
mod rehearsal;
mod steps;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::process::Signal;
use virtbus_api::access::Client;
use virtbus_api::domain::{
    DomainCreateFlags, DomainEvent, DomainState, Lifecycle, PausedReason, RunningReason,
    ShutoffReason, StartedDetail, SuspendedDetail,
};
use virtbus_api::placement::Guest;
use virtbus_api::security::{Access, FileId};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::domains::Starting;
use virtbus_hypervisor::log;
use virtbus_hypervisor::store::NewRun;
use virtbus_qemu_monitor::commands::system::Cont;
use virtbus_qemu_monitor::{Events, Monitor, MonitorError};
use virtbus_util::cmd::Child;
use virtbus_util::file::acting::Beneficiary;
use virtbus_util::process::Pidfd;
use virtbus_util::socket::{self, ListenOptions};

use crate::command;
use crate::core::Core;
use crate::definition::Emulator;
use crate::domain::{Domain, Ending, Handle, Live, Run};
use crate::folder::{MONITOR_SOCKET, guest_dir};
use crate::persist::{self, Status};
use crate::ports::Addresses;
use crate::prepare::Preparer;
use crate::watch::{self, Process};
use crate::{bound, definition, networks, reading, saving, stop, translate, volumes};

pub(crate) use create::create;

/// Starts the guest with this definition; none: with the one that is stored. It ends with `client`, if there is one. To be run as a job of
/// `domain`, beside which another one may be stored.
///
/// # Errors
/// `OperationInvalid` if it runs already; `OperationAborted` if somebody destroyed it meanwhile; what the definition, the host and
/// QEMU have against it.
pub(crate) async fn start(
    core: Arc<Core>,
    domain: Arc<Domain>,
    definition: Option<Arc<Definition>>,
    flags: DomainCreateFlags,
    origin: Origin,
    client: Option<Client>,
) -> Result<()> {
    let stored = domain.snapshot().config.clone();
    let is_stored = definition.is_none();
    let config = definition.or_else(|| stored.clone()).ok_or_else(|| {
        let name = domain.name();
        Error::operation_invalid(format!("domain '{name}' has no stored definition"))
    })?;
    domain.check_name(&config)?;
    let emulator = reading::emulator_of(&core, &config).await?;
    let mut config = Definition::clone(&config);
    if is_stored {
        // It may be one that an earlier release completed, and that was not looked at since.
        definition::complete_stored(&mut config, &emulator)?;
    }
    let starting = begin(&domain)?;
    let beginning = Beginning::of(&origin, flags);
    core.watched.fetch_add(1, Ordering::Relaxed);
    let mut attempt = Attempt {
        core: Arc::clone(&core),
        domain: Arc::clone(&domain),
        starting,
        stored,
        client,
        status: None,
        child: None,
        held: Vec::new(),
    };
    let done = match attempt.bring_up(config, &emulator, origin, beginning).await {
        Ok(up) => attempt.publish(up, beginning),
        Err(error) => Err(attempt.with_paths(error)),
    };
    match done {
        Ok(()) => Ok(()),
        Err(error) => {
            tracing::warn!(domain = %domain.name(), %error, "the start failed");
            attempt.unwind(&error).await;
            core.watched.fetch_sub(1, Ordering::Relaxed);
            Err(error)
        }
    }
}

/// What the security driver knows an open file by.
fn file_id(file: &File) -> Result<FileId> {
    file.metadata()
        .map(|facts| FileId::from(&facts))
        .map_err(|error| Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, error.to_string()))
}

/// Takes the domain from *off* to *starting*.
fn begin(domain: &Domain) -> Result<Arc<Starting>> {
    let mut inner = domain.lock();
    let name = Arc::clone(&inner.name);
    match &inner.run {
        Run::Off(_) => {
            let starting = Arc::new(Starting::default());
            inner.run = Run::Starting(Arc::clone(&starting));
            Ok(starting)
        }
        Run::Stray(stray) => Err(stray.refusal(&name)),
        Run::Starting(_) | Run::Live(_) => Err(Error::operation_invalid(format!(
            "domain '{name}' is running already"
        ))),
    }
}

/// Where a guest's first state comes from.
pub(crate) enum Origin {
    /// It boots.
    Boot,
    /// It was saved.
    Saved {
        /// The file, standing at its state.
        state: File,
        /// Whether it ran.
        running: bool,
        /// The managed save image that this is, which no later start may go back to.
        managed: Option<PathBuf>,
    },
}

/// How a guest begins, and what is told of that.
#[derive(Clone, Copy)]
struct Beginning {
    started: StartedDetail,
    /// Why it does not run at first.
    suspended: Option<SuspendedDetail>,
    state: DomainState,
}

impl Beginning {
    fn of(origin: &Origin, flags: DomainCreateFlags) -> Self {
        let asked = flags
            .contains(DomainCreateFlags::PAUSED)
            .then_some(SuspendedDetail::Paused);
        let (started, reason, suspended) = match origin {
            Origin::Boot => (StartedDetail::Booted, RunningReason::Booted, asked),
            Origin::Saved { running, .. } => {
                let paused = (!running).then_some(SuspendedDetail::Restored);
                let suspended = asked.or(paused);
                (StartedDetail::Restored, RunningReason::Restored, suspended)
            }
        };
        let state = match suspended {
            None => DomainState::Running(reason),
            Some(_) => DomainState::Paused(PausedReason::User),
        };
        Self {
            started,
            suspended,
            state,
        }
    }

    const fn runs(self) -> bool {
        self.suspended.is_none()
    }

    /// What is told when the guest is up, in libvirt's order: the CPUs of one that boots are released before it counts as started, and
    /// those of one that was saved after that.
    fn events(self) -> Vec<DomainEvent> {
        let started = DomainEvent::Lifecycle(Lifecycle::Started(self.started));
        let mut events = match self.suspended {
            None => translate::cpus(self.state),
            Some(detail) => vec![DomainEvent::Lifecycle(Lifecycle::Suspended(detail))],
        };
        let boots_and_runs = self.runs() && self.started == StartedDetail::Booted;
        let place = if boots_and_runs { events.len() } else { 0 };
        events.insert(place, started);
        events
    }
}

/// A guest whose monitor is up.
struct Up {
    monitor: Monitor,
    events: Events,
    definition: Arc<Definition>,
    process: Arc<Pidfd>,
    status: Status,
}

/// A start under way, and what has to be undone if it fails.
///
/// It may be called off at any time, and that is noticed wherever it waits for something that may be given up
/// ([`Attempt::unless_cancelled`]), and after each other step. A step that changes the host is never given up in the middle: it would go
/// on while it is being undone.
struct Attempt {
    core: Arc<Core>,
    domain: Arc<Domain>,
    starting: Arc<Starting>,
    /// The definition that was stored when the start began.
    stored: Option<Arc<Definition>>,
    /// The client that the guest is to end with.
    client: Option<Client>,
    status: Option<Status>,
    child: Option<Child>,
    /// The files that QEMU has as descriptors and opens itself, by its names for them.
    held: Vec<(String, PathBuf)>,
}

impl Attempt {
    async fn bring_up(
        &mut self,
        mut live: Definition,
        emulator: &Emulator,
        origin: Origin,
        beginning: Beginning,
    ) -> Result<Up> {
        let core = Arc::clone(&self.core);
        let (binary, capabilities) = (&emulator.path, &*emulator.capabilities);
        let name = self.domain.name();
        let id = core.table.next_id();
        let dir = core.config.dirs.guest(id, self.domain.uuid);

        let incoming = matches!(origin, Origin::Saved { .. });
        let (uuid, whose) = (
            self.domain.uuid,
            Beneficiary::Guest(self.domain.uuid.into_bytes()),
        );
        let listening = networks::find_listen_addresses(&core.providers, &mut live);
        self.unless_cancelled(listening).await?;
        let finding = volumes::find(&core.providers, &mut live);
        self.unless_cancelled(finding).await?;
        let hosts = definition::listen_hosts(&live, &core.config);
        let addresses = Addresses::resolve(whose, hosts.into_iter()).await?;
        let run = NewRun {
            uuid,
            name: name.to_string(),
            id,
            dir: dir.clone(),
            definition: definition::format_status(&live),
        };
        let mut status = persist::starting(run, binary);
        status.client = self.client.as_ref().map(|client| client.name().to_string());
        let surroundings = definition::Surroundings {
            config: &core.config,
            ports: &core.preparer.ports,
            addresses: &addresses,
            dir: &dir,
        };
        let made = definition::make_live(&mut live, &surroundings, &mut status.prepared);
        // Ports are reserved by now, and nothing else; that is undone with the rest.
        self.status = Some(status.clone());
        made?;
        let rehearsal = self.rehearse(&live, capabilities, &dir, incoming);
        self.unless_cancelled(rehearsal).await?;
        if let Some(store) = definition::firmware::store(&live) {
            // It stays if the start fails, as after any start.
            core.preparer.make_nvram(uuid, store).await?;
        }
        core.store.write_status(&status)?;
        core.preparer.make_dir(&dir)?;
        core.preparer.check_ways(uuid, &live, &dir).await?;
        self.plug_into_networks(&mut live, &mut status).await?;
        let made = self.make_taps(&mut live, &mut status).await?;

        let mut cmd = self.command(binary, &dir)?;
        let listener = socket::listen(&dir.join(MONITOR_SOCKET), ListenOptions::default())
            .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))?;
        let monitor_fd = cmd.pass_fd(listener);
        let mut next_fd = monitor_fd + 1;
        let mut taps = Vec::new();
        for (name, tap) in made {
            let fd = cmd.pass_fd(tap);
            next_fd = fd + 1;
            taps.push((name, fd));
        }
        let (mut files, mut passed) = (Vec::new(), Vec::new());
        for (path, append) in command::files(&live) {
            self.check_cancelled()?;
            let file = core.preparer.open_output(uuid, &path, append).await?;
            passed.push((file_id(&file)?, Access::ReadWrite));
            let fd = cmd.pass_fd(file.into());
            next_fd = fd + 1;
            files.push((path, fd));
        }
        // A QEMU of the daemon's own user can be led nowhere where that user could not go.
        let first_held = core.preparer.acting().map(|_| next_fd);
        let backing = match first_held {
            Some(_) => {
                self.unless_cancelled(backing::look(&live, whose, &core.preparer))
                    .await?
            }
            None => Vec::new(),
        };
        let host = command::Host {
            dir: &dir,
            monitor_fd,
            seccomp: core.config.seccomp,
            incoming,
            taps: &taps,
            files: &files,
            first_held,
            backing: &backing,
        };
        let needs = command::fill(&mut cmd, &live, capabilities, &host)?;
        let held = core.preparer.prepare_files(uuid, needs.resources);
        let held = self.unless_cancelled(held).await?;
        let held = backing::check(held, &backing)?;
        for layer in backing.iter().flat_map(|image| &image.below) {
            // A header may name such a file once more, for writing.
            passed.push((backing::id(&layer.file)?, Access::ReadOnly));
        }
        status.prepared.confined = Some(held.record());
        status.definition = definition::format_status(&live);
        core.store.write_status(&status)?;
        self.status = Some(status.clone());
        let held = Preparer::give_files(uuid, held).await?;
        let held = self.pass_held(&mut cmd, held, needs.held, next_fd).await?;

        self.check_cancelled()?;

        let (log, log_start) = self.open_log(&mut cmd).await?;
        passed.push((file_id(&log)?, Access::ReadWrite));
        self.start_tpm(&live, &mut status, &log).await?;
        self.check_cancelled()?;
        let child = cmd
            .spawn()
            .map_err(|error| Error::chain(ErrorCode::InternalError, ErrorDomain::Qemu, &error))?;
        let leader = child.pid();
        let (handle, identity) = (child.pidfd(), child.process_id());
        self.child = Some(child);
        let handle = handle
            .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))?;
        let identity = identity
            .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))?;
        let guest = Guest {
            driver: "qemu",
            id,
            name: &name,
            uuid: self.domain.uuid,
            run: Uuid::new_v4(),
            leader: u32::try_from(leader).unwrap_or_default(),
        };
        status.pid = Some(identity.pid);
        status.start_time = Some(identity.start_time);
        status.place = core.placement().name(&guest);
        core.store.write_status(&status)?;
        self.status = Some(status.clone());

        let (reached, placed) = tokio::join!(
            self.reach_monitor(&dir, log, log_start),
            core.placement().place(&guest)
        );
        match placed {
            Ok(place) => status.place = place,
            Err(error) => {
                status.place = None;
                tracing::warn!(domain = %name, %error, "a guest gets no scope of its own, ignoring");
            }
        }
        self.status = Some(status.clone());
        let (monitor, mut events) = reached?;
        if let Ok(pid_file) = std::fs::symlink_metadata(guest_dir(&dir).join("pid")) {
            passed.push((FileId::from(&pid_file), Access::ReadWrite));
        }
        let checked = Preparer::check_opened(uuid, held, leader, passed.clone());
        let mut held = self.unless_cancelled(checked).await?;
        let mut managed = None;
        if let Origin::Saved {
            state,
            managed: image,
            ..
        } = origin
        {
            passed.push((file_id(&state)?, Access::ReadWrite));
            let taking = saving::take_in(&self.domain, &monitor, &mut events, state);
            self.unless_cancelled(taking).await?;
            // Before the image is written off: QEMU opens for writing what it was given, now or when the CPUs are released.
            let checked = Preparer::check_opened(uuid, held, leader, passed.clone());
            held = self.unless_cancelled(checked).await?;
            managed = image;
        }
        let settling = async {
            command::after_start(&monitor, &mut live)
                .await
                .map_err(|error| crate::core::monitor_failed(&self.domain, &error))
        };
        self.unless_cancelled(settling).await?;
        // Written before the CPUs are released: a guest that ran at all is never taken for one whose start was interrupted.
        status.definition = definition::format_status(&live);
        status.set_state(beginning.state);
        core.store.write_status(&status)?;
        self.status = Some(status.clone());
        self.check_cancelled()?;
        // Written off after the status: a daemon that is killed in between finds a guest to go on with, and not an older one in the image.
        if let Some(image) = &managed {
            saving::spend(image).await?;
        }
        if beginning.runs()
            && let Err(error) = monitor.execute(&Cont {}).await
        {
            if let (Some(image), MonitorError::Command { .. }) = (&managed, &error) {
                // QEMU refused, so the guest did not go on, and what was saved is its newest state.
                saving::take_back(image).await;
            }
            return Err(crate::core::monitor_failed(&self.domain, &error));
        }
        if incoming {
            // What an image names, and QEMU opened by itself, may have been opened anew.
            Preparer::check_opened(uuid, held, leader, passed).await?;
        }
        Ok(Up {
            monitor,
            events,
            definition: Arc::new(live),
            process: Arc::new(handle),
            status,
        })
    }

    fn called_off(&self) -> Error {
        let name = self.domain.name();
        Error::new(
            ErrorCode::OperationAborted,
            ErrorDomain::Qemu,
            format!("domain '{name}' was destroyed while it was being started"),
        )
    }

    /// An error if the start was called off.
    fn check_cancelled(&self) -> Result<()> {
        if self.starting.is_cancelled() {
            return Err(self.called_off());
        }
        Ok(())
    }

    /// Waits for what may be given up at any point because it changes nothing on the host, or only a process that is ended then.
    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.starting.cancelled() => Err(self.called_off()),
            done = work => done,
        }
    }

    /// Makes the guest the domain's, and tells; unless the start was called off.
    fn publish(&mut self, up: Up, beginning: Beginning) -> Result<()> {
        let (handle, requests) = Handle::new();
        let epoch = self.core.next_epoch();
        let events = beginning.events();
        let live = Live {
            epoch,
            status: up.status,
            definition: up.definition,
            process: up.process,
            monitor: Some(up.monitor),
            reached: tokio::sync::watch::Sender::new(true),
            flow: tokio::sync::watch::Sender::default(),
            wanted: None,
            ending: Ending::None,
            watcher: handle,
        };
        // Starts are called off under the domain's lock, which is held here: whoever comes later finds a guest to end.
        let (starting, stored) = (Arc::clone(&self.starting), self.stored.take());
        let published = self.domain.change(&self.core.hub, |inner| {
            if starting.is_cancelled() {
                return Err(());
            }
            inner.updated = match (&inner.config, &stored) {
                (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
                (now, _) => now.is_some(),
            };
            inner.run = Run::Live(Box::new(live));
            Ok(((), events))
        });
        published.map_err(|()| self.called_off())?;
        let child = self.child.take().expect("a guest that is up has a process");
        let (core, domain) = (Arc::clone(&self.core), Arc::clone(&self.domain));
        tokio::spawn(watch::watch(
            core,
            domain,
            epoch,
            Process::Child(child),
            Some(up.events),
            requests,
        ));
        if let Some(client) = self.client.take() {
            bound::bind(&self.core, &self.domain, epoch, client);
        }
        Ok(())
    }

    /// Undoes all that was done.
    async fn unwind(&mut self, cause: &Error) {
        if let Some(mut child) = self.child.take() {
            let _ = child.signal(Signal::KILL);
            if tokio::time::timeout(self.core.config.timeouts.kill, child.wait())
                .await
                .is_err()
            {
                tracing::error!(domain = %self.domain.name(), "QEMU was killed and has not ended");
            }
        }
        if let Some(status) = self.status.take() {
            let path = self.core.config.dirs.guest_log(&status.name);
            log::append(path, format!("the start failed: {}", cause.message)).await;
            self.core.undo(&status).await;
        }
        stop::off(&self.core, &self.domain, ShutoffReason::Failed, Vec::new());
    }
}
