//! What a document is about: the name and UUID in it, found without reading the rest.
//!
//! Whoever may be refused is asked about by these, so they are exactly those that the whole document would give. Documents
//! that cannot be gone through are refused; what is wrong behind the last of the two is not noticed here. Where each kind
//! has them is told by the crate that has the kind.

use virtbus_xml::{Document, Result, Text, XmlError};

use crate::common::Uuid;

/// The names by which a document tells what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Name, where the document has one.
    pub name: Option<Text>,
    /// UUID, where the document has one.
    pub uuid: Option<Uuid>,
    /// Ethernet address, of interfaces of the host.
    pub mac: Option<Text>,
}

/// Where documents of a kind have the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePlace {
    /// In a child, which has to be there.
    Required,
    /// In a child, which may be absent.
    Optional,
    /// In an attribute of the root, which has to be there.
    Attribute,
    /// Nowhere.
    None,
}

impl Identity {
    /// What a document with the root element `root` is about, if its kind has the name at `name` and maybe a UUID.
    ///
    /// # Errors
    /// Malformed XML before name and UUID were found, or that they are missing or none.
    pub fn find(xml: &str, root: &str, name: NamePlace, has_uuid: bool) -> Result<Self, XmlError> {
        let in_child = matches!(name, NamePlace::Required | NamePlace::Optional);
        let wanted: &[&str] = match (in_child, has_uuid) {
            (true, true) => &["name", "uuid"],
            (true, false) => &["name"],
            (false, true) => &["uuid"],
            (false, false) => &[],
        };
        let doc = Document::skim(xml, wanted)?;
        let node = doc.expect_root(root)?;
        Ok(Self {
            name: match name {
                NamePlace::Required => Some(node.text_child_req("name")?),
                NamePlace::Optional => node.text_child_opt("name")?,
                NamePlace::Attribute => Some(node.attr_req("name")?),
                NamePlace::None => None,
            },
            uuid: if has_uuid {
                node.text_child_opt("uuid")?
            } else {
                None
            },
            mac: None,
        })
    }
}

/// Gives types of documents the function `identify`: name of the root element, where the name is, and whether there is a UUID.
#[macro_export]
macro_rules! identified {
    ($($type:ty: $root:literal, $name:ident, $uuid:literal;)+) => {$(
        impl $type {
            /// What a document is about, without reading the rest of it.
            ///
            /// # Errors
            /// Malformed XML before name and UUID were found, or that they are missing or none.
            pub fn identify(
                xml: &str,
            ) -> ::std::result::Result<$crate::Identity, $crate::XmlError> {
                $crate::Identity::find(xml, $root, $crate::NamePlace::$name, $uuid)
            }
        }
    )+};
}
