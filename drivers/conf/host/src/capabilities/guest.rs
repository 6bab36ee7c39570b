//! `<guest>`: a kind of guest that the host can have.

use virtbus_conf_base::common::{Arch, OsType, VirtType};
use virtbus_xml::{OnOff, Text, Xml, YesNo};

/// `<machine>`: a machine type.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestMachine {
    /// The machine that this is another name of.
    #[xml(attr)]
    pub canonical: Option<Text>,
    /// Most virtual CPUs.
    #[xml(attr = "maxCpus")]
    pub max_cpus: Option<u32>,
    /// Whether it will go away.
    #[xml(attr)]
    pub deprecated: Option<YesNo>,
    /// Its name.
    #[xml(text)]
    pub name: Text,
}

/// `<domain>`: a hypervisor, with what differs from the architecture's.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct GuestDomain {
    /// Which.
    #[xml(attr = "type")]
    pub virt_type: VirtType,
    /// Its program.
    #[xml(text_child)]
    pub emulator: Option<Text>,
    /// Its loader.
    #[xml(text_child)]
    pub loader: Option<Text>,
    /// Its machine types.
    #[xml(child)]
    pub machine: Vec<GuestMachine>,
}

/// `<arch>`: an architecture.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct GuestArch {
    /// Which.
    #[xml(attr)]
    pub name: Arch,
    /// Bits of a word.
    #[xml(text_child)]
    pub wordsize: u32,
    /// Program of the hypervisors.
    #[xml(text_child)]
    pub emulator: Option<Text>,
    /// Their loader.
    #[xml(text_child)]
    pub loader: Option<Text>,
    /// Machine types.
    #[xml(child)]
    pub machine: Vec<GuestMachine>,
    /// Hypervisors.
    #[xml(child)]
    pub domain: Vec<GuestDomain>,
}

/// A feature that is on or off by default, and may be changed.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestToggle {
    /// What it is if nothing is said.
    #[xml(attr)]
    pub default: OnOff,
    /// Whether that can be changed.
    #[xml(attr)]
    pub toggle: YesNo,
}

/// `<features>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuestFeatures {
    /// Physical addresses of more than 32 bits.
    #[xml(flag)]
    pub pae: bool,
    /// Also without them.
    #[xml(flag)]
    pub nonpae: bool,
    /// IA-64 with the greatest byte first.
    #[xml(flag)]
    pub ia64_be: bool,
    /// ACPI.
    #[xml(child)]
    pub acpi: Option<GuestToggle>,
    /// APIC.
    #[xml(child)]
    pub apic: Option<GuestToggle>,
    /// Processor models can be chosen.
    #[xml(flag)]
    pub cpuselection: bool,
    /// Devices have a boot order.
    #[xml(flag)]
    pub deviceboot: bool,
    /// Snapshots of disks.
    #[xml(child)]
    pub disksnapshot: Option<GuestToggle>,
    /// Hardware assisted paging.
    #[xml(child)]
    pub hap: Option<GuestToggle>,
    /// External snapshots can be reverted to and deleted.
    #[xml(flag = "externalSnapshot")]
    pub external_snapshot: bool,
}

/// `<guest>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct GuestCapabilities {
    /// Kind of guest.
    #[xml(text_child)]
    pub os_type: OsType,
    /// Architecture.
    #[xml(child)]
    pub arch: GuestArch,
    /// Features.
    #[xml(child, skip_empty)]
    pub features: Option<GuestFeatures>,
}
