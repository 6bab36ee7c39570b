//! The filter binding document: `<filterbinding>`, which filter holds for which port of a guest.

use virtbus_conf_base::common::{Mac, Uuid};
use virtbus_xml::{Document, Flags, Result, Text, Xml, XmlError};

use crate::nwfilter::FilterReference;

/// `<owner>`: the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BindingOwner {
    /// Its name.
    #[xml(text_child)]
    pub name: Text,
    /// Its UUID.
    #[xml(text_child)]
    pub uuid: Uuid,
}

/// `<filterbinding>`: which filter an interface of a guest has.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NwFilterBinding {
    /// The guest.
    #[xml(child)]
    pub owner: BindingOwner,
    /// The host's end of the guest's interface, which names the binding.
    #[xml(child_attr = "portdev/name")]
    pub portdev: Text,
    /// The host's interface that it is connected to without a bridge.
    #[xml(child_attr = "linkdev/name")]
    pub linkdev: Option<Text>,
    /// The guest's Ethernet address.
    #[xml(child_attr = "mac/address")]
    pub mac: Mac,
    /// The filter.
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
