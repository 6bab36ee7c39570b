//! Port profiles of switches.

use virtbus_xml::{AnyBase, Text, Xml, xml_names};

use super::Uuid;

xml_names! {
    /// The kind of switch.
    pub enum VirtualPortType {
        Qbg = "802.1Qbg",
        Qbh = "802.1Qbh",
        Openvswitch = "openvswitch",
        Midonet = "midonet",
    }
}

/// `<parameters>` of a port profile.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualPortParameters {
    /// VSI manager, 0 to 255.
    #[xml(attr)]
    pub managerid: Option<AnyBase>,
    /// VSI type, 0 to 0xffffff.
    #[xml(attr)]
    pub typeid: Option<AnyBase>,
    /// Version of the VSI type, 0 to 255.
    #[xml(attr)]
    pub typeidversion: Option<AnyBase>,
    /// VSI instance.
    #[xml(attr)]
    pub instanceid: Option<Uuid>,
    /// The interface towards Open vSwitch or MidoNet.
    #[xml(attr)]
    pub interfaceid: Option<Uuid>,
    /// Name of the profile, up to 39 bytes.
    #[xml(attr)]
    pub profileid: Option<Text>,
}

/// `<virtualport>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualPort {
    /// The kind of switch; absent if only parameters are given.
    #[xml(attr = "type")]
    pub kind: Option<VirtualPortType>,
    /// The profile.
    #[xml(child, skip_empty)]
    pub parameters: Option<VirtualPortParameters>,
}
