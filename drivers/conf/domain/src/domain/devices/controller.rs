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

/// `<target>`: settings of a PCI controller that the guest sees.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciControllerTarget {
    /// Chassis number of a `pci-bridge`, 1 to 255; absent means its index.
    #[xml(attr = "chassisNr")]
    pub chassis_nr: Option<AnyBase>,
    /// Chassis number of a PCI Express port, 0 to 255; absent means its index.
    #[xml(attr)]
    pub chassis: Option<AnyBase>,
    /// Number of a PCI Express port, 0 to 255; absent means that the driver chooses.
    #[xml(attr)]
    pub port: Option<Hex<1>>,
    /// First bus number of an expander bus, 1 to 254; absent means that the driver chooses.
    #[xml(attr = "busNr")]
    pub bus_nr: Option<AnyBase>,
    /// Index of a pSeries PCI host bridge, 0 to 30; 0 is the built-in one.
    #[xml(attr)]
    pub index: Option<AnyBase>,
    /// Whether devices can be hotplugged below the controller; `on` if absent.
    #[xml(attr)]
    pub hotplug: Option<OnOff>,
    /// Memory in KiB that the firmware reserves for devices behind a port; the firmware decides if absent.
    #[xml(attr = "memReserve")]
    pub mem_reserve: Option<u64>,
    /// NUMA node of the guest that the expander bus or host bridge belongs to.
    #[xml(text_child)]
    pub node: Option<u32>,
}

/// `type='pci'`: a PCI bus, bridge or port.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciController {
    /// What the controller is: `pci-root`, `pcie-root`, `pci-bridge`, `pcie-root-port`, ….
    #[xml(attr)]
    pub model: Option<PciModel>,
    /// Device model that implements it; chosen by model and machine type if absent.
    #[xml(child_attr = "model/name")]
    pub model_name: Option<PciModelName>,
    /// Numbers and settings that the guest sees.
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

/// `type='virtio-serial'`: a controller for virtio serial ports.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VirtioSerialController {
    /// Largest number of ports of the controller; the hypervisor's default if absent.
    #[xml(attr)]
    pub ports: Option<u32>,
    /// Number of interrupt vectors; the hypervisor's default if absent.
    #[xml(attr)]
    pub vectors: Option<u32>,
}

/// `type='usb'`: a USB controller.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsbController {
    /// Number of ports, 1 to 15; `qemu-xhci` and `nec-xhci` only.
    #[xml(attr)]
    pub ports: Option<u32>,
}

/// `type='xenbus'`: the bus of Xen's paravirtual devices.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct XenbusController {
    /// Largest number of grant frames, the pages by which the guest shares memory with others.
    #[xml(attr = "maxGrantFrames")]
    pub max_grant_frames: Option<u32>,
    /// Largest number of event channels of the guest.
    #[xml(attr = "maxEventChannels")]
    pub max_event_channels: Option<u32>,
}

/// Type of the controller, with its model.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum ControllerKind {
    /// IDE disks and CD-ROM drives.
    #[xml("ide")]
    Ide(
        /// Model of the IDE controller; chosen by machine type if absent.
        #[xml(attr = "model")]
        Option<IdeModel>,
    ),
    /// Floppy disk drives of the guest.
    #[xml("fdc")]
    Fdc,
    /// SCSI disks, CD-ROM drives and host devices.
    #[xml("scsi")]
    Scsi(
        /// Model of the SCSI controller, such as `virtio-scsi`; chosen by the driver if absent.
        #[xml(attr = "model")]
        Option<ScsiModel>,
    ),
    /// SATA disks and CD-ROM drives.
    #[xml("sata")]
    Sata,
    /// Ports of virtio serial devices.
    #[xml("virtio-serial")]
    VirtioSerial(
        /// Virtio variant of the controller; `virtio` if absent.
        #[xml(attr = "model")]
        Option<super::disk::VirtioModel>,
        /// Numbers of ports and interrupts.
        #[xml(flat)]
        VirtioSerialController,
    ),
    /// Smart card readers (CCID) of the guest.
    #[xml("ccid")]
    Ccid,
    /// USB devices of the guest.
    #[xml("usb")]
    Usb(
        /// Model of the USB controller, such as `qemu-xhci`; chosen by machine type if absent.
        #[xml(attr = "model")]
        Option<UsbModel>,
        /// Number of ports of the controller.
        #[xml(flat)]
        UsbController,
    ),
    /// PCI devices of the guest, and further PCI buses.
    #[xml("pci")]
    Pci(PciController),
    /// Paravirtual devices of a Xen guest.
    #[xml("xenbus")]
    Xenbus(XenbusController),
    /// ISA devices of the guest.
    #[xml("isa")]
    Isa,
    /// NVMe disks of the guest.
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

/// `<driver>`: how the hypervisor runs the controller.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ControllerDriver {
    /// Number of request queues; virtio-scsi only, best equal to the number of virtual CPUs.
    #[xml(attr)]
    pub queues: Option<u32>,
    /// Largest number of commands that may be queued for one logical unit; virtio-scsi only.
    #[xml(attr)]
    pub cmd_per_lun: Option<u32>,
    /// Largest size of a transfer, in sectors of 512 bytes; virtio-scsi only.
    #[xml(attr)]
    pub max_sectors: Option<u32>,
    /// Whether the guest's notifications are handled by a thread of their own (ioeventfd) while the virtual CPU runs
    /// on; the hypervisor decides if absent.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    /// Number of the I/O thread that serves the controller; virtio-scsi only.
    #[xml(attr)]
    pub iothread: Option<u32>,
    /// Options that all virtio devices have.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// I/O threads that serve the controller together; excludes `iothread`.
    #[xml(child = "iothread", wrap = "iothreads")]
    pub iothreads: Rare<Vec<IoThreadMapping>>,
}

/// `<controller>`: a bus controller that devices of the guest are attached to.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Type and model of the controller.
    #[xml(flat)]
    pub kind: ControllerKind,
    /// Number of the controller among those of its type, from 0; absent means that the driver chooses.
    #[xml(attr)]
    pub index: Option<u32>,
    /// How the hypervisor runs the controller.
    #[xml(child)]
    pub driver: Option<Box<ControllerDriver>>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Size of the 64-bit memory window for devices on a root bus; the firmware decides if absent.
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
