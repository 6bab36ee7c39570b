//! The XML kernel under the crates of `drivers/conf`: an arena DOM, a writer in libvirt's style, value types, and
//! the [`Content`] trait that the `Xml` derive fills in.
//!
//! A document is read into a [`Document`] first; types then take what they know out of it by name,
//! and what nobody took is the list of unknowns. Nothing in here knows a domain or a network, fills
//! in a default, or opens a file. There are no DTDs, no external entities and no XPath.

#![forbid(unsafe_code)]

// The derive names this crate as others do.
extern crate self as virtbus_xml;

mod bitset;
mod build;
mod content;
mod describe;
mod dom;
mod error;
mod fragment;
mod names;
mod numbers;
mod rare;
mod scaled;
mod scan;
mod text;
mod value;
mod writer;

pub use bitset::BitSet;
pub use build::Limits;
pub use content::Content;
pub use describe::{Choice, Describe, Description, Kind, Occurs, Part, Step, Values, Variant, Way};
pub use dom::{Attribute, Document, Leftover, Node};
#[doc(hidden)]
pub fn one_of(names: &[&str]) -> std::borrow::Cow<'static, str> {
    names::one_of(names)
}

pub use error::{ErrorKind, Result, XmlError, shortened};
pub use fragment::{Fragment, FragmentNode};
pub use numbers::{AnyBase, Base16, Hex, OctalMode};
pub use rare::{Nothing, Rare};
pub use scaled::{Bytes, Kib, ParseUnitError, Scaled, scale_factor};
pub use value::{OnOff, Text, Value, YesNo, format_text};
pub use virtbus_xml_derive::{Describe, Nothing, Xml};
pub use writer::{Flags, Writer};
