//! Guests whose memory goes to a file and comes back from it: saving, restoring, managed saves, dumps.
//!
//! ```text
//!   running ──▶ paused (save) ──▶ state in the file ──▶ complete on disk ──▶ has its name ──▶ ended (saved)
//!      ▲                │ called off, or failed: the file is removed
//!      └────────────────┘
//! ```
//!
//! What is being saved is noted in the guest's status before its CPUs are stopped. The file has a name of its own until it is complete, so
//! an older image in its place is there until the new one is. A daemon that is killed in the middle leaves the image that it had noted,
//! told by its identity, and then the next one ends the guest; or anything else, and then the guest goes on (`recover.rs`).

mod dump;
mod image;
mod recover;
mod stream;
mod target;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_api::domain::{
    DomainJobOperation, DomainSaveRestoreFlags, PausedReason, RunningReason,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_domain::domain::{AbiFlags, Domain as Definition};
use virtbus_hypervisor::jobs::{Progress, Turn};
use virtbus_util::file;

use crate::core::Core;
use crate::domain::{Domain, Ending};
use crate::jobs::{self, Abort};
use crate::outside::{blocking, failed};
use crate::record::{Purpose, Saving, Target};
use crate::stop;
use crate::{cpus, definition};

pub(crate) use dump::{core_dump, format_name as dump_format};
pub(crate) use image::Access;
use image::{Header, ImageError};
pub(crate) use recover::{ended, ended_unasked, recover, sweep};
pub(crate) use stream::take_in;
use target::Wanted;

/// A save or dump under way.
pub(crate) struct Work {
    core: Arc<Core>,
    domain: Arc<Domain>,
    /// The run of the guest.
    epoch: u64,
    /// The job's turn. The guest may be suspended meanwhile; whatever else halts it or lets it go on is done in a step.
    turn: Turn,
}

impl Work {
    /// For the guest that runs now.
    ///
    /// # Errors
    /// `OperationInvalid` if none does; `OperationTimeout` if its monitor was not found again yet.
    pub(crate) fn begin(core: &Arc<Core>, domain: &Arc<Domain>, turn: Turn) -> Result<Self> {
        let (_, epoch) = domain.monitor()?;
        Ok(Self {
            core: Arc::clone(core),
            domain: Arc::clone(domain),
            epoch,
            turn,
        })
    }

    /// Begins to tell how far it is.
    fn progress(&self, operation: DomainJobOperation, abort: Abort) -> Progress {
        jobs::progress(&self.core, &self.domain, &self.turn, operation, abort)
    }
}

/// Saves the guest to where a client wants it, who may be root, and ends it. To be run as a job of the domain.
///
/// # Errors
/// If it cannot be saved; it goes on then.
pub(crate) async fn save_as(
    work: &Work,
    (path, by_root): (PathBuf, bool),
    definition: Option<Definition>,
    flags: DomainSaveRestoreFlags,
) -> Result<()> {
    let making = Arc::clone(&work.core);
    let wanted = Wanted {
        guest: work.domain.uuid,
        replaces: true,
        by_root,
    };
    let target = blocking(move || Ok(Target::of_client(&making, &path, wanted)?)).await?;
    save(work, Saving::new(target, Purpose::Save), definition, flags).await
}

/// Saves the guest to where the domain's next start finds it, and ends it. To be run as a job of the domain.
///
/// # Errors
/// `OperationInvalid` if nothing would start from there; if it cannot be saved; it goes on then.
pub(crate) async fn managed_save(work: &Work, flags: DomainSaveRestoreFlags) -> Result<()> {
    let (core, domain) = (&work.core, &work.domain);
    if domain.snapshot().config.is_none() {
        return Err(Error::operation_invalid(format!(
            "domain '{}' is transient and cannot have a managed save image",
            domain.name()
        )));
    }
    let (dir, path) = (core.config.dirs.saved(), managed_path(core, &domain.name()));
    let target = blocking(move || {
        file::ensure_dir(&dir, 0o700, None).map_err(failed)?;
        Ok(Target::own(&path)?)
    });
    let saving = Saving::new(target.await?, Purpose::ManagedSave);
    save(work, saving, None, flags).await
}

/// Saves the guest and ends it.
async fn save(
    work: &Work,
    mut saving: Saving,
    definition: Option<Definition>,
    flags: DomainSaveRestoreFlags,
) -> Result<()> {
    let (core, domain, epoch) = (&work.core, &work.domain, work.epoch);
    let live = domain.snapshot().live.clone().ok_or_else(|| {
        Error::operation_invalid(format!("domain '{}' is not running", domain.name()))
    })?;
    if let Some(definition) = &definition {
        check_abi(&live, definition)?;
    }
    let xml = definition::format_status(definition.as_ref().unwrap_or(&live));

    let job = work.progress(DomainJobOperation::Save, Abort::Possible);
    recover::note(core, domain, epoch, &mut saving)?;
    let _alone = match write(work, &job, &saving, xml, flags).await {
        Ok(step) => step,
        Err(error) => {
            recover::give_up(work, saving, RunningReason::SaveCanceled).await?;
            return Err(error);
        }
    };
    if saving.managed() {
        show_managed(core, domain, true);
    }
    job.completed();
    match stop::end(core, domain, epoch, Ending::Saved).await {
        // It ended by itself after all was written.
        Err(error) if error.code == ErrorCode::OperationInvalid => Ok(()),
        ended => ended,
    }
}

/// Stops the guest's CPUs and writes everything down. The guest is whole in the file then, and for that to stay so it must be ended in the
/// step of the job that this returns.
async fn write(
    work: &Work,
    job: &Progress,
    saving: &Saving,
    xml: String,
    flags: DomainSaveRestoreFlags,
) -> Result<Turn> {
    let (core, domain, epoch) = (&work.core, &work.domain, work.epoch);
    let running = runs(flags, saving.running)?;
    let (creating, making) = (Arc::clone(core), saving.target.clone());
    let file = blocking(move || {
        let mut file = making.create(&creating)?;
        let header = image::begin(&mut file, &making.path, &xml, running, making.identity)?;
        Ok((file, header))
    });
    let (file, mut header) = file.await?;
    let alone = work.turn.step().await;
    cpus::pause(core, domain, epoch, PausedReason::Save).await?;
    drop(alone);
    stream::send(domain, epoch, job, &file).await?;
    // A slow disk is waited for before the guest can no longer be suspended.
    let path = saving.target.path.clone();
    let synced = blocking(move || {
        file.sync_all().map_err(image::failed("write", &path))?;
        Ok(file)
    });
    let file = synced.await?;
    let alone = work.turn.step().await;
    header.running = runs(flags, recover::is_to_run(domain, epoch)?)?;
    let (finishing, target) = (Arc::clone(core), saving.target.clone());
    let finished = blocking(move || {
        image::complete(&file, &target.path, header, &finishing.seal_key)?;
        Ok(target.finish(&finishing)?)
    });
    finished.await.map(|()| alone)
}

/// A saved guest that was opened, and is not looked for by its path again: what was found out about it holds for what is done with it.
pub(crate) struct Opened {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The file, standing at the guest's state.
    pub(crate) state: File,
    header: Header,
    /// The definition as it ran.
    pub(crate) definition: Definition,
    /// Whether the daemon wrote it as it is.
    is_sealed: bool,
}

impl Opened {
    /// Opens a saved guest. Blocks.
    pub(crate) fn open(core: &Core, path: &Path, access: Access) -> Result<Self> {
        Self::new(core, path, image::open(path, access)?)
    }

    fn new(core: &Core, path: &Path, (state, header): (File, Header)) -> Result<Self> {
        let is_sealed = header.is_sealed(&core.seal_key)?;
        let mut definition = definition::parse_stored(&header.xml).map_err(|error| {
            let message = format!(
                "the definition in '{}' cannot be used: {error}",
                path.display()
            );
            Error::new(ErrorCode::XmlError, ErrorDomain::Qemu, message)
        })?;
        definition.id = None;
        Ok(Self {
            path: path.to_owned(),
            state,
            header,
            definition,
            is_sealed,
        })
    }

    /// The managed save image of this domain, which may have had another name when it was saved.
    pub(crate) fn of(mut self, domain: &Domain) -> Self {
        if is_of(&self.definition, domain.uuid) {
            self.definition.name = (&*domain.name()).into();
        }
        self
    }

    /// Refuses an image whose definition may be another's than the daemon's. A guest that broke out of QEMU, or the owner of a directory, would
    /// have any file of the host given to a guest by it. What root alone can change is root's word; and where guests run as the daemon's own
    /// user, nobody has less than the daemon. Blocks.
    ///
    /// # Errors
    /// `OperationDenied`.
    pub(crate) fn check_vouched(&self, core: &Core) -> Result<()> {
        if self.is_sealed || core.preparer.acting().is_none() || is_roots(&self.path, &self.state) {
            return Ok(());
        }
        Err(ImageError::Unsealed(self.path.clone()).into())
    }

    /// The same for the image from which a domain's next start goes on, which nobody else than the daemon writes.
    ///
    /// # Errors
    /// `OperationDenied`.
    pub(crate) fn check_own(&self, core: &Core) -> Result<()> {
        if self.is_sealed || core.preparer.acting().is_none() {
            return Ok(());
        }
        Err(ImageError::UnsealedManaged(self.path.clone()).into())
    }

    /// Whether the guest ran.
    pub(crate) const fn running(&self) -> bool {
        self.header.running
    }

    /// Puts another definition or state into it. It must have been opened to be changed. Blocks.
    pub(crate) fn exchange(
        mut self,
        core: &Core,
        definition: &Definition,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()> {
        check_abi(&self.definition, definition)?;
        let running = runs(flags, self.running())?;
        let xml = definition::format_status(definition);
        Ok(image::rewrite(
            &self.state,
            &self.path,
            &mut self.header,
            (&xml, running),
            &core.seal_key,
        )?)
    }
}

/// Whether an open file is root's, and nobody else can change it or where the path leads.
fn is_roots(path: &Path, file: &File) -> bool {
    let Ok(facts) = file.metadata() else {
        return false;
    };
    let is_it =
        |found: &rustix::fs::Stat| (found.st_dev, found.st_ino) == (facts.dev(), facts.ino());
    facts.uid() == 0
        && facts.mode() & 0o022 == 0
        && file::walk_to_place(path).is_ok_and(|place| {
            let found = place.facts(&place.name);
            place.is_closed && found.is_ok_and(|found| found.as_ref().is_some_and(is_it))
        })
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
    match (flags.contains(F::RUNNING), flags.contains(F::PAUSED)) {
        (true, true) => Err(Error::invalid_argument(
            "the flags RUNNING and PAUSED exclude each other",
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

/// Removes the domain's managed save image, and shows that. Blocks.
pub(crate) fn remove_image(core: &Core, domain: &Domain) -> Result<()> {
    file::remove(&managed_path(core, &domain.name())).map_err(failed)?;
    show_managed(core, domain, false);
    Ok(())
}

/// As [`remove_image`], from a task.
pub(crate) async fn remove_managed(core: &Arc<Core>, domain: &Arc<Domain>) -> Result<()> {
    let (core, domain) = (Arc::clone(core), Arc::clone(domain));
    blocking(move || remove_image(&core, &domain)).await
}

/// What is found where a domain's managed save image is expected.
pub(crate) enum Managed {
    /// The image.
    Image(Box<Opened>),
    /// One of another guest, which had the same name. It is not shown any more.
    Strangers,
    /// One that was not finished: no state of the guest's, and never announced.
    Incomplete,
}

/// Looks for the image from which the domain's next start goes on.
///
/// # Errors
/// `OperationInvalid` if it is gone; `OperationDenied` if it may be another's than the daemon's; what its file has against it.
pub(crate) async fn find_managed(core: &Arc<Core>, domain: &Arc<Domain>) -> Result<Managed> {
    let path = managed_path(core, &domain.name());
    let (looking, whose) = (Arc::clone(core), Arc::clone(domain));
    let found = blocking(move || match image::open(&path, Access::Read) {
        // What a crash left is no state of the guest's; it had never been announced.
        Err(ImageError::Incomplete(_)) => Ok(None),
        Err(error) if error.is_not_found() => Err(gone(&path, &whose)),
        Err(error) => Err(error.into()),
        Ok(image) => {
            let opened = Opened::new(&looking, &path, image)?;
            opened.check_own(&looking)?;
            Ok(Some(opened.of(&whose)))
        }
    });
    Ok(match found.await? {
        Some(opened) if !is_of(&opened.definition, domain.uuid) => {
            tell_of_stranger(&opened.path, domain.uuid);
            show_managed(core, domain, false);
            Managed::Strangers
        }
        Some(opened) => Managed::Image(Box::new(opened)),
        None => {
            tracing::warn!(domain = %domain.name(), "its managed save is incomplete, ignoring");
            Managed::Incomplete
        }
    })
}

/// What becomes of the managed save image after a start from it: it is forgotten if the guest has `started`; otherwise it is as good as it
/// was, unless it had been written off already.
pub(crate) async fn after_start(core: &Arc<Core>, domain: &Arc<Domain>, started: bool) {
    if started {
        outlived(core, domain).await;
        return;
    }
    let path = managed_path(core, &domain.name());
    let found = blocking(move || Ok(image::open(&path, Access::Read).map(drop))).await;
    if matches!(found, Ok(Err(ImageError::Incomplete(_)))) {
        // Somebody destroyed the guest when it had been written off already.
        show_managed(core, domain, false);
    }
}

/// Somebody has taken the image away. Nothing is booted in its place unless that is wanted: it may only be elsewhere.
fn gone(path: &Path, domain: &Domain) -> Error {
    Error::operation_invalid(format!(
        "the saved memory of domain '{}' is gone: there is no '{}'; bring the file back, or let the guest boot anew with the flag \
         FORCE_BOOT of Create or after ManagedSaveRemove",
        domain.name(),
        path.display()
    ))
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

/// Whether a definition is that of the guest with this UUID.
fn is_of(definition: &Definition, uuid: Uuid) -> bool {
    definition::uuid(definition).is_ok_and(|found| found == uuid)
}

fn tell_of_stranger(path: &Path, uuid: Uuid) {
    tracing::warn!(path = %path.display(), %uuid, "a managed save image is of another guest that had the same name, ignoring");
}

/// Whether there is a managed save image for the domain with this name and UUID, and it can be restored. One that was written off, or
/// never finished, is removed; one of another guest is left alone. Blocks.
pub(crate) fn has_managed(core: &Core, name: &str, uuid: Uuid) -> bool {
    let path = managed_path(core, name);
    match image::open(&path, Access::Read) {
        Ok((_, header)) => {
            let found = definition::identify(&header.xml);
            let ours = found.is_ok_and(|found| found.uuid == uuid);
            if !ours {
                tell_of_stranger(&path, uuid);
            }
            ours
        }
        Err(ImageError::Incomplete(_)) => {
            if let Err(error) = file::remove(&path) {
                tracing::warn!(path = %path.display(), %error, "what is left of a managed save cannot be removed, ignoring");
            }
            false
        }
        Err(error) if error.is_not_found() => false,
        // Shown, so that nothing is booted over it: whoever starts the domain is told what is wrong.
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(path = %path.display(), error, "a managed save image cannot be read");
            true
        }
    }
}
