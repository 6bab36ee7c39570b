//! The QEMU driver.
//!
//! ```text
//! driver ── each call of the driver API ──▶ domain (state, jobs) ── persist (what is on disk)
//!    start ── definition ── command ── prepare ──▶ a QEMU process
//!    watch ── monitor's events, the process's end ──▶ stop
//!    reconnect ── guests of an earlier daemon
//!    host ── what this host offers
//! ```
//!
//! What is said to QEMU and to agents of guests is a crate of its own (`virtbus-qemu-monitor`), and so is what an emulator can do
//! (`virtbus-qemu-capabilities`). A monitor is attached to a running domain, and the watcher hears of its end by one notification.

mod addresses;
mod autostart;
mod command;
mod config;
mod core;
mod cpus;
mod definition;
mod domain;
mod driver;
mod flags;
mod folder;
mod guest_log;
mod host;
mod host_xml;
mod jobs;
mod node;
mod outside;
mod persist;
mod ports;
mod prepare;
mod reading;
mod reconnect;
mod record;
mod refusals;
mod rename;
mod saving;
mod seal;
mod shutdown;
mod start;
mod stats;
mod stop;
mod stray;
mod tap;
mod tpm;
mod translate;
mod watch;

pub use config::{Config, Dirs, Timeouts};
pub use core::HostServices;
pub use driver::Qemu;
pub use virtbus_qemu_capabilities::GuestUser;
