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

/// `<memory>` in `<numatune>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NumaMemory {
    /// How strictly.
    #[xml(attr, absent = "strict")]
    pub mode: Option<NumaMode>,
    /// The host nodes.
    #[xml(attr)]
    pub nodeset: Option<BitSet>,
    /// Who chooses them.
    #[xml(attr, when = placed_automatically, absent = "static")]
    pub placement: Option<Placement>,
}

fn placed_automatically(memory: &NumaMemory, _: Flags) -> bool {
    memory.placement == Some(Placement::Auto)
}

/// `<memnode>`: host nodes of one guest node.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MemNode {
    /// Which guest node.
    #[xml(attr)]
    pub cellid: u32,
    /// How strictly.
    #[xml(attr, absent = "strict")]
    pub mode: Option<NumaMode>,
    /// The host nodes.
    #[xml(attr)]
    pub nodeset: BitSet,
}

/// `<numatune>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NumaTune {
    /// For the guest as a whole.
    #[xml(child)]
    pub memory: Option<NumaMemory>,
    /// By guest node.
    #[xml(child)]
    pub memnode: Vec<MemNode>,
}
