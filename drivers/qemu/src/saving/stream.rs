//! A guest's state as a stream into a file, with its progress and its end.
//!
//! QEMU gets one end of a pipe, and what comes out of the other is written here: a QEMU that had the file could write another definition into
//! its header. A dump has no header, and QEMU gets its file. How a stream ends is told by an event; how far it is has to be asked, which
//! is done here so that no client has to.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_hypervisor::jobs::{Amounts, Progress};
use virtbus_qemu_monitor::commands::migration::{
    Closefd, DumpGuestMemory, DumpStatus, Getfd, Migrate, MigrateCancel, MigrateIncoming,
    MigrateSetCapabilities, MigrateSetParameters, MigrationCapability, QueryDump, QueryMigrate,
};
use virtbus_qemu_monitor::event::{Event, MigrationStatus};
use virtbus_qemu_monitor::{Events, Monitor, MonitorError, Notification};

use crate::core::monitor_failed;
use crate::definition::max_memory;
use crate::domain::{Domain, Flow};

/// The name that the descriptor has in QEMU.
const FD: &str = "virtbus-state";

/// What a pipe holds, bytes: as much as every user may have it hold.
const PIPE: usize = 1 << 20;

/// So often is it asked how far a stream is: a bar that moves smoothly.
const PACE: Duration = Duration::from_millis(200);

/// QEMU has so long to let go of a stream that was called off.
const LET_GO: Duration = Duration::from_secs(30);

/// A dump that an earlier daemon began has so long to end: a terabyte to a slow disk.
const LONGEST_DUMP: Duration = Duration::from_secs(3 * 3600);

/// As fast as it goes: the most that every QEMU takes. Bytes per second.
const NO_LIMIT: u64 = (i64::MAX as u64) >> 20 << 20;

/// Follows the stream of one run.
struct Follower<'a> {
    domain: &'a Arc<Domain>,
    flow: watch::Receiver<Flow>,
    job: &'a Progress,
}

/// What is known of a stream after an event or an answer.
enum Known {
    Flowing,
    Done,
}

/// Sends the guest's state to `file`. The guest's CPUs must not run, and do not when this returns.
///
/// # Errors
/// `OperationAborted` if somebody called it off; what QEMU or the file have against it.
pub(crate) async fn send(
    domain: &Arc<Domain>,
    epoch: u64,
    job: &Progress,
    file: &File,
) -> Result<()> {
    let (monitor, mut follower) = begin(domain, epoch, job)?;
    let (out, fd) = pipe().map_err(|error| no_descriptor(&error))?;
    let file = file.try_clone().map_err(|error| no_descriptor(&error))?;
    let most = most_bytes(domain);
    let mut copy = Copy::begin(out, file, most).map_err(|error| no_descriptor(&error))?;
    let asked = async {
        prepare(&monitor).await?;
        let parameters = MigrateSetParameters {
            max_bandwidth: Some(NO_LIMIT),
        };
        monitor.execute(&parameters).await?;
        take_fd(&monitor, fd).await?;
        let uri = format!("fd:{FD}");
        monitor.execute(&Migrate { uri }).await.map(drop)
    };
    if let Err(error) = asked.await {
        // It may have the pipe's end, and keeps it where it refused what was to be done with it.
        let fdname = FD.to_owned();
        let _ = monitor.execute(&Closefd { fdname }).await;
        return Err(monitor_failed(domain, &error));
    }
    let sent = follower.migration().await;
    // QEMU closes its end with its last byte, and a copy that cannot go on closes the other.
    let copied = tokio::time::timeout(LET_GO, &mut copy.task).await;
    match (sent, copied) {
        (_, Ok(Ok(Err(error)))) => Err(failed(
            domain,
            &format!("the state cannot be written to its file: {error}"),
        )),
        (Err(error), _) => Err(error),
        (Ok(()), Ok(Ok(Ok(())))) => Ok(()),
        (Ok(()), Ok(Err(_))) => Err(failed(domain, "the state was not written completely")),
        (Ok(()), Err(_)) => Err(failed(
            domain,
            "QEMU does not close the completed stream of its state",
        )),
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (out, into) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // Without it the two wait for each other more often.
    let _ = rustix::pipe::fcntl_setpipe_size(&into, PIPE);
    Ok((out, into))
}

/// Writes to a file what comes out of a pipe, until the other end of the pipe is closed or this is dropped: a QEMU that was broken out of
/// may have passed that end on.
struct Copy {
    task: JoinHandle<io::Result<()>>,
    stop: Arc<OwnedFd>,
}

impl Copy {
    /// Begins; more than `most` bytes are not written.
    fn begin(out: OwnedFd, file: File, most: u64) -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let stop = Arc::new(eventfd(0, flags)?);
        let stopped = Arc::clone(&stop);
        let task = tokio::task::spawn_blocking(move || copy(&out, &file, &stopped, most));
        Ok(Self { task, stop })
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // It cannot be full: nobody else writes there.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }
}

/// More than the state of a guest that is halted can have, bytes: its memory once, that of its devices, and as much again to be sure. A QEMU that
/// was broken out of would fill the disk.
fn most_bytes(domain: &Domain) -> u64 {
    const DEVICES: u64 = 512 << 20;
    let snapshot = domain.snapshot();
    let memory = snapshot.live.as_ref().map_or(0, |live| max_memory(live));
    memory.saturating_mul(1024 * 2).saturating_add(DEVICES)
}

/// Blocks.
fn copy(out: &OwnedFd, mut file: &File, stop: &OwnedFd, most: u64) -> io::Result<()> {
    let mut left = most;
    let mut can_splice = true;
    let mut bytes = Vec::new();
    loop {
        let mut ready = [
            PollFd::new(out, PollFlags::IN),
            PollFd::new(stop, PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [out_ready, stop_ready] = ready.map(|ready| !ready.revents().is_empty());
        if stop_ready {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if !out_ready {
            continue;
        }
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let done = if can_splice {
            splice(out, None, file, None, PIPE, flags)
        } else {
            bytes.resize(PIPE, 0);
            match rustix::io::read(out, &mut bytes[..]) {
                Ok(count) => {
                    io::Write::write_all(&mut file, &bytes[..count])?;
                    Ok(count)
                }
                Err(errno) => Err(errno),
            }
        };
        match done {
            Ok(0) => return Ok(()),
            Ok(count) => {
                left = left.checked_sub(count as u64).ok_or_else(|| {
                    let text = format!("QEMU has sent more than {most} bytes, which is more than the guest's state can be");
                    io::Error::other(text)
                })?;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // A file system that cannot.
            Err(Errno::INVAL) if can_splice => can_splice = false,
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Writes the guest's memory to `file` as a core file of this format.
///
/// # Errors
/// What QEMU or the file have against it. A dump cannot be called off.
pub(crate) async fn dump(
    domain: &Arc<Domain>,
    epoch: u64,
    job: &Progress,
    file: &File,
    format: &'static str,
) -> Result<()> {
    let (monitor, mut follower) = begin(domain, epoch, job)?;
    let fd = file
        .try_clone()
        .map_err(|error| no_descriptor(&error))?
        .into();
    let asked = async {
        take_fd(&monitor, fd).await?;
        let dump = DumpGuestMemory {
            paging: false,
            protocol: format!("fd:{FD}"),
            detach: true,
            format: Some(format.to_owned()),
        };
        monitor.execute(&dump).await.map(drop)
    };
    asked
        .await
        .map_err(|error| monitor_failed(domain, &error))?;
    follower.dump().await
}

/// Lets a QEMU that was started for it take a state in from `file`. Its events are received here; those of others are given back.
///
/// # Errors
/// What QEMU has against the state.
pub(crate) async fn take_in(
    domain: &Domain,
    monitor: &Monitor,
    events: &mut Events,
    file: File,
) -> Result<()> {
    let asked = async {
        prepare(monitor).await?;
        take_fd(monitor, file.into()).await?;
        let uri = format!("fd:{FD}");
        monitor.execute(&MigrateIncoming { uri }).await.map(drop)
    };
    asked
        .await
        .map_err(|error| monitor_failed(domain, &error))?;
    let mut others = Vec::new();
    let outcome = loop {
        match events.recv().await {
            Some(Notification::Event {
                event: Event::Migration(migration),
                ..
            }) => match migration.status {
                MigrationStatus::Completed => break Ok(()),
                MigrationStatus::Failed | MigrationStatus::Cancelled => {
                    break Err(failed(domain, "QEMU does not take the state"));
                }
                _ => {}
            },
            Some(other @ Notification::Event { .. }) => others.push(other),
            Some(closed @ Notification::Closed { .. }) => {
                others.push(closed);
                break Err(failed(domain, "QEMU ended while it took the state in"));
            }
            None => break Err(failed(domain, "QEMU ended while it took the state in")),
        }
    };
    events.give_back(others);
    outcome
}

/// Calls off the stream of a guest's state or memory that an earlier daemon began, and waits until QEMU has let go of it. A dump cannot be
/// called off: it is waited for.
pub(crate) async fn call_off(domain: &Domain) {
    let mut tick = ticks();
    let Ok((monitor, _)) = domain.monitor() else {
        return;
    };
    // One that is at its end, or never began, cannot be called off, which is as well.
    let _ = monitor.execute(&MigrateCancel {}).await;
    let begun = tokio::time::Instant::now();
    loop {
        // No event is to be relied on: the one that matters may have come while nobody listened.
        tick.tick().await;
        let Ok(info) = monitor.execute(&QueryMigrate {}).await else {
            return;
        };
        let flowing = matches!(
            info.status,
            Some(
                MigrationStatus::Setup
                    | MigrationStatus::Active
                    | MigrationStatus::Device
                    | MigrationStatus::PreSwitchover
                    | MigrationStatus::Cancelling
            )
        );
        let dump = monitor.execute(&QueryDump {}).await;
        let dumping = dump.is_ok_and(|dump| dump.status == DumpStatus::Active);
        let limit = match (flowing, dumping) {
            (_, true) => LONGEST_DUMP,
            (true, false) => LET_GO,
            (false, false) => return,
        };
        if begun.elapsed() >= limit {
            tracing::warn!(domain = %domain.name(), "QEMU keeps the file open that an earlier daemon gave it, ignoring");
            return;
        }
    }
}

fn begin<'a>(
    domain: &'a Arc<Domain>,
    epoch: u64,
    job: &'a Progress,
) -> Result<(Monitor, Follower<'a>)> {
    let (monitor, _) = domain.monitor()?;
    let flow = {
        let mut inner = domain.lock();
        let live = inner.live_mut(epoch)?;
        live.flow.send_replace(Flow::Idle);
        live.flow.subscribe()
    };
    Ok((monitor, Follower { domain, flow, job }))
}

fn no_descriptor(error: &io::Error) -> Error {
    let message = format!("no descriptor can be had for the guest's state: {error}");
    Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
}

/// Without this no event tells how a migration is doing.
async fn prepare(monitor: &Monitor) -> std::result::Result<(), MonitorError> {
    let capabilities = vec![MigrationCapability {
        capability: "events",
        state: true,
    }];
    let wanted = MigrateSetCapabilities { capabilities };
    monitor.execute(&wanted).await.map(drop)
}

async fn take_fd(monitor: &Monitor, fd: OwnedFd) -> std::result::Result<(), MonitorError> {
    let fdname = FD.to_owned();
    monitor
        .execute_with_fd(&Getfd { fdname }, fd)
        .await
        .map(drop)
}

impl Follower<'_> {
    /// Waits for the end of a migration.
    async fn migration(&mut self) -> Result<()> {
        let mut tick = ticks();
        let mut called_off = false;
        loop {
            tokio::select! {
                biased;
                changed = self.flow.changed() => {
                    self.check_run(changed.is_ok())?;
                    let flow = self.flow.borrow_and_update().clone();
                    if let Flow::Migration(status) = flow
                        && let Known::Done = self.judge(&status, None).await?
                    {
                        return Ok(());
                    }
                }
                () = self.job.aborted(), if !called_off => {
                    called_off = true;
                    if let Ok((monitor, _)) = self.domain.monitor() {
                        // Whether it was in time is told by the end.
                        let _ = monitor.execute(&MigrateCancel {}).await;
                    }
                }
                _ = tick.tick() => {
                    // A monitor that is silent for a while is no reason to give up.
                    let Ok((monitor, _)) = self.domain.monitor() else { continue };
                    let Ok(info) = monitor.execute(&QueryMigrate {}).await else { continue };
                    if let Some(ram) = &info.ram {
                        self.job.set(Amounts { total: ram.total, remaining: ram.remaining });
                    }
                    if let Some(status) = &info.status
                        && let Known::Done = self.judge(status, info.error_desc.as_deref()).await?
                    {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Waits for the end of a dump.
    async fn dump(&mut self) -> Result<()> {
        let mut tick = ticks();
        loop {
            tokio::select! {
                biased;
                changed = self.flow.changed() => {
                    self.check_run(changed.is_ok())?;
                    let flow = self.flow.borrow_and_update().clone();
                    if let Flow::Dumped(error) = flow {
                        return error.map_or(Ok(()), |error| Err(failed(self.domain, &error)));
                    }
                }
                _ = tick.tick() => {
                    let Ok((monitor, _)) = self.domain.monitor() else { continue };
                    let Ok(info) = monitor.execute(&QueryDump {}).await else { continue };
                    let remaining = info.total.saturating_sub(info.completed);
                    self.job.set(Amounts { total: info.total, remaining });
                    match info.status {
                        DumpStatus::Completed => return Ok(()),
                        DumpStatus::Failed => return Err(failed(self.domain, "QEMU cannot write the dump")),
                        DumpStatus::None | DumpStatus::Active | DumpStatus::Other(_) => {}
                    }
                }
            }
        }
    }

    fn check_run(&self, runs: bool) -> Result<()> {
        if runs {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::OperationAborted,
            ErrorDomain::Qemu,
            format!("domain '{}' ended meanwhile", self.domain.name()),
        ))
    }

    /// What a status means for whoever waits.
    async fn judge(&self, status: &MigrationStatus, why: Option<&str>) -> Result<Known> {
        match status {
            MigrationStatus::Completed => Ok(Known::Done),
            MigrationStatus::Cancelled => Err(Error::new(
                ErrorCode::OperationAborted,
                ErrorDomain::Qemu,
                format!("the job of domain '{}' was aborted", self.domain.name()),
            )),
            MigrationStatus::Failed => {
                let why = match why {
                    Some(why) => Some(why.to_owned()),
                    None => self.ask_why().await,
                };
                let why = why.unwrap_or_else(|| "QEMU cannot write the state".to_owned());
                Err(failed(self.domain, &why))
            }
            _ => Ok(Known::Flowing),
        }
    }

    async fn ask_why(&self) -> Option<String> {
        let (monitor, _) = self.domain.monitor().ok()?;
        monitor.execute(&QueryMigrate {}).await.ok()?.error_desc
    }
}

fn ticks() -> tokio::time::Interval {
    let mut tick = tokio::time::interval(PACE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

fn failed(domain: &Domain, why: &str) -> Error {
    Error::new(
        ErrorCode::OperationFailed,
        ErrorDomain::Qemu,
        format!("domain '{}': {why}", domain.name()),
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[tokio::test]
    async fn what_comes_out_of_the_pipe_is_in_the_file_behind_what_was_there() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"header").unwrap();
        let (out, into) = pipe().unwrap();
        let copying = Copy::begin(out, file.try_clone().unwrap(), u64::MAX).unwrap();
        let state: Vec<u8> = (0..3 * PIPE).map(|at| at as u8).collect();
        let sent = state.clone();
        let sender = tokio::task::spawn_blocking(move || File::from(into).write_all(&sent));
        sender.await.unwrap().unwrap();
        let mut copying = copying;
        (&mut copying.task).await.unwrap().unwrap();
        file.rewind().unwrap();
        let mut written = Vec::new();
        file.read_to_end(&mut written).unwrap();
        assert!(written[..6] == *b"header" && written[6..] == state);
    }

    #[tokio::test]
    async fn more_than_a_guest_can_have_is_not_written() {
        let file = tempfile::tempfile().unwrap();
        let (out, into) = pipe().unwrap();
        let mut copying = Copy::begin(out, file.try_clone().unwrap(), 1 << 20).unwrap();
        let endless = tokio::task::spawn_blocking(move || {
            let mut into = File::from(into);
            while into.write_all(&[1; 4096]).is_ok() {}
        });
        let ended = (&mut copying.task).await.unwrap().unwrap_err();
        assert!(ended.to_string().contains("1048576 bytes"), "{ended}");
        assert!(file.metadata().unwrap().len() <= (1 << 20) + PIPE as u64);
        endless.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_keeps_a_copy_going_that_nobody_waits_for() {
        let file = tempfile::tempfile().unwrap();
        let (out, into) = pipe().unwrap();
        let copying = Copy::begin(out, file, u64::MAX).unwrap();
        drop(copying);
        // The end that was read from is closed then, though this one is not.
        let closed = tokio::task::spawn_blocking(move || {
            let mut into = File::from(into);
            loop {
                if let Err(error) = into.write_all(&[0; 4096]) {
                    return error.kind();
                }
            }
        });
        let closed = tokio::time::timeout(LET_GO, closed).await.unwrap();
        assert_eq!(closed.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
