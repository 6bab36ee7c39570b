//! The task that watches one running guest: its events, its monitor's connection, and the end of its process.
//!
//! All that a guest does of its own accord is handled here, in order; and whatever ends the process, it is here that the
//! domain becomes *shut off*. Nothing in the loop waits for the guest: what needs the monitor runs in tasks that end with this
//! one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use virtbus_api::domain::{
    CrashedDetail, DomainEvent, DomainState, Lifecycle, PausedReason, PmSuspendedDetail,
    RunningReason, ShutdownDetail, ShutdownReason, StartedDetail,
};
use virtbus_hypervisor::log;
use virtbus_qemu_monitor::commands::system::{Cont, QueryStatus, Quit, RunState, SystemReset};
use virtbus_qemu_monitor::event::{self, Event};
use virtbus_qemu_monitor::{Events, Limits, Monitor, Notification};
use virtbus_util::cmd::{Child, ExitStatus};
use virtbus_util::process::Pidfd;
use virtbus_util::socket;

use crate::core::Core;
use crate::definition::{self, OnLifecycle};
use crate::domain::{Domain, Ending, Flow, Request};
use crate::folder::MONITOR_SOCKET;
use crate::{cpus, saving, stop, translate};

/// How long what QEMU said last may take to arrive after it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Between attempts to reach a monitor that went away although its process runs.
const RETRY: Duration = Duration::from_secs(2);

/// A monitor that is silent for so many times as long as a command may take is connected to anew.
const SILENCE: u32 = 3;

/// QEMU's process, ours or found again.
pub(crate) enum Process {
    /// Started by this daemon, so its status can be collected.
    Child(Child),
    /// Started by an earlier one.
    Found(Arc<Pidfd>),
}

impl Process {
    /// Waits for the end; says how it ended, as far as that can be known.
    async fn ended(&mut self) -> Option<ExitStatus> {
        let ended = match self {
            Self::Child(child) => child
                .wait()
                .await
                .map(Some)
                .map_err(|error| error.to_string()),
            Self::Found(pidfd) => pidfd
                .exited()
                .await
                .map(|()| None)
                .map_err(|error| error.to_string()),
        };
        match ended {
            Ok(status) => status,
            Err(error) => {
                tracing::error!(error, "a guest's process cannot be watched");
                std::future::pending().await
            }
        }
    }
}

/// What the watcher knows beyond the domain's own state.
struct Watcher {
    core: Arc<Core>,
    domain: Arc<Domain>,
    epoch: u64,
    /// Whether QEMU told that it shuts down, without which its end is a crash.
    shutdown_seen: bool,
    /// A reboot by way of a power-off is under way, and is hidden.
    rebooting: bool,
    /// Why the CPUs are about to stop, told by an event before `STOP`.
    stop_reason: Option<PausedReason>,
    /// Since when the monitor has not answered.
    silent_since: Option<Instant>,
    tasks: JoinSet<()>,
}

/// Watches a guest until its process has ended, and then ends the run. To be spawned.
pub(crate) async fn watch(
    core: Arc<Core>,
    domain: Arc<Domain>,
    epoch: u64,
    mut process: Process,
    mut events: Option<Events>,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let mut watcher = Watcher {
        core: Arc::clone(&core),
        domain: Arc::clone(&domain),
        epoch,
        shutdown_seen: false,
        rebooting: false,
        stop_reason: None,
        silent_since: None,
        tasks: JoinSet::new(),
    };
    let mut retry = tokio::time::interval(RETRY);
    retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut log = log::Bound::new(core.config.dirs.guest_log(&domain.name()));
    let (reached_sender, mut reached) = mpsc::channel::<(Monitor, Events)>(1);
    let mut reaching = false;
    loop {
        tokio::select! {
            // Events first: what they say is older than what is asked for.
            biased;
            notification = next(&mut events) => match notification {
                Some(Notification::Event { event, .. }) => watcher.handle(event),
                Some(Notification::Closed { reason }) => {
                    events = None;
                    watcher.monitor_lost(&reason.to_string());
                }
                None => events = None,
            },
            status = process.ended() => {
                watcher.last_words(&mut events).await;
                let shutdown_seen = watcher.shutdown_seen;
                watcher.tasks.shutdown().await;
                // Kept until here, it was not dealt with: the guest ended before it could be asked.
                let recovery = domain.take_recovery();
                if recovery.is_some() {
                    saving::ended_unasked(&core, &domain, epoch).await;
                }
                stop::finish(&core, &domain, epoch, status, shutdown_seen).await;
                core.watched.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            Some((monitor, found)) = reached.recv() => {
                reaching = false;
                watcher.monitor_found(monitor);
                events = Some(found);
            }
            _ = retry.tick() => {
                log.look();
                watcher.write_again();
                if events.is_some() {
                    watcher.give_up_on_silence();
                } else if !reaching || watcher.tasks.is_empty() {
                    // One attempt at a time; its own deadline ends it.
                    reaching = true;
                    watcher.reach(reached_sender.clone());
                }
            }
            Some(request) = requests.recv() => match request {
                Request::Barrier(answer) => drop(answer.send(())),
            },
            Some(_) = watcher.tasks.join_next(), if !watcher.tasks.is_empty() => {}
        }
    }
}

async fn next(events: &mut Option<Events>) -> Option<Notification> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

impl Watcher {
    /// Writes down what could not be written when it happened.
    fn write_again(&self) {
        if let Ok(live) = self.domain.lock().live_mut(self.epoch) {
            self.core.store.write_again(&mut live.status);
        }
    }

    /// Takes what QEMU said before it ended.
    async fn last_words(&mut self, events: &mut Option<Events>) {
        let Some(events) = events else { return };
        let deadline = tokio::time::Instant::now() + LAST_WORDS;
        while let Ok(Some(Notification::Event { event, .. })) =
            tokio::time::timeout_at(deadline, events.recv()).await
        {
            self.handle(event);
        }
    }

    fn lifecycle(&self, state: DomainState, event: Lifecycle) {
        self.core.set_state(
            &self.domain,
            self.epoch,
            state,
            vec![DomainEvent::Lifecycle(event)],
        );
    }

    fn tell(&self, event: DomainEvent) {
        self.core.tell(&self.domain, vec![event]);
    }

    fn handle(&mut self, event: Event) {
        tracing::debug!(domain = %self.domain.name(), ?event, "the guest");
        match event {
            Event::Shutdown(shutdown) => self.shutdown(&shutdown),
            Event::Reset(reset) => self.reset(&reset),
            Event::Stop => self.stopped(),
            Event::Resume => self.resumed(),
            Event::Suspend => {
                let events = vec![
                    DomainEvent::Lifecycle(Lifecycle::PmSuspended(PmSuspendedDetail::Memory)),
                    DomainEvent::PmSuspend,
                ];
                self.core
                    .set_state(&self.domain, self.epoch, DomainState::PmSuspended, events);
            }
            Event::Wakeup => {
                let events = vec![
                    DomainEvent::Lifecycle(Lifecycle::Started(StartedDetail::Wakeup)),
                    DomainEvent::PmWakeup,
                ];
                let state = DomainState::Running(RunningReason::Wakeup);
                self.core.transition(&self.domain, self.epoch, |live| {
                    (live.status.state() == DomainState::PmSuspended).then_some((state, events))
                });
            }
            Event::SuspendDisk => self.tell(DomainEvent::PmSuspendDisk),
            Event::RtcChange(change) => self.tell(DomainEvent::RtcChange {
                offset: change.offset,
            }),
            Event::Watchdog(watchdog) => {
                if watchdog.action == event::WatchdogAction::Pause {
                    self.stop_reason = Some(PausedReason::Watchdog);
                }
                self.tell(translate::watchdog(&watchdog));
            }
            Event::BlockIoError(error) => {
                if error.action == event::ErrorAction::Stop {
                    self.stop_reason = Some(PausedReason::IoError);
                }
                let snapshot = self.domain.snapshot();
                self.tell(translate::io_error(&error, snapshot.live.as_deref()));
            }
            Event::GuestPanicked(panic) => self.panicked(&panic),
            Event::GuestCrashloaded(_) => {
                self.tell(DomainEvent::Lifecycle(Lifecycle::Crashed(
                    CrashedDetail::CrashLoaded,
                )));
            }
            Event::Migration(migration) => self.flows(Flow::Migration(migration.status)),
            Event::DumpCompleted(dump) => self.flows(Flow::Dumped(dump.error)),
            other => {
                if let Some(event) = translate::plain(&other) {
                    self.tell(event);
                }
            }
        }
    }

    /// QEMU has powered the machine off, and waits (it runs with `-no-shutdown`).
    fn shutdown(&mut self, shutdown: &event::Shutdown) {
        self.shutdown_seen = true;
        let asked_for_reboot = self
            .domain
            .lock()
            .live_mut(self.epoch)
            .is_ok_and(|live| live.status.reboot_wanted);
        let on_poweroff = self
            .domain
            .snapshot()
            .live
            .as_deref()
            .map_or(OnLifecycle::Destroy, definition::on_poweroff);
        if self.is_being_ended() {
            // What SIGTERM does to QEMU is no shutdown of the guest's.
            return;
        }
        let by_guest = shutdown.guest || shutdown.reason == event::ShutdownReason::GuestShutdown;
        let ending = matches!(
            shutdown.reason,
            event::ShutdownReason::HostQmpQuit
                | event::ShutdownReason::HostSignal
                | event::ShutdownReason::HostUi
        );
        if !ending && (asked_for_reboot || on_poweroff == OnLifecycle::Restart) {
            self.restart();
            return;
        }
        let detail = match (by_guest, ending) {
            (true, _) => ShutdownDetail::Guest,
            (false, true) => ShutdownDetail::Host,
            (false, false) => ShutdownDetail::Finished,
        };
        self.lifecycle(
            DomainState::Shutdown(ShutdownReason::User),
            Lifecycle::Shutdown(detail),
        );
        if !ending && on_poweroff != OnLifecycle::Preserve {
            self.quit();
        }
    }

    fn is_being_ended(&self) -> bool {
        self.domain
            .lock()
            .live_mut(self.epoch)
            .is_ok_and(|live| live.ending != Ending::None)
    }

    /// Turns a power-off into a reboot. The domain is *running* throughout.
    fn restart(&mut self) {
        self.rebooting = true;
        self.shutdown_seen = false;
        let Ok((monitor, _)) = self.domain.monitor() else {
            return;
        };
        let (core, domain, epoch) = (Arc::clone(&self.core), Arc::clone(&self.domain), self.epoch);
        self.tasks.spawn(async move {
            let restarted = async {
                monitor.execute(&SystemReset {}).await?;
                monitor.execute(&Cont {}).await.map(drop)
            };
            match restarted.await {
                Ok(()) => stop::reboot_wanted(&core, &domain, epoch, false),
                Err(error) => {
                    tracing::warn!(domain = %domain.name(), %error, "a guest cannot be restarted, ending it");
                    stop::kill(&core, &domain, epoch).await;
                }
            }
        });
    }

    /// Ends QEMU after the machine has been powered off.
    fn quit(&mut self) {
        let monitor = self.domain.monitor().ok().map(|(monitor, _)| monitor);
        let (core, domain, epoch) = (Arc::clone(&self.core), Arc::clone(&self.domain), self.epoch);
        self.tasks.spawn(async move {
            let within = core.config.timeouts.quit;
            let asked = match monitor {
                Some(monitor) => monitor.execute_within(&Quit {}, within).await.is_ok(),
                None => false,
            };
            if asked {
                // The process's end ends this task too.
                tokio::time::sleep(within).await;
            }
            stop::kill(&core, &domain, epoch).await;
        });
    }

    fn reset(&mut self, reset: &event::Shutdown) {
        let silent = matches!(
            reset.reason,
            event::ShutdownReason::SubsystemReset | event::ShutdownReason::SnapshotLoad
        );
        if !silent {
            self.tell(DomainEvent::Reboot);
        }
    }

    fn stopped(&mut self) {
        if self.rebooting {
            return;
        }
        let reason = self.stop_reason.take().unwrap_or(PausedReason::User);
        self.core.transition(&self.domain, self.epoch, |live| {
            let state = live.wanted.take().unwrap_or(DomainState::Paused(reason));
            let running = matches!(live.status.state(), DomainState::Running(_));
            running.then(|| (state, translate::cpus(state)))
        });
    }

    /// Tells whoever waits for the stream of the guest's state.
    fn flows(&self, flow: Flow) {
        if let Ok(live) = self.domain.lock().live_mut(self.epoch) {
            live.flow.send_replace(flow);
        }
    }

    fn resumed(&mut self) {
        self.stop_reason = None;
        if let Ok(live) = self.domain.lock().live_mut(self.epoch)
            && live.status.released()
        {
            self.core.store.try_status(&mut live.status);
        }
        if std::mem::take(&mut self.rebooting) {
            return;
        }
        self.core
            .transition(&self.domain, self.epoch, |live| match live.status.state() {
                // Released for the first time: the start itself tells of it.
                DomainState::Paused(PausedReason::StartingUp) => None,
                DomainState::Paused(_) => {
                    let unpaused = DomainState::Running(RunningReason::Unpaused);
                    let state = live.wanted.take().unwrap_or(unpaused);
                    Some((state, translate::cpus(state)))
                }
                _ => None,
            });
    }

    fn panicked(&mut self, panic: &event::GuestPanicked) {
        self.lifecycle(
            DomainState::Crashed { panicked: true },
            Lifecycle::Crashed(CrashedDetail::Panicked),
        );
        if panic.action == event::PanicAction::Run {
            return;
        }
        let on_crash = self
            .domain
            .snapshot()
            .live
            .as_deref()
            .map_or(OnLifecycle::Destroy, definition::on_crash);
        match on_crash {
            OnLifecycle::Preserve => {}
            OnLifecycle::Restart => self.restart_after_crash(),
            OnLifecycle::Destroy => self.quit(),
        }
    }

    fn restart_after_crash(&mut self) {
        self.restart();
        let state = DomainState::Running(RunningReason::Crashed);
        self.core
            .set_state(&self.domain, self.epoch, state, Vec::new());
    }

    /// The connection ended; the process may be ending too, or may not.
    fn monitor_lost(&mut self, reason: &str) {
        tracing::debug!(domain = %self.domain.name(), reason, "the monitor's connection ended");
        if let Ok(live) = self.domain.lock().live_mut(self.epoch) {
            live.monitor = None;
        }
    }

    /// Lets go of a connection on which nothing was heard for long: a new one finds out whether QEMU is there at all, and
    /// does not wait for an answer that was lost.
    fn give_up_on_silence(&mut self) {
        let Ok((monitor, _)) = self.domain.monitor() else {
            return;
        };
        if monitor.is_responsive() {
            self.silent_since = None;
            return;
        }
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.core.config.timeouts.command * SILENCE {
            self.silent_since = None;
            monitor.close();
        }
    }

    /// Tries to reach the monitor, once.
    fn reach(&mut self, found: mpsc::Sender<(Monitor, Events)>) {
        let Ok(path) = self
            .domain
            .lock()
            .live_mut(self.epoch)
            .map(|live| live.dir().join(MONITOR_SOCKET))
        else {
            return;
        };
        let limits = limits(&self.core);
        self.tasks.spawn(async move {
            let Ok(stream) = socket::connect(&path).await else {
                return;
            };
            if let Ok(reached) = Monitor::open(stream, limits).await {
                // The receiver lives as long as this task's owner.
                let _ = found.send(reached).await;
            }
        });
    }

    /// The monitor answers again: takes it, and finds out what was missed.
    fn monitor_found(&mut self, monitor: Monitor) {
        tracing::info!(domain = %self.domain.name(), "the monitor answers again");
        if let Ok(live) = self.domain.lock().live_mut(self.epoch) {
            live.monitor = Some(monitor.clone());
            live.reached.send_replace(true);
        }
        let (core, domain, epoch) = (Arc::clone(&self.core), Arc::clone(&self.domain), self.epoch);
        let turn = domain.take_recovery();
        self.tasks.spawn(async move {
            catch_up(&core, &domain, epoch, &monitor).await;
            drop(turn);
        });
    }
}

/// Compares the recorded state with the guest's, after a time in which events could not be heard.
pub(crate) async fn catch_up(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    epoch: u64,
    monitor: &Monitor,
) {
    if saving::recover(core, domain, epoch).await {
        return;
    }
    let status = match monitor.execute(&QueryStatus {}).await {
        Ok(status) => status,
        Err(error) => {
            tracing::warn!(domain = %domain.name(), %error, "a guest that was found again does not tell its state");
            return;
        }
    };
    let lifecycle = |event| vec![DomainEvent::Lifecycle(event)];
    let reboot_wanted = domain
        .lock()
        .live_mut(epoch)
        .is_ok_and(|live| live.status.reboot_wanted);
    match status.status {
        // A reboot that the last daemon had begun: the machine is reset, its CPUs are not released yet.
        RunState::PreLaunch if reboot_wanted => missed_shutdown(core, domain, epoch, monitor).await,
        // The last daemon had noted that the CPUs are to be released, of a guest that boots or one that was restored, and no more.
        RunState::PreLaunch | RunState::InMigrate | RunState::Paused
            if is_to_be_released(domain, epoch) =>
        {
            if let Err(error) = cpus::release(monitor).await {
                tracing::warn!(domain = %domain.name(), %error, "a guest whose start was interrupted does not go on");
            }
        }
        RunState::Shutdown => missed_shutdown(core, domain, epoch, monitor).await,
        RunState::Suspended => core.set_state(
            domain,
            epoch,
            DomainState::PmSuspended,
            lifecycle(Lifecycle::PmSuspended(PmSuspendedDetail::Memory)),
        ),
        RunState::GuestPanicked => {
            let state = DomainState::Crashed { panicked: true };
            core.set_state(
                domain,
                epoch,
                state,
                lifecycle(Lifecycle::Crashed(CrashedDetail::Panicked)),
            );
        }
        _ if status.running => core.transition(domain, epoch, |live| {
            let state = DomainState::Running(RunningReason::Unpaused);
            let paused = !matches!(live.status.state(), DomainState::Running(_));
            paused.then(|| (state, translate::cpus(state)))
        }),
        other => core.transition(domain, epoch, |live| {
            let state = DomainState::Paused(match other {
                RunState::IoError => PausedReason::IoError,
                RunState::Watchdog => PausedReason::Watchdog,
                _ => PausedReason::Unknown,
            });
            let running = matches!(live.status.state(), DomainState::Running(_));
            running.then(|| (state, translate::cpus(state)))
        }),
    }
}

fn is_to_be_released(domain: &Domain, epoch: u64) -> bool {
    let mut inner = domain.lock();
    let live = inner.live_mut(epoch);
    live.is_ok_and(|live| live.status.is_to_be_released())
}

/// The guest powered off while nobody listened.
async fn missed_shutdown(core: &Arc<Core>, domain: &Arc<Domain>, epoch: u64, monitor: &Monitor) {
    let wanted = domain
        .lock()
        .live_mut(epoch)
        .is_ok_and(|live| live.status.reboot_wanted);
    let on_poweroff = domain
        .snapshot()
        .live
        .as_deref()
        .map_or(OnLifecycle::Destroy, definition::on_poweroff);
    if wanted || on_poweroff == OnLifecycle::Restart {
        let restarted = async {
            monitor.execute(&SystemReset {}).await?;
            monitor.execute(&Cont {}).await.map(drop)
        };
        if restarted.await.is_ok() {
            stop::reboot_wanted(core, domain, epoch, false);
            return;
        }
    }
    let events = vec![DomainEvent::Lifecycle(Lifecycle::Shutdown(
        ShutdownDetail::Finished,
    ))];
    core.set_state(
        domain,
        epoch,
        DomainState::Shutdown(ShutdownReason::User),
        events,
    );
    if on_poweroff != OnLifecycle::Preserve {
        // The SHUTDOWN event that this causes marks the end as an orderly one.
        let _ = monitor
            .execute_within(&Quit {}, core.config.timeouts.quit)
            .await;
    }
}

/// The monitor's bounds by the driver's settings.
pub(crate) fn limits(core: &Core) -> Limits {
    let timeouts = core.config.timeouts;
    Limits {
        greeting: timeouts.start,
        command: timeouts.command,
        ..Limits::default()
    }
}
