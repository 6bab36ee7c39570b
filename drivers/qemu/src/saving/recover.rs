//! What is noted of a file that a guest's memory goes to, and what is done about it when the daemon, the guest or the file fails in the
//! middle.
//!
//! The rule: a guest is ended as saved only if the very image that was noted, told by its identity, is complete and has its name.
//! Otherwise the guest has the newest memory, so what was written is removed first, and then the guest goes on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_api::domain::{DomainState, RunningReason};
use virtbus_api::{Result, Uuid};
use virtbus_util::file;

use super::target::PARTS;
use super::{Work, outlived, show_managed, stream};
use crate::core::Core;
use crate::cpus;
use crate::domain::{Domain, Ending};
use crate::outside::blocking;
use crate::record::{Purpose, Saving, Target};
use crate::stop;

impl Saving {
    /// Whether the guest is whole in the file. Blocks.
    fn has_guest(&self, core: &Core) -> bool {
        if self.purpose == Purpose::Dump {
            return false;
        }
        self.target.is_whole(core).unwrap_or_else(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::error!(path = %self.target.path.display(), error, "whether a guest was saved cannot be found out");
            false
        })
    }
}

/// Notes what is about to be made, and whether the guest runs.
///
/// # Errors
/// If that cannot be written down, and then it must not be made.
pub(super) fn note(core: &Core, domain: &Domain, epoch: u64, saving: &mut Saving) -> Result<()> {
    let mut inner = domain.lock();
    let live = inner.live_mut(epoch)?;
    // Under the lock: whoever suspends the guest finds this note, or has halted the guest before.
    saving.running = matches!(live.status.state(), DomainState::Running(_));
    live.status.saving = Some(saving.clone());
    core.store.write_status(&live.status).inspect_err(|_| {
        live.status.saving = None;
    })
}

/// Whether the guest is to run again, by what is noted now.
///
/// # Errors
/// `OperationInvalid` if it has ended.
pub(super) fn is_to_run(domain: &Domain, epoch: u64) -> Result<bool> {
    let mut inner = domain.lock();
    let noted = inner.live_mut(epoch)?.status.saving.as_ref();
    Ok(noted.is_some_and(|saving| saving.running))
}

/// Notes that nothing is being made any more, which is a fact.
fn forget(core: &Core, domain: &Domain, epoch: u64) {
    if let Ok(live) = domain.lock().live_mut(epoch) {
        live.status.saving = None;
        core.store.try_status(&mut live.status);
    }
}

/// Removes what was made, and lets the guest go on, if it is still there.
///
/// # Errors
/// If it does not go on.
pub(super) async fn give_up(work: &Work, saving: Saving, reason: RunningReason) -> Result<()> {
    // First of all: a guest that has gone on is newer than any image.
    discard(&work.core, saving.target).await;
    let _alone = work.turn.step().await;
    done(work, reason).await
}

/// Lets the guest go on, if it is to and is still there, and notes that nothing is being made any more. To be run in a step of the job.
///
/// # Errors
/// If it does not go on.
pub(super) async fn done(work: &Work, reason: RunningReason) -> Result<()> {
    let (core, domain, epoch) = (&work.core, &work.domain, work.epoch);
    let gone_on = if is_to_run(domain, epoch).unwrap_or(false) {
        cpus::go_on(core, domain, epoch, reason).await
    } else {
        Ok(())
    };
    forget(core, domain, epoch);
    if domain.lock().live_mut(epoch).is_err() {
        // It has ended, which needs nothing of all that.
        return Ok(());
    }
    gone_on.inspect_err(|error| {
        tracing::error!(domain = %domain.name(), %error, "a guest stays paused after a save or dump");
    })
}

/// What a new daemon does about a file that the last one was making. Returns whether the guest has been saved. To be run while the
/// domain's turn is held (`Domain::recovery`): what a client asks for comes after it.
pub(crate) async fn recover(core: &Arc<Core>, domain: &Arc<Domain>, epoch: u64) -> bool {
    let saving = match domain.lock().live_mut(epoch) {
        Ok(live) => live.status.saving.clone(),
        Err(_) => None,
    };
    let Some(saving) = saving else { return false };
    let (looking, looked_at) = (Arc::clone(core), saving.clone());
    let saved = blocking(move || Ok(looked_at.has_guest(&looking))).await;
    if saved.unwrap_or(false) {
        tidy(core, saving.target.clone()).await;
        tracing::info!(domain = %domain.name(), "an earlier daemon had completed the save; ending the guest");
        if saving.managed() {
            show_managed(core, domain, true);
        }
        if let Err(error) = stop::end(core, domain, epoch, Ending::Saved).await {
            tracing::error!(domain = %domain.name(), %error, "a saved guest cannot be ended");
        }
        return true;
    }
    tracing::warn!(domain = %domain.name(), "a save or dump was interrupted; the guest keeps running");
    stream::call_off(domain).await;
    discard(core, saving.target).await;
    if domain.snapshot().view.managed_save {
        // Older than the guest.
        outlived(core, domain).await;
    }
    if saving.running {
        let reason = match saving.purpose {
            Purpose::Save | Purpose::ManagedSave => RunningReason::SaveCanceled,
            Purpose::Dump => RunningReason::Unpaused,
        };
        // Whether the CPUs stand may not have been written down yet.
        let state = DomainState::Running(reason);
        if let Err(error) = cpus::bring(core, domain, epoch, state).await {
            tracing::error!(domain = %domain.name(), %error, "a guest stays paused after a save or dump that was interrupted");
        }
    }
    forget(core, domain, epoch);
    false
}

/// What is to be done about a file that was being made of a guest which has ended, while no daemon ran. Returns whether the guest is in
/// it; otherwise what was written of it is removed.
pub(crate) async fn ended(core: &Arc<Core>, saving: Option<&Saving>) -> bool {
    let Some(saving) = saving.cloned() else {
        return false;
    };
    let (looking, looked_at) = (Arc::clone(core), saving.clone());
    let saved = blocking(move || Ok(looked_at.has_guest(&looking))).await;
    let saved = saved.unwrap_or(false);
    if saved {
        tidy(core, saving.target).await;
    } else {
        discard(core, saving.target).await;
    }
    saved
}

/// The same about a guest that was found running, and has ended before its monitor could be reached: if it is whole in the file that the last daemon
/// made, it has been saved.
pub(crate) async fn ended_unasked(core: &Arc<Core>, domain: &Arc<Domain>, epoch: u64) {
    let saving = match domain.lock().live_mut(epoch) {
        Ok(live) => live.status.saving.take(),
        Err(_) => None,
    };
    if !ended(core, saving.as_ref()).await {
        return;
    }
    if saving.is_some_and(|saving| saving.managed()) {
        show_managed(core, domain, true);
    }
    if let Ok(live) = domain.lock().live_mut(epoch) {
        live.ending = Ending::Saved;
    }
}

/// Removes the older image that the saved one took the place of, if that was not done.
async fn tidy(core: &Arc<Core>, target: Target) {
    let core = Arc::clone(core);
    // What fails was told.
    let _ = blocking(move || {
        target.tidy(&core);
        Ok(())
    })
    .await;
}

async fn discard(core: &Arc<Core>, target: Target) {
    let core = Arc::clone(core);
    let removed = blocking(move || {
        target.discard(&core);
        Ok(())
    });
    if let Err(error) = removed.await {
        tracing::warn!(%error, "what is left of a file in the making cannot be removed, ignoring");
    }
}

/// Removes files in the making from the folder of managed saves, but for those that are noted. Blocks.
pub(crate) fn sweep<'a>(core: &Core, noted: impl Iterator<Item = &'a Saving>) {
    let noted: HashSet<&Path> = noted.map(|saving| saving.target.temporary()).collect();
    let dir = core.config.dirs.saved();
    let Ok(entries) = std::fs::read_dir(&dir) else {
        return;
    };
    let left = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let mark = name.strip_suffix(PARTS)?.rsplit('.').next()?;
        let is_ours = name.starts_with('.') && Uuid::try_parse(mark).is_ok();
        let path = dir.join(&name);
        (is_ours && !noted.contains(path.as_path())).then_some(path)
    });
    let left: Vec<PathBuf> = left.collect();
    for path in left {
        match file::remove(&path) {
            Ok(_) => tracing::info!(path = %path.display(), "removed what was left of a save"),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what is left of a save cannot be removed, ignoring");
            }
        }
    }
}
