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

/// `<source>`: the host's device behind an input device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InputSource {
    /// Path of the host's event device; type `evdev` only.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Path of the host's event device; type `passthrough` only.
    #[xml(attr)]
    pub evdev: Option<Text>,
    /// Whether all evdev devices are grabbed together: `all`; only this one if absent.
    #[xml(attr)]
    pub grab: Option<InputGrab>,
    /// Key combination that switches the devices between host and guest, such as `ctrl-ctrl`.
    #[xml(attr = "grabToggle")]
    pub grab_toggle: Option<GrabToggle>,
    /// Whether held keys are repeated in the guest.
    #[xml(attr)]
    pub repeat: Option<OnOff>,
}

/// `<input>`: a keyboard, mouse, tablet or other input device.
///
/// The keyboard and mouse that every machine has are not written for older releases.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Kind of device: `mouse`, `tablet`, `keyboard`, `passthrough` or `evdev`.
    #[xml(attr = "type", when = is_visible)]
    pub kind: InputType,
    /// Bus that the device is attached to: `ps2`, `usb`, `virtio` or `xen`.
    #[xml(attr, when = has_bus, absent = "none for `evdev`, otherwise chosen by type and machine")]
    pub bus: Option<InputBus>,
    /// Virtio variant: `virtio` lets the driver choose, `virtio-transitional` also works with guests that know virtio
    /// 0.9 only, `virtio-non-transitional` needs virtio 1.0 or newer.
    #[xml(attr, when = is_visible)]
    pub model: Option<VirtioModel>,
    /// Options that all virtio devices have.
    #[xml(child, skip_empty, when = is_visible)]
    pub driver: Option<VirtioOptions>,
    /// Device of the host behind it; types `evdev` and `passthrough` only.
    #[xml(child, skip_empty, when = is_visible)]
    pub source: Option<Box<InputSource>>,
    /// Alias and address of the device.
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

/// `<watchdog>`: a device that acts if the guest stops resetting it.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    /// Device model, such as `itco` (q35), `i6300esb` or `diag288` (s390).
    #[xml(attr)]
    pub model: WatchdogModel,
    /// Action when the time has run out: `reset`, `shutdown`, `poweroff`, `pause`, `none`, `dump` or `inject-nmi`.
    #[xml(attr, absent = "reset")]
    pub action: Option<WatchdogAction>,
    /// Alias and address of the device.
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

/// `<memballoon>`: a device by which the guest returns memory to the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Memballoon {
    /// Device model: `virtio` (and its variants), `xen`, or `none` for no balloon.
    #[xml(attr)]
    pub model: MemballoonModel,
    /// Whether the balloon returns memory to the guest before the guest kills programs for want of it; `off` if absent.
    #[xml(attr)]
    pub autodeflate: Option<OnOff>,
    /// Whether the guest tells the host of free pages, so that they can be used elsewhere; `off` if absent.
    #[xml(attr = "freePageReporting")]
    pub free_page_reporting: Option<OnOff>,
    /// Seconds between updates of the guest's memory statistics; 0 or absent means none.
    #[xml(child_attr = "stats/period")]
    pub stats_period: Option<u32>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Options that all virtio devices have.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
}

/// `<rate>`: limit on the random numbers that the guest may take.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct RngRate {
    /// Most bytes that the guest may take in a period.
    #[xml(attr)]
    pub bytes: u32,
    /// Length of the period, in milliseconds.
    #[xml(attr, absent = "1000")]
    pub period: Option<u32>,
}

/// `<backend>`: the host's source of random numbers.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "model")]
pub enum RngBackend {
    /// A character device of the host.
    #[xml("random")]
    Random {
        /// Absolute path of the device, such as `/dev/urandom`.
        #[xml(text, absent = "the driver's default")]
        path: Option<Text>,
    },
    /// An entropy gathering daemon (EGD), reached by a character device.
    #[xml("egd")]
    Egd(Box<Chardev>),
    /// The hypervisor's own random number generator.
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

/// `<rng>`: a device by which the guest takes random numbers from the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    /// Virtio variant: `virtio` lets the driver choose, `virtio-transitional` also works with guests that know virtio
    /// 0.9 only, `virtio-non-transitional` needs virtio 1.0 or newer.
    #[xml(attr)]
    pub model: VirtioModel,
    /// Limit on the random numbers that the guest may take; none if absent.
    #[xml(child)]
    pub rate: Option<RngRate>,
    /// Source of random numbers on the host.
    #[xml(child)]
    pub backend: RngBackend,
    /// Options that all virtio devices have.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
    /// Alias and address of the device.
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

/// `<panic>`: a device by which the guest's kernel reports that it has crashed.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Panic {
    /// Device model: `isa`, `pseries`, `hyperv`, `s390`, `pvpanic`; chosen by machine type if absent.
    #[xml(attr)]
    pub model: Option<PanicModel>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// `<cid>`: the address (context ID) of the guest.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VsockCid {
    /// Whether the driver chooses a free address at start.
    #[xml(attr)]
    pub auto: Option<YesNo>,
    /// Address of the guest, 3 to 4294967294; 0 counts as absent.
    #[xml(attr)]
    pub address: Option<u32>,
}

/// `<vsock>`: sockets between host and guest without a network.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Vsock {
    /// Virtio variant: `virtio` lets the driver choose, `virtio-transitional` also works with guests that know virtio
    /// 0.9 only, `virtio-non-transitional` needs virtio 1.0 or newer.
    #[xml(attr)]
    pub model: Option<VirtioModel>,
    /// Address (context ID) of the guest.
    #[xml(child, skip_empty)]
    pub cid: Option<VsockCid>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Options that all virtio devices have.
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

/// `<driver>`: settings of an IOMMU.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IommuDriver {
    /// Whether interrupts are remapped; requires `<ioapic driver='qemu'/>`.
    #[xml(attr)]
    pub intremap: Option<OnOff>,
    /// Whether the guest must flush cached mappings, as assigned host devices require; `off` if absent.
    #[xml(attr)]
    pub caching_mode: Option<OnOff>,
    /// Whether x2APIC addresses (extended interrupt mode) can be used, as more than 255 virtual CPUs require.
    #[xml(attr)]
    pub eim: Option<OnOff>,
    /// Whether devices may cache translations (device IOTLB).
    #[xml(attr)]
    pub iotlb: Option<OnOff>,
    /// Width of addresses in bits: 39, 48 or 57.
    #[xml(attr)]
    pub aw_bits: Option<u32>,
    /// Whether memory accesses of devices are translated; `on` if absent.
    #[xml(attr)]
    pub dma_translation: Option<OnOff>,
}

/// `<iommu>`: a device that translates memory accesses of the guest's devices.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Iommu {
    /// Device model: `intel`, `smmuv3` (ARM), `virtio` or `amd`.
    #[xml(attr)]
    pub model: IommuModel,
    /// Settings of the IOMMU; the hypervisor's defaults if absent.
    #[xml(child, skip_empty)]
    pub driver: Option<IommuDriver>,
    /// Alias and address of the device.
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

/// `<backend>`: what does the cryptographic work on the host.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoBackend {
    /// Backend: `builtin` (the hypervisor itself) or `lkcf` (the host's kernel).
    #[xml(attr)]
    pub model: CryptoBackendModel,
    /// Number of virtio queues; 1 if absent.
    #[xml(attr)]
    pub queues: Option<u32>,
}

/// `<crypto>`: a device that does cryptographic work for the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Device model: always `virtio`.
    #[xml(attr)]
    pub model: CryptoModel,
    /// Type of the device: always `qemu`.
    #[xml(attr = "type")]
    pub kind: CryptoType,
    /// What does the work on the host.
    #[xml(child)]
    pub backend: CryptoBackend,
    /// Options that all virtio devices have.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

xml_names! {
    /// What a persistent store is.
    pub enum PstoreBackend {
        AcpiErst = "acpi-erst",
    }
}

/// `<pstore>`: persistent memory in which the guest's kernel keeps logs of a crash.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Pstore {
    /// Backend in the guest: `acpi-erst`.
    #[xml(attr)]
    pub backend: PstoreBackend,
    /// Absolute path of the file with the contents; chosen by the driver if absent.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Size of the persistent memory.
    #[xml(child)]
    pub size: virtbus_xml::Kib,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// `<nvram>` in `<devices>`: the address of the NVRAM of pSeries guests.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NvramDevice {
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// `<target>`: the file with the lease.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct LeaseTarget {
    /// Absolute path of the file.
    #[xml(attr)]
    pub path: Text,
    /// Offset of the lease in the file, in bytes.
    #[xml(attr, absent = "0")]
    pub offset: Option<u64>,
}

/// `<lease>`: a lock that the lock manager must hold while the guest runs.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Name of the lockspace that the lock belongs to.
    #[xml(text_child)]
    pub lockspace: Option<Text>,
    /// Name of the lock, unique in its lockspace.
    #[xml(text_child)]
    pub key: Text,
    /// File that has the lease.
    #[xml(child)]
    pub target: LeaseTarget,
}
