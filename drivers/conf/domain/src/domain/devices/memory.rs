//! `<memory>` in `<devices>`: memory that is plugged in.

use virtbus_conf_base::common::{MemoryAccess, Uuid};
use virtbus_xml::{
    Base16, BitSet, Bytes, Content, Describe, Flags, Kib, Node, OnOff, Rare, Result, Text, Writer,
    Xml, YesNo, xml_names,
};

use super::info::DeviceInfo;

xml_names! {
    /// Model of a memory device.
    pub enum MemoryModel {
        Dimm = "dimm",
        Nvdimm = "nvdimm",
        VirtioPmem = "virtio-pmem",
        VirtioMem = "virtio-mem",
        SgxEpc = "sgx-epc",
    }
}

/// `<source>`: the host memory or file behind a memory device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryDeviceSource {
    /// NUMA nodes of the host that the memory is taken from, such as `0-1`.
    #[xml(text_child)]
    pub nodemask: Option<BitSet>,
    /// Size of the host's pages that are used; the host's default if absent.
    #[xml(child)]
    pub pagesize: Option<Kib>,
    /// Absolute path of the file or device with persistent memory.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Alignment of the mapped file; the page size if absent.
    #[xml(child)]
    pub alignsize: Option<Kib>,
    /// Present if the file is in persistent memory of the host, so that writes must be flushed.
    #[xml(flag)]
    pub pmem: bool,
}

/// `<label>`: the area of an NVDIMM for its namespace labels.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLabel {
    /// Size of the label area, at least 128 KiB.
    #[xml(child)]
    pub size: Kib,
}

/// `<target>`: what the guest sees of a memory device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryDeviceTarget {
    /// Whether memory of a `virtio-mem` device is split over several slots as it is plugged.
    #[xml(attr = "dynamicMemslots")]
    pub dynamic_memslots: Option<YesNo>,
    /// Size of the memory device.
    #[xml(child)]
    pub size: Kib,
    /// NUMA node of the guest that the memory belongs to.
    #[xml(text_child)]
    pub node: Option<u32>,
    /// Label area of an NVDIMM.
    #[xml(child)]
    pub label: Option<MemoryLabel>,
    /// Present if the guest may only read the NVDIMM.
    #[xml(flag)]
    pub readonly: bool,
    /// Smallest unit in which memory of a `virtio-mem` device is plugged, a power of two.
    #[xml(child)]
    pub block: Option<Kib>,
    /// Memory of a `virtio-mem` device that the guest shall plug, a multiple of `block`.
    #[xml(child)]
    pub requested: Option<Kib>,
    /// Memory of a `virtio-mem` device that is plugged; running guests only.
    #[xml(child, when = target_live)]
    pub current: Option<Kib>,
    /// Physical address of the memory in the guest.
    #[xml(child_attr = "address/base")]
    pub address: Option<Base16<1, u64>>,
}

fn target_live(_: &MemoryDeviceTarget, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<memory>` in `<devices>`: a memory module of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryDevice {
    /// Kind of module: `dimm`, `nvdimm` (persistent), `virtio-mem`, `virtio-pmem` or `sgx-epc`.
    #[xml(attr)]
    pub model: MemoryModel,
    /// Whether the memory can be mapped by other processes: `shared` or `private`; as in `<memoryBacking>` if absent.
    #[xml(attr)]
    pub access: Option<MemoryAccess>,
    /// Whether the memory's contents are discarded when the guest stops, so that nothing is written back to a file.
    #[xml(attr)]
    pub discard: Option<YesNo>,
    /// UUID of an NVDIMM; pSeries guests require one.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Host memory or file behind the module.
    #[xml(child, skip_empty)]
    pub source: Option<MemoryDeviceSource>,
    /// What the guest sees of the module.
    #[xml(child)]
    pub target: MemoryDeviceTarget,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

xml_names! {
    /// Part of a guest in shared memory.
    pub enum ShmemRole {
        Master = "master",
        Peer = "peer",
    }
}

xml_names! {
    /// Model of a shared memory device.
    pub enum ShmemModel {
        Ivshmem = "ivshmem",
        IvshmemPlain = "ivshmem-plain",
        IvshmemDoorbell = "ivshmem-doorbell",
    }
}

/// A size, in MiB if no unit is given, and always written in MiB (`M`).
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShmemSize(
    /// Size of the shared memory, a power of two; in MiB if no unit is given.
    #[xml(flat)]
    pub Bytes,
);

impl Content for ShmemSize {
    fn parse(node: Node<'_>) -> Result<Self> {
        Bytes::parse_with_default(node, 1 << 20).map(Self)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("unit", "M");
    }

    fn children(&self, w: &mut Writer) {
        w.text(&(self.0.0 >> 20));
    }
}

/// `<server>`: the process that manages the shared memory.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ShmemServer {
    /// Absolute path of the server's socket.
    #[xml(attr)]
    pub path: Option<Text>,
}

/// `<msi>`: interrupts between the guests that share the memory.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ShmemMsi {
    /// Number of interrupt vectors.
    #[xml(attr)]
    pub vectors: Option<u32>,
    /// Whether the guest's notifications are handled by a thread of their own (ioeventfd) while the virtual CPU runs
    /// on; the hypervisor decides if absent.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
}

/// `<shmem>`: memory that several guests of the host share.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Shmem {
    /// Name of the shared memory; guests with the same name share it.
    #[xml(attr)]
    pub name: Text,
    /// Role in a migration: the `master` takes the memory along, a `peer` must unplug it before; `ivshmem-plain` and
    /// `ivshmem-doorbell`.
    #[xml(attr)]
    pub role: Option<ShmemRole>,
    /// Device model: `ivshmem-plain` without interrupts, `ivshmem-doorbell` with, or the old `ivshmem`.
    #[xml(child_attr = "model/type", absent = "ivshmem")]
    pub model: Option<ShmemModel>,
    /// Size of the shared memory, a power of two; 4 MiB if absent.
    #[xml(child)]
    pub size: Option<ShmemSize>,
    /// Server that manages the memory; `ivshmem-doorbell` only.
    #[xml(child)]
    pub server: Option<ShmemServer>,
    /// Interrupts between the guests; `ivshmem-doorbell` only.
    #[xml(child)]
    pub msi: Option<ShmemMsi>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}
