//! Ending a guest: by its own power-off, by force, or because it crashed; and cleaning up after it, whatever ended it.

use std::sync::Arc;

use rustix::process::Signal;
use virtbus_api::domain::{
    DomainDestroyFlags, DomainEvent, DomainState, Lifecycle, ShutoffReason, StoppedDetail,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_hypervisor::log;
use virtbus_util::cmd::ExitStatus;
use virtbus_util::process::{self, Pidfd, ProcessState};

use crate::core::Core;
use crate::domain::{Domain, Ending, Run};

/// Ends the domain. Takes no job's turn, so that a stuck guest can always be ended.
pub(crate) async fn destroy(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    flags: DomainDestroyFlags,
) -> Result<()> {
    let mut ended = domain.ended.subscribe();
    let seen = *ended.borrow_and_update();
    enum What {
        Start,
        Guest(Arc<Pidfd>, u64, bool),
        Stray(Arc<Pidfd>),
    }
    let what = {
        let mut inner = domain.lock();
        let name = Arc::clone(&inner.name);
        match &mut inner.run {
            Run::Off(_) => {
                return Err(Error::operation_invalid(format!(
                    "domain '{name}' is not running"
                )));
            }
            // Under the lock, so that the start either sees it or has a guest already.
            Run::Starting(starting) => {
                starting.cancel();
                What::Start
            }
            Run::Stray(stray) => What::Stray(Arc::clone(&stray.process)),
            Run::Live(live) => {
                live.ending = Ending::Destroyed;
                let hung = live
                    .monitor
                    .as_ref()
                    .is_none_or(|monitor| !monitor.is_responsive());
                What::Guest(Arc::clone(&live.process), live.epoch, hung)
            }
        }
    };
    match what {
        What::Start => {}
        What::Stray(process) => {
            let graceful = flags.contains(DomainDestroyFlags::GRACEFUL);
            end_process(core, domain, &process, false, graceful).await?;
        }
        What::Guest(process, epoch, hung) => {
            let graceful = flags.contains(DomainDestroyFlags::GRACEFUL);
            end_process(core, domain, &process, hung, graceful).await?;
            tracing::debug!(domain = %domain.name(), epoch, "destroyed");
        }
    }
    // The watcher cleans up and publishes; its turn comes as soon as the process has ended.
    let limit = core.config.timeouts.kill;
    let waited = tokio::time::timeout(limit, ended.wait_for(|count| *count > seen)).await;
    if waited.is_err() {
        return Err(not_off_yet(domain));
    }
    if flags.contains(DomainDestroyFlags::REMOVE_LOGS) {
        let path = core.config.dirs.guest_log(&domain.name());
        log::remove(&path)
            .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))?;
    }
    Ok(())
}

/// Ends a run for this reason, and waits until the domain is off.
///
/// # Errors
/// `OperationInvalid` if it is over already; `ResourceBusy` if the kernel does not let go of the process; `OperationTimeout` if what was
/// prepared for it cannot be undone in time.
pub(crate) async fn end(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    epoch: u64,
    ending: Ending,
) -> Result<()> {
    let mut ended = domain.ended.subscribe();
    let seen = *ended.borrow_and_update();
    let process = {
        let mut inner = domain.lock();
        let live = inner.live_mut(epoch)?;
        if live.ending == Ending::None {
            live.ending = ending;
        }
        Arc::clone(&live.process)
    };
    end_process(core, domain, &process, false, false).await?;
    let waited = tokio::time::timeout(core.config.timeouts.kill, ended.wait_for(|n| *n > seen));
    match waited.await {
        Ok(_) => Ok(()),
        Err(_) => Err(not_off_yet(domain)),
    }
}

/// Ends the process of a run that nobody asked to end.
pub(crate) async fn kill(core: &Arc<Core>, domain: &Arc<Domain>, epoch: u64) {
    let process = match &domain.lock().run {
        Run::Live(live) if live.epoch == epoch => Arc::clone(&live.process),
        Run::Live(_) | Run::Off(_) | Run::Starting(_) | Run::Stray(_) => return,
    };
    if let Err(error) = end_process(core, domain, &process, true, false).await {
        tracing::error!(domain = %domain.name(), %error, "a guest cannot be ended");
    }
}

/// Sends the signals. QEMU writes out what it holds upon SIGTERM; one that is stopped or does not answer its monitor
/// would not, and is killed at once.
async fn end_process(
    core: &Core,
    domain: &Domain,
    process: &Pidfd,
    hung: bool,
    graceful: bool,
) -> Result<()> {
    let stopped = process::stat(process.pid())
        .is_ok_and(|stat| matches!(stat.state, ProcessState::Stopped | ProcessState::Traced));
    if graceful || !(hung || stopped) {
        signal(domain, process, Signal::TERM)?;
        let exited = tokio::time::timeout(core.config.timeouts.quit, process.exited()).await;
        if matches!(exited, Ok(Ok(()))) {
            return Ok(());
        }
        if graceful {
            return Err(Error::new(
                ErrorCode::ResourceBusy,
                ErrorDomain::Qemu,
                format!(
                    "QEMU of domain '{}' still runs after it was asked to end",
                    domain.name()
                ),
            ));
        }
    }
    signal(domain, process, Signal::KILL)?;
    match tokio::time::timeout(core.config.timeouts.kill, process.exited()).await {
        Ok(_) => Ok(()),
        Err(_) => Err(cannot_end(domain)),
    }
}

fn signal(domain: &Domain, process: &Pidfd, signal: Signal) -> Result<()> {
    match process.signal(signal) {
        Ok(()) | Err(process::ProcessError::Gone(_)) => Ok(()),
        Err(error) => Err(Error::chain(
            ErrorCode::SystemError,
            ErrorDomain::Qemu,
            &error,
        )),
    }
    .map_err(|error: Error| Error {
        message: format!("domain '{}': {}", domain.name(), error.message),
        ..error
    })
}

fn cannot_end(domain: &Domain) -> Error {
    Error::new(
        ErrorCode::ResourceBusy,
        ErrorDomain::Qemu,
        format!(
            "QEMU of domain '{}' could not be killed in time",
            domain.name()
        ),
    )
}

fn not_off_yet(domain: &Domain) -> Error {
    Error::new(
        ErrorCode::OperationTimeout,
        ErrorDomain::Qemu,
        format!(
            "QEMU of domain '{}' has ended, but what was prepared for it is still being undone",
            domain.name()
        ),
    )
}

/// The process has ended: cleans up, and publishes that the domain is off.
pub(crate) async fn finish(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    epoch: u64,
    status: Option<ExitStatus>,
    shutdown_seen: bool,
) {
    if !domain.is_current(epoch) {
        return;
    }
    let (saved, ending) = {
        let mut inner = domain.lock();
        match inner.live_mut(epoch) {
            Ok(live) => {
                live.monitor = None;
                (live.status.clone(), live.ending)
            }
            Err(_) => return,
        }
    };
    let crashed = matches!(saved.state(), DomainState::Crashed { .. });
    let (reason, detail) = match (ending, shutdown_seen) {
        (Ending::Destroyed, _) => (ShutoffReason::Destroyed, StoppedDetail::Destroyed),
        (Ending::Saved, _) => (ShutoffReason::Saved, StoppedDetail::Saved),
        (Ending::Crashed, _) => (ShutoffReason::Crashed, StoppedDetail::Crashed),
        (Ending::None, _) if crashed => (ShutoffReason::Crashed, StoppedDetail::Crashed),
        (Ending::None, true) => (ShutoffReason::Shutdown, StoppedDetail::Shutdown),
        (Ending::None, false) => (ShutoffReason::Crashed, StoppedDetail::Failed),
    };
    if ending == Ending::None && !shutdown_seen {
        let how = status.map_or_else(|| "for an unknown reason".to_owned(), |s| s.to_string());
        tracing::warn!(
            domain = saved.name,
            "QEMU ended without being asked to: {how}"
        );
    }
    tokio::join!(
        log_end(core, &saved.name, status, reason),
        core.undo(&saved)
    );
    let event = DomainEvent::Lifecycle(Lifecycle::Stopped(detail));
    off(core, domain, reason, vec![event]);
}

/// Publishes that the domain is off. What was prepared for it must have been undone.
pub(crate) fn off(
    core: &Core,
    domain: &Arc<Domain>,
    reason: ShutoffReason,
    events: Vec<DomainEvent>,
) {
    core.store.remove_status(domain.uuid);
    let done: std::result::Result<(), std::convert::Infallible> =
        domain.change(&core.hub, |inner| {
            inner.run = Run::Off(reason);
            inner.updated = false;
            Ok(((), events))
        });
    done.unwrap_or_else(|never| match never {});
    domain.keep_for_recovery(None);
    domain.ended.send_modify(|count| *count += 1);
    core.table.give_back(domain);
}

/// Marks the end in the guest's log.
async fn log_end(core: &Core, name: &str, status: Option<ExitStatus>, reason: ShutoffReason) {
    let how = status.map_or_else(String::new, |status| format!(", {status}"));
    let path = core.config.dirs.guest_log(name);
    log::append(path, format!("ended: {reason:?}{how}")).await;
}

/// Notes whether the guest's next power-off is to be a reboot. It is on disk before the guest can hear of it.
pub(crate) fn reboot_wanted(core: &Core, domain: &Domain, epoch: u64, wanted: bool) {
    let mut inner = domain.lock();
    if let Ok(live) = inner.live_mut(epoch)
        && live.status.reboot_wanted != wanted
    {
        live.status.reboot_wanted = wanted;
        core.store.try_status(&mut live.status);
    }
}
