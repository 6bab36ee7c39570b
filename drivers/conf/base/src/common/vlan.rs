//! VLAN tags and port options of interfaces.

use virtbus_xml::{Xml, YesNo, xml_names};

xml_names! {
    /// How packets of the native VLAN leave a trunk port.
    pub enum NativeVlanMode {
        Tagged = "tagged",
        Untagged = "untagged",
    }
}

/// `<tag>`: one VLAN.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VlanTag {
    /// VLAN number, 0 to 4095.
    #[xml(attr)]
    pub id: u32,
    /// This is the native VLAN of the trunk.
    #[xml(attr = "nativeMode")]
    pub native_mode: Option<NativeVlanMode>,
}

/// `<vlan>`: the VLANs an interface is in.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Vlan {
    /// Whether several VLANs share the port.
    #[xml(attr)]
    pub trunk: Option<YesNo>,
    /// The VLANs.
    #[xml(child)]
    pub tag: Vec<VlanTag>,
}

/// `<port>`: options of the bridge port.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct PortOptions {
    /// Whether the port may only talk to ports that are not isolated.
    #[xml(attr)]
    pub isolated: Option<YesNo>,
}
