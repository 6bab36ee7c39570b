//! Small devices: input, watchdog, balloon, random numbers, panic, sockets, IOMMU, crypto, and others.

use virtbus_xml::{
    Content, Describe, Flags, Node, OnOff, Rare, Result, Text, Writer, Xml, YesNo, xml_names,
};

use super::chardev::Chardev;
use super::disk::VirtioModel;
use super::info::{DeviceInfo, VirtioOptions};

xml_names! {
    /// Kind of an input device.
    pub enum InputType {
        Mouse = "mouse",
        Tablet = "tablet",
        Keyboard = "keyboard",
        Passthrough = "passthrough",
        Evdev = "evdev",
    }
}

xml_names! {
    /// What an input device is attached to.
    pub enum InputBus {
        Ps2 = "ps2",
        Usb = "usb",
        Xen = "xen",
        Parallels = "parallels",
        None = "none",
        Virtio = "virtio",
    }
}

xml_names! {
    /// What is taken away from the host together.
    pub enum InputGrab {
        All = "all",
    }
}

xml_names! {
    /// Keys that give a device back to the host.
    pub enum GrabToggle {
        CtrlCtrl = "ctrl-ctrl",
        AltAlt = "alt-alt",
        ShiftShift = "shift-shift",
        MetaMeta = "meta-meta",
        Scrolllock = "scrolllock",
        CtrlScrolllock = "ctrl-scrolllock",
    }
}

/// `<source>` of an input device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InputSource {
    /// Path of the device, of kind `evdev`.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Path of the device, of kind `passthrough`.
    #[xml(attr)]
    pub evdev: Option<Text>,
    /// What is taken away together.
    #[xml(attr)]
    pub grab: Option<InputGrab>,
    /// Keys that give it back.
    #[xml(attr = "grabToggle")]
    pub grab_toggle: Option<GrabToggle>,
    /// Whether keys repeat.
    #[xml(attr)]
    pub repeat: Option<OnOff>,
}

/// `<input>`.
///
/// Keyboards that every machine has anyway are not written for older releases.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Kind.
    #[xml(attr = "type", when = is_visible)]
    pub kind: InputType,
    /// What it is attached to.
    #[xml(attr, when = has_bus, absent = "none of `evdev`, else what fits kind and machine")]
    pub bus: Option<InputBus>,
    /// Revision of virtio.
    #[xml(attr, when = is_visible)]
    pub model: Option<VirtioModel>,
    /// Options of virtio.
    #[xml(child, skip_empty, when = is_visible)]
    pub driver: Option<VirtioOptions>,
    /// The host's device.
    #[xml(child, skip_empty, when = is_visible)]
    pub source: Option<Box<InputSource>>,
    /// Alias, address.
    #[xml(flat, when = is_visible)]
    pub info: Rare<DeviceInfo>,
}

fn is_visible(input: &Input, flags: Flags) -> bool {
    let implied = input.kind == InputType::Keyboard
        && matches!(input.bus, Some(InputBus::Ps2 | InputBus::Xen));
    !(implied && flags.contains(Flags::MIGRATABLE))
}

fn has_bus(input: &Input, flags: Flags) -> bool {
    input.bus != Some(InputBus::None) && is_visible(input, flags)
}

xml_names! {
    /// Model of a watchdog.
    pub enum WatchdogModel {
        I6300esb = "i6300esb",
        Ib700 = "ib700",
        Diag288 = "diag288",
        Itco = "itco",
    }
}

xml_names! {
    /// What a watchdog does.
    pub enum WatchdogAction {
        Reset = "reset",
        Shutdown = "shutdown",
        Poweroff = "poweroff",
        Pause = "pause",
        Dump = "dump",
        None = "none",
        InjectNmi = "inject-nmi",
    }
}

/// `<watchdog>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    /// Model.
    #[xml(attr)]
    pub model: WatchdogModel,
    /// What it does.
    #[xml(attr, absent = "reset")]
    pub action: Option<WatchdogAction>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

xml_names! {
    /// Model of a memory balloon.
    pub enum MemballoonModel {
        Virtio = "virtio",
        Xen = "xen",
        None = "none",
        VirtioTransitional = "virtio-transitional",
        VirtioNonTransitional = "virtio-non-transitional",
    }
}

/// `<memballoon>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Memballoon {
    /// Model.
    #[xml(attr)]
    pub model: MemballoonModel,
    /// Whether it gives memory back before the guest kills programs.
    #[xml(attr)]
    pub autodeflate: Option<OnOff>,
    /// Whether the guest tells of free pages.
    #[xml(attr = "freePageReporting")]
    pub free_page_reporting: Option<OnOff>,
    /// Seconds between statistics; 0 is none.
    #[xml(child_attr = "stats/period")]
    pub stats_period: Option<u32>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Options of virtio.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
}

/// `<rate>` of random numbers.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct RngRate {
    /// Most bytes in a period.
    #[xml(attr)]
    pub bytes: u32,
    /// The period in ms.
    #[xml(attr, absent = "1000")]
    pub period: Option<u32>,
}

/// `<backend>` of random numbers.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "model")]
pub enum RngBackend {
    /// A device of the host.
    #[xml("random")]
    Random {
        /// Its path.
        #[xml(text, absent = "the driver's default")]
        path: Option<Text>,
    },
    /// An entropy gathering daemon.
    #[xml("egd")]
    Egd(Box<Chardev>),
    /// The hypervisor's own.
    #[xml("builtin")]
    Builtin,
}

impl Content for RngBackend {
    fn parse(node: Node<'_>) -> Result<Self> {
        match node.attr("model") {
            Some("random") => Ok(Self::Random {
                path: node.text_opt()?,
            }),
            Some("egd") => {
                if node.attr("type").is_none() {
                    return Err(node.missing_attr("type"));
                }
                Content::parse(node).map(Self::Egd)
            }
            Some("builtin") => Ok(Self::Builtin),
            Some(other) => Err(node.bad_attr("model", other, "one of 'random', 'egd', 'builtin'")),
            None => Err(node.missing_attr("model")),
        }
    }

    fn attrs(&self, w: &mut Writer) {
        match self {
            Self::Random { .. } => w.attr_str("model", "random"),
            Self::Egd(chardev) => {
                w.attr_str("model", "egd");
                chardev.attrs(w);
            }
            Self::Builtin => w.attr_str("model", "builtin"),
        }
    }

    fn children(&self, w: &mut Writer) {
        match self {
            Self::Random { path: Some(path) } => w.text(path),
            Self::Egd(chardev) => chardev.children(w),
            Self::Random { path: None } | Self::Builtin => {}
        }
    }
}

/// `<rng>`: random numbers from the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    /// Revision of virtio.
    #[xml(attr)]
    pub model: VirtioModel,
    /// Limit.
    #[xml(child)]
    pub rate: Option<RngRate>,
    /// Where they come from.
    #[xml(child)]
    pub backend: RngBackend,
    /// Options of virtio.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

xml_names! {
    /// How a guest tells that it crashed.
    pub enum PanicModel {
        Isa = "isa",
        Pseries = "pseries",
        Hyperv = "hyperv",
        S390 = "s390",
        Pvpanic = "pvpanic",
    }
}

/// `<panic>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Panic {
    /// Model.
    #[xml(attr)]
    pub model: Option<PanicModel>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// `<cid>`: the guest's address.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VsockCid {
    /// Whether the driver chooses.
    #[xml(attr)]
    pub auto: Option<YesNo>,
    /// The address, from 3; 0 is none.
    #[xml(attr)]
    pub address: Option<u32>,
}

/// `<vsock>`: sockets between host and guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Vsock {
    /// Revision of virtio.
    #[xml(attr)]
    pub model: Option<VirtioModel>,
    /// Address.
    #[xml(child, skip_empty)]
    pub cid: Option<VsockCid>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Options of virtio.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
}

xml_names! {
    /// Model of an IOMMU.
    pub enum IommuModel {
        Intel = "intel",
        Smmuv3 = "smmuv3",
        Virtio = "virtio",
    }
}

/// `<driver>` of an IOMMU.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IommuDriver {
    /// Interrupt remapping.
    #[xml(attr)]
    pub intremap: Option<OnOff>,
    /// Whether the guest must flush, for devices of the host.
    #[xml(attr)]
    pub caching_mode: Option<OnOff>,
    /// Extended interrupts.
    #[xml(attr)]
    pub eim: Option<OnOff>,
    /// Translation buffers in devices.
    #[xml(attr)]
    pub iotlb: Option<OnOff>,
    /// Width of addresses in bits.
    #[xml(attr)]
    pub aw_bits: Option<u32>,
    /// Translation of addresses.
    #[xml(attr)]
    pub dma_translation: Option<OnOff>,
}

/// `<iommu>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Iommu {
    /// Model.
    #[xml(attr)]
    pub model: IommuModel,
    /// Settings.
    #[xml(child, skip_empty)]
    pub driver: Option<IommuDriver>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

xml_names! {
    /// Model of a crypto device.
    pub enum CryptoModel {
        Virtio = "virtio",
    }
}

xml_names! {
    /// Who speaks to a crypto device.
    pub enum CryptoType {
        Qemu = "qemu",
    }
}

xml_names! {
    /// Who does the work of a crypto device.
    pub enum CryptoBackendModel {
        Builtin = "builtin",
        Lkcf = "lkcf",
    }
}

/// `<backend>` of a crypto device.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoBackend {
    /// Who does the work.
    #[xml(attr)]
    pub model: CryptoBackendModel,
    /// Queues.
    #[xml(attr)]
    pub queues: Option<u32>,
}

/// `<crypto>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Model.
    #[xml(attr)]
    pub model: CryptoModel,
    /// Who speaks to it.
    #[xml(attr = "type")]
    pub kind: CryptoType,
    /// Who does the work.
    #[xml(child)]
    pub backend: CryptoBackend,
    /// Options of virtio.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

xml_names! {
    /// What a persistent store is.
    pub enum PstoreBackend {
        AcpiErst = "acpi-erst",
    }
}

/// `<pstore>`: where a guest's kernel leaves its last words.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Pstore {
    /// What it is.
    #[xml(attr)]
    pub backend: PstoreBackend,
    /// The file that holds it.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Its size.
    #[xml(child)]
    pub size: virtbus_xml::Kib,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// `<nvram>` in `<devices>`: the non-volatile memory of pSeries.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NvramDevice {
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// `<target>` of a lease.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct LeaseTarget {
    /// File that holds the lease.
    #[xml(attr)]
    pub path: Text,
    /// Where in the file, in bytes.
    #[xml(attr, absent = "at the beginning")]
    pub offset: Option<u64>,
}

/// `<lease>`: a lock that the guest needs.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Space of names.
    #[xml(text_child)]
    pub lockspace: Option<Text>,
    /// Name in the space.
    #[xml(text_child)]
    pub key: Text,
    /// Where it is.
    #[xml(child)]
    pub target: LeaseTarget,
}
