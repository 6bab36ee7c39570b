//! NUMA nodes of a guest: memory, distances, caches, interconnects.

use virtbus_xml::{BitSet, Content, Describe, Kib, Node, Result, Writer, Xml, YesNo, xml_names};

use crate::common::{MemoryAccess, scaled_attr};

/// `<sibling>` in `<distances>`: the distance to one node.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distance {
    /// Number of the node that the distance is to; it may be the node itself.
    #[xml(attr)]
    pub id: u32,
    /// Relative distance as in ACPI's SLIT: 10 is local, 20 a common remote distance, at most 254; 255 means
    /// unreachable.
    #[xml(attr)]
    pub value: u32,
}

xml_names! {
    /// How a memory-side cache maps addresses.
    pub enum CacheAssociativity {
        None = "none",
        Direct = "direct",
        Full = "full",
    }
}

xml_names! {
    /// When a memory-side cache writes.
    pub enum CachePolicy {
        None = "none",
        Writeback = "writeback",
        Writethrough = "writethrough",
    }
}

/// Size of a cache or of one of its lines: `value='10' unit='KiB'`.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the size; without it the size is in KiB."))]
pub struct SizeValue<const UNIT: u64>(
    /// Size in the given unit; in KiB if none is given.
    #[xml(attr = "value", value = u64)]
    pub virtbus_xml::Scaled<UNIT>,
);

impl<const UNIT: u64> Content for SizeValue<UNIT> {
    fn parse(node: Node<'_>) -> Result<Self> {
        scaled_attr(node, "value", 1024).map(Self)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("value", &self.0.0);
        w.attr_str(
            "unit",
            if UNIT == 1 {
                "B"
            } else {
                virtbus_xml::Scaled::<UNIT>::unit()
            },
        );
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<cache>`: a memory-side cache of a NUMA node.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumaCache {
    /// Level of the memory-side cache, from 1.
    #[xml(attr)]
    pub level: u32,
    /// Associativity of the cache: `none`, `direct` (mapped) or `full` (fully associative).
    #[xml(attr)]
    pub associativity: CacheAssociativity,
    /// When the cache writes to memory: `writeback` later, `writethrough` at once, `none` not told.
    #[xml(attr)]
    pub policy: CachePolicy,
    /// Total size of the cache.
    #[xml(child)]
    pub size: SizeValue<1024>,
    /// Size of one line of the cache.
    #[xml(child)]
    pub line: SizeValue<1>,
}

/// `<cell>`: a NUMA node of the guest.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the memory; without it the memory is in KiB."))]
pub struct NumaCell {
    /// Number of the node, from 0.
    #[xml(attr, absent = "its place in the list")]
    pub id: Option<u32>,
    /// Virtual CPUs of the node, such as `0-3,8`; absent for a node with memory only.
    #[xml(attr)]
    pub cpus: Option<BitSet>,
    /// Memory of the node; in KiB if no unit is given.
    #[xml(attr, value = u64)]
    pub memory: Kib,
    /// Whether the node's memory can be mapped by other processes: `shared` (vhost-user needs it) or `private`.
    #[xml(attr = "memAccess")]
    pub mem_access: Option<MemoryAccess>,
    /// Whether the node's memory is discarded when the guest stops, so that nothing is written back to a file.
    #[xml(attr)]
    pub discard: Option<YesNo>,
    /// Distances to the guest's other nodes; absent means 10 for the node itself and 20 for others.
    #[xml(child = "sibling", wrap = "distances")]
    pub distances: Vec<Distance>,
    /// Memory-side caches of the node.
    #[xml(child)]
    pub cache: Vec<NumaCache>,
}

impl Content for NumaCell {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            id: node.attr_opt("id")?,
            cpus: node.attr_opt("cpus")?,
            memory: scaled_attr(node, "memory", 1024)?,
            mem_access: node.attr_opt("memAccess")?,
            discard: node.attr_opt("discard")?,
            distances: node.child_or_absent("distances").child_vec("sibling")?,
            cache: node.child_vec("cache")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("id", &self.id);
        w.attr_opt("cpus", &self.cpus);
        w.attr("memory", &self.memory.0);
        w.attr_str("unit", Kib::unit());
        w.attr_opt("memAccess", &self.mem_access);
        w.attr_opt("discard", &self.discard);
    }

    fn children(&self, w: &mut Writer) {
        if !self.distances.is_empty() {
            w.begin("distances");
            for sibling in &self.distances {
                w.element("sibling", sibling);
            }
            w.end("distances");
        }
        for cache in &self.cache {
            w.element("cache", cache);
        }
    }
}

xml_names! {
    /// Which accesses a figure is about.
    pub enum MemoryLatencyType {
        Access = "access",
        Read = "read",
        Write = "write",
    }
}

/// `<latency>`: time that one node takes to reach another's memory.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumaLatency {
    /// Number of the node whose CPUs ask for the memory.
    #[xml(attr)]
    pub initiator: u32,
    /// Number of the node that has the memory.
    #[xml(attr)]
    pub target: u32,
    /// Level of the target's memory-side cache; absent means the memory itself.
    #[xml(attr)]
    pub cache: Option<u32>,
    /// Kind of access that it is for: `access` (read and write), `read` or `write`.
    #[xml(attr = "type")]
    pub kind: MemoryLatencyType,
    /// Time that the access takes, in nanoseconds.
    #[xml(attr)]
    pub value: u64,
}

/// `<bandwidth>`: rate at which one node reaches another's memory.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the bandwidth, per second; without it the bandwidth is in KiB per second."))]
pub struct NumaBandwidth {
    /// Number of the node whose CPUs ask for the memory.
    #[xml(attr)]
    pub initiator: u32,
    /// Number of the node that has the memory.
    #[xml(attr)]
    pub target: u32,
    /// Level of the target's memory-side cache; absent means the memory itself.
    #[xml(attr)]
    pub cache: Option<u32>,
    /// Kind of access that it is for: `access` (read and write), `read` or `write`.
    #[xml(attr = "type")]
    pub kind: MemoryLatencyType,
    /// Bandwidth; in KiB per second if no unit is given.
    #[xml(attr, value = u64)]
    pub value: Kib,
}

impl Content for NumaBandwidth {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            initiator: node.attr_req("initiator")?,
            target: node.attr_req("target")?,
            cache: node.attr_opt("cache")?,
            kind: node.attr_req("type")?,
            value: scaled_attr(node, "value", 1024)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("initiator", &self.initiator);
        w.attr("target", &self.target);
        w.attr_opt("cache", &self.cache);
        w.attr("type", &self.kind);
        w.attr("value", &self.value.0);
        w.attr_str("unit", Kib::unit());
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<interconnects>`: how fast the nodes reach each other's memory (ACPI HMAT).
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Interconnects {
    /// Latency from one node to another, for each pair.
    #[xml(child)]
    pub latency: Vec<NumaLatency>,
    /// Bandwidth from one node to another, for each pair.
    #[xml(child)]
    pub bandwidth: Vec<NumaBandwidth>,
}

/// `<numa>`: the NUMA nodes of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NumaTopology {
    /// NUMA nodes of the guest; each virtual CPU belongs to one.
    #[xml(child)]
    pub cell: Vec<NumaCell>,
    /// Latencies and bandwidths between the nodes.
    #[xml(child, skip_empty)]
    pub interconnects: Option<Interconnects>,
}
