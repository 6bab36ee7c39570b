//! Reading and writing the content of volumes.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use virtbus_api::storage::Transfer;
use virtbus_api::storage::{StorageVolId, StorageVolTransferFlags};
use virtbus_api::{Error, Result};
use virtbus_util::transfer::{Framing, Receiver, Sender, receive, send};

use super::content::Memory;
use crate::driver::Test;
use crate::error;

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

/// The bytes from `offset` on, `length` of them or all (0), of a volume of this capacity.
fn range(id: &StorageVolId, capacity: u64, offset: u64, length: u64) -> Result<Range<u64>> {
    if offset > capacity {
        return Err(Error::invalid_argument(format!(
            "offset {offset} is behind the end of volume '{}', which has {capacity} bytes",
            id.name
        )));
    }
    let end = match length {
        0 => capacity,
        length => offset.saturating_add(length),
    };
    Ok(offset..end)
}

impl Test {
    pub(super) fn download_volume(
        &self,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        let (content, capacity) = self.content(id)?;
        let mut range = range(id, capacity, offset, length)?;
        range.end = range.end.min(capacity);
        let name = Arc::clone(&id.name);
        let begun = Sender::new(framing(flags));
        let (sender, descriptor) = begun.map_err(|problem| broken("download", &name, &problem))?;
        Ok(Transfer::new(descriptor, async move {
            let sent = send(content, range, sender).await;
            sent.map_err(|problem| broken("download", &name, &problem))
        }))
    }

    pub(super) fn upload_volume(
        &self,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        let (content, capacity) = self.content(id)?;
        let range = range(id, capacity, offset, length)?;
        if range.end > capacity {
            return Err(Error::invalid_argument(format!(
                "{length} bytes from {offset} on do not fit into volume '{}', which has {capacity}",
                id.name
            )));
        }
        let name = Arc::clone(&id.name);
        let begun = Receiver::new(framing(flags));
        let (receiver, descriptor) = begun.map_err(|problem| broken("upload", &name, &problem))?;
        Ok(Transfer::new(descriptor, async move {
            let taken = receive(content, range, receiver).await;
            taken.map_err(|problem| broken("upload", &name, &problem))
        }))
    }

    /// The content of a volume, and its size.
    fn content(&self, id: &StorageVolId) -> Result<(Arc<Memory>, u64)> {
        self.with_volume(id, |_, volume| {
            let capacity = volume.definition.capacity().0;
            if let Some(content) = volume.content.get() {
                return Ok((Arc::clone(content), capacity));
            }
            let content = Memory::new(capacity, &self.space).map_err(|problem| {
                error::failed(format!("volume '{}' cannot be kept: {problem}", id.name))
            })?;
            // The volume is locked, nobody else does.
            let content = volume.content.get_or_init(|| Arc::new(content));
            Ok((Arc::clone(content), capacity))
        })
    }
}
