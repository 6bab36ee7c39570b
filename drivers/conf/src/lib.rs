//! Every XML document of the public API as Rust types: parse, complete, validate, format, compare.
//!
//! There is no I/O here, and nothing that knows a hypervisor: what a driver means by leaving something
//! out, and what it cannot do, comes in through traits.

#![forbid(unsafe_code)]

pub mod backup;
pub mod capabilities;
pub mod checkpoint;
pub mod common;
pub mod cpu;
pub mod domain;
pub mod domain_capabilities;
pub mod domain_status;
mod error;
mod identity;
pub mod interface;
pub mod moment;
pub mod network;
pub mod network_port;
pub mod node_device;
pub mod nwfilter;
pub mod nwfilter_binding;
pub mod reference;
pub mod secret;
pub mod snapshot;
pub mod storage;
pub mod storage_pool;
pub mod storage_pool_capabilities;
pub mod storage_volume;

pub use error::{ConfError, ConfErrorKind};
pub use identity::Identity;
pub use virtbus_xml::{
    BitSet, Bytes, ErrorKind, Flags, Fragment, FragmentNode, Kib, Limits, OnOff, Rare, Text, Value,
    XmlError, YesNo, format_text,
};
