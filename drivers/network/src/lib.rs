//! Virtual networks of this host. A subsystem, which every connection offers, and by which drivers of hypervisors plug guests in.
//!
//! ```text
//!   driver, ports ──▶ lifecycle ──▶ host ──▶ ip, nft, dnsmasq, tc
//!         │               │          └─▶ what they are told: dnsmasq, firewall, bandwidth
//!         └──────┬────────┘
//!           table, store, status
//! ```
//!
//! - [`check`], `definition`: what of a definition this driver can do, and which texts may reach other programs.
//! - [`dnsmasq`], [`firewall`], `bandwidth`: what programs of the host are told of a network, as values.
//! - `host`: how they are told, and what is looked at on the host.
//! - `table`: what is known of each network; reads wait for no work. `store` and `status`: what is on disk.
//! - `lifecycle`: a network up, changed, down, and found again by a new daemon.
//! - `first`: the network that a host has from the beginning.
//! - `driver`: the calls of networks; `ports`: ports, as guests need them.
//!
//! Nothing here knows a hypervisor or a bus.

#![forbid(unsafe_code)]

mod bandwidth;
pub mod check;
mod config;
mod core;
mod definition;
pub mod dnsmasq;
mod driver;
mod error;
pub mod firewall;
mod first;
mod flags;
mod host;
mod lifecycle;
pub mod names;
mod notes;
mod ports;
mod random;
mod status;
mod store;
mod table;
mod usage;

pub use config::{Backend, Config, Dirs, Programs, Timeouts};
pub use driver::NetworkDriver;
