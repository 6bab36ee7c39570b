//! Where the guest's memory comes from on the host.

use virtbus_xml::{BitSet, Flags, Xml, xml_names};

use super::vcpu::Placement;

xml_names! {
    /// How strictly a set of host nodes is meant.
    pub enum NumaMode {
        Strict = "strict",
        Preferred = "preferred",
        Interleave = "interleave",
        Restrictive = "restrictive",
    }
}

/// `<memory>`: NUMA nodes of the host for the guest's memory as a whole.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NumaMemory {
    /// What happens if the nodes have not enough memory: `strict` fails, `preferred` takes other nodes, `interleave`
    /// spreads pages over the nodes, `restrictive` leaves it to cgroups.
    #[xml(attr, absent = "strict")]
    pub mode: Option<NumaMode>,
    /// NUMA nodes of the host, such as `0-3,^1`; with static placement.
    #[xml(attr)]
    pub nodeset: Option<BitSet>,
    /// Who chooses the nodes: `static` those in `nodeset`, `auto` those that numad recommends.
    #[xml(attr, when = placed_automatically, absent = "static")]
    pub placement: Option<Placement>,
}

fn placed_automatically(memory: &NumaMemory, _: Flags) -> bool {
    memory.placement == Some(Placement::Auto)
}

/// `<memnode>`: NUMA nodes of the host for one node of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemNode {
    /// Number of the guest's node.
    #[xml(attr)]
    pub cellid: u32,
    /// What happens if the nodes have not enough memory: `strict`, `preferred`, `interleave` or `restrictive`.
    #[xml(attr, absent = "strict")]
    pub mode: Option<NumaMode>,
    /// NUMA nodes of the host, such as `0-3,^1`.
    #[xml(attr)]
    pub nodeset: BitSet,
}

/// `<numatune>`: NUMA nodes of the host that the guest's memory is taken from.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NumaTune {
    /// Nodes for the guest's memory as a whole.
    #[xml(child)]
    pub memory: Option<NumaMemory>,
    /// Nodes for single NUMA nodes of the guest.
    #[xml(child)]
    pub memnode: Vec<MemNode>,
}
