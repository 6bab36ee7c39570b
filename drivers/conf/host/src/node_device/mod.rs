//! The node device document: `<device>`, something the host has.
//!
//! Most of it is told by the host and never read back, but mediated devices and virtual HBAs are
//! created from it. Nothing here looks at sysfs; keeping the active and the defined configuration of
//! a mediated device apart is the driver's.

mod capability;
mod channel;
mod complete;
mod mediated;
mod pci;
mod scsi;
mod storage;
mod vpd;

use virtbus_xml::{
    Content, Describe, Document, Flags, Node, Result, Text, Writer, Xml, XmlError, xml_names,
};

pub use capability::{
    ApCard, ApQueue, Capability, CapabilityKind, Drm, DrmType, Firmware, Hardware, NamedId, Net,
    NetFeature, NetTechnology, ScsiGeneric, System, UsbDevice, UsbInterface, Vdpa,
};
pub use channel::{
    ApMatrix, CcwAddress, CcwDevice, CcwDeviceRef, CcwGroup, CcwGroupMember, CcwGroupType,
    CcwState, CssDevice, QethKind,
};
pub use complete::Purpose;
pub use mediated::{Mdev, MdevAttribute, MdevType};
pub use pci::{
    IommuGroup, PciCapability, PciExpress, PciHeader, PciLink, PciLinkSpeed, VirtualFunctions,
};
pub use scsi::{FcHost, FcRemotePort, Scsi, ScsiHost, ScsiTarget, VportOps};
pub use storage::{Blocks, Media, Removable, Storage};
pub use vpd::{CustomField, Vpd, VpdReadOnly, VpdReadWrite};

xml_names! {
    /// What a path in `/dev` is.
    pub enum DevnodeType {
        Dev = "dev",
        Link = "link",
    }
}

/// `<devnode>`: the paths of a device in `/dev`.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Devnodes {
    /// Path of the device node.
    #[xml(text_child = "devnode[type=dev]")]
    pub dev: Option<Text>,
    /// Paths of symbolic links to the device node.
    #[xml(text_child = "devnode[type=link]")]
    pub links: Vec<Text>,
}

impl Content for Devnodes {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut devnodes = Self::default();
        for child in node.children("devnode") {
            let path = child.text_opt::<Text>()?.unwrap_or_default();
            match child.attr_req("type")? {
                DevnodeType::Dev => devnodes.dev = Some(path),
                DevnodeType::Link => devnodes.links.push(path),
            }
        }
        Ok(devnodes)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        let dev = self.dev.iter().map(|path| (DevnodeType::Dev, path));
        let links = self.links.iter().map(|path| (DevnodeType::Link, path));
        for (kind, path) in dev.chain(links) {
            w.begin("devnode");
            w.attr("type", &kind);
            w.text(path);
            w.end("devnode");
        }
    }
}

/// `<parent>`: the device that this one is attached to.
///
/// A virtual HBA can name its parent by world wide names instead.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Parent {
    /// Name of the parent device.
    #[xml(text)]
    pub name: Option<Text>,
    /// World wide node name of the parent HBA; requires `wwpn`.
    #[xml(attr, input)]
    pub wwnn: Option<Text>,
    /// World wide port name of the parent HBA; requires `wwnn`.
    #[xml(attr, input)]
    pub wwpn: Option<Text>,
    /// World wide name of the fabric that the parent HBA is connected to.
    #[xml(attr, input)]
    pub fabric_wwn: Option<Text>,
}

impl Content for Parent {
    fn parse(node: Node<'_>) -> Result<Self> {
        let parent = Self {
            name: node.text_opt()?,
            wwnn: non_empty(node, "wwnn"),
            wwpn: non_empty(node, "wwpn"),
            fabric_wwn: non_empty(node, "fabric_wwn"),
        };
        match (&parent.wwnn, &parent.wwpn) {
            (Some(_), None) => Err(node.missing_attr("wwpn")),
            (None, Some(_)) => Err(node.missing_attr("wwnn")),
            _ => Ok(parent),
        }
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(name) = &self.name {
            w.text(name);
        }
    }
}

/// The attribute `name`; an empty one counts as absent.
fn non_empty(node: Node<'_>, name: &str) -> Option<Text> {
    node.attr(name).filter(|v| !v.is_empty()).map(Text::from)
}

/// `<driver>`: the host's driver of a device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DeviceDriver {
    /// Name of the kernel module or bus driver.
    #[xml(text_child)]
    pub name: Option<Text>,
}

/// `<device>`: a device of the host.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct NodeDevice {
    /// Name of the device; absent from a device that is still to be created.
    #[xml(text_child)]
    pub name: Option<Text>,
    /// Path of the device in sysfs; active devices only.
    #[xml(text_child, when = is_active)]
    pub path: Option<Text>,
    /// Paths of the device in `/dev`; active devices only.
    #[xml(flat, when = is_active)]
    pub devnodes: Devnodes,
    /// Device that this one is attached to.
    #[xml(child, when = has_parent_name)]
    pub parent: Option<Parent>,
    /// Driver that the device is bound to on the host.
    #[xml(child, when = is_active)]
    pub driver: Option<DeviceDriver>,
    /// What the device is: at least one capability.
    #[xml(child = "capability", open)]
    pub capabilities: Vec<Capability>,
}

fn is_active(_: &NodeDevice, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// World wide names only say where to create something; they are not told again.
fn has_parent_name(device: &NodeDevice, _: Flags) -> bool {
    device.parent.as_ref().is_some_and(|p| p.name.is_some())
}

impl NodeDevice {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Self::read(&Document::parse(xml)?)
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`NodeDevice::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let device = Self::read(&doc)?;
        doc.check_no_leftovers()?;
        Ok(device)
    }

    fn read(doc: &Document<'_>) -> Result<Self> {
        let root = doc.expect_root("device")?;
        let mut device = <Self as Content>::parse(root)?;
        device.parent = device.parent.filter(|parent| *parent != Parent::default());
        if device.capabilities.is_empty() {
            return Err(root.missing_child("capability"));
        }
        Ok(device)
    }

    /// Writes the document. [`Flags::INACTIVE`] leaves out where the device is on the host.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("device", flags)
    }

    /// The mediated device, if it is one.
    pub fn mdev(&self) -> Option<&Mdev> {
        self.capabilities.iter().find_map(|c| match c {
            Capability::Mdev(mdev) => Some(mdev),
            _ => None,
        })
    }

    /// The SCSI host, if it is one.
    pub fn scsi_host(&self) -> Option<&ScsiHost> {
        self.capabilities.iter().find_map(|c| match c {
            Capability::ScsiHost(host) => Some(host),
            _ => None,
        })
    }

    /// Every kind of capability the device has, nested ones too, without repetition.
    pub fn kinds(&self) -> Vec<CapabilityKind> {
        let mut kinds = Vec::new();
        for capability in &self.capabilities {
            capability.push_kinds(&mut kinds);
        }
        kinds.dedup();
        kinds
    }
}

/// The `<capability>` elements inside `node` with their types, none of them taken yet.
fn nested(node: Node<'_>) -> Result<Vec<(&str, Node<'_>)>> {
    node.elements()
        .filter(|child| child.qualified_name() == "capability")
        .map(|child| match child.attr("type") {
            Some(kind) => Ok((kind, child)),
            None => Err(child.missing_attr("type")),
        })
        .collect()
}

/// The error for a nested capability that cannot be there.
fn unknown_nested(node: Node<'_>, kind: &str, known: &[&str]) -> XmlError {
    node.bad_attr("type", kind, &virtbus_xml::one_of(known))
}

/// Writes a nested `<capability>`.
fn write_nested(w: &mut Writer, kind: &str, content: &dyn Content) {
    w.begin("capability");
    w.attr_str("type", kind);
    content.attrs(w);
    content.children(w);
    w.end("capability");
}
