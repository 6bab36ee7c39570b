//! Virtual networks of this host.
//!
//! - [`check`]: what of a definition this driver can do, and which texts may reach other programs.
//! - [`dnsmasq`]: a network's DHCP and DNS server.
//! - [`firewall`]: the packet filter of a network, as values.
//!
//! Nothing here knows a hypervisor or a bus.

#![forbid(unsafe_code)]

pub mod check;
pub mod dnsmasq;
pub mod firewall;
pub mod names;
