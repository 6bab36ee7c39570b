//! `<topology>`: the NUMA nodes of a host, with their processors and memory.

use virtbus_conf_base::common::scaled_attr;
use virtbus_conf_base::cpu::{Distance, Interconnects, NumaCache};
use virtbus_xml::{BitSet, Content, Describe, Kib, Node, Result, Writer, Xml};

/// `<pages>`: how many memory pages of one size a node has.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the page size; without it the size is in KiB."))]
pub struct HostPages {
    /// Page size; in KiB if no unit is given.
    #[xml(attr, value = u64)]
    pub size: Kib,
    /// Number of pages of this size on the node.
    #[xml(text)]
    pub count: u64,
}

impl Content for HostPages {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            size: scaled_attr(node, "size", 1024)?,
            count: node.text_req()?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("unit", "KiB");
        w.attr("size", &self.size.0);
    }

    fn children(&self, w: &mut Writer) {
        w.text(&self.count);
    }
}

/// `<cpu>` in `<cpus>`: a CPU of the host (a hardware thread).
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostThread {
    /// Number of the CPU on the host.
    #[xml(attr)]
    pub id: u32,
    /// Number of the socket that the CPU is in.
    #[xml(attr)]
    pub socket_id: Option<u32>,
    /// Number of the die within the socket.
    #[xml(attr)]
    pub die_id: Option<u32>,
    /// Number of the cluster within the die.
    #[xml(attr)]
    pub cluster_id: Option<u32>,
    /// Number of the core that the CPU is a thread of.
    #[xml(attr)]
    pub core_id: Option<u32>,
    /// CPUs that are threads of that core, such as `0-1`.
    #[xml(attr)]
    pub siblings: Option<BitSet>,
}

/// `<cell>`: a NUMA node of the host.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(attr = "num", wrap = "cpus", value = u32, optional, doc = "Number of `<cpu>` elements that follow."))]
pub struct HostCell {
    /// Number of the NUMA node.
    #[xml(attr)]
    pub id: u32,
    /// Memory of the node, in KiB.
    #[xml(child)]
    pub memory: Option<Kib>,
    /// Numbers of pages on the node, by page size.
    #[xml(child)]
    pub pages: Vec<HostPages>,
    /// Relative distances to all nodes: 10 is local.
    #[xml(child = "sibling", wrap = "distances")]
    pub distances: Vec<Distance>,
    /// Memory-side caches of the node.
    #[xml(child = "cache")]
    pub caches: Vec<NumaCache>,
    /// CPUs of the node, and where they are in the topology.
    #[xml(child = "cpu", wrap = "cpus")]
    pub cpus: Vec<HostThread>,
}

impl Content for HostCell {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            id: node.attr_req("id")?,
            memory: node.child_opt("memory")?,
            pages: node.child_vec("pages")?,
            distances: node.child_or_absent("distances").child_vec("sibling")?,
            caches: node.child_vec("cache")?,
            cpus: read_counted(node, "cpus", "cpu")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("id", &self.id);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(memory) = &self.memory {
            w.element("memory", memory);
        }
        for pages in &self.pages {
            w.element("pages", pages);
        }
        if !self.distances.is_empty() {
            w.begin("distances");
            for distance in &self.distances {
                w.element("sibling", distance);
            }
            w.end("distances");
        }
        for cache in &self.caches {
            w.element("cache", cache);
        }
        write_counted(&self.cpus, "cpus", "cpu", w);
    }
}

/// `<topology>`: the NUMA nodes of the host.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(attr = "num", wrap = "cells", value = u32, optional, doc = "Number of `<cell>` elements that follow."))]
pub struct HostTopology {
    /// NUMA nodes of the host, one entry for each.
    #[xml(child = "cell", wrap = "cells")]
    pub cells: Vec<HostCell>,
    /// Latencies and bandwidths between the nodes.
    #[xml(child)]
    pub interconnects: Option<Interconnects>,
}

impl Content for HostTopology {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            cells: read_counted(node, "cells", "cell")?,
            interconnects: node.child_filled("interconnects")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        write_counted(&self.cells, "cells", "cell", w);
        if let Some(interconnects) = &self.interconnects {
            w.element_unless_empty("interconnects", interconnects);
        }
    }
}

/// Reads a list that says how long it is, which is not believed.
fn read_counted<T: Content>(node: Node<'_>, list: &'static str, item: &str) -> Result<Vec<T>> {
    let list = node.child_or_absent(list);
    list.attr_opt::<u32>("num")?;
    list.child_vec(item)
}

/// Writes a list that says how long it is.
fn write_counted<T: Content>(items: &[T], list: &str, item: &str, w: &mut Writer) {
    w.begin(list);
    w.attr_str("num", &items.len().to_string());
    for content in items {
        w.element(item, content);
    }
    w.end(list);
}
