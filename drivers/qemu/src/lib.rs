//! The QEMU driver.
//!
//! ```text
//! driver ── each call of the driver API ──▶ domain (state, jobs) ── persist (what is on disk)
//!    start ── definition ── command ── prepare ──▶ a QEMU process
//!    watch ── monitor's events, the process's end ──▶ stop
//!    reconnect ── guests of an earlier daemon
//!    capabilities ── what an emulator can do; host ── what this host offers
//! ```
//!
//! Whatever a monitor keeps is private to [`monitor`]; it is attached to a running domain, and the watcher hears of its end by one
//! notification.

mod addresses;
mod autostart;
pub mod capabilities;
mod command;
mod config;
mod core;
mod cpus;
mod definition;
mod domain;
mod driver;
mod guest_log;
mod host;
mod host_xml;
mod job;
mod long;
pub mod monitor;
mod node;
mod persist;
mod ports;
mod prepare;
mod reconnect;
mod rename;
mod saving;
mod shutdown;
mod start;
mod stats;
mod stop;
mod stray;
mod tap;
mod tpm;
mod translate;
mod watch;

pub use config::{Config, Dirs, GuestUser, Timeouts};
pub use core::HostServices;
pub use driver::Qemu;
