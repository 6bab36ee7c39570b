//! Halting and releasing a guest's virtual CPUs, for whoever does.
//!
//! All of it is announced when QEMU tells of it (`watch.rs`), be it that a client asked for it or that a job needs memory that stands
//! still; a job only says before which state that is to lead to.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use virtbus_api::domain::{DomainState, PausedReason, RunningReason};
use virtbus_api::{Error, Result};
use virtbus_qemu_monitor::commands::migration::{DumpStatus, QueryDump};
use virtbus_qemu_monitor::commands::system::{Cont, QueryStatus, RunState, Stop};
use virtbus_qemu_monitor::{Monitor, MonitorError};

use crate::core::{Core, monitor_failed};
use crate::domain::Domain;
use crate::translate;

/// QEMU has so long to leave a migration or a dump that it has told the end of.
const LEAVE: Duration = Duration::from_secs(60);

/// So often is it asked whether it has: a fraction of what a guest notices.
const PACE: Duration = Duration::from_millis(10);

/// Releases the CPUs.
///
/// QEMU tells the end of a migration *before* it leaves the run state in which it ends one (`finish-migrate`), and refuses to go on from
/// there; likewise while a dump is being written. No event tells when that is over, so it is asked.
///
/// # Errors
/// QEMU's refusal, if it is another one or lasts; what the monitor says.
pub(crate) async fn release(monitor: &Monitor) -> std::result::Result<(), MonitorError> {
    let deadline = Instant::now() + LEAVE;
    let mut left = false;
    loop {
        match monitor.execute(&Cont {}).await {
            Err(MonitorError::Command { .. }) if !left && Instant::now() < deadline => {
                // One that has left between the two questions takes the next command, if there is nothing else.
                left = !is_leaving(monitor).await;
                sleep(PACE).await;
            }
            done => return done.map(drop),
        }
    }
}

/// Whether QEMU is in a state that it leaves by itself, and cannot go on from before.
async fn is_leaving(monitor: &Monitor) -> bool {
    let status = monitor.execute(&QueryStatus {}).await;
    if status.is_ok_and(|status| status.status == RunState::FinishMigrate) {
        return true;
    }
    let dump = monitor.execute(&QueryDump {}).await;
    dump.is_ok_and(|dump| dump.status == DumpStatus::Active)
}

/// Halts the guest's CPUs for whoever wants the guest suspended. To be run as a job of `domain`.
///
/// It may run beside a save or a dump that has halted the guest. The guest then stays halted after that, and is halted in the saved image.
///
/// # Errors
/// `OperationInvalid` if it does not run or is suspended to memory; what the monitor says.
pub(crate) async fn suspend(core: &Core, domain: &Domain) -> Result<()> {
    let paused = DomainState::Paused(PausedReason::User);
    let state = domain.snapshot().view.state;
    if state == paused {
        return Ok(());
    }
    if state == DomainState::PmSuspended {
        return Err(Error::operation_invalid(format!(
            "domain '{}' is suspended to memory (S3); use PMWakeup before Suspend",
            domain.name()
        )));
    }
    let (monitor, epoch) = domain.monitor()?;
    monitor
        .execute(&Stop {})
        .await
        .map_err(|error| monitor_failed(domain, &error))?;
    domain.settled(epoch).await;
    core.transition(domain, epoch, |live| {
        let was_to_run = live.status.stay_halted();
        match live.status.state() {
            DomainState::Running(_) => Some((paused, translate::cpus(paused))),
            // That it was halted has been told.
            DomainState::Paused(PausedReason::Save | PausedReason::Dump) => {
                Some((paused, Vec::new()))
            }
            state => was_to_run.then_some((state, Vec::new())),
        }
    });
    Ok(())
}

/// Halts the guest's CPUs, if they run, for a job.
pub(crate) async fn pause(
    core: &Core,
    domain: &Domain,
    epoch: u64,
    reason: PausedReason,
) -> Result<()> {
    if !matches!(domain.snapshot().view.state, DomainState::Running(_)) {
        return Ok(());
    }
    bring(core, domain, epoch, DomainState::Paused(reason)).await
}

/// Lets the guest go on after a job, if it ran before it and nothing else has halted or ended it.
///
/// # Errors
/// What QEMU has against it; the guest stays halted, and is shown so.
pub(crate) async fn go_on(
    core: &Core,
    domain: &Domain,
    epoch: u64,
    reason: RunningReason,
) -> Result<()> {
    let halted_here = matches!(
        domain.snapshot().view.state,
        // A command to halt that was not answered in time may have been followed later.
        DomainState::Running(_) | DomainState::Paused(PausedReason::Save | PausedReason::Dump)
    );
    if !halted_here {
        return Ok(());
    }
    bring(core, domain, epoch, DomainState::Running(reason)).await
}

/// Halts or releases the CPUs, which brings the guest to `state`, whatever state was recorded.
pub(crate) async fn bring(
    core: &Core,
    domain: &Domain,
    epoch: u64,
    state: DomainState,
) -> Result<()> {
    let (monitor, _) = domain.monitor()?;
    domain.lock().live_mut(epoch)?.wanted = Some(state);
    let runs = matches!(state, DomainState::Running(_));
    let done = if runs {
        release(&monitor).await
    } else {
        monitor.execute(&Stop {}).await.map(drop)
    };
    domain.settled(epoch).await;
    if let Ok(live) = domain.lock().live_mut(epoch) {
        live.wanted = None;
    }
    done.map_err(|error| monitor_failed(domain, &error))?;
    core.transition(domain, epoch, |live| {
        let before = live.status.state();
        let differs = matches!(before, DomainState::Running(_)) != runs;
        let either = matches!(before, DomainState::Running(_) | DomainState::Paused(_));
        (either && differs).then(|| (state, translate::cpus(state)))
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;
    use virtbus_qemu_monitor::Limits;
    use virtbus_qemu_peer::{Step, hello, play, reply, send};

    /// QEMU's answers to what `release` asks.
    async fn released(steps: Vec<Step>) -> (std::result::Result<(), MonitorError>, Vec<String>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let script = hello().into_iter().chain(steps).collect();
        let peer = tokio::spawn(play(theirs, script));
        let (monitor, _events) = Monitor::open(ours, Limits::default()).await.unwrap();
        let released = release(&monitor).await;
        drop((monitor, _events));
        (released, peer.await.unwrap())
    }

    fn refusal(why: &str) -> Step {
        send(&format!(
            r#"{{"error": {{"class": "GenericError", "desc": "{why}"}}, "id": $ID}}"#
        ))
    }

    fn status(state: &str) -> Step {
        reply(&format!(r#"{{"status": "{state}", "running": false}}"#))
    }

    fn dump(state: &str) -> Step {
        reply(&format!(
            r#"{{"status": "{state}", "completed": 1, "total": 2}}"#
        ))
    }

    #[tokio::test]
    async fn a_migration_that_is_not_left_yet_is_waited_for() {
        let late = || {
            [
                Step::Expect("cont"),
                refusal("Migration is not finalized yet"),
                Step::Expect("query-status"),
                status("finish-migrate"),
            ]
        };
        let steps = late().into_iter().chain(late());
        let steps = steps.chain([Step::Expect("cont"), reply("{}"), Step::Drain]);
        let (released, asked) = released(steps.collect()).await;
        released.unwrap();
        assert_eq!(asked.len(), 6);
    }

    #[tokio::test]
    async fn one_that_was_left_between_two_questions_and_a_dump_are_too() {
        let steps = vec![
            Step::Expect("cont"),
            refusal("There is a dump in process, please wait."),
            Step::Expect("query-status"),
            status("save-vm"),
            Step::Expect("query-dump"),
            dump("active"),
            Step::Expect("cont"),
            refusal("Migration is not finalized yet"),
            Step::Expect("query-status"),
            status("postmigrate"),
            Step::Expect("query-dump"),
            dump("completed"),
            Step::Expect("cont"),
            reply("{}"),
            Step::Drain,
        ];
        released(steps).await.0.unwrap();
    }

    #[tokio::test]
    async fn a_refusal_that_lasts_is_told() {
        let refused = || {
            [
                Step::Expect("cont"),
                refusal("Resetting the Virtual Machine is required"),
                Step::Expect("query-status"),
                status("internal-error"),
                Step::Expect("query-dump"),
                dump("none"),
            ]
        };
        let steps = refused().into_iter().chain(refused()).take(8);
        let (released, _) = released(steps.chain([Step::Drain]).collect()).await;
        let error = released.unwrap_err();
        assert!(matches!(error, MonitorError::Command { .. }), "{error}");
    }
}
