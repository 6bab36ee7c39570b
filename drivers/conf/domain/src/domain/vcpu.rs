//! Virtual CPUs and I/O threads.

use virtbus_xml::{BitSet, Xml, YesNo, xml_names};

xml_names! {
    /// Who chooses the host CPUs or nodes.
    pub enum Placement {
        Static = "static",
        Auto = "auto",
    }
}

/// `<vcpu>`: how many.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VcpuCount {
    /// Who chooses the host CPUs.
    #[xml(attr, absent = "static")]
    pub placement: Option<Placement>,
    /// Host CPUs they may run on.
    #[xml(attr)]
    pub cpuset: Option<Box<BitSet>>,
    /// How many are on at start.
    #[xml(attr, absent = "all")]
    pub current: Option<u32>,
    /// How many there can be.
    #[xml(text)]
    pub count: u32,
}

/// `<vcpu>` in `<vcpus>`: one of them.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vcpu {
    /// Which, from 0.
    #[xml(attr)]
    pub id: u32,
    /// Whether it is on at start.
    #[xml(attr)]
    pub enabled: YesNo,
    /// Whether it can be unplugged.
    #[xml(attr)]
    pub hotpluggable: Option<YesNo>,
    /// In which order to plug it, from 1.
    #[xml(attr)]
    pub order: Option<u32>,
}

/// `<vcpus>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Vcpus {
    /// The virtual CPUs.
    #[xml(child)]
    pub vcpu: Vec<Vcpu>,
}

/// `<poll>`: how an I/O thread polls.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Poll {
    /// Longest time in ns; 0 turns polling off.
    #[xml(attr)]
    pub max: Option<u64>,
    /// Factor when more time would help; 0 is the default.
    #[xml(attr)]
    pub grow: Option<u64>,
    /// Divisor when less would do; 0 is the default.
    #[xml(attr)]
    pub shrink: Option<u64>,
}

/// `<iothread>` in `<iothreadids>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThread {
    /// Which, from 1.
    #[xml(attr)]
    pub id: u32,
    /// Fewest worker threads.
    #[xml(attr)]
    pub thread_pool_min: Option<u32>,
    /// Most worker threads.
    #[xml(attr)]
    pub thread_pool_max: Option<u32>,
    /// How it polls.
    #[xml(child, skip_empty)]
    pub poll: Option<Box<Poll>>,
}

/// `<iothreadids>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct IoThreadIds {
    /// The I/O threads.
    #[xml(child)]
    pub iothread: Vec<IoThread>,
}

/// `<defaultiothread>`: the hypervisor's main loop.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DefaultIoThread {
    /// Fewest worker threads.
    #[xml(attr)]
    pub thread_pool_min: Option<u32>,
    /// Most worker threads.
    #[xml(attr)]
    pub thread_pool_max: Option<u32>,
}
