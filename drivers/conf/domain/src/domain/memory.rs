//! Memory of the guest as a whole: sizes, backing, limits.

use virtbus_conf_base::common::{MemoryAccess, scaled_attr};
use virtbus_xml::{BitSet, Content, Describe, Kib, Node, OnOff, Result, Writer, Xml, xml_names};

/// `<memory>`: what the guest boots with, memory devices included.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemorySize {
    /// Whether a core dump of the hypervisor holds the guest's memory.
    #[xml(attr = "dumpCore")]
    pub dump_core: Option<OnOff>,
    /// The size.
    #[xml(flat)]
    pub size: Kib,
}

/// `<maxMemory>`: what memory devices can make it grow to.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxMemory {
    /// Slots for memory devices.
    #[xml(attr)]
    pub slots: Option<u32>,
    /// The size.
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

/// `<page>`: huge pages of one size.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct HugePage {
    /// Size of a page.
    #[xml(attr, value = u64)]
    pub size: Kib,
    /// Guest NUMA nodes it is for.
    #[xml(attr, absent = "all others")]
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

/// `<hugepages>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HugePages {
    /// Page sizes; none means the host's default.
    #[xml(child)]
    pub page: Vec<HugePage>,
}

/// `<allocation>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocation {
    /// When.
    #[xml(attr)]
    pub mode: Option<MemoryAllocation>,
    /// Threads that do it.
    #[xml(attr)]
    pub threads: Option<u32>,
}

/// `<memoryBacking>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryBacking {
    /// Huge pages.
    #[xml(child)]
    pub hugepages: Option<HugePages>,
    /// No merging of equal pages.
    #[xml(flag)]
    pub nosharepages: bool,
    /// Memory stays out of the swap.
    #[xml(flag)]
    pub locked: bool,
    /// What backs it.
    #[xml(child_attr = "source/type")]
    pub source: Option<MemorySource>,
    /// Whether other processes see it.
    #[xml(child_attr = "access/mode")]
    pub access: Option<MemoryAccess>,
    /// When it is allocated.
    #[xml(child, skip_empty)]
    pub allocation: Option<Allocation>,
    /// Discard the contents when the guest goes.
    #[xml(flag)]
    pub discard: bool,
}

/// `<memtune>`: limits for the hypervisor process.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemTune {
    /// Most memory.
    #[xml(child)]
    pub hard_limit: Option<Kib>,
    /// Most memory while the host is short of it.
    #[xml(child)]
    pub soft_limit: Option<Kib>,
    /// Least memory.
    #[xml(child)]
    pub min_guarantee: Option<Kib>,
    /// Most memory and swap together.
    #[xml(child)]
    pub swap_hard_limit: Option<Kib>,
}
