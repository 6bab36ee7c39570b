//! Devices of mainframes: channel devices, subchannels, groups, and the crypto matrix.

use virtbus_xml::{Base16, Content, Describe, Hex, Node, Result, Text, Writer, Xml, xml_names};

use super::mediated::{MdevType, parse_types, write_types};
use super::{nested, unknown_nested, write_nested};

/// Address of a device on an s390 channel subsystem.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CcwAddress {
    /// Number of the channel subsystem, 0 to 0xff.
    #[xml(text_child)]
    pub cssid: Hex<1, u8>,
    /// Number of the subchannel set, 0 to 3.
    #[xml(text_child)]
    pub ssid: Hex<1, u8>,
    /// Device number, 0 to 0xffff.
    #[xml(text_child)]
    pub devno: Base16<4, u16>,
}

impl Content for CcwAddress {
    fn parse(node: Node<'_>) -> Result<Self> {
        let address = Self {
            cssid: node.text_child_req("cssid")?,
            ssid: node.text_child_req("ssid")?,
            devno: node.text_child_req("devno")?,
        };
        match node.child("ssid") {
            Some(ssid) if address.ssid.0 > 3 => {
                Err(ssid.bad_text(&ssid.text(), "a number from 0 to 3"))
            }
            _ => Ok(address),
        }
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("cssid", &self.cssid);
        w.text_element("ssid", &self.ssid);
        w.text_element("devno", &self.devno);
    }
}

xml_names! {
    /// Whether a channel device can be used.
    pub enum CcwState {
        Offline = "offline",
        Online = "online",
    }
}

/// A nested `type='ccwgroup_member'`: the group that the device belongs to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CcwGroupMember {
    /// Name of the group's device.
    #[xml(text_child)]
    pub group_device: Text,
}

/// `type='ccw'`: a device on an s390 channel subsystem.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct CcwDevice {
    /// Whether the device is `online` and can be used, or `offline`.
    #[xml(text_child)]
    pub state: Option<CcwState>,
    /// Address of the device on the channel subsystem.
    #[xml(flat)]
    pub address: CcwAddress,
    /// Group device that the device belongs to.
    #[xml(child = "capability[type=ccwgroup_member]")]
    pub group: Option<CcwGroupMember>,
}

impl Content for CcwDevice {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut group = None;
        for (kind, child) in nested(node)? {
            if kind != "ccwgroup_member" {
                return Err(unknown_nested(child, kind, &["ccwgroup_member"]));
            }
            child.take();
            group = Some(CcwGroupMember::parse(child)?);
        }
        Ok(Self {
            state: node.text_child_opt("state")?,
            address: CcwAddress::parse(node)?,
            group,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(state) = &self.state {
            w.text_element("state", state);
        }
        self.address.children(w);
        if let Some(group) = &self.group {
            write_nested(w, "ccwgroup_member", group);
        }
    }
}

/// `type='css'`: a subchannel of an s390 channel subsystem.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct CssDevice {
    /// Address of the subchannel.
    #[xml(flat)]
    pub address: CcwAddress,
    /// Address of the channel device behind the subchannel.
    #[xml(child)]
    pub channel_dev_addr: Option<CcwAddress>,
    /// Types of mediated devices that the subchannel supports.
    #[xml(child = "type", wrap = "capability[type=mdev_types]")]
    pub mdev_types: Vec<MdevType>,
}

impl Content for CssDevice {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            address: CcwAddress::parse(node)?,
            channel_dev_addr: node.child_opt("channel_dev_addr")?,
            mdev_types: parse_types(node)?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        self.address.children(w);
        if let Some(address) = &self.channel_dev_addr {
            w.element("channel_dev_addr", address);
        }
        write_types(&self.mdev_types, w);
    }
}

xml_names! {
    /// How a group of network channel devices works.
    pub enum QethKind {
        Generic = "qeth_generic",
        Layer2 = "qeth_layer2",
        Layer3 = "qeth_layer3",
    }
}

/// Type of a group of channel devices: a nested `<capability>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct CcwGroupType {
    /// Kind of group: `qeth_generic` is a network adapter.
    #[xml(attr = "type")]
    pub kind: QethKind,
    /// Type of the adapter card.
    #[xml(text_child)]
    pub card_type: Option<Text>,
    /// Number of the channel path (CHPID).
    #[xml(text_child)]
    pub chpid: Option<Text>,
}

impl Content for CcwGroupType {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            kind: node.attr_req("type")?,
            card_type: node.text_child_opt("card_type")?,
            chpid: node.text_child_opt("chpid")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(card) = &self.card_type {
            w.text_element("card_type", card);
        }
        if let Some(chpid) = &self.chpid {
            w.text_element("chpid", chpid);
        }
    }
}

/// `<ccw_device>`: a member of a group.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CcwDeviceRef {
    /// Name of the member within the group, such as `cdev0`.
    #[xml(attr = "ref")]
    pub reference: Text,
    /// Name of the member's device.
    #[xml(text)]
    pub device: Text,
}

/// `type='ccwgroup'`: several channel devices that work as one.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct CcwGroup {
    /// Whether the group is `online` and can be used, or `offline`.
    #[xml(text_child)]
    pub state: Option<CcwState>,
    /// Address of the group's first device.
    #[xml(flat)]
    pub address: CcwAddress,
    /// Devices that the group consists of.
    #[xml(child = "ccw_device", wrap = "members")]
    pub members: Vec<CcwDeviceRef>,
    /// Type of the group, with its details.
    #[xml(child = "capability")]
    pub kind: CcwGroupType,
}

/// `type='ap_matrix'`: the device under which s390 crypto queues are assigned to guests.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct ApMatrix {
    /// Types of mediated devices that can be created under it.
    #[xml(child = "type", wrap = "capability[type=mdev_types]")]
    pub mdev_types: Vec<MdevType>,
}

impl Content for ApMatrix {
    fn parse(node: Node<'_>) -> Result<Self> {
        parse_types(node).map(|mdev_types| Self { mdev_types })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        write_types(&self.mdev_types, w);
    }
}
