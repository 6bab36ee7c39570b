//! What a new daemon does first: reads the definitions, finds the guests of the last daemon again, and clears away what is left
//! of those that are gone.
//!
//! A guest is known as soon as its status file is read; its monitor is reached in the background by the task that watches
//! it, so one guest that does not answer holds up nobody.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use rustix::process::Signal;
use tokio::sync::watch;
use virtbus_api::domain::{DomainEvent, Lifecycle, ShutoffReason, StoppedDetail};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::domains::Snapshot as _;
use virtbus_hypervisor::store::Statuses;
use virtbus_util::file;
use virtbus_util::process::{self, Pidfd};

use crate::belongings::ManagedSave;
use crate::config::Dirs;
use crate::core::Core;
use crate::domain::{Domain, Ending, Handle, Live, Run};
use crate::persist::{self, Files, Status};
use crate::watch::Process;
use crate::{definition, jobs, saving, stray};

/// So many guests of the last daemon are taken in at the same time.
const AT_ONCE: usize = 32;

/// The daemon's first caller waits no longer for what is left of a guest to be cleared away; a bus gives up after 25 s.
const CLEARING: Duration = Duration::from_secs(5);

/// Reads definitions into the table, and gives the status files. Blocks.
pub(crate) fn load(core: &Core) -> Result<Statuses<Files>> {
    let (run, most) = (&core.config.dirs.run, Dirs::longest_run());
    let bytes = run.as_os_str().len();
    if bytes > most {
        let message = format!(
            "the directory '{}' is too long for sockets of guests: its path has {bytes} bytes, and may have {most} at most",
            run.display()
        );
        return Err(Error::new(
            ErrorCode::ConfigUnsupported,
            ErrorDomain::Qemu,
            message,
        ));
    }
    // Guests pass through all but the first; nobody else has to know which guests there are.
    for (dir, mode) in [
        (&core.config.dirs.config, 0o700),
        (&core.config.dirs.run, 0o711),
        (&core.config.dirs.log, 0o711),
        (&core.config.dirs.state, 0o711),
    ] {
        file::ensure_dir(dir, mode, None).map_err(crate::outside::failed)?;
    }
    file::ensure_dir(&core.config.dirs.memory(), 0o700, None).map_err(crate::outside::failed)?;
    file::ensure_dir(
        &core.config.dirs.consoles(),
        0o750,
        core.config.guest_owner(),
    )
    .map_err(crate::outside::failed)?;
    core.store.sweep();
    core.store.finish_renaming(&[&ManagedSave(core)]);
    for stored in core.store.read_configs() {
        let name = definition::name(&stored.definition).to_owned();
        let claim = definition::uuid(&stored.definition).and_then(|uuid| {
            core.table.claim(uuid, &name, || {
                Domain::new(uuid, &name, ShutoffReason::Unknown)
            })
        });
        match claim {
            Ok(claim) => {
                let saved = saving::has_managed(core, &name, claim.domain().uuid);
                claim.domain().adjust(&core.hub, |inner| {
                    inner.config = Some(Arc::new(stored.definition));
                    inner.autostart = stored.autostart;
                    inner.managed_save = saved;
                });
            }
            Err(error) => {
                tracing::error!(domain = name, %error, "a definition cannot be taken in, ignoring");
            }
        }
    }
    let statuses = core.store.read_statuses()?;
    for id in persist::used_ids(&core.config.dirs) {
        core.table.id_in_use(id);
    }
    // One that cannot be read may tell of a file in the making.
    if statuses.unreadable.is_empty() {
        let noted = statuses
            .read
            .iter()
            .filter_map(|(status, _)| status.saving.as_ref());
        saving::sweep(core, noted);
    }
    Ok(statuses)
}

/// Takes in the guests of the last daemon.
pub(crate) async fn resume(core: &Arc<Core>, statuses: Statuses<Files>) {
    let boot = process::boot_id().unwrap_or_default();
    let boot = &*boot;
    // One whose interrupted start the kernel is slow to end does not hold up the others.
    stream::iter(statuses.read)
        .for_each_concurrent(AT_ONCE, |(status, definition)| async move {
            if let Err(error) = resume_one(core, &status, definition, boot).await {
                cannot_resume(core, &status, boot, &error).await;
            }
        })
        .await;
    stray::hold_unreadable(core, statuses.unreadable).await;
}

/// Something speaks against taking a guest in, such as a definition of its name with another UUID. If it runs, its domain is held.
async fn cannot_resume(core: &Arc<Core>, status: &Status, boot: &str, error: &Error) {
    let path = core.store.status_path(status.uuid);
    match find_in(core, status, boot).map(|found| found.into_iter().next()) {
        Ok(None) => {
            tracing::error!(domain = status.name, %error, "a guest that has ended cannot be taken in, ignoring");
            saving::ended(core, status.saving.as_ref()).await;
            core.undo(status).await;
            core.store.remove_status(status.uuid);
        }
        Ok(Some(process)) => {
            let why = error.message.clone();
            stray::hold(core, status.uuid, &status.name, process, path, why);
        }
        Err(also) => {
            tracing::error!(domain = status.name, %error, %also, "a guest cannot be taken in, nor its process looked for, ignoring");
        }
    }
}

/// QEMU's process, if it can be there: in another boot of the host it is not.
fn find_in(core: &Core, status: &Status, boot: &str) -> Result<Vec<Pidfd>> {
    // Where boots cannot be told apart, the start time of the process does it.
    let another = !boot.is_empty() && !status.boot_id.is_empty() && status.boot_id != boot;
    if another {
        return Ok(Vec::new());
    }
    find(status, core.config.user.as_ref().map(|user| user.uid))
}

async fn resume_one(
    core: &Arc<Core>,
    status: &Status,
    definition: Arc<Definition>,
    boot: &str,
) -> Result<()> {
    core.table.id_in_use(status.id);
    let (uuid, name) = (status.uuid, status.name.clone());
    let claim = core.table.claim(uuid, &name, || {
        Domain::new(uuid, &name, ShutoffReason::Unknown)
    })?;
    let domain = claim.domain();
    let mut found = find_in(core, status, boot)?;
    match found.pop() {
        Some(process) if !status.is_starting() => {
            tracing::info!(
                domain = name,
                pid = process.pid(),
                "a guest of an earlier daemon runs"
            );
            core.preparer.ports.reserve(&status.prepared.ports);
            core.preparer.taps.reserve(&status.prepared.taps);
            if domain.snapshot().view.managed_save && status.saving.is_none() {
                // The guest has gone on from there; going back to it would be wrong.
                saving::outlived(core, domain).await;
            }
            if status.saving.is_some() {
                let limit = core.config.timeouts.job;
                let turn = domain.jobs.turn(&name, jobs::RECOVERY, limit).await;
                domain.keep_for_recovery(turn.ok());
            }
            take_in(core, domain, status.clone(), definition, process);
        }
        other => {
            if other.is_none() {
                tracing::warn!(domain = name, "a guest ended while no daemon ran");
            }
            // Done before anybody calls, unless its files are on a file system that does not answer: then whoever wants to start the
            // guest goes on waiting, and nobody else.
            let limit = core.config.timeouts.job;
            let turn = domain.jobs.turn(&name, jobs::RECOVERY, limit).await;
            let (core, status) = (Arc::clone(core), status.clone());
            let clearing = tokio::spawn(async move {
                for process in other.into_iter().chain(found) {
                    end_interrupted(&core, &status, &process).await;
                }
                clear_away(&core, claim.domain(), &status).await;
                drop(turn);
            });
            let _ = tokio::time::timeout(CLEARING, clearing).await;
        }
    }
    Ok(())
}

/// Ends a guest whose start was interrupted: its CPUs have not been released yet, and nobody was told of it.
async fn end_interrupted(core: &Core, status: &Status, process: &Pidfd) {
    tracing::warn!(
        domain = status.name,
        pid = process.pid(),
        "ending a guest whose start was interrupted"
    );
    let _ = process.signal(Signal::KILL);
    let _ = tokio::time::timeout(core.config.timeouts.kill, process.exited()).await;
}

/// Undoes what was done for a guest that is gone.
async fn clear_away(core: &Arc<Core>, domain: &Arc<Domain>, status: &Status) {
    let started = !status.is_starting();
    let saved = saving::ended(core, status.saving.as_ref()).await;
    core.undo(status).await;
    let (reason, detail) = if saved {
        (ShutoffReason::Saved, StoppedDetail::Saved)
    } else if started {
        (ShutoffReason::Crashed, StoppedDetail::Failed)
    } else {
        (ShutoffReason::Failed, StoppedDetail::Failed)
    };
    let events = if started && domain.snapshot().is_shown() {
        vec![DomainEvent::Lifecycle(Lifecycle::Stopped(detail))]
    } else {
        Vec::new()
    };
    crate::stop::off(core, domain, reason, events);
}

/// QEMU's process, by what was written down of it; or by its folder, if nothing was written down yet. More than one is to be had only of
/// what others started to look like it: of those who may, which are the guests of the same user.
fn find(status: &Status, user: Option<u32>) -> Result<Vec<Pidfd>> {
    if let Some(id) = status.process() {
        let process = id
            .open()
            .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))?;
        let process = process.filter(|process| !process.has_exited().unwrap_or(false));
        return Ok(process.into_iter().collect());
    }
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Ok(Vec::new());
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // Held before it is looked at, so that it is this one that was looked at.
    let handles = pids.filter_map(|pid| Pidfd::open(pid).ok());
    let is_it = |process: &Pidfd| {
        let pid = process.pid();
        names_dir(pid, &status.dir)
            && stray::is_of(pid, user)
            && process::executable(pid).is_ok_and(|path| path == status.emulator)
    };
    Ok(handles.filter(is_it).collect())
}

/// Whether a process was given a file of this folder as an argument.
fn names_dir(pid: i32, dir: &Path) -> bool {
    let Some(dir) = dir.to_str() else {
        return false;
    };
    process::cmdline(pid).is_ok_and(|arguments| {
        arguments
            .iter()
            .any(|argument| argument.to_string_lossy().contains(&format!("{dir}/")))
    })
}

/// Makes a found guest the domain's, and watches it.
fn take_in(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    status: Status,
    definition: Arc<Definition>,
    process: Pidfd,
) {
    let process = Arc::new(process);
    let epoch = core.next_epoch();
    let (handle, requests) = Handle::new();
    let live = Live {
        epoch,
        status,
        definition,
        process: Arc::clone(&process),
        monitor: None,
        reached: watch::Sender::new(false),
        flow: watch::Sender::default(),
        wanted: None,
        ending: Ending::None,
        watcher: handle,
    };
    domain.adjust(&core.hub, |inner| {
        inner.run = Run::Live(Box::new(live));
    });
    core.watched.fetch_add(1, Ordering::Relaxed);
    let (core, domain) = (Arc::clone(core), Arc::clone(domain));
    tokio::spawn(crate::watch::watch(
        core,
        domain,
        epoch,
        Process::Found(process),
        None,
        requests,
    ));
}
