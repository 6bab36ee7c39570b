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

/// `<parameters>`: what the switch is told of the port; which ones apply depends on the type.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualPortParameters {
    /// Identifier of the VSI manager (802.1Qbg), 0 to 255.
    #[xml(attr)]
    pub managerid: Option<AnyBase>,
    /// Identifier of the VSI type (802.1Qbg), 0 to 0xffffff.
    #[xml(attr)]
    pub typeid: Option<AnyBase>,
    /// Version of the VSI type (802.1Qbg), 0 to 255.
    #[xml(attr)]
    pub typeidversion: Option<AnyBase>,
    /// UUID of the VSI instance (802.1Qbg); generated if absent.
    #[xml(attr)]
    pub instanceid: Option<Uuid>,
    /// UUID of the interface at Open vSwitch or MidoNet; generated for Open vSwitch if absent.
    #[xml(attr)]
    pub interfaceid: Option<Uuid>,
    /// Name of the port profile (802.1Qbh, Open vSwitch), up to 39 bytes.
    #[xml(attr)]
    pub profileid: Option<Text>,
}

/// `<virtualport>`: what a switch beyond a plain bridge needs for the port.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualPort {
    /// Kind of switch; absent if only parameters are given, and the network says the kind.
    #[xml(attr = "type")]
    pub kind: Option<VirtualPortType>,
    /// Parameters of the port, by the kind of switch.
    #[xml(child, skip_empty)]
    pub parameters: Option<VirtualPortParameters>,
}
