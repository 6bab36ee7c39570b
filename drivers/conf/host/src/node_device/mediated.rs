//! Mediated devices: what a device can be divided into, and one such part.

use virtbus_conf_base::common::Uuid;
use virtbus_xml::{Describe, ErrorKind, Node, Result, Text, Writer, Xml};

use super::nested;

/// `<type>`: a type of mediated device that a parent supports.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MdevType {
    /// Identifier of the type in sysfs, such as `i915-GVTg_V5_4`.
    #[xml(attr)]
    pub id: Text,
    /// Name of the type for people.
    #[xml(text_child)]
    pub name: Option<Text>,
    /// Interface by which guests use the device: `vfio-pci`, `vfio-ccw` or `vfio-ap`.
    #[xml(text_child = "deviceAPI")]
    pub device_api: Text,
    /// Number of devices of the type that can still be created.
    #[xml(text_child = "availableInstances")]
    pub available_instances: u32,
}

/// Reads the types in the nested `type='mdev_types'`.
pub(super) fn parse_types(node: Node<'_>) -> Result<Vec<MdevType>> {
    let mut types = Vec::new();
    for (kind, child) in nested(node)? {
        if kind == "mdev_types" {
            child.take();
            let found = child.child_vec("type")?;
            if found.is_empty() {
                return Err(child.missing_child("type"));
            }
            types.extend(found);
        }
    }
    Ok(types)
}

/// Writes the nested `type='mdev_types'`, if there are any.
pub(super) fn write_types(types: &[MdevType], w: &mut Writer) {
    if types.is_empty() {
        return;
    }
    w.begin("capability");
    w.attr_str("type", "mdev_types");
    for kind in types {
        w.element("type", kind);
    }
    w.end("capability");
}

/// `<attr>`: a setting in sysfs, written after the device is created, in the order of the document.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MdevAttribute {
    /// Name of the sysfs attribute.
    #[xml(attr)]
    pub name: Text,
    /// Value that is written to the attribute.
    #[xml(attr)]
    pub value: Text,
}

/// `type='mdev'`: a mediated device, which shares a physical one.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Mdev {
    /// Identifier of the type, one of those that the parent lists.
    #[xml(child_attr = "type/id")]
    pub type_id: Text,
    /// UUID of the mediated device.
    #[xml(text_child, absent = "generated")]
    pub uuid: Option<Uuid>,
    /// Address of the parent device, as mdevctl writes it.
    #[xml(text_child)]
    pub parent_addr: Option<Text>,
    /// Number of the IOMMU group; 0 if it has none.
    #[xml(child_attr = "iommuGroup/number", optional)]
    pub iommu_group: u32,
    /// Settings that are written to sysfs when the device is created.
    #[xml(child = "attr")]
    pub attributes: Vec<MdevAttribute>,
}

impl virtbus_xml::Content for Mdev {
    fn parse(node: Node<'_>) -> Result<Self> {
        let type_id: Text = node.child_attr_req("type", "id")?;
        if type_id.is_empty() {
            let child = node.child("type").unwrap_or(node);
            return Err(child.attr_error("id", ErrorKind::Missing, "must not be empty"));
        }
        Ok(Self {
            type_id,
            uuid: node.text_child_opt("uuid")?,
            parent_addr: node.text_child_opt("parent_addr")?,
            iommu_group: node
                .child_or_absent("iommuGroup")
                .attr_opt("number")?
                .unwrap_or(0),
            attributes: node.child_vec("attr")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.attr_element("type", "id", &self.type_id);
        if let Some(uuid) = &self.uuid {
            w.text_element("uuid", uuid);
        }
        if let Some(address) = &self.parent_addr {
            w.text_element("parent_addr", address);
        }
        w.attr_element("iommuGroup", "number", &self.iommu_group);
        for attribute in &self.attributes {
            w.element("attr", attribute);
        }
    }
}
