//! A network's DHCP and DNS server.
//!
//! - [`configuration`]: the files that dnsmasq reads, made of a definition. Nothing of the host is looked at.
//! - [`text`]: how texts of a definition are written into these files.

mod configuration;
mod hosts;
pub mod text;

pub use configuration::{Configuration, Paths, is_needed};
