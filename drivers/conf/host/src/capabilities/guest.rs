//! `<guest>`: a kind of guest that the host can have.

use virtbus_conf_base::common::{Arch, OsType, VirtType};
use virtbus_xml::{OnOff, Text, Xml, YesNo};

/// `<machine>`: a machine type that guests can have.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestMachine {
    /// Full name of the machine type, if this name is an alias.
    #[xml(attr)]
    pub canonical: Option<Text>,
    /// Largest number of virtual CPUs that the machine type takes.
    #[xml(attr = "maxCpus")]
    pub max_cpus: Option<u32>,
    /// Whether the hypervisor has announced that the machine type will be removed.
    #[xml(attr)]
    pub deprecated: Option<YesNo>,
    /// Name of the machine type, as in `<type machine='…'>`.
    #[xml(text)]
    pub name: Text,
}

/// `<domain>`: a hypervisor type, with what differs from the values of the architecture.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct GuestDomain {
    /// Hypervisor type, as in `<domain type='…'>`.
    #[xml(attr = "type")]
    pub virt_type: VirtType,
    /// Path of the emulator, if it differs from that of the architecture.
    #[xml(text_child)]
    pub emulator: Option<Text>,
    /// Path of the loader, if it differs from that of the architecture.
    #[xml(text_child)]
    pub loader: Option<Text>,
    /// Machine types of this hypervisor, if they differ from those of the architecture.
    #[xml(child)]
    pub machine: Vec<GuestMachine>,
}

/// `<arch>`: a processor architecture that guests can have.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct GuestArch {
    /// Name of the architecture, as in `<type arch='…'>`.
    #[xml(attr)]
    pub name: Arch,
    /// Width of a machine word in bits: 32 or 64.
    #[xml(text_child)]
    pub wordsize: u32,
    /// Path of the emulator that hypervisors of the architecture use.
    #[xml(text_child)]
    pub emulator: Option<Text>,
    /// Path of the loader that hypervisors of the architecture use.
    #[xml(text_child)]
    pub loader: Option<Text>,
    /// Machine types that all hypervisors of the architecture have.
    #[xml(child)]
    pub machine: Vec<GuestMachine>,
    /// Hypervisor types that can run such guests.
    #[xml(child)]
    pub domain: Vec<GuestDomain>,
}

/// A feature that has a default, and may be changed.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestToggle {
    /// State of the feature if a definition does not mention it.
    #[xml(attr)]
    pub default: OnOff,
    /// Whether a definition can change the state.
    #[xml(attr)]
    pub toggle: YesNo,
}

/// `<features>`: features that such guests can have.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuestFeatures {
    /// Guests can have physical addresses of more than 32 bits.
    #[xml(flag)]
    pub pae: bool,
    /// Guests can do without physical address extension.
    #[xml(flag)]
    pub nonpae: bool,
    /// IA-64 guests can be big-endian.
    #[xml(flag)]
    pub ia64_be: bool,
    /// Whether guests have ACPI by default, and whether that can be changed.
    #[xml(child)]
    pub acpi: Option<GuestToggle>,
    /// Whether guests have APICs by default, and whether that can be changed.
    #[xml(child)]
    pub apic: Option<GuestToggle>,
    /// Definitions can choose the processor model.
    #[xml(flag)]
    pub cpuselection: bool,
    /// Devices can have a boot order (`<boot order='…'/>`).
    #[xml(flag)]
    pub deviceboot: bool,
    /// Whether snapshots of single disks can be taken.
    #[xml(child)]
    pub disksnapshot: Option<GuestToggle>,
    /// Whether hardware-assisted paging is on by default, and whether that can be changed.
    #[xml(child)]
    pub hap: Option<GuestToggle>,
    /// External snapshots can be reverted to and deleted.
    #[xml(flag = "externalSnapshot")]
    pub external_snapshot: bool,
}

/// `<guest>`: a kind of guest that this host can run.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct GuestCapabilities {
    /// Kind of operating system interface: `hvm` is full virtualization, `exe` containers, `xen` paravirtualization.
    #[xml(text_child)]
    pub os_type: OsType,
    /// Architecture, with its machine types and hypervisors.
    #[xml(child)]
    pub arch: GuestArch,
    /// Features that such guests can have.
    #[xml(child, skip_empty)]
    pub features: Option<GuestFeatures>,
}
