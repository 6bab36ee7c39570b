//! Scheduling of the hypervisor's threads: shares, quotas, pinning, cache and memory bandwidth.

use virtbus_conf_base::common::scaled_attr;
use virtbus_xml::{
    BitSet, Bytes, Content, Describe, Flags, Node, Result, Text, Writer, Xml, xml_names,
};

/// `<vcpupin>`: the host CPUs on which a virtual CPU may run.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VcpuPin {
    /// Number of the virtual CPU, from 0.
    #[xml(attr)]
    pub vcpu: u32,
    /// Host CPUs, such as `0-3,^2`.
    #[xml(attr)]
    pub cpuset: BitSet,
}

/// `<iothreadpin>`: the host CPUs on which an I/O thread may run.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThreadPin {
    /// Number of the I/O thread, from 1.
    #[xml(attr)]
    pub iothread: u32,
    /// Host CPUs, such as `0-3,^2`.
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

/// Scheduling policy and priority of threads.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedParam {
    /// Scheduling policy of Linux: `batch`, `idle`, `fifo` or `rr`.
    #[xml(attr)]
    pub scheduler: Scheduler,
    /// Real-time priority, required for `fifo` and `rr`: 1 to 99, the highest first.
    #[xml(attr)]
    pub priority: Option<u32>,
}

/// `<vcpusched>`: scheduling of some virtual CPUs.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VcpuSched {
    /// Numbers of the virtual CPUs, such as `0-3`.
    #[xml(attr)]
    pub vcpus: BitSet,
    /// Scheduling policy and priority of these virtual CPUs.
    #[xml(flat)]
    pub param: SchedParam,
}

/// `<iothreadsched>`: scheduling of some I/O threads.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThreadSched {
    /// Numbers of the I/O threads, such as `1-2`.
    #[xml(attr)]
    pub iothreads: BitSet,
    /// Scheduling policy and priority of these I/O threads.
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

/// `<cache>` in `<cachetune>`: the part of one host cache that is allocated.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the size; without it the size is in KiB."))]
pub struct CacheAllocation {
    /// Number of the cache among those of its level.
    #[xml(attr)]
    pub id: u32,
    /// Level of the cache; at present 3 only.
    #[xml(attr)]
    pub level: u32,
    /// What the part caches: `both`, `code` or `data`.
    #[xml(attr = "type")]
    pub kind: CacheKind,
    /// Size of the part; in KiB if no unit is given.
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

/// `<monitor>` in `<cachetune>`: monitors the use of a cache.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CacheMonitor {
    /// Level of the monitored cache; at present 3 only.
    #[xml(attr)]
    pub level: u32,
    /// Virtual CPUs whose use is monitored.
    #[xml(attr)]
    pub vcpus: BitSet,
}

/// `<cachetune>`: host cache that is allocated to some virtual CPUs (resctrl).
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CacheTune {
    /// Virtual CPUs that the allocation is for.
    #[xml(attr)]
    pub vcpus: BitSet,
    /// Name of the allocation on the host; running guests only.
    #[xml(attr, when = cache_live)]
    pub id: Option<Text>,
    /// Parts of caches that are allocated.
    #[xml(child)]
    pub cache: Vec<CacheAllocation>,
    /// Monitors for the use of the caches.
    #[xml(child)]
    pub monitor: Vec<CacheMonitor>,
}

fn cache_live(_: &CacheTune, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<node>` in `<memorytune>`: memory bandwidth of one memory controller.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryBandwidth {
    /// Number of the memory controller, as in the host's capabilities.
    #[xml(attr)]
    pub id: u32,
    /// Share of the memory bandwidth in percent, 1 to 100.
    #[xml(attr)]
    pub bandwidth: u32,
}

/// `<monitor>` in `<memorytune>`: monitors the use of memory bandwidth.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryMonitor {
    /// Virtual CPUs whose use is monitored.
    #[xml(attr)]
    pub vcpus: BitSet,
}

/// `<memorytune>`: memory bandwidth that is allocated to some virtual CPUs (resctrl).
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemoryTune {
    /// Virtual CPUs that the allocation is for.
    #[xml(attr)]
    pub vcpus: BitSet,
    /// Name of the allocation on the host; running guests only.
    #[xml(attr, when = memory_live)]
    pub id: Option<Text>,
    /// Shares of bandwidth, one for each memory controller.
    #[xml(child)]
    pub node: Vec<MemoryBandwidth>,
    /// Monitors for the use of memory bandwidth.
    #[xml(child)]
    pub monitor: Vec<MemoryMonitor>,
}

fn memory_live(_: &MemoryTune, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// `<cputune>`: CPU time and placement of the guest's threads.
///
/// Periods and quotas are in microseconds: in each period a thread may run for its quota. Periods are 1000 to 1000000;
/// quotas 1000 to 17592186044415, or -1 for no limit.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTune {
    /// Relative weight of the guest's CPU time against other guests; the host's default if absent.
    #[xml(text_child)]
    pub shares: Option<u64>,
    /// Period of each virtual CPU, in microseconds.
    #[xml(text_child)]
    pub period: Option<u64>,
    /// CPU time of each virtual CPU per period, in microseconds; -1 means no limit.
    #[xml(text_child)]
    pub quota: Option<i64>,
    /// Period of the whole guest, in microseconds.
    #[xml(text_child)]
    pub global_period: Option<u64>,
    /// CPU time of the whole guest per period, in microseconds; -1 means no limit.
    #[xml(text_child)]
    pub global_quota: Option<i64>,
    /// Period of the emulator threads (those that are neither virtual CPUs nor I/O threads), in microseconds.
    #[xml(text_child)]
    pub emulator_period: Option<u64>,
    /// CPU time of the emulator threads per period, in microseconds; -1 means no limit.
    #[xml(text_child)]
    pub emulator_quota: Option<i64>,
    /// Period of each I/O thread, in microseconds.
    #[xml(text_child)]
    pub iothread_period: Option<u64>,
    /// CPU time of each I/O thread per period, in microseconds; -1 means no limit.
    #[xml(text_child)]
    pub iothread_quota: Option<i64>,
    /// Host CPUs of single virtual CPUs; others may run on those of `<vcpu cpuset='…'>`.
    #[xml(child)]
    pub vcpupin: Vec<VcpuPin>,
    /// Host CPUs of the emulator threads, such as `0-3,^2`.
    #[xml(child_attr = "emulatorpin/cpuset")]
    pub emulatorpin: Option<BitSet>,
    /// Host CPUs of single I/O threads.
    #[xml(child)]
    pub iothreadpin: Vec<IoThreadPin>,
    /// Scheduling policy and priority of the emulator threads.
    #[xml(child)]
    pub emulatorsched: Option<SchedParam>,
    /// Scheduling policies of single virtual CPUs.
    #[xml(child)]
    pub vcpusched: Vec<VcpuSched>,
    /// Scheduling policies of single I/O threads.
    #[xml(child)]
    pub iothreadsched: Vec<IoThreadSched>,
    /// Host cache that is allocated to virtual CPUs (resctrl).
    #[xml(child)]
    pub cachetune: Vec<CacheTune>,
    /// Memory bandwidth that is allocated to virtual CPUs (resctrl).
    #[xml(child)]
    pub memorytune: Vec<MemoryTune>,
}
