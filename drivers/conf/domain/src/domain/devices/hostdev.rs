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

/// A PCI device of the host.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(
    attr = "type",
    wrap = "address",
    told = "'pci'",
    optional,
    doc = "Type of the address: always `pci`; required for interfaces."
))]
pub struct PciHostdev {
    /// How the device is assigned; `vfio` for KVM if absent.
    #[xml(child, wrap = "..")]
    pub driver: Option<HostdevDriver>,
    /// Whether the guest's writes to the device's configuration space are filtered (Xen); `yes` if absent.
    #[xml(attr = "writeFiltering")]
    pub write_filtering: Option<YesNo>,
    /// PCI address of the device on the host.
    #[xml(child)]
    pub address: PciAddress,
    /// What must be undone when the guest stops, because the driver did it to the device; status only.
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

/// A USB device of the host: by vendor and product, by bus and device number, or both.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(
    attr = "type",
    wrap = "address",
    told = "'usb'",
    optional,
    doc = "Type of the address: always `usb`; required for interfaces."
))]
#[xml(more(child_attr = "vendor/id", value = Hex<4>, optional, doc = "Vendor number of the device, such as `0x1234`."))]
#[xml(more(attr = "device", wrap = "address", value = AnyBase, optional, doc = "Number of the device on its bus, decimal."))]
pub struct UsbHostdev {
    /// What happens if the device is missing at start: `mandatory` fails, `requisite` fails except after a migration or
    /// restore, `optional` starts without it.
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    /// Whether bus and device number were found by vendor and product, and are looked up again at each start.
    #[xml(attr = "autoAddress", value = YesNo, optional, conditional, absent = "no")]
    pub auto_address: bool,
    /// Whether the device was missing when the guest started; running guests only.
    #[xml(attr, value = YesNo, optional, conditional, absent = "no")]
    pub missing: bool,
    /// What happens when the guest resets the device: `off` nothing, `on` a reset, `uninitialized` a reset only if it
    /// is not yet initialized.
    #[xml(attr = "guestReset")]
    pub guest_reset: Option<GuestReset>,
    /// Vendor and product number of the device.
    #[xml(child_attr = "product/id", value = Hex<4>)]
    pub product: Option<(Hex<4>, Hex<4>)>,
    /// Bus and device number on the host, decimal.
    #[xml(attr = "bus", wrap = "address", value = AnyBase)]
    pub address: Option<(AnyBase, AnyBase)>,
}

/// A logical unit of a SCSI adapter of the host or of an iSCSI target.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "protocol")]
pub enum ScsiHostdev {
    /// A logical unit of one of the host's SCSI adapters.
    #[xml("adapter", default)]
    Adapter {
        /// Name of the adapter, such as `scsi_host0`.
        #[xml(child_attr = "adapter/name")]
        adapter: Text,
        /// Number of the adapter's bus.
        #[xml(attr, wrap = "address")]
        bus: u32,
        /// Number of the target on the bus.
        #[xml(attr, wrap = "address")]
        target: u32,
        /// Number of the logical unit (LUN).
        #[xml(attr, wrap = "address")]
        unit: u64,
        /// What only the driver knows of the running device; status only.
        #[xml(child = "privateData", conditional)]
        private_data: Option<Box<SourcePrivate>>,
    },
    /// A logical unit of an iSCSI target.
    #[xml("iscsi")]
    Iscsi {
        /// Name (IQN) of the target, and number of the unit after a slash.
        #[xml(attr)]
        name: Text,
        /// Server that has the target.
        #[xml(child)]
        host: Vec<Host>,
        /// What only the driver knows of the running device; status only.
        #[xml(child = "privateData", conditional)]
        private_data: Option<Box<SourcePrivate>>,
        /// User name and secret for the target.
        #[xml(child)]
        auth: Option<Auth>,
        /// Initiator name (IQN) with which the target is accessed.
        #[xml(child_attr = "iqn/name", wrap = "initiator")]
        initiator: Option<Text>,
    },
}

/// `<source>` of a SCSI controller in the host's kernel (vhost-scsi).
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(
    attr = "protocol",
    told = "'vhost'",
    optional,
    doc = "Protocol of the controller: always `vhost`."
))]
pub struct VhostScsi {
    /// World wide port name of the controller: `naa.` and 16 hexadecimal digits.
    #[xml(attr)]
    pub wwpn: Text,
}

/// A device of the host that is assigned to the guest as a whole.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type", body = "source")]
pub enum HostdevSubsys {
    /// A PCI device of the host.
    #[xml("pci")]
    Pci(PciHostdev),
    /// A USB device of the host.
    #[xml("usb")]
    Usb(UsbHostdev),
    /// A logical unit of a SCSI adapter or iSCSI target.
    #[xml("scsi")]
    Scsi(ScsiHostdev),
    /// A SCSI controller in the host's kernel (vhost-scsi), by its world wide port name: `naa.` and 16 hexadecimal
    /// digits.
    #[xml("scsi_host")]
    ScsiHost {
        /// World wide port name of the controller.
        #[xml(flat, value = VhostScsi)]
        wwpn: Text,
    },
    /// A mediated device, which shares a physical one.
    #[xml("mdev")]
    Mdev {
        /// UUID of the mediated device.
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
    /// A block device of the host.
    #[xml("storage")]
    Storage {
        /// Absolute path of the block device.
        #[xml(text_child)]
        block: Text,
    },
    /// A character device of the host.
    #[xml("misc")]
    Misc {
        /// Absolute path of the character device.
        #[xml(text_child)]
        char: Text,
    },
    /// A network interface of the host, which is moved into the container.
    #[xml("net")]
    Net {
        /// Name of the interface on the host.
        #[xml(text_child)]
        interface: Text,
        /// Addresses and routes that the interface is given in the container.
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

/// How the device is assigned to the guest.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "mode")]
pub enum HostdevMode {
    /// The whole device is assigned, with its hardware.
    #[xml("subsystem", default)]
    Subsystem(HostdevSubsys),
    /// A container is permitted to use the device.
    #[xml("capabilities")]
    Capabilities(HostdevCaps),
}

/// `<hostdev>`: a device of the host that is assigned to the guest.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Hostdev {
    /// Device of the host, and how it is assigned.
    #[xml(flat)]
    pub mode: HostdevMode,
    /// Whether the driver detaches the device from the host at start and returns it afterwards; if not, the
    /// administrator must.
    #[xml(attr, absent = "no")]
    pub managed: Option<YesNo>,
    /// Whether the guest may send all SCSI commands (`unfiltered`) or only harmless ones (`filtered`); SCSI units only.
    #[xml(attr)]
    pub sgio: Option<SgIo>,
    /// Whether the hypervisor needs the capability for raw I/O (`CAP_SYS_RAWIO`); SCSI units only.
    #[xml(attr)]
    pub rawio: Option<YesNo>,
    /// Virtio variant of a vhost-scsi controller: `virtio-transitional` also works with guests that know virtio 0.9
    /// only, `virtio-non-transitional` needs 1.0.
    #[xml(attr = "model")]
    pub virtio_model: Option<VirtioModel>,
    /// Interface of a mediated device: `vfio-pci`, `vfio-ccw` or `vfio-ap`.
    #[xml(attr = "model")]
    pub mdev_model: Option<MdevModel>,
    /// Whether the mediated device is a display of the guest; `off` if absent.
    #[xml(attr)]
    pub display: Option<OnOff>,
    /// Whether the firmware can show its messages on the mediated device before the guest's driver is loaded; `off` if
    /// absent.
    #[xml(attr)]
    pub ramfb: Option<OnOff>,
    /// Fail-over between the device and a virtio interface.
    #[xml(child)]
    pub teaming: Option<Teaming>,
    /// Present if the guest may only read; SCSI units only.
    #[xml(flag)]
    pub readonly: bool,
    /// Present if other guests may use the device at the same time; SCSI units only.
    #[xml(flag)]
    pub shareable: bool,
    /// Boot order, alias and address of the device.
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
