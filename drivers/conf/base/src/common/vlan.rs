//! VLAN tags and port options of interfaces.

use virtbus_xml::{Xml, YesNo, xml_names};

xml_names! {
    /// How packets of the native VLAN leave a trunk port.
    pub enum NativeVlanMode {
        Tagged = "tagged",
        Untagged = "untagged",
    }
}

/// `<tag>`: one VLAN that the interface belongs to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VlanTag {
    /// Number of the VLAN, 0 to 4095.
    #[xml(attr)]
    pub id: u32,
    /// Marks the native VLAN of a trunk (Open vSwitch only): `tagged` or `untagged` frames.
    #[xml(attr = "nativeMode")]
    pub native_mode: Option<NativeVlanMode>,
}

/// `<vlan>`: the VLANs that an interface belongs to.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Vlan {
    /// Whether the port is a trunk that carries several VLANs; always so with more than one tag.
    #[xml(attr)]
    pub trunk: Option<YesNo>,
    /// VLANs of the port; more than one makes it a trunk.
    #[xml(child)]
    pub tag: Vec<VlanTag>,
}

/// `<port>`: options of the bridge port that the interface is attached to.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct PortOptions {
    /// Whether the port is isolated: it can only exchange packets with ports that are not.
    #[xml(attr)]
    pub isolated: Option<YesNo>,
}
