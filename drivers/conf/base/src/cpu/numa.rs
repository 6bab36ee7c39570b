//! NUMA nodes of a guest: memory, distances, caches, interconnects.

use virtbus_xml::{BitSet, Content, Describe, Kib, Node, Result, Writer, Xml, YesNo, xml_names};

use crate::common::{MemoryAccess, scaled_attr};

/// `<sibling>` in `<distances>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distance {
    /// Another node, or the same.
    #[xml(attr)]
    pub id: u32,
    /// How far it is: 10 is local, at most 255.
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

/// A size in attributes: `value='10' unit='KiB'`.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct SizeValue<const UNIT: u64>(
    #[xml(attr = "value", value = u64)] pub virtbus_xml::Scaled<UNIT>,
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

/// `<cache>` of a node.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumaCache {
    /// Level.
    #[xml(attr)]
    pub level: u32,
    /// How it maps addresses.
    #[xml(attr)]
    pub associativity: CacheAssociativity,
    /// When it writes.
    #[xml(attr)]
    pub policy: CachePolicy,
    /// Size.
    #[xml(child)]
    pub size: SizeValue<1024>,
    /// Size of a line.
    #[xml(child)]
    pub line: SizeValue<1>,
}

/// `<cell>`: a node.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct NumaCell {
    /// Which.
    #[xml(attr, absent = "its place in the list")]
    pub id: Option<u32>,
    /// Virtual CPUs.
    #[xml(attr)]
    pub cpus: Option<BitSet>,
    /// Memory.
    #[xml(attr, value = u64)]
    pub memory: Kib,
    /// Whether other processes see it.
    #[xml(attr = "memAccess")]
    pub mem_access: Option<MemoryAccess>,
    /// Discard the contents when the guest goes.
    #[xml(attr)]
    pub discard: Option<YesNo>,
    /// Distances to other nodes.
    #[xml(child = "sibling", wrap = "distances")]
    pub distances: Vec<Distance>,
    /// Memory-side caches.
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

/// `<latency>` between nodes.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumaLatency {
    /// The node that asks.
    #[xml(attr)]
    pub initiator: u32,
    /// The node that has the memory.
    #[xml(attr)]
    pub target: u32,
    /// Level of the target's cache.
    #[xml(attr)]
    pub cache: Option<u32>,
    /// Which accesses.
    #[xml(attr = "type")]
    pub kind: MemoryLatencyType,
    /// Time in ns.
    #[xml(attr)]
    pub value: u64,
}

/// `<bandwidth>` between nodes.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct NumaBandwidth {
    /// The node that asks.
    #[xml(attr)]
    pub initiator: u32,
    /// The node that has the memory.
    #[xml(attr)]
    pub target: u32,
    /// Level of the target's cache.
    #[xml(attr)]
    pub cache: Option<u32>,
    /// Which accesses.
    #[xml(attr = "type")]
    pub kind: MemoryLatencyType,
    /// Per second.
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

/// `<interconnects>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Interconnects {
    /// Latencies.
    #[xml(child)]
    pub latency: Vec<NumaLatency>,
    /// Bandwidths.
    #[xml(child)]
    pub bandwidth: Vec<NumaBandwidth>,
}

/// `<numa>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NumaTopology {
    /// The nodes.
    #[xml(child)]
    pub cell: Vec<NumaCell>,
    /// Between them.
    #[xml(child, skip_empty)]
    pub interconnects: Option<Interconnects>,
}
