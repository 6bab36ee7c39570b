//! `<topology>`: the NUMA nodes of a host, with their processors and memory.

use virtbus_conf_base::common::scaled_attr;
use virtbus_conf_base::cpu::{Distance, Interconnects, NumaCache};
use virtbus_xml::{BitSet, Content, Describe, Kib, Node, Result, Writer, Xml};

/// `<pages>`: pages of one size.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct HostPages {
    /// Their size.
    #[xml(attr, value = u64)]
    pub size: Kib,
    /// How many there are.
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

/// `<cpu>` in `<cpus>`: a thread of a processor.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostThread {
    /// Its number on the host.
    #[xml(attr)]
    pub id: u32,
    /// Its socket.
    #[xml(attr)]
    pub socket_id: Option<u32>,
    /// Its die.
    #[xml(attr)]
    pub die_id: Option<u32>,
    /// Its cluster.
    #[xml(attr)]
    pub cluster_id: Option<u32>,
    /// Its core.
    #[xml(attr)]
    pub core_id: Option<u32>,
    /// The threads of that core.
    #[xml(attr)]
    pub siblings: Option<BitSet>,
}

/// `<cell>`: a NUMA node.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(attr = "num", wrap = "cpus", value = u32, optional, doc = "How many processors follow."))]
pub struct HostCell {
    /// Its number.
    #[xml(attr)]
    pub id: u32,
    /// Its memory.
    #[xml(child)]
    pub memory: Option<Kib>,
    /// Its pages.
    #[xml(child)]
    pub pages: Vec<HostPages>,
    /// How far others are.
    #[xml(child = "sibling", wrap = "distances")]
    pub distances: Vec<Distance>,
    /// Memory-side caches.
    #[xml(child = "cache")]
    pub caches: Vec<NumaCache>,
    /// Its processors.
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

/// `<topology>`.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(attr = "num", wrap = "cells", value = u32, optional, doc = "How many nodes follow."))]
pub struct HostTopology {
    /// NUMA nodes.
    #[xml(child = "cell", wrap = "cells")]
    pub cells: Vec<HostCell>,
    /// How fast they reach each other's memory.
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
