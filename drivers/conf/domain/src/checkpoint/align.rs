//! Settling which disks of the guest a checkpoint covers.

use virtbus_conf_base::common::Uuid;
use virtbus_conf_base::{ConfError, ConfErrorKind, Result};

use super::{Checkpoint, CheckpointDisk, CheckpointMode};
use crate::domain::devices::disk::Disk;
use crate::moment::sort_by_disk;

impl Checkpoint {
    /// Gives each disk of the guest in the checkpoint an entry, in the order of the disks, named by its
    /// target, and names the bitmaps.
    ///
    /// If no disk is listed, all that can be written are covered; else only the listed ones.
    ///
    /// # Errors
    /// An unknown disk, one listed twice, one that is empty or read only, a guest without disks.
    pub fn align_disks(&mut self) -> Result<()> {
        let Some(domain) = self.definitions.definition() else {
            return Err(ConfError::new(
                ConfErrorKind::Internal,
                "the checkpoint does not include a definition of its guest",
            ));
        };
        let disks = &domain.devices.disk;
        if disks.is_empty() {
            return Err(ConfError::unsupported(
                "checkpoints are not possible for a guest without disks",
            ));
        }
        if self.disks.len() > disks.len() {
            return Err(ConfError::unsupported(
                "the checkpoint lists more disks than the guest has",
            ));
        }
        let unlisted = if self.disks.is_empty() {
            CheckpointMode::Bitmap
        } else {
            CheckpointMode::No
        };
        let fits = |disk: &Disk| !disk.source.is_empty() && !disk.readonly;
        let requests = sort_by_disk(std::mem::take(&mut self.disks), |d| &d.name, domain)?;
        for (request, disk) in requests.into_iter().zip(disks) {
            let mut entry = request.unwrap_or_else(|| CheckpointDisk {
                checkpoint: Some(if fits(disk) {
                    unlisted
                } else {
                    CheckpointMode::No
                }),
                ..CheckpointDisk::default()
            });
            if entry.checkpoint != Some(CheckpointMode::No) && !fits(disk) {
                return Err(ConfError::unsupported(format!(
                    "disk '{}' is empty or read only",
                    entry.name
                )));
            }
            entry.name.clone_from(&disk.target.dev);
            self.disks.push(entry);
        }
        self.name_bitmaps();
        Ok(())
    }

    /// Names the bitmaps that have no name after the checkpoint.
    pub fn name_bitmaps(&mut self) {
        let name = self.name.as_ref().map(|name| name.as_str().into());
        for disk in &mut self.disks {
            if disk.checkpoint == Some(CheckpointMode::Bitmap) && disk.bitmap.is_none() {
                disk.bitmap.clone_from(&name);
            }
        }
    }

    /// Checks that the checkpoint is of the guest `uuid`, and settles its disks as far as it knows the
    /// guest.
    ///
    /// # Errors
    /// It is another guest's; those of [`Checkpoint::align_disks`].
    pub fn redefine(&mut self, uuid: Uuid) -> Result<()> {
        match self.definitions.definition() {
            Some(domain) if domain.uuid == Some(uuid) => self.align_disks(),
            Some(_) => Err(ConfError::new(
                ConfErrorKind::Argument,
                format!(
                    "checkpoint '{}' must be of the guest {uuid}",
                    self.name.as_ref().map_or("", |name| name.as_str())
                ),
            )),
            None => {
                self.name_bitmaps();
                Ok(())
            }
        }
    }
}
