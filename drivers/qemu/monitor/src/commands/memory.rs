//! Guest memory: balloon, memory devices.

use crate::Nothing;
use crate::command::commands;

use super::replies;

commands! {
    /// How large the guest is with its balloon; fails if it has none.
    QueryBalloon = "query-balloon" -> BalloonInfo;
    /// Asks the guest to become so large.
    Balloon(
        /// Memory of the guest in bytes.
        value: u64,
    ) = "balloon" -> Nothing;
    /// Memory at start and plugged in since.
    QueryMemorySizeSummary = "query-memory-size-summary" -> MemorySizeSummary;
    /// Memory devices.
    QueryMemoryDevices = "query-memory-devices" -> Vec<MemoryDevice>;
}

replies! {
    /// The balloon.
    BalloonInfo {
        /// The guest's memory now, in bytes.
        actual: u64,
    }
    /// Memory at start and plugged in since.
    MemorySizeSummary {
        /// Bytes at start.
        base_memory: u64,
        /// Bytes plugged in; `None` if the machine cannot.
        plugged_memory: Option<u64>,
    }
    /// What a memory device is and has. Members depend on the kind.
    MemoryDeviceData {
        /// The device's id.
        id: Option<String>,
        /// Where it begins in the guest's memory.
        addr: Option<u64>,
        /// Where it begins in the guest's memory (virtio devices).
        memaddr: Option<u64>,
        /// Bytes (`dimm`, `nvdimm`, `virtio-mem`, `virtio-pmem`).
        size: Option<u64>,
        /// Bytes that the guest is asked to use (`virtio-mem`).
        requested_size: Option<u64>,
        /// Bytes at most (`virtio-mem`).
        max_size: Option<u64>,
        /// Bytes by which it changes (`virtio-mem`).
        block_size: Option<u64>,
        /// NUMA node.
        node: Option<i64>,
        /// Slot.
        slot: Option<i64>,
        /// Whether it was plugged in while the guest ran.
        hotplugged: Option<bool>,
        /// Whether it can be.
        hotpluggable: Option<bool>,
        /// QOM path of its memory backend.
        memdev: Option<String>,
    }
    /// A memory device.
    MemoryDevice {
        /// `dimm`, `nvdimm`, `virtio-pmem`, `virtio-mem`, `sgx-epc`, …
        #[serde(rename = "type")]
        kind: String,
        /// What it has.
        data: MemoryDeviceData,
    }
}
