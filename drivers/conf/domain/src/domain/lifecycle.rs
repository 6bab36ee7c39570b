//! What happens when the guest stops; power management; counters; identity mapping; key wrapping.

use virtbus_xml::{OnOff, Xml, YesNo, xml_names};

xml_names! {
    /// What to do when the guest stops.
    pub enum LifecycleAction {
        Destroy = "destroy",
        Restart = "restart",
        RenameRestart = "rename-restart",
        Preserve = "preserve",
        CoredumpDestroy = "coredump-destroy",
        CoredumpRestart = "coredump-restart",
    }
}

xml_names! {
    /// What to do when a lock on storage is lost.
    pub enum LockFailureAction {
        Poweroff = "poweroff",
        Restart = "restart",
        Pause = "pause",
        Ignore = "ignore",
    }
}

/// `<pm>`: the sleep states that the firmware offers to the guest.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pm {
    /// Whether the guest can suspend to memory (S3); the hypervisor decides if absent.
    #[xml(child_attr = "suspend-to-mem/enabled")]
    pub suspend_to_mem: Option<YesNo>,
    /// Whether the guest can suspend to disk (S4); the hypervisor decides if absent.
    #[xml(child_attr = "suspend-to-disk/enabled")]
    pub suspend_to_disk: Option<YesNo>,
}

xml_names! {
    /// A performance counter of the host.
    pub enum PerfEventName {
        Cmt = "cmt",
        Mbmt = "mbmt",
        Mbml = "mbml",
        CpuCycles = "cpu_cycles",
        Instructions = "instructions",
        CacheReferences = "cache_references",
        CacheMisses = "cache_misses",
        BranchInstructions = "branch_instructions",
        BranchMisses = "branch_misses",
        BusCycles = "bus_cycles",
        StalledCyclesFrontend = "stalled_cycles_frontend",
        StalledCyclesBackend = "stalled_cycles_backend",
        RefCpuCycles = "ref_cpu_cycles",
        CpuClock = "cpu_clock",
        TaskClock = "task_clock",
        PageFaults = "page_faults",
        ContextSwitches = "context_switches",
        CpuMigrations = "cpu_migrations",
        PageFaultsMin = "page_faults_min",
        PageFaultsMaj = "page_faults_maj",
        AlignmentFaults = "alignment_faults",
        EmulationFaults = "emulation_faults",
    }
}

/// `<event>`: whether one performance counter of the host counts for the guest.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerfEvent {
    /// Name of the counter, such as `cpu_cycles` or `page_faults`.
    #[xml(attr)]
    pub name: PerfEventName,
    /// Whether the counter counts for the guest.
    #[xml(attr)]
    pub enabled: YesNo,
}

/// `<perf>`: performance counters of the host that count for the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Perf {
    /// Counters that are turned on or off; those not listed are off.
    #[xml(child)]
    pub event: Vec<PerfEvent>,
}

/// `<uid>` or `<gid>`: a range of mapped user or group IDs.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// First ID in the container; the first range must begin with 0.
    #[xml(attr)]
    pub start: u32,
    /// First ID on the host that it is mapped to.
    #[xml(attr)]
    pub target: u32,
    /// Number of IDs in the range.
    #[xml(attr)]
    pub count: u32,
}

/// `<idmap>`: how users and groups of a container are mapped to those of the host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMap {
    /// Ranges of mapped user IDs.
    #[xml(child)]
    pub uid: Vec<IdRange>,
    /// Ranges of mapped group IDs.
    #[xml(child)]
    pub gid: Vec<IdRange>,
}

xml_names! {
    /// A cipher whose keys s390 guests may wrap.
    pub enum KeyWrapCipher {
        Aes = "aes",
        Dea = "dea",
    }
}

/// `<cipher>`: whether s390 guests may wrap keys of one cipher.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyWrapState {
    /// Name of the cipher: `aes` or `dea`.
    #[xml(attr)]
    pub name: KeyWrapCipher,
    /// Whether keys of the cipher may be wrapped.
    #[xml(attr)]
    pub state: OnOff,
}

/// `<keywrap>`: whether s390 guests may use wrapped (protected) keys; both ciphers are allowed if absent.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyWrap {
    /// Ciphers with a state of their own.
    #[xml(child)]
    pub cipher: Vec<KeyWrapState>,
}
