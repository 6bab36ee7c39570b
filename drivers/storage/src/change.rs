//! Volumes that are changed: removed, made larger or smaller, wiped, read and written as a whole.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use virtbus_api::object::Kind;
use virtbus_api::storage::{
    StorageVolId, StorageVolResizeFlags, StorageVolTransferFlags, StorageVolType,
    StorageVolWipeAlgorithm, Transfer,
};
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_conf_storage::storage_volume::VolumeFormat;
use virtbus_image::Format;
use virtbus_util::transfer::{Framing, Receiver, Sender, receive, send};

use crate::chain::{Handed, described};
use crate::core::Core;
use crate::folder::{Access, Folder};
use crate::hands::{LONG, QUICK};
use crate::jobs::Held;
use crate::look::Volume;
use crate::make::run;
use crate::pool::Pool;
use crate::{error, mark, wipe};

/// A volume that a job is done with.
struct Taken {
    pool: Arc<Pool>,
    volume: Arc<Volume>,
    held: Held,
}

impl Taken {
    fn name(&self) -> Arc<str> {
        Arc::clone(&self.volume.view.id.name)
    }

    fn check_file(&self) -> Result<()> {
        if self.volume.kind == StorageVolType::File {
            return Ok(());
        }
        let name = self.name();
        Err(error::unsupported(format!(
            "volume '{name}' is a directory, and has no content of its own"
        )))
    }

    /// Whether the file is nothing but the bytes of the disk.
    fn is_plain(&self) -> bool {
        let target = &self.volume.definition.target;
        matches!(
            target.format,
            None | Some(VolumeFormat::Raw | VolumeFormat::Iso)
        ) && target.encryption.is_none()
    }
}

const fn framing(flags: StorageVolTransferFlags) -> Framing {
    if flags.contains(StorageVolTransferFlags::SPARSE_STREAM) {
        Framing::Runs
    } else {
        Framing::Plain
    }
}

fn broken(what: &str, name: &str, problem: &io::Error) -> Error {
    let why = match problem.kind() {
        io::ErrorKind::BrokenPipe => "the reader has closed the descriptor".to_owned(),
        _ => problem.to_string(),
    };
    error::failed(format!("{what} of volume '{name}' broke off: {why}"))
}

/// The bytes from `offset` on, `length` of them or all (0), of content that ends at `end`.
fn range(name: &str, end: u64, offset: u64, length: u64) -> Result<Range<u64>> {
    let refused = |message| Err(error::refused(ErrorCode::InvalidArg, message));
    if offset > end {
        return refused(format!(
            "offset {offset} is behind the end of volume '{name}', which has {end} bytes"
        ));
    }
    match length {
        0 => Ok(offset..end),
        length if length <= end - offset => Ok(offset..offset + length),
        length => refused(format!(
            "{length} bytes from {offset} on do not fit into volume '{name}', which has {end}"
        )),
    }
}

impl Core {
    async fn take(&self, id: &StorageVolId, what: &'static str, reads: bool) -> Result<Taken> {
        let (pool, _) = self.table.volume(id)?;
        let held = if reads {
            pool.jobs.read(&id.name, what).await?
        } else {
            pool.jobs.change(&id.name, what).await?
        };
        // What was waited for may have changed it.
        let volume = pool.volume(&id.name)?;
        Ok(Taken { pool, volume, held })
    }

    /// Removes a volume.
    pub(crate) async fn delete_volume(self: Arc<Self>, id: StorageVolId) -> Result<()> {
        let taken = self.take(&id, "being removed", false).await?;
        let pool = &taken.pool;
        let (folder, name) = (pool.folder()?, taken.name());
        let is_dir = taken.volume.kind == StorageVolType::Dir;
        let _look = pool.look_turn().await?;
        let removed = pool.hands.run("removing the volume", QUICK, move || {
            if is_dir {
                folder.remove_dir(&name)
            } else {
                folder.remove(&name)
            }
        });
        let was_there = removed.await?.map_err(|why| {
            error::system(format!("volume '{}' cannot be removed", id.name), &why)
        })?;
        self.look_now(pool, vec![taken.name()]).await?;
        if was_there {
            return Ok(());
        }
        Err(Error::not_found(Kind::StorageVol, "name", &id.name))
    }

    /// Changes the size of a volume.
    pub(crate) async fn resize_volume(
        self: Arc<Self>,
        id: StorageVolId,
        capacity: u64,
        flags: StorageVolResizeFlags,
    ) -> Result<()> {
        use StorageVolResizeFlags as F;
        let taken = self.take(&id, "being resized", false).await?;
        taken.check_file()?;
        let now = taken.volume.definition.capacity().0;
        let shrink = flags.contains(F::SHRINK);
        let refused = |message: String| error::refused(ErrorCode::InvalidArg, message);
        let size = match (flags.contains(F::DELTA), shrink) {
            (false, _) => Some(capacity),
            (true, false) => now.checked_add(capacity),
            (true, true) => now.checked_sub(capacity),
        };
        let size = size.filter(|size| i64::try_from(*size).is_ok());
        let size = size.ok_or_else(|| {
            refused(format!(
                "volume '{}' with {now} bytes cannot be changed by {capacity}",
                id.name
            ))
        })?;
        if size < now && !shrink {
            return Err(refused(format!(
                "volume '{}' has {now} bytes, and becomes smaller with flag SHRINK only; what is behind the new end is lost",
                id.name
            )));
        }
        let allocate = flags.contains(F::ALLOCATE);
        if taken.is_plain() {
            resize_plain(&taken, now..size, allocate).await?;
        } else if allocate {
            let name = taken.name();
            return Err(error::unsupported(format!(
                "only raw volumes are allocated when they grow, not '{name}'"
            )));
        } else {
            resize_image(&taken, now..size, self.table.folders()).await?;
        }
        self.look_at(&taken.pool, vec![taken.name()]).await
    }

    /// Destroys the content of a volume.
    pub(crate) async fn wipe_volume(
        self: Arc<Self>,
        id: StorageVolId,
        algorithm: StorageVolWipeAlgorithm,
    ) -> Result<()> {
        let passes = wipe::passes(algorithm)?;
        let taken = self.take(&id, "being wiped", false).await?;
        taken.check_file()?;
        let (folder, name) = (taken.pool.folder()?, taken.name());
        let wiped = taken.pool.hands.run("wiping the volume", LONG, move || {
            let file = folder.file(&name, Access::Write)?;
            let done = passes.iter().try_for_each(|pass| wipe::pass(&file, *pass));
            done.map_err(|why| error::system(format!("volume '{name}' is not wiped"), &why))?;
            mark::renew(&file);
            Ok(())
        });
        wiped.await??;
        self.look_at(&taken.pool, vec![taken.name()]).await
    }

    /// Lets the content of a volume be read.
    pub(crate) async fn download(
        &self,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        let taken = self.take(id, "being downloaded", true).await?;
        taken.check_file()?;
        let (folder, name) = (taken.pool.folder()?, taken.name());
        let opened = taken.pool.hands.run("opening the volume", QUICK, move || {
            let file = folder.file(&name, Access::Read)?;
            let end = file
                .metadata()
                .map_err(|why| error::system(&name, &why))?
                .len();
            Ok::<_, Error>((file, end))
        });
        let (file, end) = opened.await??;
        // As libvirt has it, less may be there than is asked for.
        let length = length.min(end.saturating_sub(offset).max(1));
        let range = range(
            &id.name,
            end,
            offset,
            if offset == end { 0 } else { length },
        )?;
        let name = taken.name();
        let begun = Sender::new(framing(flags));
        let (sender, descriptor) = begun.map_err(|problem| broken("download", &name, &problem))?;
        Ok(Transfer::new(descriptor, async move {
            let sent = send(Arc::new(file), range, sender).await;
            drop(taken.held);
            sent.map_err(|problem| broken("download", &name, &problem))
        }))
    }

    /// Lets the content of a volume be written.
    pub(crate) async fn upload(
        self: &Arc<Self>,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        let taken = self.take(id, "being uploaded", false).await?;
        taken.check_file()?;
        // An image grows with what is written to it; a raw volume has the size that it has.
        let end = if taken.is_plain() {
            taken.volume.definition.capacity().0
        } else {
            i64::MAX.unsigned_abs()
        };
        let range = range(&id.name, end, offset, length)?;
        let (folder, name) = (taken.pool.folder()?, taken.name());
        let opened = taken.pool.hands.run("opening the volume", QUICK, move || {
            folder.file(&name, Access::Write)
        });
        let file = opened.await??;
        let name = taken.name();
        let begun = Receiver::new(framing(flags));
        let (receiver, descriptor) = begun.map_err(|problem| broken("upload", &name, &problem))?;
        let core = Arc::clone(self);
        Ok(Transfer::new(descriptor, async move {
            let is_from_start = range.start == 0;
            let file = Arc::new(file);
            let came = receive(Arc::clone(&file), range, receiver).await;
            if came.is_ok() && is_from_start {
                let hands = &taken.pool.hands;
                let renewed = hands.run("looking at the volume", QUICK, move || mark::renew(&file));
                renewed.await?;
            }
            // It may have another header, and size, whatever became of it.
            let looked = core.look_at(&taken.pool, vec![Arc::clone(&name)]).await;
            drop(taken.held);
            let came = came.map_err(|problem| broken("upload", &name, &problem))?;
            looked.map(|()| came)
        }))
    }
}

async fn resize_plain(taken: &Taken, size: Range<u64>, allocate: bool) -> Result<()> {
    let (folder, name) = (taken.pool.folder()?, taken.name());
    let resized = taken.pool.hands.run("resizing the volume", LONG, move || {
        let file = folder.file(&name, Access::Write)?;
        let resize = || {
            if allocate && size.end > size.start {
                fallocate(
                    &file,
                    FallocateFlags::empty(),
                    size.start,
                    size.end - size.start,
                )?;
            }
            file.set_len(size.end)?;
            file.sync_all()
        };
        resize().map_err(|why| error::system(format!("volume '{name}' cannot be resized"), &why))
    });
    resized.await?
}

/// What the image is based on may be in any pool that is active: nobody is told what is in it.
async fn resize_image(taken: &Taken, size: Range<u64>, pools: Vec<Arc<Folder>>) -> Result<()> {
    let definition = &taken.volume.definition;
    let format = definition
        .target
        .format
        .and_then(|format| Format::from_name(format.as_str()));
    let name = taken.name();
    let format = format.filter(|_| definition.target.encryption.is_none()).ok_or_else(|| {
        error::unsupported(format!("volumes like '{name}' cannot be resized: it is encrypted, or has a format that cannot"))
    })?;
    let folder = taken.pool.folder()?;
    let of = Arc::clone(&name);
    let opened = taken.pool.hands.run("opening the volume", QUICK, move || {
        let file = folder.file(&of, Access::Write)?;
        let mut handed = Handed::default();
        let trusted: Vec<&Folder> = pools.iter().map(|folder| &**folder).collect();
        let described = described(file, format, (&folder, &trusted), &mut handed)?;
        Ok::<_, Error>((described, handed))
    });
    let (described, handed) = opened.await??;
    let mut line = vec!["resize".to_owned(), "-q".to_owned()];
    if size.end < size.start {
        line.push("--shrink".to_owned());
    }
    line.extend([format!("json:{described}"), size.end.to_string()]);
    run(
        &format!("volume '{name}' cannot be resized"),
        vec![line],
        &handed,
    )
    .await
}
