//! The status document: `<domstatus>`, what libvirt's drivers keep of a running guest.
//!
//! It is here to read guests that libvirt has started; our own drivers keep their state otherwise. The definition in it is
//! that of the running guest, in the form for drivers. What the QEMU driver keeps has types; what other drivers do is kept as it is.

mod block_job;
mod complete;
mod job;
mod qemu;
mod state;

use virtbus_xml::{
    Content, Describe, Document, Flags, Fragment, Kind, Node, Part, Result, Text, Writer, XmlError,
};

pub use block_job::{
    BlockJob, BlockJobChains, BlockJobDisk, BlockJobState, BlockJobType, BlockJobs, CreateMode,
};
pub use complete::StatusFolders;
pub use job::{
    AsyncJob, Job, JobDisk, JobPhase, JobSource, JobType, MigrationParameter, TemporaryBitmap,
};
pub use qemu::{
    Monitor, MonitorType, Namespaces, Numad, QemuFlags, QemuStatus, SlirpFeature, SlirpHelper,
    VcpuThread, VcpuThreads,
};
pub use state::{DomainState, StateReason, Taint};

use crate::domain::Domain;

/// `<domstatus>`: the state of a running guest, as a driver of libvirt writes it to its files.
#[derive(Describe, Debug, Clone, PartialEq)]
pub struct DomainStatus {
    /// State of the guest, such as `running` or `paused`.
    #[xml(attr)]
    pub state: DomainState,
    /// Reason for the state, such as `booted` or `user`.
    #[xml(attr)]
    pub reason: Option<StateReason>,
    /// Process ID of the hypervisor.
    #[xml(attr)]
    pub pid: Option<i64>,
    /// Reasons why the guest is tainted, such as `custom-argv`.
    #[xml(child_attr = "taint/flag")]
    pub taint: Vec<Taint>,
    /// Warning about something deprecated that the guest uses.
    #[xml(text_child)]
    pub deprecation: Vec<Text>,
    /// What the QEMU driver keeps of the guest.
    #[xml(flat)]
    pub qemu: Box<QemuStatus>,
    /// What other drivers keep.
    #[xml(skip)]
    pub other: Vec<Fragment>,
    /// Definition of the running guest.
    #[xml(child)]
    pub domain: Domain,
}

/// What everything in the document is written for, whoever asks.
const FOR_DRIVERS: Flags = Flags::SECURE
    .union(Flags::STATUS)
    .union(Flags::ACTUAL_NET)
    .union(Flags::PCI_ORIG_STATES)
    .union(Flags::CLOCK_ADJUST)
    .union(Flags::VOLUME_TRANSLATED);

impl Content for DomainStatus {
    fn parse(node: Node<'_>) -> Result<Self> {
        let status = Self {
            state: node.attr_req("state")?,
            reason: node.attr_opt("reason")?,
            pid: node.attr_opt("pid")?,
            taint: node.child_attr_vec("taint", "flag")?,
            deprecation: node.text_child_vec("deprecation")?,
            qemu: Content::parse(node)?,
            other: node
                .elements()
                .filter(|child| child.namespace().is_some() || !is_known(child.name()))
                .map(Fragment::parse)
                .collect::<Result<_>>()?,
            domain: node.child_req("domain")?,
        };
        Ok(status)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("state", &self.state);
        w.attr_opt("reason", &self.reason);
        w.attr_opt("pid", &self.pid);
    }

    fn children(&self, w: &mut Writer) {
        let flags = w.flags();
        w.set_flags(FOR_DRIVERS);
        for flag in &self.taint {
            w.attr_element("taint", "flag", flag);
        }
        for warning in &self.deprecation {
            w.text_element("deprecation", warning);
        }
        self.qemu.children(w);
        for fragment in &self.other {
            w.fragment(fragment);
        }
        // Without a number it is not taken for inactive either.
        w.element("domain", &self.domain);
        w.set_flags(flags);
    }
}

/// Whether a child of this name has a place of its own.
fn is_known(name: &str) -> bool {
    fn has(parts: &[Part], name: &str) -> bool {
        parts.iter().any(|part| match &part.kind {
            Kind::Attribute(_) => false,
            Kind::Flat(describe) => has(describe().parts, name),
            _ => part.within.first().map_or(part.name, |step| step.name) == name,
        })
    }
    has(DomainStatus::describe().parts, name)
}

impl DomainStatus {
    /// Reads a document. What is not known is kept, if it stands beside the definition, and ignored elsewhere.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.stored().read("domstatus")
    }

    /// Reads a document. What is not known is an error, unless it stands beside the definition.
    ///
    /// # Errors
    /// Those of [`DomainStatus::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?.stored();
        let status = doc.read("domstatus")?;
        doc.check_no_leftovers()?;
        Ok(status)
    }

    /// Writes the document, with passwords and everything else that only drivers may see.
    pub fn format(&self) -> String {
        self.to_xml("domstatus", FOR_DRIVERS)
    }
}
