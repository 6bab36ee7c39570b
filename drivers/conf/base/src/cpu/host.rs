//! `<cpu>` of a host: in its capabilities, and where clients compare processors.

use virtbus_xml::{
    Content, Describe, Document, ErrorKind, Flags, Node, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

use super::{CpuCache, CpuFeature, CpuModel, CpuTopology, GuestCpu, MaxPhysAddr};
use crate::common::Arch;
use crate::common::scaled_attr;

/// `<signature>`: what a processor says it is.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuSignature {
    /// Family.
    #[xml(attr)]
    pub family: u32,
    /// Model.
    #[xml(attr)]
    pub model: u32,
    /// Stepping.
    #[xml(attr)]
    pub stepping: u32,
}

/// `<microcode>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuMicrocode {
    /// Its version.
    #[xml(attr)]
    pub version: u32,
}

xml_names! {
    /// What counts.
    pub enum CpuCounterName {
        Tsc = "tsc",
    }
}

/// `<counter>`: what counts with a constant frequency.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuCounter {
    /// What counts.
    #[xml(attr)]
    pub name: CpuCounterName,
    /// Frequency in Hz.
    #[xml(attr)]
    pub frequency: u64,
    /// Whether guests can have another one.
    #[xml(attr)]
    pub scaling: Option<YesNo>,
}

/// `<pages>`: a size that pages can have.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct CpuPageSize(#[xml(attr = "size", value = u64)] pub virtbus_xml::Kib);

impl Content for CpuPageSize {
    fn parse(node: Node<'_>) -> Result<Self> {
        scaled_attr(node, "size", 1).map(Self)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("unit", "KiB");
        w.attr("size", &self.0.0);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<features>` of the processors of Xen hosts.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuFlags {
    /// Physical addresses of more than 32 bits.
    #[xml(flag)]
    pub pae: bool,
    /// Also without them.
    #[xml(flag)]
    pub nonpae: bool,
    /// Virtualization of Intel.
    #[xml(flag)]
    pub vmx: bool,
    /// Virtualization of AMD.
    #[xml(flag)]
    pub svm: bool,
}

/// `<cpu>` of a host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCpu {
    /// Architecture.
    #[xml(text_child)]
    pub arch: Option<Arch>,
    /// Flags of the processors of Xen hosts.
    #[xml(child, skip_empty)]
    pub features: Option<CpuFlags>,
    /// The model that comes closest from below.
    #[xml(child, skip_empty)]
    pub model: Option<CpuModel>,
    /// Vendor.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Microcode.
    #[xml(child)]
    pub microcode: Option<CpuMicrocode>,
    /// Signature.
    #[xml(child)]
    pub signature: Option<CpuSignature>,
    /// Time stamp counter.
    #[xml(child)]
    pub counter: Option<CpuCounter>,
    /// Sockets, cores, threads.
    #[xml(child)]
    pub topology: Option<CpuTopology>,
    /// Caches.
    #[xml(child)]
    pub cache: Option<CpuCache>,
    /// Width of physical addresses.
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    /// Features beyond those of the model.
    #[xml(child)]
    pub feature: Vec<CpuFeature>,
    /// Sizes of pages.
    #[xml(child)]
    pub pages: Vec<CpuPageSize>,
}

/// `<cpu>`: a processor in a document of its own, as clients compare them.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum Cpu {
    /// A host's: it names its architecture.
    #[xml(flat, required)]
    Host(HostCpu),
    /// A guest's.
    #[xml(flat, required)]
    Guest(GuestCpu),
}

impl Cpu {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self> {
        Document::parse(xml)?.read("cpu")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Cpu::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self> {
        let doc = Document::parse(xml)?;
        let cpu = doc.read("cpu")?;
        doc.check_no_leftovers()?;
        Ok(cpu)
    }

    /// Writes the document.
    pub fn format(&self) -> String {
        self.to_xml("cpu", Flags::empty())
    }
}

impl Content for Cpu {
    fn parse(node: Node<'_>) -> Result<Self> {
        let Some(arch) = node.child("arch") else {
            return GuestCpu::parse(node).map(Self::Guest);
        };
        for only_guests in ["mode", "match"] {
            if node.attr(only_guests).is_some() {
                return Err(node.attr_error(
                    only_guests,
                    ErrorKind::Invalid,
                    "processors of hosts, which have an <arch>, do not have it",
                ));
            }
        }
        let cpu = HostCpu::parse(node)?;
        if cpu.arch.is_none() {
            return Err(arch.error(ErrorKind::Missing, "must not be empty"));
        }
        Ok(Self::Host(cpu))
    }

    fn attrs(&self, w: &mut Writer) {
        match self {
            Self::Host(cpu) => cpu.attrs(w),
            Self::Guest(cpu) => cpu.attrs(w),
        }
    }

    fn children(&self, w: &mut Writer) {
        match self {
            Self::Host(cpu) => cpu.children(w),
            Self::Guest(cpu) => cpu.children(w),
        }
    }
}
