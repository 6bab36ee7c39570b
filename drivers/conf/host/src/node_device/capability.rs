//! What a device is: the kinds of `<capability>`, and those that need only a few lines.

use std::collections::BTreeSet;

use virtbus_conf_base::common::Uuid;
use virtbus_xml::{Base16, Content, Describe, Hex, Node, Result, Text, Writer, Xml, xml_names};

use super::{
    ApMatrix, CcwDevice, CcwGroup, CssDevice, Mdev, PciCapability, Scsi, ScsiHost, ScsiTarget,
    Storage, nested,
};
use crate::interface::Link;

xml_names! {
    /// The name of a kind of capability, by which devices are listed.
    pub enum CapabilityKind {
        System = "system",
        Pci = "pci",
        UsbDevice = "usb_device",
        Usb = "usb",
        Net = "net",
        ScsiHost = "scsi_host",
        ScsiTarget = "scsi_target",
        Scsi = "scsi",
        Storage = "storage",
        FcHost = "fc_host",
        Vports = "vports",
        ScsiGeneric = "scsi_generic",
        Drm = "drm",
        MdevTypes = "mdev_types",
        Mdev = "mdev",
        Ccw = "ccw",
        Css = "css",
        Vdpa = "vdpa",
        ApCard = "ap_card",
        ApQueue = "ap_queue",
        ApMatrix = "ap_matrix",
        Vpd = "vpd",
        CcwGroup = "ccwgroup",
        CcwGroupMember = "ccwgroup_member",
    }
}

/// `<capability>` of a device.
#[derive(Xml, Debug, Clone, PartialEq)]
#[xml(tag = "type")]
pub enum Capability {
    /// The host itself.
    #[xml("system")]
    System(System),
    /// A PCI device.
    #[xml("pci")]
    Pci(Box<PciCapability>),
    /// A USB device.
    #[xml("usb_device")]
    UsbDevice(UsbDevice),
    /// One function of a USB device.
    #[xml("usb")]
    Usb(UsbInterface),
    /// A network interface.
    #[xml("net")]
    Net(Net),
    /// A host bus adapter.
    #[xml("scsi_host")]
    ScsiHost(ScsiHost),
    /// A device on a SCSI bus.
    #[xml("scsi_target")]
    ScsiTarget(ScsiTarget),
    /// A unit of a SCSI device.
    #[xml("scsi")]
    Scsi(Scsi),
    /// A block device.
    #[xml("storage")]
    Storage(Storage),
    /// The character device of a SCSI unit.
    #[xml("scsi_generic")]
    ScsiGeneric(ScsiGeneric),
    /// A graphics device.
    #[xml("drm")]
    Drm(Drm),
    /// A mediated device.
    #[xml("mdev")]
    Mdev(Mdev),
    /// A device on a channel of a mainframe.
    #[xml("ccw")]
    Ccw(CcwDevice),
    /// A subchannel.
    #[xml("css")]
    Css(CssDevice),
    /// A vDPA device.
    #[xml("vdpa")]
    Vdpa(Vdpa),
    /// A crypto card.
    #[xml("ap_card")]
    ApCard(ApCard),
    /// A queue of a crypto card.
    #[xml("ap_queue")]
    ApQueue(ApQueue),
    /// Where queues are handed out.
    #[xml("ap_matrix")]
    ApMatrix(ApMatrix),
    /// Several channel devices that work together.
    #[xml("ccwgroup")]
    CcwGroup(CcwGroup),
}

impl Capability {
    /// Its kind.
    pub fn kind(&self) -> CapabilityKind {
        match self {
            Self::System(_) => CapabilityKind::System,
            Self::Pci(_) => CapabilityKind::Pci,
            Self::UsbDevice(_) => CapabilityKind::UsbDevice,
            Self::Usb(_) => CapabilityKind::Usb,
            Self::Net(_) => CapabilityKind::Net,
            Self::ScsiHost(_) => CapabilityKind::ScsiHost,
            Self::ScsiTarget(_) => CapabilityKind::ScsiTarget,
            Self::Scsi(_) => CapabilityKind::Scsi,
            Self::Storage(_) => CapabilityKind::Storage,
            Self::ScsiGeneric(_) => CapabilityKind::ScsiGeneric,
            Self::Drm(_) => CapabilityKind::Drm,
            Self::Mdev(_) => CapabilityKind::Mdev,
            Self::Ccw(_) => CapabilityKind::Ccw,
            Self::Css(_) => CapabilityKind::Css,
            Self::Vdpa(_) => CapabilityKind::Vdpa,
            Self::ApCard(_) => CapabilityKind::ApCard,
            Self::ApQueue(_) => CapabilityKind::ApQueue,
            Self::ApMatrix(_) => CapabilityKind::ApMatrix,
            Self::CcwGroup(_) => CapabilityKind::CcwGroup,
        }
    }

    /// Appends its kind and those of what is nested in it.
    pub(super) fn push_kinds(&self, kinds: &mut Vec<CapabilityKind>) {
        kinds.push(self.kind());
        let mut nested = |there: bool, kind| kinds.extend(there.then_some(kind));
        match self {
            Self::ScsiHost(host) => {
                nested(host.fc_host.is_some(), CapabilityKind::FcHost);
                nested(host.vport_ops.is_some(), CapabilityKind::Vports);
            }
            Self::Pci(pci) => {
                nested(!pci.mdev_types.is_empty(), CapabilityKind::MdevTypes);
                nested(pci.vpd.is_some(), CapabilityKind::Vpd);
            }
            Self::Css(css) => nested(!css.mdev_types.is_empty(), CapabilityKind::MdevTypes),
            Self::ApMatrix(ap) => nested(!ap.mdev_types.is_empty(), CapabilityKind::MdevTypes),
            Self::Ccw(ccw) => nested(ccw.group.is_some(), CapabilityKind::CcwGroupMember),
            Self::System(_)
            | Self::UsbDevice(_)
            | Self::Usb(_)
            | Self::Net(_)
            | Self::ScsiTarget(_)
            | Self::Scsi(_)
            | Self::Storage(_)
            | Self::ScsiGeneric(_)
            | Self::Drm(_)
            | Self::Mdev(_)
            | Self::Vdpa(_)
            | Self::ApCard(_)
            | Self::ApQueue(_)
            | Self::CcwGroup(_) => {}
        }
    }
}

/// `type='system'`: the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Name of the product.
    #[xml(text_child)]
    pub product: Option<Text>,
    /// The hardware.
    #[xml(child, default)]
    pub hardware: Hardware,
    /// The firmware.
    #[xml(child, default, open)]
    pub firmware: Firmware,
}

/// `<hardware>` of the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// Vendor.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Version.
    #[xml(text_child)]
    pub version: Option<Text>,
    /// Serial number.
    #[xml(text_child)]
    pub serial: Option<Text>,
    /// UUID.
    #[xml(text_child)]
    pub uuid: Uuid,
}

/// `<firmware>` of the host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// Vendor.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Version.
    #[xml(text_child)]
    pub version: Option<Text>,
    /// Date, as the firmware writes it.
    #[xml(text_child)]
    pub release_date: Option<Text>,
}

/// `<product>` or `<vendor>`: a number with the name that a database knows for it.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NamedId {
    /// The number.
    #[xml(attr)]
    pub id: Base16<4>,
    /// The name.
    #[xml(text)]
    pub name: Option<Text>,
}

/// `type='usb_device'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct UsbDevice {
    /// Bus.
    #[xml(text_child)]
    pub bus: u32,
    /// Number on the bus.
    #[xml(text_child)]
    pub device: u32,
    /// Product.
    #[xml(child)]
    pub product: NamedId,
    /// Vendor.
    #[xml(child)]
    pub vendor: NamedId,
}

/// `type='usb'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct UsbInterface {
    /// Number of the interface.
    #[xml(text_child)]
    pub number: u32,
    /// Class.
    #[xml(text_child)]
    pub class: u32,
    /// Subclass.
    #[xml(text_child)]
    pub subclass: u32,
    /// Protocol.
    #[xml(text_child)]
    pub protocol: u32,
    /// Description.
    #[xml(text_child)]
    pub description: Option<Text>,
}

xml_names! {
    /// Something a network interface can do by itself; written in this order.
    pub enum NetFeature {
        Rx = "rx",
        Tx = "tx",
        Sg = "sg",
        Tso = "tso",
        Ufo = "ufo",
        Gso = "gso",
        Gro = "gro",
        Lro = "lro",
        Rxvlan = "rxvlan",
        Txvlan = "txvlan",
        Ntuple = "ntuple",
        Rxhash = "rxhash",
        Rdma = "rdma",
        Txudptnl = "txudptnl",
        Switchdev = "switchdev",
    }
}

xml_names! {
    /// The technology of a network interface.
    pub enum NetTechnology {
        Ethernet = "80203",
        Wireless = "80211",
    }
}

/// `type='net'`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Net {
    /// Name of the interface.
    #[xml(text_child)]
    pub interface: Text,
    /// Its link-layer address, as the host writes it.
    #[xml(text_child)]
    pub address: Option<Text>,
    /// Whether it has a connection.
    #[xml(child)]
    pub link: Option<Link>,
    /// What it can do.
    #[xml(child_attr = "feature/name", many, value = NetFeature)]
    pub features: BTreeSet<NetFeature>,
    /// Its technology.
    #[xml(child_attr = "capability/type")]
    pub technology: Option<NetTechnology>,
}

impl Content for Net {
    fn parse(node: Node<'_>) -> Result<Self> {
        let technology = match nested(node)?.first() {
            None => None,
            Some((_, child)) => {
                child.take();
                Some(child.attr_req("type")?)
            }
        };
        Ok(Self {
            interface: node.text_child_req("interface")?,
            address: node.text_child_opt("address")?,
            link: node.child_filled("link")?,
            features: node
                .child_attr_vec("feature", "name")?
                .into_iter()
                .collect(),
            technology,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("interface", &self.interface);
        if let Some(address) = &self.address {
            w.text_element("address", address);
        }
        if let Some(link) = &self.link {
            w.element_unless_empty("link", link);
        }
        for feature in &self.features {
            w.attr_element("feature", "name", feature);
        }
        if let Some(technology) = &self.technology {
            w.attr_element("capability", "type", technology);
        }
    }
}

/// `type='scsi_generic'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ScsiGeneric {
    /// Path of the character device.
    #[xml(text_child = "char")]
    pub path: Text,
}

xml_names! {
    /// Which of its nodes a graphics device is.
    pub enum DrmType {
        Primary = "primary",
        Control = "control",
        Render = "render",
    }
}

/// `type='drm'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Drm {
    /// Which node.
    #[xml(text_child = "type")]
    pub kind: DrmType,
}

/// `type='vdpa'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Vdpa {
    /// Path of the character device.
    #[xml(text_child)]
    pub chardev: Text,
}

/// `type='ap_card'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ApCard {
    /// Number of the adapter.
    #[xml(text_child = "ap-adapter")]
    pub adapter: Hex<2, u8>,
}

/// `type='ap_queue'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ApQueue {
    /// Number of the adapter.
    #[xml(text_child = "ap-adapter")]
    pub adapter: Hex<2, u8>,
    /// Number of the domain.
    #[xml(text_child = "ap-domain")]
    pub domain: Hex<4, u8>,
}
