//! The filter binding document: `<filterbinding>`, which filter holds for which port of a guest.

use virtbus_conf_base::common::{Mac, Uuid};
use virtbus_xml::{Document, Flags, Result, Text, Xml, XmlError};

use crate::nwfilter::FilterReference;

/// `<owner>`: the guest that the interface belongs to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BindingOwner {
    /// Name of the guest.
    #[xml(text_child)]
    pub name: Text,
    /// UUID of the guest.
    #[xml(text_child)]
    pub uuid: Uuid,
}

/// `<filterbinding>`: the filter that applies to one guest interface.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NwFilterBinding {
    /// Guest that the interface belongs to.
    #[xml(child)]
    pub owner: BindingOwner,
    /// Name of the guest interface's device on the host, which identifies the binding.
    #[xml(child_attr = "portdev/name")]
    pub portdev: Text,
    /// Interface of the host that the guest is attached to directly (macvtap).
    #[xml(child_attr = "linkdev/name")]
    pub linkdev: Option<Text>,
    /// MAC address of the guest's interface.
    #[xml(child_attr = "mac/address")]
    pub mac: Mac,
    /// Filter that applies, with values for its variables.
    #[xml(child)]
    pub filterref: FilterReference,
}

impl NwFilterBinding {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("filterbinding")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`NwFilterBinding::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let binding = doc.read("filterbinding")?;
        doc.check_no_leftovers()?;
        Ok(binding)
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        virtbus_xml::Content::to_xml(self, "filterbinding", flags)
    }
}
