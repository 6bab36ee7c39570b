//! Scheduling of the hypervisor's threads: shares, quotas, pinning, cache and memory bandwidth.

use virtbus_conf_base::common::scaled_attr;
use virtbus_xml::{
    BitSet, Bytes, Content, Describe, Flags, Node, Result, Text, Writer, Xml, xml_names,
};

/// `<vcpupin>`: host CPUs of one virtual CPU.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VcpuPin {
    /// Which virtual CPU.
    #[xml(attr)]
    pub vcpu: u32,
    /// The host CPUs.
    #[xml(attr)]
    pub cpuset: BitSet,
}

/// `<iothreadpin>`: host CPUs of one I/O thread.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThreadPin {
    /// Which I/O thread.
    #[xml(attr)]
    pub iothread: u32,
    /// The host CPUs.
    #[xml(attr)]
    pub cpuset: BitSet,
}

xml_names! {
    /// Scheduling policy of a thread.
    pub enum Scheduler {
        Batch = "batch",
        Idle = "idle",
        Fifo = "fifo",
        Rr = "rr",
    }
}

impl Scheduler {
    /// Whether the policy has priorities.
    pub fn is_realtime(self) -> bool {
        matches!(self, Self::Fifo | Self::Rr)
    }
}

/// Policy and priority.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedParam {
    /// The policy.
    #[xml(attr)]
    pub scheduler: Scheduler,
    /// Priority of `fifo` and `rr`, 1 to 99 on Linux.
    #[xml(attr)]
    pub priority: Option<u32>,
}

/// `<vcpusched>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VcpuSched {
    /// Which virtual CPUs.
    #[xml(attr)]
    pub vcpus: BitSet,
    /// How.
    #[xml(flat)]
    pub param: SchedParam,
}

/// `<iothreadsched>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThreadSched {
    /// Which I/O threads.
    #[xml(attr)]
    pub iothreads: BitSet,
    /// How.
    #[xml(flat)]
    pub param: SchedParam,
}

xml_names! {
    /// What a cache holds.
    pub enum CacheKind {
        Both = "both",
        Code = "code",
        Data = "data",
    }
}

/// `<cache>` in `<cachetune>`: a part of one host cache.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct CacheAllocation {
    /// Which cache of the level.
    #[xml(attr)]
    pub id: u32,
    /// Cache level.
    #[xml(attr)]
    pub level: u32,
    /// What it is for.
    #[xml(attr = "type")]
    pub kind: CacheKind,
    /// How much.
    #[xml(attr, value = u64)]
    pub size: Bytes,
}

impl Content for CacheAllocation {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            id: node.attr_req("id")?,
            level: node.attr_req("level")?,
            kind: node.attr_req("type")?,
            size: scaled_attr(node, "size", 1024)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        let (size, unit) = pretty_size(self.size.0);
        w.attr("id", &self.id);
        w.attr("level", &self.level);
        w.attr("type", &self.kind);
        w.attr("size", &size);
        w.attr_str("unit", unit);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `bytes` in the largest unit that needs no fraction: B, KiB, MiB, …
pub(crate) fn pretty_size(bytes: u64) -> (u64, &'static str) {
    let mut size = bytes;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if size == 0 || !size.is_multiple_of(1024) {
            break;
        }
        size /= 1024;
        unit = next;
    }
    (size, unit)
}

/// `<monitor>` in `<cachetune>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CacheMonitor {
    /// Cache level; only 3 can be watched.
    #[xml(attr)]
    pub level: u32,
    /// Virtual CPUs to watch.
    #[xml(attr)]
    pub vcpus: BitSet,
}

/// `<cachetune>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CacheTune {
    /// Virtual CPUs it is for.
    #[xml(attr)]
    pub vcpus: BitSet,
    /// Name of the allocation on the host; running guests only.
    #[xml(attr, when = cache_live)]
    pub id: Option<Text>,
    /// The parts.
    #[xml(child)]
    pub cache: Vec<CacheAllocation>,
    /// What to watch.
    #[xml(child)]
    pub monitor: Vec<CacheMonitor>,
}

fn cache_live(_: &CacheTune, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<node>` in `<memorytune>`: memory bandwidth of one host cache domain.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryBandwidth {
    /// Which one.
    #[xml(attr)]
    pub id: u32,
    /// Percent.
    #[xml(attr)]
    pub bandwidth: u32,
}

/// `<monitor>` in `<memorytune>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryMonitor {
    /// Virtual CPUs to watch.
    #[xml(attr)]
    pub vcpus: BitSet,
}

/// `<memorytune>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryTune {
    /// Virtual CPUs it is for.
    #[xml(attr)]
    pub vcpus: BitSet,
    /// Name of the allocation on the host; running guests only.
    #[xml(attr, when = memory_live)]
    pub id: Option<Text>,
    /// The bandwidths.
    #[xml(child)]
    pub node: Vec<MemoryBandwidth>,
    /// What to watch.
    #[xml(child)]
    pub monitor: Vec<MemoryMonitor>,
}

fn memory_live(_: &MemoryTune, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<cputune>`.
///
/// Periods and quotas are in µs; a quota of -1 is no limit.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTune {
    /// Weight against other guests.
    #[xml(text_child)]
    pub shares: Option<u64>,
    /// Period of each virtual CPU.
    #[xml(text_child)]
    pub period: Option<u64>,
    /// Quota of each virtual CPU.
    #[xml(text_child)]
    pub quota: Option<i64>,
    /// Period of the whole guest.
    #[xml(text_child)]
    pub global_period: Option<u64>,
    /// Quota of the whole guest.
    #[xml(text_child)]
    pub global_quota: Option<i64>,
    /// Period of the hypervisor's other threads.
    #[xml(text_child)]
    pub emulator_period: Option<u64>,
    /// Quota of the hypervisor's other threads.
    #[xml(text_child)]
    pub emulator_quota: Option<i64>,
    /// Period of each I/O thread.
    #[xml(text_child)]
    pub iothread_period: Option<u64>,
    /// Quota of each I/O thread.
    #[xml(text_child)]
    pub iothread_quota: Option<i64>,
    /// Host CPUs by virtual CPU.
    #[xml(child)]
    pub vcpupin: Vec<VcpuPin>,
    /// Host CPUs of the hypervisor's other threads.
    #[xml(child_attr = "emulatorpin/cpuset")]
    pub emulatorpin: Option<BitSet>,
    /// Host CPUs by I/O thread.
    #[xml(child)]
    pub iothreadpin: Vec<IoThreadPin>,
    /// Policy of the hypervisor's other threads.
    #[xml(child)]
    pub emulatorsched: Option<SchedParam>,
    /// Policy by virtual CPU.
    #[xml(child)]
    pub vcpusched: Vec<VcpuSched>,
    /// Policy by I/O thread.
    #[xml(child)]
    pub iothreadsched: Vec<IoThreadSched>,
    /// Cache allocations.
    #[xml(child)]
    pub cachetune: Vec<CacheTune>,
    /// Memory bandwidths.
    #[xml(child)]
    pub memorytune: Vec<MemoryTune>,
}
