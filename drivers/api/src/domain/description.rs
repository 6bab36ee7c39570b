//! What is written about a domain rather than done with it, and what is counted of it.

use super::{CpuMap, DomainId, DomainModificationImpact, VcpuInfo};
use crate::declare::{also, flags, group, numbered};
use crate::typed::TypedParameters;

/// A security label of a running domain (`virSecurityLabel`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityLabel {
    /// The label.
    pub label: String,
    /// Whether the host holds the domain to it.
    pub enforcing: bool,
}

/// Sizes of a disk, bytes (`virDomainBlockInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockInfo {
    /// As the guest sees it.
    pub capacity: u64,
    /// What its content takes.
    pub allocation: u64,
    /// Of its file or device.
    pub physical: u64,
}

flags! {
    /// What messages are about; 0: anything.
    DomainMessageTypes: virDomainMessageType, VIR_DOMAIN_MESSAGE_ {
        /// That something in its definition is out of date.
        DEPRECATION = 1;
        /// That something is done which is not supported.
        TAINTING = 2;
        /// Failed reads and writes.
        IOERRORS = 4;
    }
}

numbered! {
    /// A piece of a domain's or network's metadata.
    MetadataType: virDomainMetadataType, VIR_DOMAIN_METADATA_ {
        /// `<description>`.
        Description = 0,
        /// `<title>`.
        Title = 1,
        /// An element of a namespace below `<metadata>`.
        Element = 2,
    }
}

also! {
    /// A piece of a network's metadata.
    NetworkMetadataType: virNetworkMetadataType, VIR_NETWORK_METADATA_ = MetadataType;
}

numbered! {
    /// What failed on a disk.
    DomainDiskErrorCode: virDomainDiskErrorCode, VIR_DOMAIN_DISK_ERROR_ {
        /// Nothing.
        None = 0,
        /// Something that is not known.
        Unspec = 1,
        /// There is no space left.
        NoSpace = 2,
    }

    /// What a statistic of a guest's memory is about.
    DomainMemoryStatTag: virDomainMemoryStatTags, VIR_DOMAIN_MEMORY_STAT_ {
        /// Read from swap space, KiB.
        SwapIn = 0,
        /// Written to swap space, KiB.
        SwapOut = 1,
        /// Page faults that needed a disk.
        MajorFault = 2,
        /// Page faults that needed no disk.
        MinorFault = 3,
        /// Not used by the guest at all, KiB.
        Unused = 4,
        /// What the guest has, KiB.
        Available = 5,
        /// What the balloon leaves to the guest, KiB.
        ActualBalloon = 6,
        /// What the hypervisor's process takes of the host, KiB.
        Rss = 7,
        /// What the guest could use without swapping, KiB.
        Usable = 8,
        /// When the guest told of it last, seconds since 1970.
        LastUpdate = 9,
        /// What the guest could free of its disk caches, KiB.
        DiskCaches = 10,
        /// Huge pages that were allocated.
        HugetlbPgalloc = 11,
        /// Huge pages that could not be allocated.
        HugetlbPgfail = 12,
    }
}

group! {
    /// Name, title, description, labels, messages.
    DomainDescription {
        /// Gives it another name; it must be off.
        fn rename(domain: &DomainId, name: &str) -> (): DomainRename;
        /// Its title, description, or the element of a namespace; `NoDomainMetadata` if there is none.
        fn metadata(domain: &DomainId, kind: MetadataType, uri: Option<&str>, impact: DomainModificationImpact) -> String: DomainGetMetadata;
        /// Sets or, with none, removes it. An element takes the prefix `key`.
        fn set_metadata(domain: &DomainId, kind: MetadataType, metadata: Option<&str>, key: Option<&str>, uri: Option<&str>, impact: DomainModificationImpact) -> (): DomainSetMetadata;
        /// The labels that it runs with.
        fn security_labels(domain: &DomainId) -> Vec<SecurityLabel>: DomainGetSecurityLabelList;
        /// What the driver has to say about it.
        fn messages(domain: &DomainId, types: DomainMessageTypes) -> Vec<String>: DomainGetMessages;
        /// How its launch is measured (SEV, …).
        fn launch_security_info(domain: &DomainId) -> TypedParameters: DomainGetLaunchSecurityInfo;
    }

    /// Counters, one question at a time; [`DomainStatistics`](super::DomainStatistics) asks for all.
    DomainCounters {
        /// Memory, KiB and counts.
        fn memory_stats(domain: &DomainId) -> Vec<(DomainMemoryStatTag, u64)>: DomainMemoryStats;
        /// Reads and writes of a disk (empty: of all).
        fn block_stats(domain: &DomainId, disk: &str) -> TypedParameters: DomainBlockStatsFlags;
        /// Traffic of an interface.
        fn interface_stats(domain: &DomainId, device: &str) -> TypedParameters: DomainInterfaceStats;
        /// Sizes of a disk.
        fn block_info(domain: &DomainId, disk: &str) -> BlockInfo: DomainGetBlockInfo;
        /// Disks that failed: target, and what failed.
        fn disk_errors(domain: &DomainId) -> Vec<(String, DomainDiskErrorCode)>: DomainGetDiskErrors;
        /// Processor time in all (`start` −1), or of the host's processors from `start` on.
        fn cpu_stats(domain: &DomainId, start: i32, cpus: u32) -> Vec<TypedParameters>: DomainGetCpuStats;
        /// What each virtual CPU is doing, and where it may run.
        fn vcpus(domain: &DomainId) -> Vec<(VcpuInfo, CpuMap)>: DomainGetVcpus;
    }
}
