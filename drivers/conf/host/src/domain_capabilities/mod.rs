//! The domain capabilities document: `<domainCapabilities>`, what a guest of one emulator and machine can
//! have.
//!
//! Values are text here: which of them there are is up to the hypervisor.

mod cpu;
mod features;

use std::fmt::Display;

use virtbus_conf_base::common::{Arch, VirtType};
use virtbus_xml::{Content, Document, Flags, Text, Xml, XmlError, YesNo, format_text};

pub use cpu::{CpuBlockers, CpuCapabilities, CustomCpu, CustomModel, HostModelCpu, Usable};
pub use features::{FeatureCapabilities, SevCapabilities, SgxCapabilities, SgxSection};

/// `<enum>`: the values that an attribute or element can have.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Name of the attribute or element.
    #[xml(attr)]
    pub name: Text,
    /// Values that are supported; none if there are none.
    #[xml(text_child)]
    pub value: Vec<Text>,
}

/// Whether something is supported, and with which values.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Whether it is supported at all; if not, no values are told.
    #[xml(attr)]
    pub supported: YesNo,
    /// Values that the element's own text can have.
    #[xml(text_child)]
    pub value: Vec<Text>,
    /// Values that its attributes and children can have.
    #[xml(child = "enum")]
    pub choices: Vec<Choice>,
}

impl Support {
    /// It cannot be had.
    pub const NO: Self = Self {
        supported: YesNo::No,
        value: Vec::new(),
        choices: Vec::new(),
    };

    /// It can be had; [`Support::with`] says how.
    pub const YES: Self = Self {
        supported: YesNo::Yes,
        value: Vec::new(),
        choices: Vec::new(),
    };

    /// Adds the values that `name` can have, of which there may be none.
    #[must_use]
    pub fn with<T: Display>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.choices.push(Choice {
            name: name.into(),
            value: values.into_iter().map(|v| format_text!("{v}")).collect(),
        });
        self
    }

    /// The values that `name` can have, if it is known.
    pub fn values(&self, name: &str) -> Option<&[Text]> {
        let choice = self.choices.iter().find(|choice| choice.name == name)?;
        Some(&choice.value)
    }

    /// Whether `name` can have `value`.
    pub fn offers(&self, name: &str, value: &str) -> bool {
        self.supported == YesNo::Yes
            && self
                .values(name)
                .is_some_and(|values| values.iter().any(|v| v == value))
    }
}

/// `<os>`: how guests can boot.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct OsCapabilities {
    /// Whether boot settings are supported, and which kinds of firmware can be chosen automatically.
    #[xml(flat)]
    pub support: Support,
    /// Firmware images, and how they can be mapped.
    #[xml(child)]
    pub loader: Option<Support>,
}

/// `<devices>`: the devices that guests can have.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceCapabilities {
    /// Disks: devices, buses and models.
    #[xml(child)]
    pub disk: Option<Support>,
    /// Graphical displays: their types.
    #[xml(child)]
    pub graphics: Option<Support>,
    /// Video cards: their models.
    #[xml(child)]
    pub video: Option<Support>,
    /// Assigned host devices: modes, policies and types.
    #[xml(child)]
    pub hostdev: Option<Support>,
    /// Random number generators: models and backends.
    #[xml(child)]
    pub rng: Option<Support>,
    /// Shared host folders: their drivers.
    #[xml(child)]
    pub filesystem: Option<Support>,
    /// Trusted platform modules: models, backends and versions.
    #[xml(child)]
    pub tpm: Option<Support>,
    /// Redirected client devices: their buses.
    #[xml(child)]
    pub redirdev: Option<Support>,
    /// Channels between guest and host: their types.
    #[xml(child)]
    pub channel: Option<Support>,
    /// Crypto devices: models, types and backends.
    #[xml(child)]
    pub crypto: Option<Support>,
    /// Network interfaces: their backends.
    #[xml(child)]
    pub interface: Option<Support>,
    /// Panic notifier devices: their models.
    #[xml(child)]
    pub panic: Option<Support>,
}

/// `<domainCapabilities>`: what guests of one emulator, architecture and machine type can have.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DomainCapabilities {
    /// Path of the emulator that is described.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Hypervisor type that is described, as in `<domain type='…'>`.
    #[xml(text_child)]
    pub domain: VirtType,
    /// Machine type that is described.
    #[xml(text_child)]
    pub machine: Option<Text>,
    /// Architecture that is described.
    #[xml(text_child)]
    pub arch: Arch,
    /// Largest number of virtual CPUs of the machine type.
    #[xml(child_attr = "vcpu/max")]
    pub vcpu_max: Option<u32>,
    /// Whether guests can have I/O threads.
    #[xml(child_attr = "iothreads/supported")]
    pub iothreads: Option<YesNo>,
    /// Firmware, and how guests can boot.
    #[xml(child)]
    pub os: Option<OsCapabilities>,
    /// Processor modes and models that guests can have.
    #[xml(child)]
    pub cpu: Option<CpuCapabilities>,
    /// Sources and access modes of guest memory.
    #[xml(child = "memoryBacking")]
    pub memory_backing: Option<Support>,
    /// Devices that guests can have.
    #[xml(child, skip_empty)]
    pub devices: Option<DeviceCapabilities>,
    /// Features that guests can have.
    #[xml(child, skip_empty)]
    pub features: Option<FeatureCapabilities>,
}

impl DomainCapabilities {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("domainCapabilities")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`DomainCapabilities::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let capabilities = doc.read("domainCapabilities")?;
        doc.check_no_leftovers()?;
        Ok(capabilities)
    }

    /// Writes the document.
    pub fn format(&self) -> String {
        self.to_xml("domainCapabilities", Flags::empty())
    }
}
