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

/// `<pm>`: what the firmware offers.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pm {
    /// Sleep.
    #[xml(child_attr = "suspend-to-mem/enabled")]
    pub suspend_to_mem: Option<YesNo>,
    /// Hibernation.
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

/// `<event>` in `<perf>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerfEvent {
    /// Which counter.
    #[xml(attr)]
    pub name: PerfEventName,
    /// Whether it counts.
    #[xml(attr)]
    pub enabled: YesNo,
}

/// `<perf>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Perf {
    /// The counters.
    #[xml(child)]
    pub event: Vec<PerfEvent>,
}

/// `<uid>` or `<gid>`: a range of mapped ids.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// First id in the container.
    #[xml(attr)]
    pub start: u32,
    /// First id on the host.
    #[xml(attr)]
    pub target: u32,
    /// How many.
    #[xml(attr)]
    pub count: u32,
}

/// `<idmap>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMap {
    /// Users.
    #[xml(child)]
    pub uid: Vec<IdRange>,
    /// Groups.
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

/// `<cipher>` in `<keywrap>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyWrapState {
    /// Which.
    #[xml(attr)]
    pub name: KeyWrapCipher,
    /// Whether allowed.
    #[xml(attr)]
    pub state: OnOff,
}

/// `<keywrap>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyWrap {
    /// The ciphers.
    #[xml(child)]
    pub cipher: Vec<KeyWrapState>,
}
