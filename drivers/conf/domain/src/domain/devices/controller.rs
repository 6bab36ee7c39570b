//! `<controller>`: what other devices are attached to.

use virtbus_xml::{
    AnyBase, Content, Describe, Flags, Hex, Kib, Node, OnOff, Rare, Result, Writer, Xml, xml_names,
};

use super::disk::IoThreadMapping;
use super::info::{DeviceInfo, VirtioOptions};

xml_names! {
    /// Models of SCSI controllers.
    pub enum ScsiModel {
        Auto = "auto",
        Buslogic = "buslogic",
        Lsilogic = "lsilogic",
        Lsisas1068 = "lsisas1068",
        Vmpvscsi = "vmpvscsi",
        Ibmvscsi = "ibmvscsi",
        VirtioScsi = "virtio-scsi",
        Lsisas1078 = "lsisas1078",
        VirtioTransitional = "virtio-transitional",
        VirtioNonTransitional = "virtio-non-transitional",
        Ncr53c90 = "ncr53c90",
        Dc390 = "dc390",
        Am53c974 = "am53c974",
    }
}

impl ScsiModel {
    /// Whether it is any virtio controller.
    pub fn is_virtio(self) -> bool {
        matches!(
            self,
            Self::VirtioScsi | Self::VirtioTransitional | Self::VirtioNonTransitional
        )
    }
}

xml_names! {
    /// Models of USB controllers.
    pub enum UsbModel {
        Piix3Uhci = "piix3-uhci",
        Piix4Uhci = "piix4-uhci",
        Ehci = "ehci",
        Ich9Ehci1 = "ich9-ehci1",
        Ich9Uhci1 = "ich9-uhci1",
        Ich9Uhci2 = "ich9-uhci2",
        Ich9Uhci3 = "ich9-uhci3",
        Vt82c686bUhci = "vt82c686b-uhci",
        PciOhci = "pci-ohci",
        NecXhci = "nec-xhci",
        Qusb1 = "qusb1",
        Qusb2 = "qusb2",
        QemuXhci = "qemu-xhci",
        None = "none",
    }
}

xml_names! {
    /// Models of IDE controllers.
    pub enum IdeModel {
        Piix3 = "piix3",
        Piix4 = "piix4",
        Ich6 = "ich6",
    }
}

xml_names! {
    /// Models of PCI controllers.
    pub enum PciModel {
        PciRoot = "pci-root",
        PcieRoot = "pcie-root",
        PciBridge = "pci-bridge",
        DmiToPciBridge = "dmi-to-pci-bridge",
        PcieToPciBridge = "pcie-to-pci-bridge",
        PcieRootPort = "pcie-root-port",
        PcieSwitchUpstreamPort = "pcie-switch-upstream-port",
        PcieSwitchDownstreamPort = "pcie-switch-downstream-port",
        PciExpanderBus = "pci-expander-bus",
        PcieExpanderBus = "pcie-expander-bus",
    }
}

xml_names! {
    /// The device of the hypervisor that plays a PCI controller.
    pub enum PciModelName {
        PciBridge = "pci-bridge",
        I82801b11Bridge = "i82801b11-bridge",
        Ioh3420 = "ioh3420",
        X3130Upstream = "x3130-upstream",
        Xio3130Downstream = "xio3130-downstream",
        Pxb = "pxb",
        PxbPcie = "pxb-pcie",
        PcieRootPort = "pcie-root-port",
        SpaprPciHostBridge = "spapr-pci-host-bridge",
        PciePciBridge = "pcie-pci-bridge",
    }
}

/// `<target>` of a PCI controller.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciControllerTarget {
    /// Number of a bridge's chassis, 1 to 255.
    #[xml(attr = "chassisNr")]
    pub chassis_nr: Option<AnyBase>,
    /// Number of a port's chassis, 0 to 255.
    #[xml(attr)]
    pub chassis: Option<AnyBase>,
    /// Number of a port, 0 to 255.
    #[xml(attr)]
    pub port: Option<Hex<1>>,
    /// Number of an expander's bus, 1 to 254.
    #[xml(attr = "busNr")]
    pub bus_nr: Option<AnyBase>,
    /// Index of a pSeries host bridge, 0 to 30.
    #[xml(attr)]
    pub index: Option<AnyBase>,
    /// Whether devices can be plugged.
    #[xml(attr)]
    pub hotplug: Option<OnOff>,
    /// Memory to reserve for the bus behind a port.
    #[xml(attr = "memReserve")]
    pub mem_reserve: Option<u64>,
    /// NUMA node of the guest.
    #[xml(text_child)]
    pub node: Option<u32>,
}

/// `type='pci'`.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciController {
    /// Model.
    #[xml(attr)]
    pub model: Option<PciModel>,
    /// The device that plays it.
    #[xml(child_attr = "model/name")]
    pub model_name: Option<PciModelName>,
    /// Numbers.
    #[xml(child)]
    pub target: Option<PciControllerTarget>,
}

impl Content for PciController {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            model: node.attr_opt("model")?,
            model_name: node.child_attr_opt("model", "name")?,
            target: node.child_filled("target")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        // Older releases know no model of the root bus.
        let implied = self.model == Some(PciModel::PciRoot)
            && self.model_name == Some(PciModelName::SpaprPciHostBridge)
            && w.flags().contains(Flags::MIGRATABLE);
        if let Some(name) = self.model_name.filter(|_| !implied) {
            w.attr_element("model", "name", &name);
        }
        if let Some(target) = &self.target {
            w.element_unless_empty("target", target);
        }
    }
}

/// `type='virtio-serial'`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VirtioSerialController {
    /// Ports.
    #[xml(attr)]
    pub ports: Option<u32>,
    /// Interrupt vectors.
    #[xml(attr)]
    pub vectors: Option<u32>,
}

/// `type='usb'`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsbController {
    /// Ports.
    #[xml(attr)]
    pub ports: Option<u32>,
}

/// `type='xenbus'`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct XenbusController {
    /// Most shared pages.
    #[xml(attr = "maxGrantFrames")]
    pub max_grant_frames: Option<u32>,
    /// Most event channels.
    #[xml(attr = "maxEventChannels")]
    pub max_event_channels: Option<u32>,
}

/// What kind of controller, with its model.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum ControllerKind {
    /// IDE.
    #[xml("ide")]
    Ide(#[xml(attr = "model")] Option<IdeModel>),
    /// Floppy disks.
    #[xml("fdc")]
    Fdc,
    /// SCSI.
    #[xml("scsi")]
    Scsi(#[xml(attr = "model")] Option<ScsiModel>),
    /// SATA.
    #[xml("sata")]
    Sata,
    /// virtio serial ports.
    #[xml("virtio-serial")]
    VirtioSerial(
        #[xml(attr = "model")] Option<super::disk::VirtioModel>,
        #[xml(flat)] VirtioSerialController,
    ),
    /// Smart cards.
    #[xml("ccid")]
    Ccid,
    /// USB.
    #[xml("usb")]
    Usb(
        #[xml(attr = "model")] Option<UsbModel>,
        #[xml(flat)] UsbController,
    ),
    /// PCI.
    #[xml("pci")]
    Pci(PciController),
    /// Xen's bus.
    #[xml("xenbus")]
    Xenbus(XenbusController),
    /// ISA.
    #[xml("isa")]
    Isa,
    /// NVMe.
    #[xml("nvme")]
    Nvme,
}

xml_names! {
    /// The name of a kind of controller.
    pub enum ControllerType {
        Ide = "ide",
        Fdc = "fdc",
        Scsi = "scsi",
        Sata = "sata",
        VirtioSerial = "virtio-serial",
        Ccid = "ccid",
        Usb = "usb",
        Pci = "pci",
        Xenbus = "xenbus",
        Isa = "isa",
        Nvme = "nvme",
    }
}

impl ControllerKind {
    /// The kind without its model.
    pub fn kind(&self) -> ControllerType {
        match self {
            Self::Ide(_) => ControllerType::Ide,
            Self::Fdc => ControllerType::Fdc,
            Self::Scsi(_) => ControllerType::Scsi,
            Self::Sata => ControllerType::Sata,
            Self::VirtioSerial(..) => ControllerType::VirtioSerial,
            Self::Ccid => ControllerType::Ccid,
            Self::Usb(..) => ControllerType::Usb,
            Self::Pci(_) => ControllerType::Pci,
            Self::Xenbus(_) => ControllerType::Xenbus,
            Self::Isa => ControllerType::Isa,
            Self::Nvme => ControllerType::Nvme,
        }
    }

    /// A controller of this kind with nothing chosen.
    pub fn new(kind: ControllerType) -> Self {
        match kind {
            ControllerType::Ide => Self::Ide(None),
            ControllerType::Fdc => Self::Fdc,
            ControllerType::Scsi => Self::Scsi(None),
            ControllerType::Sata => Self::Sata,
            ControllerType::VirtioSerial => {
                Self::VirtioSerial(None, VirtioSerialController::default())
            }
            ControllerType::Ccid => Self::Ccid,
            ControllerType::Usb => Self::Usb(None, UsbController::default()),
            ControllerType::Pci => Self::Pci(PciController::default()),
            ControllerType::Xenbus => Self::Xenbus(XenbusController::default()),
            ControllerType::Isa => Self::Isa,
            ControllerType::Nvme => Self::Nvme,
        }
    }

    /// The name of the model, if one is chosen.
    pub fn model(&self) -> Option<&'static str> {
        match self {
            Self::Ide(model) => model.map(IdeModel::as_str),
            Self::Scsi(model) => model.map(ScsiModel::as_str),
            Self::VirtioSerial(model, _) => model.map(super::disk::VirtioModel::as_str),
            Self::Usb(model, _) => model.map(UsbModel::as_str),
            Self::Pci(pci) => pci.model.map(PciModel::as_str),
            Self::Fdc | Self::Sata | Self::Ccid | Self::Xenbus(_) | Self::Isa | Self::Nvme => None,
        }
    }
}

/// `<driver>` of a controller.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ControllerDriver {
    /// Queues.
    #[xml(attr)]
    pub queues: Option<u32>,
    /// Commands that may be queued for a unit.
    #[xml(attr)]
    pub cmd_per_lun: Option<u32>,
    /// Most bytes of a transfer, in units of 512.
    #[xml(attr)]
    pub max_sectors: Option<u32>,
    /// Whether a thread handles notifications.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    /// The I/O thread that serves it.
    #[xml(attr)]
    pub iothread: Option<u32>,
    /// Options of virtio.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// The I/O threads that serve it together.
    #[xml(child = "iothread", wrap = "iothreads")]
    pub iothreads: Rare<Vec<IoThreadMapping>>,
}

/// `<controller>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Kind and model.
    #[xml(flat)]
    pub kind: ControllerKind,
    /// Which one of its kind, from 0; absent if still to be chosen.
    #[xml(attr)]
    pub index: Option<u32>,
    /// How the hypervisor handles it.
    #[xml(child)]
    pub driver: Option<Box<ControllerDriver>>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// 64-bit memory for the devices on a root bus.
    #[xml(child)]
    pub pcihole64: Option<Box<Kib>>,
}

impl Controller {
    /// A controller of this kind with nothing chosen.
    pub fn new(kind: ControllerType, index: u32) -> Self {
        Self {
            kind: ControllerKind::new(kind),
            index: Some(index),
            driver: None,
            info: Rare::default(),
            pcihole64: None,
        }
    }

    /// Which one of its kind.
    pub fn index(&self) -> u32 {
        self.index.unwrap_or(0)
    }
}

impl Content for Controller {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = match node.attr_req::<ControllerType>("type")? {
            ControllerType::Ide => ControllerKind::Ide(node.attr_opt("model")?),
            ControllerType::Scsi => ControllerKind::Scsi(node.attr_opt("model")?),
            ControllerType::VirtioSerial => ControllerKind::VirtioSerial(
                node.attr_opt("model")?,
                VirtioSerialController::parse(node)?,
            ),
            ControllerType::Usb => {
                ControllerKind::Usb(node.attr_opt("model")?, UsbController::parse(node)?)
            }
            ControllerType::Pci => ControllerKind::Pci(PciController::parse(node)?),
            ControllerType::Xenbus => ControllerKind::Xenbus(XenbusController::parse(node)?),
            other => ControllerKind::new(other),
        };
        Ok(Self {
            kind,
            index: node.attr_opt("index")?,
            driver: node.child_filled("driver")?,
            info: Rare::parse(node)?,
            pcihole64: node.child_opt("pcihole64")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind.kind());
        w.attr_opt("index", &self.index);
        if let Some(model) = self.kind.model() {
            w.attr_str("model", model);
        }
        match &self.kind {
            ControllerKind::VirtioSerial(_, options) => options.attrs(w),
            ControllerKind::Usb(_, options) => options.attrs(w),
            ControllerKind::Xenbus(options) => options.attrs(w),
            _ => {}
        }
    }

    fn children(&self, w: &mut Writer) {
        if let ControllerKind::Pci(pci) = &self.kind {
            pci.children(w);
        }
        if let Some(driver) = &self.driver {
            w.element_unless_empty("driver", driver);
        }
        self.info.children(w);
        if let Some(size) = &self.pcihole64 {
            w.element("pcihole64", size);
        }
    }
}
