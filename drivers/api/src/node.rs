//! The host as a node: its processors, memory, security model; comparing its processor with others.

use crate::declare::{flags, group};
use crate::domain::CpuMap;
use crate::typed::TypedParameters;

flags! {
    /// How processors are compared (`virConnectCompareCPUFlags`).
    CompareCpuFlags {
        /// One that does not fit is an error.
        FAIL_INCOMPATIBLE = 1;
        /// Refuse a description that the schema does not allow.
        VALIDATE_XML = 2;
    }

    /// How a common processor is described (`virConnectBaselineCPUFlags`).
    BaselineCpuFlags {
        /// With every feature, also those of the model.
        EXPAND_FEATURES = 1;
        /// Without features that cannot migrate.
        MIGRATABLE = 2;
    }
}

/// What a processor is to another (`virCPUCompareResult`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuComparison {
    /// The host cannot give it.
    Incompatible = 0,
    /// It is the host's.
    Identical = 1,
    /// The host has more.
    Superset = 2,
}

group! {
    /// Facts about the host, and what can be set there.
    Node {
        /// The host's SMBIOS information as XML.
        fn sysinfo() -> String: ConnectGetSysinfo;
        /// Whether the host can give a guest this processor.
        fn compare_cpu(xml: &str, flags: CompareCpuFlags) -> CpuComparison: ConnectCompareCpu;
        /// The best processor that all of these hosts can give, as XML.
        fn baseline_cpu(xmls: &[String], flags: BaselineCpuFlags) -> String: ConnectBaselineCpu;
        /// Which of the host's processors are online.
        fn cpu_map() -> CpuMap: NodeGetCpuMap;
        /// Time that a processor (−1: all) spent, nanoseconds, by libvirt's names.
        fn cpu_stats(cpu: i32) -> Vec<(String, u64)>: NodeGetCpuStats;
        /// Memory of a NUMA cell (−1: all), KiB, by libvirt's names.
        fn memory_stats(cell: i32) -> Vec<(String, u64)>: NodeGetMemoryStats;
        /// How the kernel shares memory pages.
        fn memory_parameters() -> TypedParameters: NodeGetMemoryParameters;
        /// Sets it.
        fn set_memory_parameters(parameters: TypedParameters) -> (): NodeSetMemoryParameters;
        /// The security driver's model and domain of interpretation, both empty without one.
        fn security_model() -> (String, String): NodeGetSecurityModel;
        /// Free memory of cells, bytes.
        fn cells_free_memory(start: u32, most: u32) -> Vec<u64>: NodeGetCellsFreeMemory;
        /// Free pages of these sizes (KiB), for each cell from `start` (−1: the whole host) on.
        fn free_pages(sizes: &[u32], start: i32, cells: u32) -> Vec<u64>: NodeGetFreePages;
        /// Reserves pages: size in KiB and count; how many cells were changed.
        fn alloc_pages(pages: &[(u32, u64)], start: i32, cells: u32, set: bool) -> u32: NodeAllocPages;
        /// Lets the host sleep: 0 in memory, 1 on disk, 2 both; for `duration` seconds.
        fn suspend_for_duration(target: u32, duration: u64) -> (): NodeSuspendForDuration;
    }
}
