//! What the XML documents of the public API share: identifiers, addresses, labels, processors, errors.
//!
//! Documents themselves are in `virtbus-conf-domain`, `virtbus-conf-host` and `virtbus-conf-storage`: parse,
//! complete, validate, format, compare. There is no I/O in any of them, and nothing that knows a hypervisor: what a
//! driver means by leaving something out, and what it cannot do, comes in through traits.

#![forbid(unsafe_code)]

pub mod common;
pub mod cpu;
mod entropy;
mod error;
mod identity;
pub mod reference;

pub use entropy::Entropy;
pub use error::{ConfError, ConfErrorKind, Result};
pub use identity::{Identity, NamePlace};
pub use virtbus_xml::{
    AnyBase, Base16, BitSet, Bytes, ErrorKind, Flags, Fragment, FragmentNode, Hex, Kib, Limits,
    OnOff, Rare, Text, Value, XmlError, YesNo, format_text,
};
