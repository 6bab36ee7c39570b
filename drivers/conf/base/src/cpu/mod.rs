//! `<cpu>`: the processor that a guest sees, or that a host has.
//!
//! What the names of models and features stand for is not here.

mod host;
mod numa;

use virtbus_xml::{OnOff, Text, Xml, xml_names};

pub use host::{
    Cpu, CpuCounter, CpuCounterName, CpuFlags, CpuMicrocode, CpuPageSize, CpuSignature, HostCpu,
};
pub use numa::{
    CacheAssociativity, CachePolicy, Distance, Interconnects, MemoryLatencyType, NumaBandwidth,
    NumaCache, NumaCell, NumaLatency, NumaTopology, SizeValue,
};

xml_names! {
    /// Where the processor model comes from.
    pub enum CpuMode {
        Custom = "custom",
        HostModel = "host-model",
        HostPassthrough = "host-passthrough",
        Maximum = "maximum",
    }
}

xml_names! {
    /// How close the processor must come to the description.
    pub enum CpuMatch {
        Minimum = "minimum",
        Exact = "exact",
        Strict = "strict",
    }
}

xml_names! {
    /// How the result is checked.
    pub enum CpuCheck {
        None = "none",
        Partial = "partial",
        Full = "full",
    }
}

xml_names! {
    /// Whether another model may stand in.
    pub enum CpuFallback {
        Allow = "allow",
        Forbid = "forbid",
    }
}

xml_names! {
    /// What to do with a feature.
    pub enum FeaturePolicy {
        Force = "force",
        Require = "require",
        Optional = "optional",
        Disable = "disable",
        Forbid = "forbid",
    }
}

/// `<model>`: a named processor model.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuModel {
    /// What to do if the hypervisor lacks the model: `allow` takes the closest one that it has, `forbid` refuses to
    /// start.
    #[xml(attr, absent = "allow")]
    pub fallback: Option<CpuFallback>,
    /// Vendor string that the guest sees, exactly 12 characters.
    #[xml(attr)]
    pub vendor_id: Option<Text>,
    /// Name of the model; absent where the mode chooses it.
    #[xml(text)]
    pub name: Option<Text>,
}

/// `<topology>`: how the guest's virtual CPUs are grouped; the numbers multiplied are the most virtual CPUs.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTopology {
    /// Number of CPU sockets, at least 1.
    #[xml(attr)]
    pub sockets: u32,
    /// Number of dies in each socket.
    #[xml(attr, absent = "1")]
    pub dies: Option<u32>,
    /// Number of clusters in each die.
    #[xml(attr, absent = "1")]
    pub clusters: Option<u32>,
    /// Number of cores in each cluster.
    #[xml(attr)]
    pub cores: u32,
    /// Number of threads in each core.
    #[xml(attr)]
    pub threads: u32,
}

impl CpuTopology {
    /// Threads in all, or `None` if they are too many to count.
    pub fn count(&self) -> Option<u32> {
        [
            self.dies.unwrap_or(1),
            self.clusters.unwrap_or(1),
            self.cores,
            self.threads,
        ]
        .into_iter()
        .try_fold(self.sockets, u32::checked_mul)
    }
}

xml_names! {
    /// What caches the guest sees.
    pub enum CpuCacheMode {
        Emulate = "emulate",
        Passthrough = "passthrough",
        Disable = "disable",
    }
}

/// `<cache>`: the processor cache that the guest sees.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuCache {
    /// Cache level that this describes, 1 to 3.
    #[xml(attr, absent = "all")]
    pub level: Option<u32>,
    /// What the guest sees: `emulate` a cache made by the hypervisor, `passthrough` the host's, `disable` none.
    #[xml(attr)]
    pub mode: CpuCacheMode,
}

xml_names! {
    /// Where the width of physical addresses comes from.
    pub enum MaxPhysAddrMode {
        Emulate = "emulate",
        Passthrough = "passthrough",
    }
}

/// `<maxphysaddr>`: width of physical addresses in the guest.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPhysAddr {
    /// How the width is chosen: `passthrough` takes the host's, `emulate` the one in `bits`.
    #[xml(attr)]
    pub mode: MaxPhysAddrMode,
    /// Width in bits, with mode `emulate`; the hypervisor's default if absent.
    #[xml(attr)]
    pub bits: Option<u32>,
    /// Upper bound in bits for the width taken from the host, with mode `passthrough`.
    #[xml(attr)]
    pub limit: Option<u32>,
}

/// `<feature>`: a single feature of the processor.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CpuFeature {
    /// What to do: `require` it of the host, `force` it even without the host, `optional` if the host has it, `disable`
    /// it, `forbid` hosts that have it. Host processors have no policy.
    #[xml(attr, absent = "require")]
    pub policy: Option<FeaturePolicy>,
    /// Name of the processor feature, such as `vmx`.
    #[xml(attr)]
    pub name: Text,
}

/// `<cpu>`: the processor of a guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestCpu {
    /// Where the model comes from: `custom` (named below), `host-model` (a copy of the host's), `host-passthrough`
    /// (exactly the host's), `maximum` (everything the hypervisor can do).
    #[xml(attr)]
    pub mode: Option<CpuMode>,
    /// How the host must match: `minimum` gives the guest all features of the host, `exact` only those asked for,
    /// `strict` refuses hosts with more.
    #[xml(attr = "match", absent = "exact")]
    pub matching: Option<CpuMatch>,
    /// How the result is checked before start: `none` not at all, `partial` against the host, `full` against what the
    /// hypervisor really offers.
    #[xml(attr)]
    pub check: Option<CpuCheck>,
    /// Whether features that prevent migration are left out; with mode `host-passthrough` and `maximum`.
    #[xml(attr)]
    pub migratable: Option<OnOff>,
    /// Whether features that the hypervisor calls deprecated stay on; the hypervisor decides if absent.
    #[xml(attr)]
    pub deprecated_features: Option<OnOff>,
    /// Named processor model, for mode `custom`.
    #[xml(child, skip_empty)]
    pub model: Option<CpuModel>,
    /// Vendor that the host's processor must have.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Numbers of sockets, dies, cores and threads; absent means one socket for each virtual CPU.
    #[xml(child)]
    pub topology: Option<CpuTopology>,
    /// Processor cache that the guest sees; the hypervisor decides if absent.
    #[xml(child)]
    pub cache: Option<CpuCache>,
    /// Width of physical addresses in the guest; the hypervisor decides if absent.
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    /// Single features, in addition to those of the model.
    #[xml(child)]
    pub feature: Vec<CpuFeature>,
    /// NUMA nodes of the guest; absent means none.
    #[xml(child, skip_empty)]
    pub numa: Option<NumaTopology>,
}
