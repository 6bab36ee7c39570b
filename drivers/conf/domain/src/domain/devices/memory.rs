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

/// `<source>` of a memory device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryDeviceSource {
    /// Host nodes it comes from.
    #[xml(text_child)]
    pub nodemask: Option<BitSet>,
    /// Size of a page.
    #[xml(child)]
    pub pagesize: Option<Kib>,
    /// File that holds persistent memory.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Alignment of the file.
    #[xml(child)]
    pub alignsize: Option<Kib>,
    /// The file is in persistent memory.
    #[xml(flag)]
    pub pmem: bool,
}

/// `<label>`: the part of an NVDIMM that describes it.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLabel {
    /// Its size.
    #[xml(child)]
    pub size: Kib,
}

/// `<target>` of a memory device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryDeviceTarget {
    /// Whether slots are used as memory is plugged.
    #[xml(attr = "dynamicMemslots")]
    pub dynamic_memslots: Option<YesNo>,
    /// Size.
    #[xml(child)]
    pub size: Kib,
    /// NUMA node of the guest.
    #[xml(text_child)]
    pub node: Option<u32>,
    /// Description of an NVDIMM.
    #[xml(child)]
    pub label: Option<MemoryLabel>,
    /// Whether the guest may not write.
    #[xml(flag)]
    pub readonly: bool,
    /// Smallest unit that can be plugged.
    #[xml(child)]
    pub block: Option<Kib>,
    /// How much shall be plugged.
    #[xml(child)]
    pub requested: Option<Kib>,
    /// How much is plugged; running guests only.
    #[xml(child, when = target_live)]
    pub current: Option<Kib>,
    /// Physical address.
    #[xml(child_attr = "address/base")]
    pub address: Option<Base16<1, u64>>,
}

fn target_live(_: &MemoryDeviceTarget, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<memory>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryDevice {
    /// Model.
    #[xml(attr)]
    pub model: MemoryModel,
    /// Whether other processes see it.
    #[xml(attr)]
    pub access: Option<MemoryAccess>,
    /// Discard the contents when the guest goes.
    #[xml(attr)]
    pub discard: Option<YesNo>,
    /// Name of an NVDIMM on pSeries.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Where it comes from.
    #[xml(child, skip_empty)]
    pub source: Option<MemoryDeviceSource>,
    /// What the guest gets.
    #[xml(child)]
    pub target: MemoryDeviceTarget,
    /// Alias, address.
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

/// A size, written in units of `M` and read in the same unless another is given.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShmemSize(#[xml(flat)] pub Bytes);

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

/// `<server>` of shared memory.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ShmemServer {
    /// Path of its socket.
    #[xml(attr)]
    pub path: Option<Text>,
}

/// `<msi>`: interrupts between guests.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ShmemMsi {
    /// How many.
    #[xml(attr)]
    pub vectors: Option<u32>,
    /// Whether a thread handles notifications.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
}

/// `<shmem>`: memory shared with other guests.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Shmem {
    /// Name of the memory.
    #[xml(attr)]
    pub name: Text,
    /// Part of this guest.
    #[xml(attr)]
    pub role: Option<ShmemRole>,
    /// Model.
    #[xml(child_attr = "model/type", absent = "ivshmem")]
    pub model: Option<ShmemModel>,
    /// Size.
    #[xml(child)]
    pub size: Option<ShmemSize>,
    /// The server that manages it.
    #[xml(child)]
    pub server: Option<ShmemServer>,
    /// Interrupts.
    #[xml(child)]
    pub msi: Option<ShmemMsi>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}
