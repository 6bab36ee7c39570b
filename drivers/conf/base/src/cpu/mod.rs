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

/// `<model>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuModel {
    /// Whether another model may stand in.
    #[xml(attr, absent = "allow")]
    pub fallback: Option<CpuFallback>,
    /// Vendor to show to the guest: 12 characters.
    #[xml(attr)]
    pub vendor_id: Option<Text>,
    /// Name of the model.
    #[xml(text)]
    pub name: Option<Text>,
}

/// `<topology>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTopology {
    /// Sockets.
    #[xml(attr)]
    pub sockets: u32,
    /// Dies in a socket.
    #[xml(attr, absent = "1")]
    pub dies: Option<u32>,
    /// Clusters in a die.
    #[xml(attr, absent = "1")]
    pub clusters: Option<u32>,
    /// Cores in a cluster.
    #[xml(attr)]
    pub cores: u32,
    /// Threads in a core.
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

/// `<cache>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuCache {
    /// Level, 1 to 3.
    #[xml(attr, absent = "all")]
    pub level: Option<u32>,
    /// What the guest sees.
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

/// `<maxphysaddr>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPhysAddr {
    /// Where the width comes from.
    #[xml(attr)]
    pub mode: MaxPhysAddrMode,
    /// The width in bits.
    #[xml(attr)]
    pub bits: Option<u32>,
    /// Most bits to take from the host.
    #[xml(attr)]
    pub limit: Option<u32>,
}

/// `<feature>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CpuFeature {
    /// What to do with it; hosts have none.
    #[xml(attr, absent = "require")]
    pub policy: Option<FeaturePolicy>,
    /// Name.
    #[xml(attr)]
    pub name: Text,
}

/// `<cpu>` of a guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestCpu {
    /// Where the model comes from.
    #[xml(attr)]
    pub mode: Option<CpuMode>,
    /// How close it must come.
    #[xml(attr = "match", absent = "exact")]
    pub matching: Option<CpuMatch>,
    /// How the result is checked.
    #[xml(attr)]
    pub check: Option<CpuCheck>,
    /// Leave out what cannot be migrated.
    #[xml(attr)]
    pub migratable: Option<OnOff>,
    /// Features that the hypervisor calls deprecated.
    #[xml(attr)]
    pub deprecated_features: Option<OnOff>,
    /// Model.
    #[xml(child, skip_empty)]
    pub model: Option<CpuModel>,
    /// Vendor the host must have.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Sockets, cores, threads.
    #[xml(child)]
    pub topology: Option<CpuTopology>,
    /// Caches.
    #[xml(child)]
    pub cache: Option<CpuCache>,
    /// Width of physical addresses.
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    /// Features.
    #[xml(child)]
    pub feature: Vec<CpuFeature>,
    /// NUMA nodes.
    #[xml(child, skip_empty)]
    pub numa: Option<NumaTopology>,
}
