//! The capabilities document: `<capabilities>`, what a host is and which guests it can have.
//!
//! Looking at the host is up to the drivers.

mod guest;
mod host;
mod resctrl;
mod topology;

use virtbus_xml::{Content, Describe, Document, Flags, Node, Result, Writer, XmlError};

pub use guest::{
    GuestArch, GuestCapabilities, GuestDomain, GuestFeatures, GuestMachine, GuestToggle,
};
pub use host::{BaseLabel, HostCapabilities, MigrationFeatures, PowerManagement, SecModel};
pub use resctrl::{
    BandwidthControl, BandwidthNode, CacheBank, CacheControl, CacheKind, HostCaches,
    MemoryBandwidth, Monitor,
};
pub use topology::{HostCell, HostPages, HostThread, HostTopology};

/// `<capabilities>`: this host, and the kinds of guests that it can run.
#[derive(Describe, Debug, Clone, Default, PartialEq)]
pub struct Capabilities {
    /// Hardware and features of this host.
    #[xml(child)]
    pub host: HostCapabilities,
    /// Kinds of guests that this host can run.
    #[xml(child = "guest")]
    pub guests: Vec<GuestCapabilities>,
}

impl Content for Capabilities {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            host: node.child_req("host")?,
            guests: node.child_vec("guest")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    /// With an empty line around each part.
    fn children(&self, w: &mut Writer) {
        w.blank_line();
        w.element_open("host", &self.host);
        w.blank_line();
        for guest in &self.guests {
            w.element("guest", guest);
            w.blank_line();
        }
    }
}

impl Capabilities {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("capabilities")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Capabilities::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let capabilities = doc.read("capabilities")?;
        doc.check_no_leftovers()?;
        Ok(capabilities)
    }

    /// Writes the document.
    pub fn format(&self) -> String {
        self.to_xml("capabilities", Flags::empty())
    }
}
