//! `<hostdev>`: devices of the host, and what an interface shares with them.

use virtbus_conf_base::common::{HostdevDriver, IpInfo, PciAddress, Uuid};
use virtbus_conf_storage::storage::{Auth, Host, SourcePrivate, StartupPolicy};
use virtbus_xml::{
    AnyBase, Content, Describe, ErrorKind, Flags, Hex, Node, OnOff, Rare, Result, Text, Writer,
    YesNo, xml_names,
};

use super::disk::{SgIo, VirtioModel};
use super::info::DeviceInfo;
use super::interface::Teaming;

xml_names! {
    /// What had been done to a PCI device before it was attached.
    pub enum PciOrigState {
        Unbind = "unbind",
        RemoveSlot = "removeslot",
        Reprobe = "reprobe",
    }
}

/// A PCI device.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(
    attr = "type",
    wrap = "address",
    told = "'pci'",
    optional,
    doc = "What it is; interfaces need it."
))]
pub struct PciHostdev {
    /// Who detaches it.
    #[xml(child, wrap = "..")]
    pub driver: Option<HostdevDriver>,
    /// Whether the guest's writes to its configuration are filtered.
    #[xml(attr = "writeFiltering")]
    pub write_filtering: Option<YesNo>,
    /// Where it is.
    #[xml(child)]
    pub address: PciAddress,
    /// What had been done to it; status only.
    #[xml(named, wrap = "origstates", many, value = PciOrigState)]
    pub orig_states: Vec<PciOrigState>,
}

xml_names! {
    /// What happens when the guest resets a USB device.
    pub enum GuestReset {
        Off = "off",
        Uninitialized = "uninitialized",
        On = "on",
    }
}

/// A USB device: by what it is, by where it is, or both.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(
    attr = "type",
    wrap = "address",
    told = "'usb'",
    optional,
    doc = "What it is; interfaces need it."
))]
#[xml(more(child_attr = "vendor/id", value = Hex<4>, optional, doc = "Vendor."))]
#[xml(more(attr = "device", wrap = "address", value = AnyBase, optional, doc = "Device on the bus."))]
pub struct UsbHostdev {
    /// What to do if it is missing at start.
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    /// The place was found by vendor and product, and may be another one next time.
    #[xml(attr = "autoAddress", value = YesNo, optional, conditional, absent = "no")]
    pub auto_address: bool,
    /// It was missing; running guests only.
    #[xml(attr, value = YesNo, optional, conditional, absent = "no")]
    pub missing: bool,
    /// What happens when the guest resets it.
    #[xml(attr = "guestReset")]
    pub guest_reset: Option<GuestReset>,
    /// Vendor and product.
    #[xml(child_attr = "product/id", value = Hex<4>)]
    pub product: Option<(Hex<4>, Hex<4>)>,
    /// Bus and device, decimal.
    #[xml(attr = "bus", wrap = "address", value = AnyBase)]
    pub address: Option<(AnyBase, AnyBase)>,
}

/// A SCSI device of the host, or an iSCSI unit.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "protocol")]
pub enum ScsiHostdev {
    /// A unit of one of the host's adapters.
    #[xml("adapter", default)]
    Adapter {
        /// The adapter, such as `scsi_host0`.
        #[xml(child_attr = "adapter/name")]
        adapter: Text,
        /// Bus of the adapter.
        #[xml(attr, wrap = "address")]
        bus: u32,
        /// Target on the bus.
        #[xml(attr, wrap = "address")]
        target: u32,
        /// Unit of the target.
        #[xml(attr, wrap = "address")]
        unit: u64,
        /// What only the driver knows; status only.
        #[xml(child = "privateData", conditional)]
        private_data: Option<Box<SourcePrivate>>,
    },
    /// A unit of an iSCSI target.
    #[xml("iscsi")]
    Iscsi {
        /// Name of the target, and unit after a slash.
        #[xml(attr)]
        name: Text,
        /// The servers.
        #[xml(child)]
        host: Vec<Host>,
        /// What only the driver knows; status only.
        #[xml(child = "privateData", conditional)]
        private_data: Option<Box<SourcePrivate>>,
        /// User.
        #[xml(child)]
        auth: Option<Auth>,
        /// Our name.
        #[xml(child_attr = "iqn/name", wrap = "initiator")]
        initiator: Option<Text>,
    },
}

/// What `<source>` of a SCSI controller in the host's kernel has.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(
    attr = "protocol",
    told = "'vhost'",
    optional,
    doc = "How the guest talks to it."
))]
pub struct VhostScsi {
    /// Its name: `naa.` and 16 digits.
    #[xml(attr)]
    pub wwpn: Text,
}

/// A device of the host that is handed over as a whole.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type", body = "source")]
pub enum HostdevSubsys {
    /// PCI.
    #[xml("pci")]
    Pci(PciHostdev),
    /// USB.
    #[xml("usb")]
    Usb(UsbHostdev),
    /// SCSI.
    #[xml("scsi")]
    Scsi(ScsiHostdev),
    /// A SCSI controller in the host's kernel: its WWPN, `naa.` and 16 digits.
    #[xml("scsi_host")]
    ScsiHost {
        /// Its name.
        #[xml(flat, value = VhostScsi)]
        wwpn: Text,
    },
    /// A mediated device.
    #[xml("mdev")]
    Mdev {
        /// Which.
        #[xml(child_attr = "address/uuid")]
        uuid: Uuid,
    },
}

xml_names! {
    /// The name of a kind of device.
    pub enum HostdevType {
        Usb = "usb",
        Pci = "pci",
        Scsi = "scsi",
        ScsiHost = "scsi_host",
        Mdev = "mdev",
    }
}

impl HostdevSubsys {
    /// The kind.
    pub fn kind(&self) -> HostdevType {
        match self {
            Self::Pci(_) => HostdevType::Pci,
            Self::Usb(_) => HostdevType::Usb,
            Self::Scsi(_) => HostdevType::Scsi,
            Self::ScsiHost { .. } => HostdevType::ScsiHost,
            Self::Mdev { .. } => HostdevType::Mdev,
        }
    }

    /// Reads `<driver>` and `<source>` out of `node`.
    pub(crate) fn parse(kind: HostdevType, node: Node<'_>) -> Result<Self> {
        let source = node
            .child("source")
            .ok_or_else(|| node.missing_child("source"))?;
        Ok(match kind {
            HostdevType::Pci => Self::Pci(parse_pci(node, source)?),
            HostdevType::Usb => Self::Usb(parse_usb(source)?),
            HostdevType::Scsi => Self::Scsi(parse_scsi(source)?),
            HostdevType::ScsiHost => {
                if let Some(other) = source.attr("protocol").filter(|p| *p != "vhost") {
                    return Err(source.bad_attr("protocol", other, "'vhost'"));
                }
                Self::ScsiHost {
                    wwpn: source.attr_req("wwpn")?,
                }
            }
            HostdevType::Mdev => {
                let address = source
                    .child("address")
                    .ok_or_else(|| source.missing_child("address"))?;
                Self::Mdev {
                    uuid: address.attr_req("uuid")?,
                }
            }
        })
    }

    /// Writes `<driver>` and `<source>`; with `typed`, addresses say what kind they are.
    pub(crate) fn write(&self, typed: bool, w: &mut Writer) {
        match self {
            Self::Pci(pci) => write_pci(pci, typed, w),
            Self::Usb(usb) => write_usb(usb, typed, w),
            Self::Scsi(scsi) => write_scsi(scsi, typed, w),
            Self::ScsiHost { wwpn } => {
                w.begin("source");
                w.attr_str("protocol", "vhost");
                w.attr("wwpn", wwpn);
                w.end("source");
            }
            Self::Mdev { uuid } => {
                w.begin("source");
                w.attr_element("address", "uuid", uuid);
                w.end("source");
            }
        }
    }
}

fn parse_pci(node: Node<'_>, source: Node<'_>) -> Result<PciHostdev> {
    // Known, but without a meaning for PCI.
    source.attr_opt::<StartupPolicy>("startupPolicy")?;
    let address = source
        .child("address")
        .ok_or_else(|| source.missing_child("address"))?;
    address.attr("type");
    let mut orig_states = Vec::new();
    for state in source.child_or_absent("origstates").elements() {
        if let Some(state_name) = PciOrigState::from_name(state.name()) {
            state.take();
            orig_states.push(state_name);
        }
    }
    Ok(PciHostdev {
        driver: node.child_filled("driver")?,
        write_filtering: source.attr_opt("writeFiltering")?,
        address: PciAddress::parse(address)?,
        orig_states,
    })
}

fn write_pci(pci: &PciHostdev, typed: bool, w: &mut Writer) {
    if let Some(driver) = &pci.driver {
        w.element_unless_empty("driver", driver);
    }
    w.begin("source");
    w.attr_opt("writeFiltering", &pci.write_filtering);
    w.begin("address");
    if typed {
        w.attr_str("type", "pci");
    }
    pci.address.attrs(w);
    w.end("address");
    if !pci.orig_states.is_empty() && w.flags().contains(Flags::PCI_ORIG_STATES) {
        w.begin("origstates");
        for state in &pci.orig_states {
            w.flag(state.as_str());
        }
        w.end("origstates");
    }
    w.end("source");
}

fn parse_usb(source: Node<'_>) -> Result<UsbHostdev> {
    let vendor = source.child_attr_opt("vendor", "id")?;
    let product = source.child_attr_opt("product", "id")?;
    let product = match (vendor, product) {
        (Some(vendor), Some(product)) => Some((vendor, product)),
        (None, None) => None,
        (Some(_), None) => return Err(source.missing_child("product")),
        (None, Some(_)) => return Err(source.missing_child("vendor")),
    };
    let address = match source.child("address") {
        None => None,
        Some(address) => {
            address.attr("type");
            Some((address.attr_req("bus")?, address.attr_req("device")?))
        }
    };
    if product.is_none() && address.is_none() {
        return Err(source.error(ErrorKind::Missing, "give vendor and product, or an address"));
    }
    Ok(UsbHostdev {
        startup_policy: source.attr_opt("startupPolicy")?,
        auto_address: source.attr_opt("autoAddress")? == Some(YesNo::Yes),
        missing: source.attr_opt("missing")? == Some(YesNo::Yes),
        guest_reset: source.attr_opt("guestReset")?,
        product,
        address,
    })
}

fn write_usb(usb: &UsbHostdev, typed: bool, w: &mut Writer) {
    let flags = w.flags();
    w.begin("source");
    w.attr_opt("startupPolicy", &usb.startup_policy);
    if usb.auto_address && flags.contains(Flags::MIGRATABLE) {
        w.attr_str("autoAddress", "yes");
    }
    if usb.missing && !flags.contains(Flags::INACTIVE) {
        w.attr_str("missing", "yes");
    }
    w.attr_opt("guestReset", &usb.guest_reset);
    if let Some((vendor, product)) = &usb.product {
        w.attr_element("vendor", "id", vendor);
        w.attr_element("product", "id", product);
    }
    if let Some((bus, device)) = &usb.address {
        w.begin("address");
        if typed {
            w.attr_str("type", "usb");
        }
        w.attr("bus", bus);
        w.attr("device", device);
        w.end("address");
    }
    w.end("source");
}

fn parse_scsi(source: Node<'_>) -> Result<ScsiHostdev> {
    match source.attr("protocol") {
        None | Some("adapter") => {
            let address = source
                .child("address")
                .ok_or_else(|| source.missing_child("address"))?;
            address.attr("type");
            Ok(ScsiHostdev::Adapter {
                adapter: source.child_attr_req("adapter", "name")?,
                bus: address.attr_req("bus")?,
                target: address.attr_req("target")?,
                unit: address.attr_req("unit")?,
                private_data: SourcePrivate::of(source)?,
            })
        }
        Some("iscsi") => Ok(ScsiHostdev::Iscsi {
            name: source.attr_req("name")?,
            host: source.child_vec("host")?,
            private_data: SourcePrivate::of(source)?,
            auth: source.child_opt("auth")?,
            initiator: source
                .child_or_absent("initiator")
                .child_attr_opt("iqn", "name")?,
        }),
        Some(other) => Err(source.bad_attr("protocol", other, "one of 'adapter', 'iscsi'")),
    }
}

fn write_scsi(scsi: &ScsiHostdev, typed: bool, w: &mut Writer) {
    w.begin("source");
    match scsi {
        ScsiHostdev::Iscsi {
            name,
            host,
            private_data,
            auth,
            initiator,
        } => {
            w.attr_str("protocol", "iscsi");
            w.attr("name", name);
            for host in host {
                w.element("host", host);
            }
            SourcePrivate::write(private_data, w);
            if let Some(auth) = auth {
                w.element("auth", auth);
            }
            if let Some(iqn) = initiator {
                w.begin("initiator");
                w.attr_element("iqn", "name", iqn);
                w.end("initiator");
            }
        }
        ScsiHostdev::Adapter {
            adapter,
            bus,
            target,
            unit,
            private_data,
        } => {
            w.attr_element("adapter", "name", adapter);
            w.begin("address");
            if typed {
                w.attr_str("type", "scsi");
            }
            w.attr("bus", bus);
            w.attr("target", target);
            w.attr("unit", unit);
            w.end("address");
            SourcePrivate::write(private_data, w);
        }
    }
    w.end("source");
}

xml_names! {
    /// The host's driver of a mediated device.
    pub enum MdevModel {
        VfioPci = "vfio-pci",
        VfioCcw = "vfio-ccw",
        VfioAp = "vfio-ap",
    }
}

/// A device of the host that a container may use.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type", body = "source")]
pub enum HostdevCaps {
    /// A block device.
    #[xml("storage")]
    Storage {
        /// Its path.
        #[xml(text_child)]
        block: Text,
    },
    /// A character device.
    #[xml("misc")]
    Misc {
        /// Its path.
        #[xml(text_child)]
        char: Text,
    },
    /// A network interface.
    #[xml("net")]
    Net {
        /// Its name.
        #[xml(text_child)]
        interface: Text,
        /// Addresses it gets in the container.
        #[xml(flat, wrap = "..")]
        ip: IpInfo,
    },
}

xml_names! {
    /// The name of a kind of device for containers.
    pub enum HostdevCapsType {
        Storage = "storage",
        Misc = "misc",
        Net = "net",
    }
}

impl HostdevCaps {
    /// The kind.
    pub fn kind(&self) -> HostdevCapsType {
        match self {
            Self::Storage { .. } => HostdevCapsType::Storage,
            Self::Misc { .. } => HostdevCapsType::Misc,
            Self::Net { .. } => HostdevCapsType::Net,
        }
    }
}

/// How a device is handed over.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "mode")]
pub enum HostdevMode {
    /// As a whole.
    #[xml("subsystem", default)]
    Subsystem(HostdevSubsys),
    /// By permission.
    #[xml("capabilities")]
    Capabilities(HostdevCaps),
}

/// `<hostdev>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Hostdev {
    /// The device and how it is handed over.
    #[xml(flat)]
    pub mode: HostdevMode,
    /// Whether the driver detaches it from the host.
    #[xml(attr, absent = "no")]
    pub managed: Option<YesNo>,
    /// Whether any SCSI command may be sent.
    #[xml(attr)]
    pub sgio: Option<SgIo>,
    /// Whether it needs raw I/O on the host.
    #[xml(attr)]
    pub rawio: Option<YesNo>,
    /// Revision of virtio, of a SCSI controller.
    #[xml(attr = "model")]
    pub virtio_model: Option<VirtioModel>,
    /// The host's driver, of a mediated device.
    #[xml(attr = "model")]
    pub mdev_model: Option<MdevModel>,
    /// Whether it is a screen.
    #[xml(attr)]
    pub display: Option<OnOff>,
    /// Whether firmware can use it as a screen.
    #[xml(attr)]
    pub ramfb: Option<OnOff>,
    /// Fail-over with an interface.
    #[xml(child)]
    pub teaming: Option<Teaming>,
    /// Whether the guest may not write.
    #[xml(flag)]
    pub readonly: bool,
    /// Whether other guests may use it.
    #[xml(flag)]
    pub shareable: bool,
    /// Boot order, alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

impl Hostdev {
    /// The device, if it is handed over as a whole.
    pub fn subsys(&self) -> Option<&HostdevSubsys> {
        match &self.mode {
            HostdevMode::Subsystem(subsys) => Some(subsys),
            HostdevMode::Capabilities(_) => None,
        }
    }
}

fn parse_caps(node: Node<'_>) -> Result<HostdevCaps> {
    let source = node
        .child("source")
        .ok_or_else(|| node.missing_child("source"))?;
    Ok(match node.attr_req("type")? {
        HostdevCapsType::Storage => HostdevCaps::Storage {
            block: source.text_child_req("block")?,
        },
        HostdevCapsType::Misc => HostdevCaps::Misc {
            char: source.text_child_req("char")?,
        },
        HostdevCapsType::Net => HostdevCaps::Net {
            interface: source.text_child_req("interface")?,
            ip: IpInfo::parse(node)?,
        },
    })
}

fn write_caps(caps: &HostdevCaps, w: &mut Writer) {
    w.begin("source");
    match caps {
        HostdevCaps::Storage { block } => w.text_element("block", block),
        HostdevCaps::Misc { char } => w.text_element("char", char),
        HostdevCaps::Net { interface, .. } => w.text_element("interface", interface),
    }
    w.end("source");
    if let HostdevCaps::Net { ip, .. } = caps {
        ip.children(w);
    }
}

impl Content for Hostdev {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mode = match node.attr("mode") {
            None | Some("subsystem") => {
                HostdevMode::Subsystem(HostdevSubsys::parse(node.attr_req("type")?, node)?)
            }
            Some("capabilities") => HostdevMode::Capabilities(parse_caps(node)?),
            Some(other) => {
                return Err(node.bad_attr("mode", other, "one of 'subsystem', 'capabilities'"));
            }
        };
        let (mut virtio_model, mut mdev_model) = (None, None);
        match &mode {
            HostdevMode::Subsystem(HostdevSubsys::ScsiHost { .. }) => {
                virtio_model = node.attr_opt("model")?;
            }
            HostdevMode::Subsystem(HostdevSubsys::Mdev { .. }) => {
                mdev_model = Some(node.attr_req("model")?);
            }
            _ => {}
        }
        Ok(Self {
            mode,
            managed: node.attr_opt("managed")?,
            sgio: node.attr_opt("sgio")?,
            rawio: node.attr_opt("rawio")?,
            virtio_model,
            mdev_model,
            display: node.attr_opt("display")?,
            ramfb: node.attr_opt("ramfb")?,
            teaming: node.child_opt("teaming")?,
            readonly: node.child("readonly").is_some(),
            shareable: node.child("shareable").is_some(),
            info: Rare::parse(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        match &self.mode {
            HostdevMode::Subsystem(subsys) => {
                w.attr_str("mode", "subsystem");
                w.attr("type", &subsys.kind());
            }
            HostdevMode::Capabilities(caps) => {
                w.attr_str("mode", "capabilities");
                w.attr("type", &caps.kind());
                return;
            }
        }
        w.attr_opt("managed", &self.managed);
        w.attr_opt("sgio", &self.sgio);
        w.attr_opt("rawio", &self.rawio);
        w.attr_opt("model", &self.virtio_model);
        w.attr_opt("model", &self.mdev_model);
        w.attr_opt("display", &self.display);
        w.attr_opt("ramfb", &self.ramfb);
    }

    fn children(&self, w: &mut Writer) {
        match &self.mode {
            HostdevMode::Subsystem(subsys) => subsys.write(false, w),
            HostdevMode::Capabilities(caps) => write_caps(caps, w),
        }
        if let Some(teaming) = &self.teaming {
            w.element("teaming", teaming);
        }
        if self.readonly {
            w.flag("readonly");
        }
        if self.shareable {
            w.flag("shareable");
        }
        self.info.children(w);
    }
}
