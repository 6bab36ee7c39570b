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

/// `<enum>`: the values that something can have.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// What has them.
    #[xml(attr)]
    pub name: Text,
    /// The values.
    #[xml(text_child)]
    pub value: Vec<Text>,
}

/// Whether something can be had, and how.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Whether it can be had at all.
    #[xml(attr)]
    pub supported: YesNo,
    /// Values of the thing itself.
    #[xml(text_child)]
    pub value: Vec<Text>,
    /// Values of what belongs to it.
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

/// `<os>`: how a guest boots.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct OsCapabilities {
    /// Whether it can be said, and the kinds of firmware.
    #[xml(flat)]
    pub support: Support,
    /// Firmware files.
    #[xml(child)]
    pub loader: Option<Support>,
}

/// `<devices>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceCapabilities {
    /// Disks.
    #[xml(child)]
    pub disk: Option<Support>,
    /// Displays.
    #[xml(child)]
    pub graphics: Option<Support>,
    /// Video cards.
    #[xml(child)]
    pub video: Option<Support>,
    /// Devices of the host.
    #[xml(child)]
    pub hostdev: Option<Support>,
    /// Random numbers.
    #[xml(child)]
    pub rng: Option<Support>,
    /// File systems of the host.
    #[xml(child)]
    pub filesystem: Option<Support>,
    /// Trusted platform modules.
    #[xml(child)]
    pub tpm: Option<Support>,
    /// Devices of the client.
    #[xml(child)]
    pub redirdev: Option<Support>,
    /// Channels.
    #[xml(child)]
    pub channel: Option<Support>,
    /// Crypto devices.
    #[xml(child)]
    pub crypto: Option<Support>,
    /// Network interfaces.
    #[xml(child)]
    pub interface: Option<Support>,
    /// Panic devices.
    #[xml(child)]
    pub panic: Option<Support>,
}

/// `<domainCapabilities>`: what guests of one machine type and emulator can have.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DomainCapabilities {
    /// Program of the emulator.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Hypervisor.
    #[xml(text_child)]
    pub domain: VirtType,
    /// Machine type.
    #[xml(text_child)]
    pub machine: Option<Text>,
    /// Architecture.
    #[xml(text_child)]
    pub arch: Arch,
    /// Most virtual CPUs.
    #[xml(child_attr = "vcpu/max")]
    pub vcpu_max: Option<u32>,
    /// I/O threads.
    #[xml(child_attr = "iothreads/supported")]
    pub iothreads: Option<YesNo>,
    /// How it boots.
    #[xml(child)]
    pub os: Option<OsCapabilities>,
    /// Processor.
    #[xml(child)]
    pub cpu: Option<CpuCapabilities>,
    /// What backs its memory.
    #[xml(child = "memoryBacking")]
    pub memory_backing: Option<Support>,
    /// Devices.
    #[xml(child, skip_empty)]
    pub devices: Option<DeviceCapabilities>,
    /// Features.
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
