//! Machine types, CPU models and what an accelerator makes of them.
//!
//! Plain values with short names in their saved form; nothing here asks QEMU.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A version of QEMU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub micro: u32,
}

impl Version {
    /// As libvirt's API gives it: `major × 1 000 000 + minor × 1 000 + micro`.
    pub fn number(self) -> u64 {
        u64::from(self.major) * 1_000_000 + u64::from(self.minor) * 1_000 + u64::from(self.micro)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// A machine type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// Another name for it, such as `q35`.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// How many virtual CPUs it can have.
    #[serde(rename = "m")]
    pub max_cpus: u32,
    /// The CPU type that comes without `-cpu`, such as `qemu64-x86_64-cpu`.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub default_cpu: Option<String>,
    /// Id of the memory backend for its main memory, such as `pc.ram`; `None` before QEMU 5.0 and
    /// for machines that want none.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub default_ram_id: Option<String>,
    /// Whether it can have ACPI; `None` if QEMU does not say.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub acpi: Option<bool>,
    /// Whether it is what comes without `-machine`.
    #[serde(rename = "d", skip_serializing_if = "is_false")]
    pub is_default: bool,
    /// Whether virtual CPUs can be plugged in.
    #[serde(rename = "h", skip_serializing_if = "is_false")]
    pub hotplug_cpus: bool,
    /// Whether NUMA nodes may have memory without a backend.
    #[serde(rename = "u", skip_serializing_if = "is_false")]
    pub numa_mem: bool,
    /// Whether QEMU is going to drop it.
    #[serde(rename = "o", skip_serializing_if = "is_false")]
    pub deprecated: bool,
}

/// A CPU model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuModel {
    /// Name for `-cpu`.
    #[serde(rename = "n")]
    pub name: String,
    /// QOM type.
    #[serde(rename = "t", skip_serializing_if = "String::is_empty")]
    pub typename: String,
    /// Features that it needs and that cannot be had here, separated by spaces; empty if it can be
    /// used, `None` if QEMU does not tell.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    blockers: Option<String>,
    /// Features that should be turned off (s390x), separated by spaces.
    #[serde(rename = "p", skip_serializing_if = "String::is_empty")]
    deprecated_features: String,
    /// The model that it stands for.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<String>,
    /// Whether QEMU is going to drop it.
    #[serde(rename = "o", skip_serializing_if = "is_false")]
    pub deprecated: bool,
}

impl CpuModel {
    /// A model by name and type. Features must not contain spaces; those that do are dropped.
    pub fn new(name: String, typename: String, blockers: Option<Vec<String>>) -> Self {
        Self {
            name,
            typename,
            blockers: blockers.map(|features| join(&features)),
            ..Self::default()
        }
    }

    /// Sets which features should be turned off.
    pub fn set_deprecated_features(&mut self, features: &[String]) {
        self.deprecated_features = join(features);
    }

    /// Whether a guest can have it here; `None` if QEMU does not tell.
    pub fn is_usable(&self) -> Option<bool> {
        self.blockers.as_deref().map(str::is_empty)
    }

    /// Features that it needs and that cannot be had here.
    pub fn blockers(&self) -> impl Iterator<Item = &str> {
        self.blockers
            .as_deref()
            .unwrap_or_default()
            .split_ascii_whitespace()
    }

    /// Features that should be turned off.
    pub fn deprecated_features(&self) -> impl Iterator<Item = &str> {
        self.deprecated_features.split_ascii_whitespace()
    }
}

fn join(features: &[String]) -> String {
    let plain = features
        .iter()
        .map(String::as_str)
        .filter(|name| !name.contains(|c: char| c.is_ascii_whitespace()));
    plain.collect::<Vec<_>>().join(" ")
}

/// The value of a CPU property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PropertyValue {
    /// On or off.
    Bool(bool),
    /// A number.
    Number(i64),
    /// Text.
    Text(String),
}

/// The best CPU that a guest can have here, as QEMU expands `host` or `max`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostModel {
    /// The model that the properties are added to, such as `base`.
    #[serde(rename = "n")]
    pub name: String,
    /// Properties, also those that do not survive migration.
    #[serde(rename = "p")]
    pub properties: BTreeMap<String, PropertyValue>,
    /// Names of those that are on but would not survive migration; `None` if QEMU does not tell
    /// them apart.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub unmigratable: Option<Vec<String>>,
    /// Which of its features should be turned off (s390x).
    #[serde(rename = "d", skip_serializing_if = "Vec::is_empty", default)]
    pub deprecated_properties: Vec<String>,
}

/// What an emulator can do with one accelerator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accelerated {
    /// Machine types in QEMU's order, without `none`.
    pub machines: Vec<Machine>,
    /// CPU models in QEMU's order.
    pub cpu_models: Vec<CpuModel>,
    /// The best CPU; `None` if this architecture's QEMU cannot tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host_model: Option<HostModel>,
    /// Hyper-V enlightenments that the host can provide (KVM on x86), without the `hv-` before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hyperv: Vec<String>,
}

impl Accelerated {
    /// Finds a machine type by its name or alias.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        let by_name = self.machines.iter().find(|machine| machine.name == name);
        by_name.or_else(|| {
            let mut machines = self.machines.iter();
            machines.find(|machine| machine.alias.as_deref() == Some(name))
        })
    }

    /// What comes without `-machine`, if anything does.
    pub fn default_machine(&self) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.is_default)
    }

    /// Finds a CPU model by its name.
    pub fn cpu_model(&self, name: &str) -> Option<&CpuModel> {
        self.cpu_models.iter().find(|model| model.name == name)
    }
}

/// A generic interrupt controller (Arm).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gic {
    /// 2 or 3.
    pub version: u32,
    /// Whether QEMU emulates it.
    pub emulated: bool,
    /// Whether KVM provides it.
    pub kernel: bool,
}

/// AMD's encrypted guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sev {
    /// Platform Diffie-Hellman key, base64.
    pub pdh: String,
    /// Certificate chain, base64.
    pub cert_chain: String,
    /// Identity of the first processor, base64.
    pub cpu0_id: Option<String>,
    /// Bit of an address that says that it is encrypted.
    pub cbitpos: u32,
    /// Physical address bits lost.
    pub reduced_phys_bits: u32,
}

/// Intel's enclaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sgx {
    /// Flexible launch control.
    pub flc: bool,
    /// Version 1.
    pub sgx1: bool,
    /// Version 2.
    pub sgx2: bool,
    /// Enclave memory altogether, in bytes.
    pub section_size: u64,
    /// Enclave memory by NUMA node, in bytes.
    pub sections: Vec<(i64, u64)>,
}

fn is_false(value: &bool) -> bool {
    !value
}
