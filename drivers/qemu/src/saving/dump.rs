//! Dumping a guest's memory to a file, for whoever looks for a fault in it. The guest goes on, unless that is not wanted.

use std::path::PathBuf;
use std::sync::Arc;

use virtbus_api::domain::{
    DomainCoreDumpFlags, DomainCoreDumpFormat, DomainJobOperation, PausedReason, RunningReason,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_hypervisor::jobs::Progress;
use virtbus_qemu_monitor::commands::system::SystemReset;

use super::recover;
use super::target::Wanted;
use super::{Work, image, stream};
use crate::core::monitor_failed;
use crate::cpus;
use crate::domain::Ending;
use crate::jobs::Abort;
use crate::outside::blocking;
use crate::record::{Purpose, Saving, Target};
use crate::stop;

/// Dumps the guest's memory.
///
/// # Errors
/// If the dump cannot be written, and then no file is left; or if the guest does not go on after it.
pub(crate) async fn core_dump(
    work: &Work,
    (path, by_root): (PathBuf, bool),
    format: DomainCoreDumpFormat,
    flags: DomainCoreDumpFlags,
) -> Result<()> {
    use DomainCoreDumpFlags as F;
    let (core, domain, epoch) = (&work.core, &work.domain, work.epoch);
    let abort = if flags.contains(F::MEMORY_ONLY) {
        Abort::Impossible
    } else {
        Abort::Possible
    };
    let job = work.progress(DomainJobOperation::Dump, abort);
    let making = Arc::clone(core);
    let wanted = Wanted {
        guest: domain.uuid,
        replaces: false,
        by_root,
    };
    let target = blocking(move || Ok(Target::of_client(&making, &path, wanted)?)).await?;
    let mut saving = Saving::new(target, Purpose::Dump);
    recover::note(core, domain, epoch, &mut saving)?;
    if let Err(error) = write(work, &job, &saving, (format, flags)).await {
        recover::give_up(work, saving, RunningReason::Unpaused).await?;
        return Err(error);
    }
    job.completed();
    let _alone = work.turn.step().await;
    if flags.contains(F::CRASH) {
        return stop::end(core, domain, epoch, Ending::Crashed).await;
    }
    let reset = if flags.contains(F::RESET) {
        let (monitor, _) = domain.monitor()?;
        let reset = monitor.execute(&SystemReset {}).await;
        reset
            .map(drop)
            .map_err(|error| monitor_failed(domain, &error))
    } else {
        Ok(())
    };
    recover::done(work, RunningReason::Unpaused).await?;
    reset
}

async fn write(
    work: &Work,
    job: &Progress,
    saving: &Saving,
    (format, flags): (DomainCoreDumpFormat, DomainCoreDumpFlags),
) -> Result<()> {
    use DomainCoreDumpFlags as F;
    let (core, domain, epoch) = (&work.core, &work.domain, work.epoch);
    let (making, target) = (Arc::clone(core), saving.target.clone());
    let file = blocking(move || Ok(target.create(&making)?)).await?;
    // A migration's stream is of one moment only if the CPUs stand.
    if !flags.contains(F::LIVE) || !flags.contains(F::MEMORY_ONLY) {
        let _alone = work.turn.step().await;
        cpus::pause(core, domain, epoch, PausedReason::Dump).await?;
    }
    if flags.contains(F::MEMORY_ONLY) {
        stream::dump(domain, epoch, job, &file, format_name(format)?).await?;
    } else {
        stream::send(domain, epoch, job, &file).await?;
    }
    let (finishing, target) = (Arc::clone(core), saving.target.clone());
    blocking(move || {
        file.sync_all()
            .map_err(image::failed("write", &target.path))?;
        Ok(target.finish(&finishing)?)
    })
    .await
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
