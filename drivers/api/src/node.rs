//! The host as a node: its processors, memory, security model; comparing its processor with others.

use crate::declare::{flags, group, numbered};
use crate::domain::CpuMap;
use crate::typed::TypedParameters;

flags! {
    /// How processors are compared.
    CompareCpuFlags: virConnectCompareCPUFlags, VIR_CONNECT_COMPARE_CPU_ {
        /// One that does not fit is an error.
        FAIL_INCOMPATIBLE = 1;
        /// Refuse a description that the schema does not allow.
        VALIDATE_XML = 2;
    }

    /// How a common processor is described.
    BaselineCpuFlags: virConnectBaselineCPUFlags, VIR_CONNECT_BASELINE_CPU_ {
        /// With every feature, also those of the model.
        EXPAND_FEATURES = 1;
        /// Without features that cannot migrate.
        MIGRATABLE = 2;
    }

    /// How pages are reserved; 0: beside those that are.
    NodeAllocPagesFlags: virNodeAllocPagesFlags, VIR_NODE_ALLOC_PAGES_ {
        /// So many in all, not so many more.
        SET = 1;
    }
}

numbered! {
    /// What the host's processor is to another.
    CpuComparison: virCPUCompareResult, VIR_CPU_COMPARE_ {
        /// The host cannot give that one.
        Incompatible = 0,
        /// It is that one.
        Identical = 1,
        /// It can do more.
        Superset = 2,
    }

    /// How the host sleeps.
    NodeSuspendTarget: virNodeSuspendTarget, VIR_NODE_SUSPEND_TARGET_ {
        /// With its state in memory.
        Mem = 0,
        /// With its state on disk.
        Disk = 1,
        /// With its state in both.
        Hybrid = 2,
    }
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
        /// Lets the host sleep for `duration` seconds.
        fn suspend_for_duration(target: NodeSuspendTarget, duration: u64) -> (): NodeSuspendForDuration;
    }
}
