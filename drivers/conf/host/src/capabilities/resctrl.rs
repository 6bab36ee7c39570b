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

/// `<control>` of a cache: how it can be divided among guests.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of `granularity` and `min`; without it they are in bytes."))]
pub struct CacheControl {
    /// Sizes of parts are multiples of this; in bytes if no unit is given.
    #[xml(attr, value = u64)]
    pub granularity: Bytes,
    /// Smallest size of a part; in bytes if no unit is given.
    #[xml(attr, value = u64)]
    pub min: Option<Bytes>,
    /// What a part caches: `both`, `code` or `data`.
    #[xml(attr = "type")]
    pub kind: CacheKind,
    /// Largest number of parts that the cache can be divided into.
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

/// `<bank>`: one cache, shared by some CPUs.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the size; without it the size is in bytes."))]
pub struct CacheBank {
    /// Number of the cache, unique within its level.
    #[xml(attr)]
    pub id: u32,
    /// Level of the cache, 1 to 3.
    #[xml(attr)]
    pub level: u32,
    /// What the cache holds: `both`, `code` or `data`.
    #[xml(attr = "type")]
    pub kind: CacheKind,
    /// Size of the cache; in bytes if no unit is given.
    #[xml(attr, value = u64)]
    pub size: Bytes,
    /// Host CPUs that share the cache, such as `0-7`.
    #[xml(attr)]
    pub cpus: BitSet,
    /// How the cache can be divided among guests; absent if it cannot.
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

/// `<monitor>`: how the use of the cache or memory bandwidth can be monitored.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Monitor {
    /// Level of the cache that is monitored.
    #[xml(attr)]
    pub level: Option<u32>,
    /// Occupancy in bytes below which a monitoring identifier can be given to another guest.
    #[xml(attr = "reuseThreshold")]
    pub reuse_threshold: Option<u32>,
    /// Largest number of monitors at a time.
    #[xml(attr = "maxMonitors")]
    pub max_monitors: u32,
    /// Names of the counters, such as `llc_occupancy` or `mbm_total_bytes`.
    #[xml(child_attr = "feature/name")]
    pub feature: Vec<Text>,
}

/// `<cache>` of a host: its caches, and how their use can be monitored.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCaches {
    /// Caches of the host, one entry for each.
    #[xml(child)]
    pub bank: Vec<CacheBank>,
    /// How the use of the caches can be monitored.
    #[xml(child)]
    pub monitor: Option<Monitor>,
}

/// `<control>` of memory bandwidth: how it can be divided among guests, in percent.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct BandwidthControl {
    /// Shares are multiples of this, in percent.
    #[xml(attr)]
    pub granularity: u32,
    /// Smallest share of a guest, in percent.
    #[xml(attr)]
    pub min: Option<u32>,
    /// Largest number of shares that the bandwidth can be divided into.
    #[xml(attr = "maxAllocs")]
    pub max_allocs: u32,
}

/// `<node>`: a memory controller of the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BandwidthNode {
    /// Number of the memory controller.
    #[xml(attr)]
    pub id: u32,
    /// Host CPUs that use the controller, such as `0-7`.
    #[xml(attr)]
    pub cpus: BitSet,
    /// How the controller's bandwidth can be divided among guests.
    #[xml(child)]
    pub control: Vec<BandwidthControl>,
}

/// `<memory_bandwidth>`: memory bandwidth that can be divided among guests.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryBandwidth {
    /// Memory controllers of the host, one entry for each.
    #[xml(child)]
    pub node: Vec<BandwidthNode>,
    /// How the use of memory bandwidth can be monitored.
    #[xml(child)]
    pub monitor: Option<Monitor>,
}
