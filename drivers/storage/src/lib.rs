//! Storage pools of this host and the volumes in them. A subsystem, which every connection offers.
//!
//! - [`command`]: what programs are told, as values.
//!
//! Nothing here knows a hypervisor or a bus.

#![forbid(unsafe_code)]

pub mod command;
