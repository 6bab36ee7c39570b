//! `<disk>` of a snapshot: what happens to one of the guest's disks.

use virtbus_conf_storage::storage::{ImageFormat, MetadataCache, StorageSource};
use virtbus_xml::{Content, Describe, Flags, Node, Result, Text, Writer, Xml};

use crate::domain::devices::disk::SnapshotMode;

/// `<driver>` of the new image: its format and metadata cache.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SnapshotDriver {
    /// Format of the new image: `qcow2` or another that can have a backing image.
    #[xml(attr = "type")]
    pub format: Option<ImageFormat>,
    /// Cache for the new image's metadata.
    #[xml(child, skip_empty)]
    pub metadata_cache: Option<MetadataCache>,
}

/// The new image that the guest writes to after the snapshot (overlay).
#[derive(Describe, Debug, Clone, Default, PartialEq)]
pub struct SnapshotImage {
    /// Format and metadata cache of the new image.
    #[xml(child, optional)]
    pub driver: SnapshotDriver,
    /// Where the new image is; chosen by the driver if empty.
    #[xml(flat)]
    pub source: StorageSource,
}

impl SnapshotImage {
    /// Whether nothing is said about it.
    pub fn is_unset(&self) -> bool {
        self.source.is_empty() && self.driver.format.is_none()
    }

    /// Forgets the rest of an image about which nothing is said: that is not written.
    pub(super) fn tidy(&mut self) {
        if self.is_unset() {
            *self = Self::default();
        }
    }
}

impl Content for SnapshotImage {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut source = StorageSource::parse(node)?;
        // The image is still to be made: that it could be missing when the guest starts means nothing.
        if source.take_startup_policy().is_some() {
            node.child_or_absent("source").leave_attr("startupPolicy");
        }
        Ok(Self {
            driver: node.child_opt("driver")?.unwrap_or_default(),
            source,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        if !self.is_unset() {
            self.source.attrs(w);
        }
    }

    fn children(&self, w: &mut Writer) {
        if !self.is_unset() {
            w.element_unless_empty("driver", &self.driver);
            // What a running guest has made of it never belongs here.
            let flags = w.flags();
            w.set_flags(flags - Flags::STATUS);
            self.source.children(w);
            w.set_flags(flags);
        }
    }
}

/// `<disk>` of a snapshot: what happens to one disk of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct SnapshotDisk {
    /// Target name of the guest's disk, or the absolute path of its image.
    #[xml(attr)]
    pub name: Text,
    /// What happens to the disk: `internal` (inside the image), `external` (a new image), `manual` (the user does it)
    /// or `no`.
    #[xml(attr)]
    pub snapshot: Option<SnapshotMode>,
    /// New image that the guest writes to after the snapshot.
    #[xml(flat)]
    pub image: SnapshotImage,
    /// The snapshot of this disk is being deleted.
    #[xml(flag = "snapshotDeleteInProgress")]
    pub delete_in_progress: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;

    #[test]
    fn a_new_image_is_not_missing_at_start() {
        let xml = "<domainsnapshot><disks><disk name='vda'><source file='/images/new' startupPolicy='optional'/></disk></disks></domainsnapshot>";
        let written = Snapshot::parse(xml).unwrap().format(Flags::empty());
        assert!(
            written.contains("<source file='/images/new'/>"),
            "{written}"
        );
        let refused = Snapshot::parse_strict(xml).unwrap_err().to_string();
        assert!(refused.contains("startupPolicy"), "{refused}");
    }
}
