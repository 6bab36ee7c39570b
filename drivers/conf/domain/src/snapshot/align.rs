//! Settling what a snapshot does with each disk of the guest.

use super::{Snapshot, SnapshotDisk, SnapshotImage};
use crate::domain::Domain;
use crate::domain::devices::disk::{Disk, SnapshotMode};
use crate::moment::sort_by_disk;
use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_storage::storage::{FileSource, StorageSource};
use virtbus_xml::format_text;

/// How disks that say nothing are treated.
#[derive(Clone, Copy)]
pub struct AlignOptions<'o> {
    /// What to do with a disk about which neither snapshot nor guest say anything.
    pub default: SnapshotMode,
    /// The hypervisor keeps either all disks inside of their images or none: with the default
    /// `internal`, all must agree.
    pub uniform_internal: bool,
    /// Disks that are not listed get the default, whatever the guest's definition says.
    pub force_default: bool,
    /// Whether a path is that of a regular file, beside which a new image may be made.
    pub is_regular_file: &'o dyn Fn(&str) -> bool,
}

impl std::fmt::Debug for AlignOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlignOptions")
            .field("default", &self.default)
            .field("uniform_internal", &self.uniform_internal)
            .field("force_default", &self.force_default)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Gives each disk of the guest an entry, in the order of the disks, named by its target, and names
    /// the new images.
    ///
    /// The definition in the snapshot counts, else `existing`, that of the snapshot redefined.
    ///
    /// # Errors
    /// An unknown disk, one listed twice, a mode that does not fit, an image that cannot be named.
    pub fn align_disks(
        &mut self,
        existing: Option<&Domain>,
        options: AlignOptions<'_>,
    ) -> Result<()> {
        let Some(domain) = self.definitions.definition().or(existing) else {
            return Err(ConfError::new(
                virtbus_conf_base::ConfErrorKind::Internal,
                "the snapshot does not include a definition of its guest",
            ));
        };
        let disks = &domain.devices.disk;
        if self.disks.len() > disks.len() {
            return Err(ConfError::unsupported(
                "the snapshot lists more disks than the guest has",
            ));
        }
        let requests = std::mem::take(&mut self.disks);
        let requests = sort_by_disk(requests, |d| &d.name, domain)?;
        let mut settled: Vec<SnapshotDisk> = Vec::with_capacity(disks.len());
        for (request, disk) in requests.into_iter().zip(disks) {
            let mut entry = match request {
                Some(request) => options.settle(request, disk)?,
                None => options.unlisted(disk),
            };
            if entry.snapshot == Some(SnapshotMode::External) && entry.image.source.is_empty() {
                let name = self.name.as_deref().unwrap_or_default();
                options.name_image(&mut entry, disk, name)?;
                let path = entry.image.source.path();
                if let Some(other) = settled.iter().find(|s| s.image.source.path() == path) {
                    return Err(ConfError::unsupported(format!(
                        "the new images of disks '{}' and '{}' would have the same name",
                        other.name, entry.name
                    )));
                }
            }
            entry.image.tidy();
            settled.push(entry);
        }
        self.disks = settled;
        Ok(())
    }
}

impl AlignOptions<'_> {
    fn must_be_uniform(&self) -> bool {
        self.uniform_internal && self.default == SnapshotMode::Internal
    }

    /// A disk that the snapshot lists.
    fn settle(&self, mut request: SnapshotDisk, disk: &Disk) -> Result<SnapshotDisk> {
        let of_guest = disk.snapshot_mode();
        let uniform = self.must_be_uniform();
        let both_no =
            request.snapshot == Some(SnapshotMode::No) && of_guest == Some(SnapshotMode::No);
        match request.snapshot {
            None => {
                let own = of_guest.filter(|mode| !uniform || *mode == SnapshotMode::No);
                request.snapshot = Some(own.unwrap_or(self.default));
            }
            Some(mode) if uniform && mode != self.default && !both_no => {
                return Err(ConfError::unsupported(format!(
                    "disk '{}' must have the snapshot mode '{}'",
                    request.name, self.default
                )));
            }
            Some(_) => {}
        }
        if let Some(path) = request.image.source.path()
            && request.snapshot != Some(SnapshotMode::External)
        {
            return Err(ConfError::unsupported(format!(
                "disk '{}': a new image '{path}' needs the snapshot mode 'external'",
                request.name
            )));
        }
        request.name.clone_from(&disk.target.dev);
        Ok(request)
    }

    /// A disk that the snapshot does not list.
    fn unlisted(&self, disk: &Disk) -> SnapshotDisk {
        let of_guest = disk.snapshot_mode().filter(|_| !self.force_default);
        let mode = if disk.source.is_empty() || disk.readonly {
            SnapshotMode::No
        } else {
            of_guest.unwrap_or(self.default)
        };
        SnapshotDisk {
            name: disk.target.dev.clone(),
            snapshot: Some(mode),
            image: SnapshotImage::default(),
            delete_in_progress: false,
        }
    }

    /// Names the new image like the old one, with the name of the snapshot in place of the suffix.
    fn name_image(&self, entry: &mut SnapshotDisk, disk: &Disk, snapshot: &str) -> Result<()> {
        let refuse = |why: &str| {
            Err(ConfError::unsupported(format!(
                "the new image of disk '{}' cannot be named: {why}",
                disk.target.dev
            )))
        };
        let StorageSource::File(new) = &mut entry.image.source else {
            return refuse("only new files can be");
        };
        let Some(path) = disk.source.path() else {
            return refuse("the disk has none now");
        };
        if !(self.is_regular_file)(path) {
            return refuse("the one now is not a regular file");
        }
        let name_at = path.rfind('/').map_or(0, |slash| slash + 1);
        let end = path[name_at..]
            .rfind('.')
            .map_or(path.len(), |dot| name_at + dot);
        *new = FileSource {
            file: Some(format_text!("{}.{snapshot}", &path[..end])),
            ..std::mem::take(new)
        };
        Ok(())
    }
}
