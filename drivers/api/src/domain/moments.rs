//! Moments of a domain that can be returned to or told from: snapshots, checkpoints, backups.

use std::sync::Arc;

use super::DomainId;
use crate::declare::{also, flags, group};

/// Names a snapshot by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotId {
    /// The domain.
    pub domain: DomainId,
    /// Unique among the domain's snapshots.
    pub name: Arc<str>,
}

/// What is known of a snapshot at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotView {
    /// Which snapshot.
    pub id: SnapshotId,
    /// The snapshot that it follows, none for a root.
    pub parent: Option<Arc<str>>,
    /// Whether it is what the domain goes back to by default, and the parent of the next one.
    pub current: bool,
    /// How many follow it.
    pub children: u32,
    /// What the domain was doing.
    pub kind: SnapshotKind,
    /// Whether its disks or memory are in files of their own.
    pub external: bool,
    /// Whether the driver keeps metadata about it.
    pub metadata: bool,
}

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// Of a domain that was off.
    Inactive,
    /// Of a running domain with its memory.
    Active,
    /// Of the disks of a running domain.
    DiskOnly,
}

/// Names a checkpoint by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CheckpointId {
    /// The domain.
    pub domain: DomainId,
    /// Unique among the domain's checkpoints.
    pub name: Arc<str>,
}

/// What is known of a checkpoint at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointView {
    /// Which checkpoint.
    pub id: CheckpointId,
    /// The checkpoint that it follows, none for a root.
    pub parent: Option<Arc<str>>,
    /// Whether it is the parent of the next one.
    pub current: bool,
    /// How many follow it.
    pub children: u32,
}

flags! {
    /// How a snapshot is made.
    SnapshotCreateFlags: virDomainSnapshotCreateFlags, VIR_DOMAIN_SNAPSHOT_CREATE_ {
        /// Only take note of one that is there.
        REDEFINE = 1;
        /// With that, make it the current one.
        CURRENT = 2;
        /// Keep no metadata.
        NO_METADATA = 4;
        /// Stop the domain afterwards.
        HALT = 8;
        /// Of disks only.
        DISK_ONLY = 16;
        /// Into images that are there already, in place of new ones.
        REUSE_EXT = 32;
        /// With the guest's file systems frozen.
        QUIESCE = 64;
        /// All disks or none.
        ATOMIC = 128;
        /// While the guest runs.
        LIVE = 256;
        /// Refuse a document that the schema does not allow.
        VALIDATE = 512;
    }

    /// What a snapshot's XML shows.
    SnapshotXmlFlags: virDomainSnapshotXMLFlags, VIR_DOMAIN_SNAPSHOT_XML_ {
        /// Secrets too.
        SECURE = 1;
    }

    /// Which snapshots a list has.
    SnapshotListFlags: virDomainSnapshotListFlags, VIR_DOMAIN_SNAPSHOT_LIST_ {
        /// Of a domain's: those without a parent. Of a snapshot's: all below it.
        ROOTS_OR_DESCENDANTS as VIR_DOMAIN_SNAPSHOT_LIST_ROOTS | VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS = 1;
        /// Those with metadata.
        METADATA = 2;
        /// Those that nothing follows.
        LEAVES = 4;
        /// Those that something follows.
        NO_LEAVES = 8;
        /// Those without metadata.
        NO_METADATA = 16;
        /// Of a domain that was off.
        INACTIVE = 32;
        /// Of a running domain.
        ACTIVE = 64;
        /// Of disks only.
        DISK_ONLY = 128;
        /// Inside of the disks' images.
        INTERNAL = 256;
        /// In files of their own.
        EXTERNAL = 512;
        /// Parents before children.
        TOPOLOGICAL = 1024;
    }

    /// How a domain goes back.
    SnapshotRevertFlags: virDomainSnapshotRevertFlags, VIR_DOMAIN_SNAPSHOT_REVERT_ {
        /// To run afterwards.
        RUNNING = 1;
        /// To be paused afterwards.
        PAUSED = 2;
        /// Even if something may be lost.
        FORCE = 4;
        /// With the NVRAM store made anew.
        RESET_NVRAM = 8;
    }

    /// How a snapshot is taken away.
    MomentDeleteFlags: virDomainSnapshotDeleteFlags, VIR_DOMAIN_SNAPSHOT_DELETE_ {
        /// With all below it.
        CHILDREN = 1;
        /// Only what is known of it.
        METADATA_ONLY = 2;
        /// Only all below it.
        CHILDREN_ONLY = 4;
    }

    /// How a checkpoint is made.
    CheckpointCreateFlags: virDomainCheckpointCreateFlags, VIR_DOMAIN_CHECKPOINT_CREATE_ {
        /// Only take note of one that is there.
        REDEFINE = 1;
        /// With the guest's file systems frozen.
        QUIESCE = 2;
        /// With REDEFINE, look whether its bitmaps are there.
        REDEFINE_VALIDATE = 4;
    }

    /// What a checkpoint's XML shows.
    CheckpointXmlFlags: virDomainCheckpointXMLFlags, VIR_DOMAIN_CHECKPOINT_XML_ {
        /// Secrets too.
        SECURE = 1;
        /// Not the domain's definition.
        NO_DOMAIN = 2;
        /// How much changed since.
        SIZE = 4;
    }

    /// Which checkpoints a list has.
    CheckpointListFlags: virDomainCheckpointListFlags, VIR_DOMAIN_CHECKPOINT_LIST_ {
        /// Of a domain's: those without a parent. Of a checkpoint's: all below it.
        ROOTS_OR_DESCENDANTS as VIR_DOMAIN_CHECKPOINT_LIST_ROOTS | VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS = 1;
        /// Parents before children.
        TOPOLOGICAL = 2;
        /// Those that nothing follows.
        LEAVES = 4;
        /// Those that something follows.
        NO_LEAVES = 8;
    }

    /// How a backup begins.
    BackupBeginFlags: virDomainBackupBeginFlags, VIR_DOMAIN_BACKUP_BEGIN_ {
        /// Into images that are there already, in place of new ones.
        REUSE_EXTERNAL = 1;
    }
}

also! {
    /// How a checkpoint is taken away.
    CheckpointDeleteFlags: virDomainCheckpointDeleteFlags, VIR_DOMAIN_CHECKPOINT_DELETE_ = MomentDeleteFlags;
}

group! {
    /// Snapshots.
    DomainSnapshots {
        /// What is known of each, parents before children.
        fn snapshots(domain: &DomainId) -> Vec<Arc<SnapshotView>>: DomainListAllSnapshots;
        /// The one with this name, `NoDomainSnapshot` if there is none.
        fn snapshot(domain: &DomainId, name: &str) -> Arc<SnapshotView>: DomainSnapshotLookupByName;
        /// Makes one.
        fn create_xml(domain: &DomainId, xml: &str, flags: SnapshotCreateFlags) -> Arc<SnapshotView>: DomainSnapshotCreateXml;
        /// Its XML.
        fn xml_desc(snapshot: &SnapshotId, flags: SnapshotXmlFlags) -> String: DomainSnapshotGetXmlDesc;
        /// Goes back.
        fn revert(snapshot: &SnapshotId, flags: SnapshotRevertFlags) -> (): DomainRevertToSnapshot;
        /// Takes it away.
        fn delete(snapshot: &SnapshotId, flags: MomentDeleteFlags) -> (): DomainSnapshotDelete;
    }

    /// Checkpoints and backups.
    DomainCheckpoints {
        /// What is known of each checkpoint, parents before children.
        fn checkpoints(domain: &DomainId) -> Vec<Arc<CheckpointView>>: DomainListAllCheckpoints;
        /// The one with this name, `NoDomainCheckpoint` if there is none.
        fn checkpoint(domain: &DomainId, name: &str) -> Arc<CheckpointView>: DomainCheckpointLookupByName;
        /// Makes one.
        fn create_xml(domain: &DomainId, xml: &str, flags: CheckpointCreateFlags) -> Arc<CheckpointView>: DomainCheckpointCreateXml;
        /// Its XML.
        fn xml_desc(checkpoint: &CheckpointId, flags: CheckpointXmlFlags) -> String: DomainCheckpointGetXmlDesc;
        /// Takes it away.
        fn delete(checkpoint: &CheckpointId, flags: MomentDeleteFlags) -> (): DomainCheckpointDelete;
        /// Begins a backup, with a checkpoint if there is XML for one.
        fn backup_begin(domain: &DomainId, xml: &str, checkpoint: Option<&str>, flags: BackupBeginFlags) -> (): DomainBackupBegin;
        /// The backup that is under way.
        fn backup_xml_desc(domain: &DomainId) -> String: DomainBackupGetXmlDesc;
    }
}
