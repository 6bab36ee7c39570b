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

/// `<capability>`: what a device is, with the details of its kind.
#[derive(Xml, Debug, Clone, PartialEq)]
#[xml(tag = "type")]
pub enum Capability {
    /// The host as a whole.
    #[xml("system")]
    System(System),
    /// A device on a PCI bus.
    #[xml("pci")]
    Pci(Box<PciCapability>),
    /// A device on a USB bus.
    #[xml("usb_device")]
    UsbDevice(UsbDevice),
    /// One interface (function) of a USB device.
    #[xml("usb")]
    Usb(UsbInterface),
    /// A network interface of the host.
    #[xml("net")]
    Net(Net),
    /// A SCSI host bus adapter.
    #[xml("scsi_host")]
    ScsiHost(ScsiHost),
    /// A target on a SCSI bus.
    #[xml("scsi_target")]
    ScsiTarget(ScsiTarget),
    /// A logical unit of a SCSI target.
    #[xml("scsi")]
    Scsi(Scsi),
    /// A block device of the host.
    #[xml("storage")]
    Storage(Storage),
    /// The SCSI generic character device of a logical unit.
    #[xml("scsi_generic")]
    ScsiGeneric(ScsiGeneric),
    /// A graphics device (DRM).
    #[xml("drm")]
    Drm(Drm),
    /// A mediated device, which shares a physical one.
    #[xml("mdev")]
    Mdev(Mdev),
    /// A device on an s390 channel subsystem.
    #[xml("ccw")]
    Ccw(CcwDevice),
    /// A subchannel of an s390 channel subsystem.
    #[xml("css")]
    Css(CssDevice),
    /// A vDPA device of the host.
    #[xml("vdpa")]
    Vdpa(Vdpa),
    /// A crypto adapter card of s390.
    #[xml("ap_card")]
    ApCard(ApCard),
    /// A queue of an s390 crypto adapter card.
    #[xml("ap_queue")]
    ApQueue(ApQueue),
    /// The device under which s390 crypto queues are assigned to guests.
    #[xml("ap_matrix")]
    ApMatrix(ApMatrix),
    /// Several channel devices that work as one.
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

/// `type='system'`: the host as a whole.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Product name, from SMBIOS.
    #[xml(text_child)]
    pub product: Option<Text>,
    /// Vendor, version and serial number of the hardware.
    #[xml(child, default)]
    pub hardware: Hardware,
    /// Vendor, version and date of the firmware.
    #[xml(child, default, open)]
    pub firmware: Firmware,
}

/// `<hardware>` of the host, from SMBIOS.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// Vendor of the hardware.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Version of the hardware.
    #[xml(text_child)]
    pub version: Option<Text>,
    /// Serial number of the hardware.
    #[xml(text_child)]
    pub serial: Option<Text>,
    /// UUID of the hardware.
    #[xml(text_child)]
    pub uuid: Uuid,
}

/// `<firmware>` of the host, from SMBIOS.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// Vendor of the firmware.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Version of the firmware.
    #[xml(text_child)]
    pub version: Option<Text>,
    /// Release date of the firmware, as SMBIOS writes it.
    #[xml(text_child)]
    pub release_date: Option<Text>,
}

/// `<product>` or `<vendor>`: a number with its name from the PCI or USB ID database.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NamedId {
    /// Number of the product or vendor.
    #[xml(attr)]
    pub id: Base16<4>,
    /// Name of the product or vendor, if known.
    #[xml(text)]
    pub name: Option<Text>,
}

/// `type='usb_device'`: a device on a USB bus.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct UsbDevice {
    /// Number of the USB bus.
    #[xml(text_child)]
    pub bus: u32,
    /// Number of the device on its bus.
    #[xml(text_child)]
    pub device: u32,
    /// Product number and name.
    #[xml(child)]
    pub product: NamedId,
    /// Vendor number and name.
    #[xml(child)]
    pub vendor: NamedId,
}

/// `type='usb'`: one interface (function) of a USB device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct UsbInterface {
    /// Number of the interface on the device.
    #[xml(text_child)]
    pub number: u32,
    /// USB interface class number.
    #[xml(text_child)]
    pub class: u32,
    /// USB interface subclass number.
    #[xml(text_child)]
    pub subclass: u32,
    /// USB interface protocol number.
    #[xml(text_child)]
    pub protocol: u32,
    /// Description that the device gives of the interface.
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

/// `type='net'`: a network interface of the host.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Net {
    /// Name of the interface on the host.
    #[xml(text_child)]
    pub interface: Text,
    /// Link-layer address (MAC) of the interface, as the host writes it.
    #[xml(text_child)]
    pub address: Option<Text>,
    /// State and speed of the interface's connection.
    #[xml(child)]
    pub link: Option<Link>,
    /// Offload features that the interface supports.
    #[xml(child_attr = "feature/name", many, value = NetFeature)]
    pub features: BTreeSet<NetFeature>,
    /// Technology of the interface: `80203` (Ethernet) or `80211` (wireless).
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

/// `type='scsi_generic'`: the SCSI generic device of a logical unit.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ScsiGeneric {
    /// Path of the character device, such as `/dev/sg0`.
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

/// `type='drm'`: a graphics device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Drm {
    /// Type of the device node: `primary`, `control` or `render`.
    #[xml(text_child = "type")]
    pub kind: DrmType,
}

/// `type='vdpa'`: a vDPA device of the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Vdpa {
    /// Path of the character device, such as `/dev/vhost-vdpa-0`.
    #[xml(text_child)]
    pub chardev: Text,
}

/// `type='ap_card'`: a crypto adapter card of s390.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ApCard {
    /// Number of the adapter, 0 to 0xff.
    #[xml(text_child = "ap-adapter")]
    pub adapter: Hex<2, u8>,
}

/// `type='ap_queue'`: a queue of an s390 crypto adapter card.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ApQueue {
    /// Number of the adapter, 0 to 0xff.
    #[xml(text_child = "ap-adapter")]
    pub adapter: Hex<2, u8>,
    /// Number of the usage domain, 0 to 0xff.
    #[xml(text_child = "ap-domain")]
    pub domain: Hex<4, u8>,
}
