//! Guests whose memory goes to a file and comes back from it: saving, restoring, managed saves, dumps.
//!
//! ```text
//!   running ──▶ paused (save) ──▶ state in the file ──▶ complete on disk ──▶ ended (saved)
//!      ▲                │ called off, or failed: the file is removed
//!      └────────────────┘
//! ```
//!
//! What is being saved is noted in the guest's status before its CPUs are stopped. A daemon that is killed in the middle leaves either a
//! complete image, and then the next one ends the guest, or an incomplete one, which it removes, and lets the guest go on.

mod driver;
mod image;
mod stream;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use virtbus_api::domain::{
    DomainCoreDumpFlags, DomainCoreDumpFormat, DomainCreateFlags, DomainJobOperation,
    DomainSaveRestoreFlags, DomainState, PausedReason, RunningReason,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf::domain::{AbiFlags, Domain as Definition};
use virtbus_util::file;

use crate::core::{Core, blocking, monitor_failed};
use crate::definition;
use crate::domain::Domain;
use crate::long::Underway;
use crate::monitor::commands::system::{Cont, Stop, SystemReset};
use crate::start::{self, Origin};
use crate::stop::{self, Ending};

use image::ImageError;
pub(crate) use stream::{Flow, take_in};

/// A save that is under way, as it is noted in the guest's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saving {
    /// The file.
    path: PathBuf,
    /// Whether the guest ran before.
    running: bool,
    /// Whether the next start of the domain is to find it.
    managed: bool,
}

/// Where the guest is saved to.
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) managed: bool,
}

/// Saves the guest and ends it. To be run as a job of `domain`.
pub(crate) async fn save(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    target: Target,
    definition: Option<Definition>,
    flags: DomainSaveRestoreFlags,
) -> Result<()> {
    let (_, epoch) = domain.monitor()?;
    let live = domain.snapshot().live.clone().ok_or_else(|| {
        Error::operation_invalid(format!("domain '{}' is not running", domain.name()))
    })?;
    if let Some(definition) = &definition {
        check_abi(&live, definition)?;
    }
    let ran = matches!(domain.snapshot().view.state, DomainState::Running(_));
    let running = runs(flags, ran)?;
    let xml = definition::format_status(definition.as_ref().unwrap_or(&live));

    let job = Underway::begin_cancellable(core, domain, DomainJobOperation::Save);
    let noted = Saving {
        path: target.path.clone(),
        running: ran,
        managed: target.managed,
    };
    note(core, domain, epoch, Some(noted))?;
    let written = write(core, domain, epoch, &job, &target.path, xml, running).await;
    if let Err(error) = written {
        let path = target.path.clone();
        let _ = blocking(move || {
            discard(&path);
            Ok(())
        })
        .await;
        go_on(core, domain, epoch, ran, RunningReason::SaveCanceled).await;
        let _ = note(core, domain, epoch, None);
        return Err(error);
    }
    if target.managed {
        show_managed(core, domain, true);
    }
    job.completed();
    stop::end(core, domain, epoch, Ending::Saved).await
}

/// Stops the guest's CPUs and writes everything down.
async fn write(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    epoch: u64,
    job: &Underway,
    path: &Path,
    xml: String,
    running: bool,
) -> Result<()> {
    let to = path.to_owned();
    let file = blocking(move || Ok(image::create(&to, &xml, running)?)).await?;
    pause(core, domain, epoch, PausedReason::Save).await?;
    stream::send(domain, epoch, job, &file).await?;
    let to = path.to_owned();
    blocking(move || Ok(image::complete(&file, &to)?)).await
}

/// Removes a file that a save did not finish. A device stays what it is.
fn discard(path: &Path) {
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
        && let Err(error) = file::remove(path)
    {
        tracing::warn!(path = %path.display(), %error, "what is left of a save cannot be removed, ignoring");
    }
}

fn note(core: &Core, domain: &Domain, epoch: u64, saving: Option<Saving>) -> Result<()> {
    let mut inner = domain.lock();
    let live = inner.live_mut(epoch)?;
    let before = std::mem::replace(&mut live.status.saving, saving);
    core.store.write_status(&live.status).inspect_err(|_| {
        live.status.saving = before;
    })
}

/// Stops the guest's CPUs, if they run, for a job. No event tells of it: what the job does to the guest will.
async fn pause(core: &Core, domain: &Domain, epoch: u64, reason: PausedReason) -> Result<()> {
    if !matches!(domain.snapshot().view.state, DomainState::Running(_)) {
        return Ok(());
    }
    quietly(core, domain, epoch, DomainState::Paused(reason), |live| {
        matches!(live, DomainState::Running(_))
    })
    .await
}

/// Lets the guest go on as before, if it is still there.
async fn go_on(core: &Core, domain: &Domain, epoch: u64, ran: bool, reason: RunningReason) {
    let paused = |state| {
        matches!(
            state,
            DomainState::Paused(PausedReason::Save | PausedReason::Dump)
        )
    };
    if !ran || !paused(domain.snapshot().view.state) {
        return;
    }
    if let Err(error) = quietly(core, domain, epoch, DomainState::Running(reason), paused).await {
        tracing::error!(domain = %domain.name(), %error, "a guest stays paused after its job");
    }
}

/// Stops or releases the CPUs with a state that no event of its own tells of.
async fn quietly(
    core: &Core,
    domain: &Domain,
    epoch: u64,
    state: DomainState,
    from: impl FnOnce(DomainState) -> bool,
) -> Result<()> {
    let (monitor, _) = domain.monitor()?;
    domain.lock().live_mut(epoch)?.quietly = Some(state);
    let done = if matches!(state, DomainState::Running(_)) {
        monitor.execute(&Cont {}).await
    } else {
        monitor.execute(&Stop {}).await
    };
    crate::driver::settled(domain, epoch).await;
    if let Ok(live) = domain.lock().live_mut(epoch) {
        live.quietly = None;
    }
    done.map_err(|error| monitor_failed(domain, &error))?;
    core.transition(domain, epoch, |live| {
        from(live.status.state()).then(|| (state, Vec::new()))
    });
    Ok(())
}

/// What a new daemon does about a save that the last one had begun. Returns whether the guest has been saved.
pub(crate) async fn recover(core: &Arc<Core>, domain: &Arc<Domain>, epoch: u64) -> bool {
    let saving = match domain.lock().live_mut(epoch) {
        Ok(live) => live.status.saving.clone(),
        Err(_) => None,
    };
    let Some(saving) = saving else { return false };
    let path = saving.path.clone();
    let complete = blocking(move || {
        let complete = image::open(&path).is_ok();
        if !complete {
            discard(&path);
        }
        Ok(complete)
    });
    if complete.await.unwrap_or(false) {
        tracing::info!(domain = %domain.name(), "a save that an earlier daemon had completed");
        if saving.managed {
            show_managed(core, domain, true);
        }
        if let Err(error) = stop::end(core, domain, epoch, Ending::Saved).await {
            tracing::error!(domain = %domain.name(), %error, "a saved guest cannot be ended");
        }
        return true;
    }
    tracing::warn!(domain = %domain.name(), "a save was interrupted, the guest goes on");
    stream::call_off(domain).await;
    if saving.running {
        // Whether the CPUs stand may not have been written down yet.
        let state = DomainState::Running(RunningReason::SaveCanceled);
        if let Err(error) = quietly(core, domain, epoch, state, |_| true).await {
            tracing::error!(domain = %domain.name(), %error, "a guest stays paused after a save that was interrupted");
        }
    }
    let _ = note(core, domain, epoch, None);
    false
}

/// A saved guest that was opened.
pub(crate) struct Opened {
    /// The file, standing at the guest's state.
    pub(crate) state: File,
    /// The definition as it ran.
    pub(crate) definition: Definition,
    /// Whether the guest ran.
    pub(crate) running: bool,
}

/// Opens a saved guest. Blocks.
pub(crate) fn open(path: &Path) -> Result<Opened> {
    opened(path, image::open(path)?)
}

fn opened(path: &Path, (state, header): (File, image::Header)) -> Result<Opened> {
    Ok(Opened {
        state,
        definition: stored(path, &header.xml)?,
        running: header.running,
    })
}

fn stored(path: &Path, xml: &str) -> Result<Definition> {
    let mut definition = definition::parse_stored(xml).map_err(|error| {
        let message = format!(
            "the definition in '{}' cannot be used: {error}",
            path.display()
        );
        Error::new(ErrorCode::XmlError, ErrorDomain::Qemu, message)
    })?;
    definition.id = None;
    Ok(definition)
}

/// Puts another definition or state into a saved guest. Blocks.
pub(crate) fn exchange(
    path: &Path,
    definition: &Definition,
    flags: DomainSaveRestoreFlags,
) -> Result<()> {
    let opened = open(path)?;
    check_abi(&opened.definition, definition)?;
    let running = runs(flags, opened.running)?;
    let xml = definition::format_status(definition);
    Ok(image::rewrite(path, &xml, running)?)
}

/// The guest must not see a difference.
pub(crate) fn check_abi(old: &Definition, new: &Definition) -> Result<()> {
    old.check_abi(new, AbiFlags::empty()).map_err(|error| {
        Error::new(
            ErrorCode::ConfigUnsupported,
            ErrorDomain::Qemu,
            format!("the guest would notice the other definition: {error}"),
        )
    })
}

/// Whether the guest shall run, by the flags or as it did.
pub(crate) fn runs(flags: DomainSaveRestoreFlags, ran: bool) -> Result<bool> {
    use DomainSaveRestoreFlags as F;
    let beyond = flags - (F::RUNNING | F::PAUSED);
    if !beyond.is_empty() {
        return Err(Error::new(
            ErrorCode::ArgumentUnsupported,
            ErrorDomain::Qemu,
            format!("saving does not know the flags {:#x}", beyond.bits()),
        ));
    }
    match (flags.contains(F::RUNNING), flags.contains(F::PAUSED)) {
        (true, true) => Err(Error::invalid_argument(
            "one of the flags RUNNING and PAUSED, not both",
        )),
        (running, paused) => Ok(running || (ran && !paused)),
    }
}

/// Where the domain's managed save image is.
pub(crate) fn managed_path(core: &Core, name: &str) -> PathBuf {
    core.config.dirs.saved().join(format!("{name}.save"))
}

fn show_managed(core: &Core, domain: &Domain, there: bool) {
    let done: std::result::Result<(), std::convert::Infallible> =
        domain.change(&core.hub, |inner| {
            inner.managed_save = there;
            Ok(((), Vec::new()))
        });
    done.unwrap_or_else(|never| match never {});
}

/// Removes the managed save image of the domain with this name. Blocks.
pub(crate) fn remove_image(core: &Core, name: &str) -> Result<()> {
    file::remove(&managed_path(core, name))
        .map(drop)
        .map_err(crate::prepare::failed)
}

/// Removes the domain's managed save image.
pub(crate) async fn remove_managed(core: &Arc<Core>, domain: &Arc<Domain>) -> Result<()> {
    let (removing, name) = (Arc::clone(core), domain.name());
    blocking(move || remove_image(&removing, &name)).await?;
    show_managed(core, domain, false);
    Ok(())
}

/// Starts the domain from its definition, or from its managed save image if it has one. To be run as a job of `domain`.
pub(crate) async fn create(
    core: Arc<Core>,
    domain: Arc<Domain>,
    flags: DomainCreateFlags,
) -> Result<()> {
    let snapshot = domain.snapshot();
    let config = snapshot.config.clone().ok_or_else(|| {
        Error::operation_invalid(format!("domain '{}' is running already", domain.name()))
    })?;
    if !snapshot.view.managed_save || snapshot.live.is_some() {
        return start::start(core, domain, config, flags, Origin::Boot).await;
    }
    if flags.contains(DomainCreateFlags::FORCE_BOOT) {
        remove_managed(&core, &domain).await?;
        return start::start(core, domain, config, flags, Origin::Boot).await;
    }
    let path = managed_path(&core, &domain.name());
    let found = blocking(move || match image::open(&path) {
        // What a crash left is no state of the guest's; it had never been announced.
        Err(ImageError::Incomplete(_)) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(image) => opened(&path, image).map(Some),
    });
    let (definition, origin) = match found.await? {
        Some(opened) => (
            Arc::new(opened.definition),
            Origin::Saved {
                state: opened.state,
                running: opened.running,
                managed: Some(managed_path(&core, &domain.name())),
            },
        ),
        None => {
            tracing::warn!(domain = %domain.name(), "its managed save is incomplete, ignoring");
            (config, Origin::Boot)
        }
    };
    let (core_after, domain_after) = (Arc::clone(&core), Arc::clone(&domain));
    let job = Underway::begin(&core, &domain, DomainJobOperation::Restore);
    let started = start::start(core, domain, definition, flags, origin).await;
    drop(job);
    let path = managed_path(&core_after, &domain_after.name());
    if started.is_ok() {
        outlived(&core_after, &domain_after).await;
    } else if !blocking(move || Ok(keep_whole(&path)))
        .await
        .unwrap_or(true)
    {
        // Somebody destroyed the guest when it had been written off already.
        show_managed(&core_after, &domain_after, false);
    }
    started
}

/// Forgets the managed save image of a guest that has gone on from there. It is written off even where it cannot be removed.
pub(crate) async fn outlived(core: &Arc<Core>, domain: &Arc<Domain>) {
    let name = domain.name();
    if let Err(error) = spend(&managed_path(core, &name)).await {
        tracing::error!(domain = %name, %error, "a managed save that was restored stays, and must not be restored again");
        return;
    }
    if let Err(error) = remove_managed(core, domain).await {
        tracing::warn!(domain = %name, %error, "a managed save that was restored is left over, ignoring");
        show_managed(core, domain, false);
    }
}

/// Writes a managed save image off before its guest goes on: going back to it then would put old memory over newer disks.
///
/// # Errors
/// `SystemError` if that cannot be made sure, and then the guest must not go on.
pub(crate) async fn spend(path: &Path) -> Result<()> {
    let path = path.to_owned();
    blocking(move || Ok(image::spend(&path)?)).await
}

/// The guest did not go on after all: its image is good again.
pub(crate) async fn take_back(path: &Path) {
    let image = path.to_owned();
    if let Err(error) = blocking(move || Ok(image::take_back(&image)?)).await {
        tracing::error!(path = %path.display(), %error, "a saved guest could not be restored, and its image stays written off");
    }
}

/// Whether a managed save image can be restored. One that was written off, or never finished, is removed. Blocks.
pub(crate) fn keep_whole(path: &Path) -> bool {
    let incomplete = matches!(image::open(path), Err(ImageError::Incomplete(_)));
    if incomplete {
        discard(path);
    }
    !incomplete
}

/// Dumps the guest's memory. To be run as a job of `domain`.
pub(crate) async fn core_dump(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    path: PathBuf,
    format: DomainCoreDumpFormat,
    flags: DomainCoreDumpFlags,
) -> Result<()> {
    use DomainCoreDumpFlags as F;
    let (_, epoch) = domain.monitor()?;
    let ran = matches!(domain.snapshot().view.state, DomainState::Running(_));
    let job = if flags.contains(F::MEMORY_ONLY) {
        Underway::begin(core, domain, DomainJobOperation::Dump)
    } else {
        Underway::begin_cancellable(core, domain, DomainJobOperation::Dump)
    };
    let to = path.clone();
    let file = blocking(move || Ok(image::create_empty(&to)?)).await?;
    let dumped = async {
        // A migration's stream is of one moment only if the CPUs stand.
        if !flags.contains(F::LIVE) || !flags.contains(F::MEMORY_ONLY) {
            pause(core, domain, epoch, PausedReason::Dump).await?;
        }
        if flags.contains(F::MEMORY_ONLY) {
            stream::dump(domain, epoch, &job, &file, format_name(format)?).await?;
        } else {
            stream::send(domain, epoch, &job, &file).await?;
        }
        let to = path.clone();
        blocking(move || {
            file.sync_all().map_err(|error| {
                let message = format!("cannot write '{}': {error}", to.display());
                Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
            })
        })
        .await
    };
    if let Err(error) = dumped.await {
        let _ = blocking(move || {
            discard(&path);
            Ok(())
        })
        .await;
        go_on(core, domain, epoch, ran, RunningReason::Unpaused).await;
        return Err(error);
    }
    job.completed();
    if flags.contains(F::CRASH) {
        return stop::end(core, domain, epoch, Ending::Crashed).await;
    }
    if flags.contains(F::RESET) {
        let (monitor, _) = domain.monitor()?;
        let reset = monitor.execute(&SystemReset {}).await;
        reset.map_err(|error| monitor_failed(domain, &error))?;
    }
    go_on(core, domain, epoch, ran, RunningReason::Unpaused).await;
    Ok(())
}

/// QEMU's word for the format of a dump of memory alone.
pub(crate) fn format_name(format: DomainCoreDumpFormat) -> Result<&'static str> {
    use DomainCoreDumpFormat as F;
    match format {
        F::Raw => Ok("elf"),
        F::KdumpZlib => Ok("kdump-zlib"),
        F::KdumpLzo => Ok("kdump-lzo"),
        F::KdumpSnappy => Ok("kdump-snappy"),
        F::WinDmp => Ok("win-dmp"),
        F::KdumpRawZlib | F::KdumpRawLzo | F::KdumpRawSnappy => Err(Error::new(
            ErrorCode::OperationUnsupported,
            ErrorDomain::Qemu,
            "dumps in kdump's formats that are not flattened are not supported",
        )),
    }
}
