//! `<cpu>` of a host: in its capabilities, and where clients compare processors.

use virtbus_xml::{
    Content, Describe, Document, ErrorKind, Flags, Node, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

use super::{CpuCache, CpuFeature, CpuModel, CpuTopology, GuestCpu, MaxPhysAddr};
use crate::common::Arch;
use crate::common::scaled_attr;

/// `<signature>`: identification that the processor reports by CPUID.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuSignature {
    /// Family number that CPUID reports.
    #[xml(attr)]
    pub family: u32,
    /// Model number that CPUID reports.
    #[xml(attr)]
    pub model: u32,
    /// Stepping number that CPUID reports.
    #[xml(attr)]
    pub stepping: u32,
}

/// `<microcode>`: the microcode loaded on the host.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuMicrocode {
    /// Version of the microcode loaded on the host.
    #[xml(attr)]
    pub version: u32,
}

xml_names! {
    /// What counts.
    pub enum CpuCounterName {
        Tsc = "tsc",
    }
}

/// `<counter>`: a counter of the host's processor that runs at a constant frequency.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuCounter {
    /// Name of the counter: always `tsc`, the time stamp counter.
    #[xml(attr)]
    pub name: CpuCounterName,
    /// Frequency of the counter in Hz.
    #[xml(attr)]
    pub frequency: u64,
    /// Whether the processor can show guests another frequency than its own.
    #[xml(attr)]
    pub scaling: Option<YesNo>,
}

/// `<pages>`: a page size that the host's processor supports.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the page size; without it the size is in bytes."))]
pub struct CpuPageSize(
    /// Size of a page; in bytes if no unit is given.
    #[xml(attr = "size", value = u64)]
    pub virtbus_xml::Kib,
);

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

/// `<features>`: features of the processor of a Xen host.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuFlags {
    /// Physical address extension: physical addresses of more than 32 bits.
    #[xml(flag)]
    pub pae: bool,
    /// The processor can also run without physical address extension.
    #[xml(flag)]
    pub nonpae: bool,
    /// Intel's hardware virtualization (VT-x) is available.
    #[xml(flag)]
    pub vmx: bool,
    /// AMD's hardware virtualization (AMD-V) is available.
    #[xml(flag)]
    pub svm: bool,
}

/// `<cpu>` of a host: its processor, in terms of a known model.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCpu {
    /// Architecture of the host's processor.
    #[xml(text_child)]
    pub arch: Option<Arch>,
    /// Features of the processor of a Xen host.
    #[xml(child, skip_empty)]
    pub features: Option<CpuFlags>,
    /// Known model with the most features that the host's processor all has.
    #[xml(child, skip_empty)]
    pub model: Option<CpuModel>,
    /// Vendor of the host's processor.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Microcode that is loaded on the host.
    #[xml(child)]
    pub microcode: Option<CpuMicrocode>,
    /// Family, model and stepping that the processor reports.
    #[xml(child)]
    pub signature: Option<CpuSignature>,
    /// Time stamp counter of the host.
    #[xml(child)]
    pub counter: Option<CpuCounter>,
    /// Numbers of sockets, dies, cores and threads.
    #[xml(child)]
    pub topology: Option<CpuTopology>,
    /// Caches of the processor that guests see.
    #[xml(child)]
    pub cache: Option<CpuCache>,
    /// Width of physical addresses of the host.
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    /// Features that the processor has beyond those of the model.
    #[xml(child)]
    pub feature: Vec<CpuFeature>,
    /// Page sizes that the processor supports.
    #[xml(child)]
    pub pages: Vec<CpuPageSize>,
}

/// `<cpu>`: a processor in a document of its own, as used to compare processors and to find their common features.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum Cpu {
    /// Processor of a host; recognized by its `<arch>`.
    #[xml(flat, required)]
    Host(HostCpu),
    /// Processor that a guest asks for.
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
