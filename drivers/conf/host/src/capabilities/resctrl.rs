//! `<cache>` and `<memory_bandwidth>`: what the host can share out among guests.

use virtbus_conf_base::common::scaled_attr;
use virtbus_xml::{BitSet, Bytes, Content, Describe, Node, Result, Text, Writer, Xml, xml_names};

xml_names! {
    /// What a cache keeps.
    pub enum CacheKind {
        Both = "both",
        Code = "code",
        Data = "data",
    }
}

/// The greatest unit that `bytes` is a whole number of, and its size.
fn unit_of(bytes: u64) -> (&'static str, u64) {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    UNITS
        .into_iter()
        .find(|(_, size)| bytes != 0 && bytes.is_multiple_of(*size))
        .unwrap_or(("B", 1))
}

/// `<control>` of a cache: how it can be shared out.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct CacheControl {
    /// Parts are multiples of this many bytes.
    #[xml(attr, value = u64)]
    pub granularity: Bytes,
    /// Least size of a part in bytes.
    #[xml(attr, value = u64)]
    pub min: Option<Bytes>,
    /// What a part keeps.
    #[xml(attr = "type")]
    pub kind: CacheKind,
    /// Most parts.
    #[xml(attr = "maxAllocs")]
    pub max_allocs: u32,
}

impl Content for CacheControl {
    fn parse(node: Node<'_>) -> Result<Self> {
        let min = node.attr("min").map(|_| scaled_attr(node, "min", 1));
        Ok(Self {
            granularity: scaled_attr(node, "granularity", 1)?,
            min: min.transpose()?,
            kind: node.attr_req("type")?,
            max_allocs: node.attr_req("maxAllocs")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        let min = self.min.map_or(0, |min| min.0);
        let sizes = [self.granularity.0, min].into_iter().filter(|s| *s != 0);
        let (unit, size) = sizes.map(unit_of).min_by_key(|u| u.1).unwrap_or(("B", 1));
        w.attr("granularity", &(self.granularity.0 / size));
        if self.min.is_some() {
            w.attr("min", &(min / size));
        }
        w.attr_str("unit", unit);
        w.attr("type", &self.kind);
        w.attr("maxAllocs", &self.max_allocs);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<bank>`: a cache.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct CacheBank {
    /// Its number.
    #[xml(attr)]
    pub id: u32,
    /// Its level.
    #[xml(attr)]
    pub level: u32,
    /// What it keeps.
    #[xml(attr = "type")]
    pub kind: CacheKind,
    /// Its size in bytes.
    #[xml(attr, value = u64)]
    pub size: Bytes,
    /// The processors that share it.
    #[xml(attr)]
    pub cpus: BitSet,
    /// How it can be shared out.
    #[xml(child = "control")]
    pub controls: Vec<CacheControl>,
}

impl Content for CacheBank {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            id: node.attr_req("id")?,
            level: node.attr_req("level")?,
            kind: node.attr_req("type")?,
            size: scaled_attr(node, "size", 1)?,
            cpus: node.attr_req("cpus")?,
            controls: node.child_vec("control")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        let (unit, size) = unit_of(self.size.0);
        w.attr("id", &self.id);
        w.attr("level", &self.level);
        w.attr("type", &self.kind);
        w.attr("size", &(self.size.0 / size));
        w.attr_str("unit", unit);
        w.attr("cpus", &self.cpus);
    }

    fn children(&self, w: &mut Writer) {
        for control in &self.controls {
            w.element("control", control);
        }
    }
}

/// `<monitor>`: how the use can be watched.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Monitor {
    /// Level of the cache.
    #[xml(attr)]
    pub level: Option<u32>,
    /// Bytes below which a number can be used for another guest.
    #[xml(attr = "reuseThreshold")]
    pub reuse_threshold: Option<u32>,
    /// Most monitors.
    #[xml(attr = "maxMonitors")]
    pub max_monitors: u32,
    /// What they count.
    #[xml(child_attr = "feature/name")]
    pub feature: Vec<Text>,
}

/// `<cache>` of a host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCaches {
    /// The caches.
    #[xml(child)]
    pub bank: Vec<CacheBank>,
    /// How they can be watched.
    #[xml(child)]
    pub monitor: Option<Monitor>,
}

/// `<control>` of memory bandwidth: how it can be shared out, in percent.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct BandwidthControl {
    /// Parts are multiples of this.
    #[xml(attr)]
    pub granularity: u32,
    /// Least part.
    #[xml(attr)]
    pub min: Option<u32>,
    /// Most parts.
    #[xml(attr = "maxAllocs")]
    pub max_allocs: u32,
}

/// `<node>`: a memory controller.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BandwidthNode {
    /// Its number.
    #[xml(attr)]
    pub id: u32,
    /// The processors that use it.
    #[xml(attr)]
    pub cpus: BitSet,
    /// How it can be shared out.
    #[xml(child)]
    pub control: Vec<BandwidthControl>,
}

/// `<memory_bandwidth>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryBandwidth {
    /// Memory controllers.
    #[xml(child)]
    pub node: Vec<BandwidthNode>,
    /// How they can be watched.
    #[xml(child)]
    pub monitor: Option<Monitor>,
}
