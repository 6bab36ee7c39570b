//! Memory of the guest as a whole: sizes, backing, limits.

use virtbus_conf_base::common::{MemoryAccess, scaled_attr};
use virtbus_xml::{BitSet, Content, Describe, Kib, Node, OnOff, Result, Writer, Xml, xml_names};

/// `<memory>`: memory of the guest at start, including memory devices.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemorySize {
    /// Whether a core dump of the hypervisor includes the guest's memory; the driver's configuration decides if absent.
    #[xml(attr = "dumpCore")]
    pub dump_core: Option<OnOff>,
    /// Size of the memory; in KiB if no unit is given.
    #[xml(flat)]
    pub size: Kib,
}

/// `<maxMemory>`: size up to which memory devices can be added.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxMemory {
    /// Number of slots for memory devices; required for adding them.
    #[xml(attr)]
    pub slots: Option<u32>,
    /// Largest size of memory with all devices; in KiB if no unit is given.
    #[xml(flat)]
    pub size: Kib,
}

xml_names! {
    /// What backs the guest's memory.
    pub enum MemorySource {
        File = "file",
        Anonymous = "anonymous",
        Memfd = "memfd",
    }
}

xml_names! {
    /// When memory is allocated.
    pub enum MemoryAllocation {
        Immediate = "immediate",
        Ondemand = "ondemand",
    }
}

/// `<page>`: use of huge pages of one size.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the page size; without it the size is in KiB."))]
pub struct HugePage {
    /// Size of a page; in KiB if no unit is given.
    #[xml(attr, value = u64)]
    pub size: Kib,
    /// NUMA nodes of the guest that use pages of this size, such as `0,2-3`.
    #[xml(attr, absent = "all nodes without an entry")]
    pub nodeset: Option<BitSet>,
}

impl Content for HugePage {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            size: scaled_attr(node, "size", 1024)?,
            nodeset: node.attr_opt("nodeset")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("size", &self.size.0);
        w.attr_str("unit", Kib::unit());
        w.attr_opt("nodeset", &self.nodeset);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<hugepages>`: the guest's memory is taken from huge pages of the host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HugePages {
    /// Page sizes to use; absent means the host's default size for the whole guest.
    #[xml(child)]
    pub page: Vec<HugePage>,
}

/// `<allocation>`: when and how the memory is allocated.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocation {
    /// When memory is allocated: `immediate` at start, `ondemand` when the guest uses it; the hypervisor decides if
    /// absent.
    #[xml(attr)]
    pub mode: Option<MemoryAllocation>,
    /// Number of threads that allocate memory at start; 1 if absent.
    #[xml(attr)]
    pub threads: Option<u32>,
}

/// `<memoryBacking>`: the host memory behind the guest's memory.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryBacking {
    /// Huge pages of the host that are used.
    #[xml(child)]
    pub hugepages: Option<HugePages>,
    /// The host must not merge equal pages of this guest with others (KSM).
    #[xml(flag)]
    pub nosharepages: bool,
    /// The guest's memory stays in the host's memory and is never swapped out; `<hard_limit>` is recommended with it.
    #[xml(flag)]
    pub locked: bool,
    /// Kind of memory: `anonymous`, `file` (in the driver's folder) or `memfd`; the hypervisor decides if absent.
    #[xml(child_attr = "source/type")]
    pub source: Option<MemorySource>,
    /// Whether the memory can be mapped by other processes: `shared` (vhost-user and virtiofs need it) or `private`.
    #[xml(child_attr = "access/mode")]
    pub access: Option<MemoryAccess>,
    /// When and by how many threads memory is allocated.
    #[xml(child, skip_empty)]
    pub allocation: Option<Allocation>,
    /// The memory's contents are discarded when the guest stops, so that nothing is written back to a file.
    #[xml(flag)]
    pub discard: bool,
}

/// `<memtune>`: limits on the memory of the hypervisor's process, in KiB unless a unit is given; no limits if absent.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemTune {
    /// Most memory that the process may use, guest memory and overhead together; it is killed if it needs more.
    #[xml(child)]
    pub hard_limit: Option<Kib>,
    /// Memory that the process may keep while the host is short of memory.
    #[xml(child)]
    pub soft_limit: Option<Kib>,
    /// Memory that the guest is guaranteed; VMware only.
    #[xml(child)]
    pub min_guarantee: Option<Kib>,
    /// Most memory and swap together; at least `hard_limit`.
    #[xml(child)]
    pub swap_hard_limit: Option<Kib>,
}
