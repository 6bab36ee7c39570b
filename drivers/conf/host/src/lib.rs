//! XML documents of what a host has beside domains and storage: networks and their ports, interfaces, packet filters,
//! devices, secrets, and what host and hypervisor can do.
//!
//! No I/O. Nothing here knows a domain's definition, so that a driver of networks does not compile one.

#![forbid(unsafe_code)]

pub mod capabilities;
pub mod domain_capabilities;
mod identity;
pub mod interface;
pub mod network;
pub mod network_port;
pub mod node_device;
pub mod nwfilter;
pub mod nwfilter_binding;
pub mod reference;
pub mod secret;
