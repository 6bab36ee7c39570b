//! Virtual CPUs and I/O threads.

use virtbus_xml::{BitSet, Xml, YesNo, xml_names};

xml_names! {
    /// Who chooses the host CPUs or nodes.
    pub enum Placement {
        Static = "static",
        Auto = "auto",
    }
}

/// `<vcpu>`: number and placement of virtual CPUs.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VcpuCount {
    /// Who chooses the host CPUs: `static` those in `cpuset`, `auto` those that numad recommends.
    #[xml(attr, absent = "static")]
    pub placement: Option<Placement>,
    /// Host CPUs on which the guest's threads may run, such as `1-4,^3`; all if absent.
    #[xml(attr)]
    pub cpuset: Option<Box<BitSet>>,
    /// Number of virtual CPUs that are online at start.
    #[xml(attr, absent = "all")]
    pub current: Option<u32>,
    /// Largest number of virtual CPUs.
    #[xml(text)]
    pub count: u32,
}

/// `<vcpu>` in `<vcpus>`: the state of one virtual CPU at start.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vcpu {
    /// Number of the virtual CPU, from 0.
    #[xml(attr)]
    pub id: u32,
    /// Whether the virtual CPU is online at start; number 0 must be.
    #[xml(attr)]
    pub enabled: YesNo,
    /// Whether the virtual CPU can be unplugged later.
    #[xml(attr)]
    pub hotpluggable: Option<YesNo>,
    /// Position in the order in which virtual CPUs are plugged, from 1.
    #[xml(attr)]
    pub order: Option<u32>,
}

/// `<vcpus>`: the state of single virtual CPUs at start.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Vcpus {
    /// Virtual CPUs, one entry for each.
    #[xml(child)]
    pub vcpu: Vec<Vcpu>,
}

/// `<poll>`: how long an I/O thread polls before it sleeps.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Poll {
    /// Longest time to poll in nanoseconds; 0 turns polling off.
    #[xml(attr)]
    pub max: Option<u64>,
    /// Factor by which the time grows if polling was too short; 0 means the hypervisor's default.
    #[xml(attr)]
    pub grow: Option<u64>,
    /// Divisor by which the time shrinks if polling was useless; 0 means the hypervisor's default.
    #[xml(attr)]
    pub shrink: Option<u64>,
}

/// `<iothread>`: number and settings of an I/O thread.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThread {
    /// Number of the I/O thread, from 1, by which devices refer to it.
    #[xml(attr)]
    pub id: u32,
    /// Fewest worker threads of its pool; the hypervisor's default if absent.
    #[xml(attr)]
    pub thread_pool_min: Option<u32>,
    /// Most worker threads of its pool; the hypervisor's default if absent.
    #[xml(attr)]
    pub thread_pool_max: Option<u32>,
    /// How long the thread polls before it sleeps; the hypervisor's default if absent.
    #[xml(child, skip_empty)]
    pub poll: Option<Box<Poll>>,
}

/// `<iothreadids>`: numbers and settings of single I/O threads.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct IoThreadIds {
    /// I/O threads, one entry for each.
    #[xml(child)]
    pub iothread: Vec<IoThread>,
}

/// `<defaultiothread>`: the thread pool of the hypervisor's main loop.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DefaultIoThread {
    /// Fewest worker threads of the pool; the hypervisor's default if absent.
    #[xml(attr)]
    pub thread_pool_min: Option<u32>,
    /// Most worker threads of the pool; the hypervisor's default if absent.
    #[xml(attr)]
    pub thread_pool_max: Option<u32>,
}
