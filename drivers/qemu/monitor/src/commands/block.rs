//! Disks: block nodes, media, statistics, throttling.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Nothing;
use crate::command::{Command, commands};

use super::replies;

commands! {
    /// The block back ends.
    QueryBlock = "query-block" -> Vec<BlockInfo>;
    /// The block nodes that have names.
    QueryNamedBlockNodes[
        /// Leave the chains of backing images out (QEMU 5.0 on).
        flat: bool,
    ] = "query-named-block-nodes" -> Vec<BlockDeviceInfo>;
    /// Statistics of the block back ends.
    QueryBlockstats[
        /// Of all named nodes instead.
        query_nodes: bool,
    ] = "query-blockstats" -> Vec<BlockStats>;
    /// Closes and forgets a block node.
    BlockdevDel(
        /// The node.
        node_name: String,
    ) = "blockdev-del" -> Nothing;
    /// Removes the medium; the tray must be open or can be opened.
    Eject[
        /// Name of the drive, for `-drive`.
        device: String,
        /// The device's id.
        id: String,
        /// Also if the guest locked it.
        force: bool,
    ] = "eject" -> Nothing;
    /// Opens the tray.
    BlockdevOpenTray(
        /// The device's id.
        id: String,
    )[
        /// Also if the guest locked it.
        force: bool,
    ] = "blockdev-open-tray" -> Nothing;
    /// Closes the tray.
    BlockdevCloseTray(
        /// The device's id.
        id: String,
    ) = "blockdev-close-tray" -> Nothing;
    /// Puts a block node into an open tray.
    BlockdevInsertMedium(
        /// The device's id.
        id: String,
        /// The node.
        node_name: String,
    ) = "blockdev-insert-medium" -> Nothing;
    /// Takes the block node out of an open tray.
    BlockdevRemoveMedium(
        /// The device's id.
        id: String,
    ) = "blockdev-remove-medium" -> Nothing;
    /// Replaces the medium by a file.
    BlockdevChangeMedium(
        /// The device's id.
        id: String,
        /// The file.
        filename: String,
    )[
        /// Its format; guessed if absent, which a guest could abuse.
        format: String,
        /// `retain`, `read-only` or `read-write`.
        read_only_mode: String,
        /// Also if the guest locked the tray.
        force: bool,
    ] = "blockdev-change-medium" -> Nothing;
    /// Changes the size of a node while the guest runs.
    BlockResize(
        /// The new size in bytes.
        size: u64,
    )[
        /// Name of the drive, for `-drive`.
        device: String,
        /// The node.
        node_name: String,
    ] = "block_resize" -> Nothing;
    /// Announces writes beyond an offset by `BLOCK_WRITE_THRESHOLD`.
    BlockSetWriteThreshold(
        /// The node.
        node_name: String,
        /// Offset in bytes; 0 turns it off.
        write_threshold: u64,
    ) = "block-set-write-threshold" -> Nothing;
    /// Makes an overlay over a node.
    BlockdevSnapshot(
        /// The node that becomes the backing image.
        node: String,
        /// The overlay.
        overlay: String,
    ) = "blockdev-snapshot" -> Nothing;
}

/// Adds a block node. Options as for `-blockdev` in JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct BlockdevAdd(pub Box<RawValue>);

impl Command for BlockdevAdd {
    const NAME: &'static str = "blockdev-add";
    type Reply = Nothing;
}

/// Opens nodes again with changed options. QEMU 6.1 on.
#[derive(Debug, Clone, Serialize)]
pub struct BlockdevReopen {
    /// All options of each node, as for `blockdev-add`.
    pub options: Vec<Box<RawValue>>,
}

impl Command for BlockdevReopen {
    const NAME: &'static str = "blockdev-reopen";
    type Reply = Nothing;
}

/// Does several block operations, all or none.
#[derive(Debug, Clone, Serialize)]
pub struct Transaction {
    /// The actions, each `{"type": …, "data": {…}}`.
    pub actions: Vec<Box<RawValue>>,
}

impl Command for Transaction {
    const NAME: &'static str = "transaction";
    type Reply = Nothing;
}

/// Limits on a disk's I/O. Everything that is not set means no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BlockSetIoThrottle {
    /// The device's id.
    pub id: String,
    /// Bytes per second, both ways.
    pub bps: u64,
    /// Bytes read per second.
    pub bps_rd: u64,
    /// Bytes written per second.
    pub bps_wr: u64,
    /// Operations per second, both ways.
    pub iops: u64,
    /// Reads per second.
    pub iops_rd: u64,
    /// Writes per second.
    pub iops_wr: u64,
    /// Bytes per second in a burst.
    pub bps_max: u64,
    /// Bytes read per second in a burst.
    pub bps_rd_max: u64,
    /// Bytes written per second in a burst.
    pub bps_wr_max: u64,
    /// Operations per second in a burst.
    pub iops_max: u64,
    /// Reads per second in a burst.
    pub iops_rd_max: u64,
    /// Writes per second in a burst.
    pub iops_wr_max: u64,
    /// Longest burst in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bps_max_length: Option<u64>,
    /// Longest burst of reads in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bps_rd_max_length: Option<u64>,
    /// Longest burst of writes in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bps_wr_max_length: Option<u64>,
    /// Longest burst in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops_max_length: Option<u64>,
    /// Longest burst of reads in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops_rd_max_length: Option<u64>,
    /// Longest burst of writes in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops_wr_max_length: Option<u64>,
    /// How many bytes count as one operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops_size: Option<u64>,
    /// Shares the limits with all of that group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Command for BlockSetIoThrottle {
    const NAME: &'static str = "block_set_io_throttle";
    type Reply = Nothing;
}

/// A block back end. QEMU spells most of these with `_`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BlockInfo {
    /// Name of the drive; empty for disks made by `-blockdev`.
    #[serde(default)]
    pub device: String,
    /// QOM path of the device.
    pub qdev: Option<String>,
    /// Whether the medium can be removed.
    #[serde(default)]
    pub removable: bool,
    /// Whether the guest locked the tray.
    #[serde(default)]
    pub locked: bool,
    /// Whether the tray is open; `None` if there is none.
    pub tray_open: Option<bool>,
    /// `ok`, `failed` or `nospace`.
    #[serde(rename = "io-status")]
    pub io_status: Option<String>,
    /// The medium.
    pub inserted: Option<BlockDeviceInfo>,
}

/// A block node and its image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BlockDeviceInfo {
    /// The node.
    #[serde(rename = "node-name")]
    pub node_name: Option<String>,
    /// What was opened, as QEMU writes it.
    #[serde(default)]
    pub file: String,
    /// Its driver, such as `qcow2` or `file`.
    #[serde(default)]
    pub drv: String,
    /// Whether it is read-only.
    #[serde(default)]
    pub ro: bool,
    /// What its backing image is, as QEMU writes it.
    pub backing_file: Option<String>,
    /// How many backing images there are.
    #[serde(default)]
    pub backing_file_depth: u32,
    /// `off`, `on` or `unmap`.
    pub detect_zeroes: Option<String>,
    /// Offset of the write threshold in bytes; 0 is none.
    #[serde(default)]
    pub write_threshold: u64,
    /// The throttling group.
    pub group: Option<String>,
    /// Bytes per second, both ways; 0 is no limit, as in those that follow.
    #[serde(default)]
    pub bps: u64,
    /// Bytes read per second.
    #[serde(default)]
    pub bps_rd: u64,
    /// Bytes written per second.
    #[serde(default)]
    pub bps_wr: u64,
    /// Operations per second, both ways.
    #[serde(default)]
    pub iops: u64,
    /// Reads per second.
    #[serde(default)]
    pub iops_rd: u64,
    /// Writes per second.
    #[serde(default)]
    pub iops_wr: u64,
    /// Bytes per second in a burst.
    #[serde(default)]
    pub bps_max: u64,
    /// Bytes read per second in a burst.
    #[serde(default)]
    pub bps_rd_max: u64,
    /// Bytes written per second in a burst.
    #[serde(default)]
    pub bps_wr_max: u64,
    /// Operations per second in a burst.
    #[serde(default)]
    pub iops_max: u64,
    /// Reads per second in a burst.
    #[serde(default)]
    pub iops_rd_max: u64,
    /// Writes per second in a burst.
    #[serde(default)]
    pub iops_wr_max: u64,
    /// Longest burst in seconds.
    #[serde(default)]
    pub bps_max_length: u64,
    /// Longest burst of reads in seconds.
    #[serde(default)]
    pub bps_rd_max_length: u64,
    /// Longest burst of writes in seconds.
    #[serde(default)]
    pub bps_wr_max_length: u64,
    /// Longest burst in seconds.
    #[serde(default)]
    pub iops_max_length: u64,
    /// Longest burst of reads in seconds.
    #[serde(default)]
    pub iops_rd_max_length: u64,
    /// Longest burst of writes in seconds.
    #[serde(default)]
    pub iops_wr_max_length: u64,
    /// How many bytes count as one operation.
    #[serde(default)]
    pub iops_size: u64,
    /// The image.
    pub image: Option<ImageInfo>,
    /// Dirty bitmaps.
    #[serde(rename = "dirty-bitmaps", default)]
    pub dirty_bitmaps: Vec<DirtyBitmap>,
}

/// A dirty bitmap of a node.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DirtyBitmap {
    /// Its name.
    pub name: Option<String>,
    /// Bytes marked dirty.
    #[serde(default)]
    pub count: u64,
    /// Bytes per bit.
    #[serde(default)]
    pub granularity: u64,
    /// Whether writes are recorded now.
    #[serde(default)]
    pub recording: bool,
    /// Whether a job uses it now.
    #[serde(default)]
    pub busy: bool,
    /// Whether it is kept in the image.
    #[serde(default)]
    pub persistent: bool,
    /// Whether what is in the image cannot be trusted.
    #[serde(default)]
    pub inconsistent: bool,
}

replies! {
    /// An image and, within, those it is based on.
    ImageInfo {
        /// Its name as QEMU writes it.
        filename: String,
        /// Its format.
        format: String,
        /// What the guest sees, in bytes.
        virtual_size: u64,
        /// What it takes on the host, in bytes.
        actual_size: Option<u64>,
        /// Bytes per cluster.
        cluster_size: Option<u64>,
        /// Whether it was left open.
        #[serde(default)]
        dirty_flag: bool,
        /// Whether it is encrypted.
        #[serde(default)]
        encrypted: bool,
        /// The backing image's name as it is in the image.
        backing_filename: Option<String>,
        /// The same, resolved.
        full_backing_filename: Option<String>,
        /// The backing image's format as it is in the image.
        backing_filename_format: Option<String>,
        /// Snapshots within the image.
        #[serde(default)]
        snapshots: Vec<SnapshotInfo>,
        /// The backing image.
        backing_image: Option<Box<ImageInfo>>,
    }
    /// A snapshot within an image.
    SnapshotInfo {
        /// QEMU's number for it, as text.
        id: String,
        /// Its name.
        name: String,
        /// Bytes of saved guest state; 0 is none.
        #[serde(default)]
        vm_state_size: u64,
        /// When it was made, in seconds since 1970.
        #[serde(default)]
        date_sec: i64,
    }
    /// Statistics of a back end or node, and of what is below it.
    BlockStats {
        /// Name of the drive; empty or absent for disks made by `-blockdev`.
        device: Option<String>,
        /// QOM path of the device.
        qdev: Option<String>,
        /// The node.
        node_name: Option<String>,
        /// The numbers.
        stats: BlockDeviceStats,
        /// Of the protocol layer.
        parent: Option<Box<BlockStats>>,
        /// Of the backing image.
        backing: Option<Box<BlockStats>>,
    }
}

/// Numbers since QEMU started. QEMU spells these with `_`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BlockDeviceStats {
    /// Bytes read.
    pub rd_bytes: u64,
    /// Bytes written.
    pub wr_bytes: u64,
    /// Bytes discarded.
    pub unmap_bytes: u64,
    /// Reads.
    pub rd_operations: u64,
    /// Writes.
    pub wr_operations: u64,
    /// Flushes.
    pub flush_operations: u64,
    /// Discards.
    pub unmap_operations: u64,
    /// Nanoseconds spent reading.
    pub rd_total_time_ns: u64,
    /// Nanoseconds spent writing.
    pub wr_total_time_ns: u64,
    /// Nanoseconds spent flushing.
    pub flush_total_time_ns: u64,
    /// Nanoseconds spent discarding.
    pub unmap_total_time_ns: u64,
    /// One past the highest byte ever written.
    pub wr_highest_offset: u64,
    /// Reads merged into others.
    pub rd_merged: u64,
    /// Writes merged into others.
    pub wr_merged: u64,
    /// Reads that failed.
    pub failed_rd_operations: u64,
    /// Writes that failed.
    pub failed_wr_operations: u64,
    /// Flushes that failed.
    pub failed_flush_operations: u64,
    /// Nanoseconds since the last operation.
    pub idle_time_ns: Option<u64>,
}
