//! The snapshot document: `<domainsnapshot>`, the state of a guest and its disks at one moment.
//!
//! Nothing here takes or finds snapshots; what a driver needs to go back to one is kept in the cookie,
//! whose contents are the driver's.

mod align;
mod complete;
mod cookie;
mod disk;

use virtbus_xml::{Content, Document, Flags, Text, Xml, XmlError, xml_names};

pub use align::AlignOptions;
pub use cookie::Cookie;
pub use disk::{SnapshotDisk, SnapshotDriver, SnapshotImage};

use crate::domain::devices::disk::SnapshotMode;
use crate::moment::Definitions;

xml_names! {
    /// What the guest did.
    pub enum SnapshotState {
        NoState = "nostate",
        Running = "running",
        Blocked = "blocked",
        Paused = "paused",
        Shutdown = "shutdown",
        Shutoff = "shutoff",
        Crashed = "crashed",
        PmSuspended = "pmsuspended",
        /// Only disks were looked at.
        DiskSnapshot = "disk-snapshot",
    }
}

impl SnapshotState {
    /// Whether the guest's memory does not belong to the snapshot.
    pub fn is_offline(self) -> bool {
        matches!(self, Self::Shutoff | Self::DiskSnapshot)
    }
}

xml_names! {
    /// Whether a snapshot is the one that the guest comes from.
    pub enum Active {
        No = "0",
        Yes = "1",
    }
}

/// `<memory>`: whether and where the guest's memory is saved.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotMemory {
    /// Where the memory is saved: `internal` in a disk image, `external` in a file, or `no`.
    #[xml(attr)]
    pub snapshot: Option<SnapshotMode>,
    /// Absolute path of the file with the memory; `external` only.
    #[xml(attr)]
    pub file: Option<Text>,
}

/// `<domainsnapshot>`: a state of a guest that it can be reverted to.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Name of the snapshot; made of the current time if absent.
    #[xml(text_child)]
    pub name: Option<Text>,
    /// Description for people, which no program interprets.
    #[xml(text_child)]
    pub description: Option<Text>,
    /// State of the guest when the snapshot was taken, such as `running`, `shutoff` or `disk-snapshot`.
    #[xml(text_child)]
    pub state: Option<SnapshotState>,
    /// Name of the snapshot that was current before this one.
    #[xml(text_child = "name", wrap = "parent")]
    pub parent: Option<Text>,
    /// Time of creation, in seconds since 1970 UTC.
    #[xml(text_child = "creationTime")]
    pub creation_time: Option<i64>,
    /// Whether and where the guest's memory is saved.
    #[xml(child)]
    pub memory: Option<SnapshotMemory>,
    /// Disks of the guest, with what happens to each; those not listed are handled by their defaults.
    #[xml(child = "disk", wrap = "disks")]
    pub disks: Vec<SnapshotDisk>,
    /// Images that the guest writes to since it was reverted to this snapshot.
    #[xml(child = "disk", wrap = "revertDisks")]
    pub revert_disks: Vec<SnapshotDisk>,
    /// Definitions of the guest when the snapshot was taken.
    #[xml(flat)]
    pub definitions: Definitions,
    /// Data that the driver keeps with the snapshot.
    #[xml(child)]
    pub cookie: Option<Cookie>,
    /// Whether it is the guest's current snapshot: 1 or 0; in files of drivers only.
    #[xml(text_child, when = for_drivers)]
    pub active: Option<Active>,
}

fn for_drivers(_: &Snapshot, flags: Flags) -> bool {
    flags.contains(Flags::STATUS)
}

impl Snapshot {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("domainsnapshot")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Snapshot::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let snapshot = doc.read("domainsnapshot")?;
        doc.check_no_leftovers()?;
        Ok(snapshot)
    }

    /// Writes the document; with [`Flags::STATUS`] as drivers store it.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("domainsnapshot", flags)
    }
}
