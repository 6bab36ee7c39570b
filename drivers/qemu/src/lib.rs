//! The QEMU driver.
//!
//! ```text
//!   driver ── each call of the driver API, forwarded; connection: domains and the turns of their jobs
//!   acts ──── start, reconnect, autostart, rename, belongings │ saving, watch, stop, shutdown, cpus, stats
//!   core ──── what they share; prepare, tpm, tap, ports: what is done on the host and undone
//!   domain ── snapshot, lock, run; persist: what of a guest's status, and of what is on disk, is QEMU's
//!   facts ─── definition, command: from a document to a command line; config, folder, record, translate, refusals
//! ```
//!
//! A module knows those below it and some beside it. None knows another that knows it, by whatever way, which a test holds.
//!
//! What hypervisors of this host share is `virtbus-hypervisor`: the table of domains and their jobs, what is on disk, and what a new daemon
//! does about the guests of the last one. What is said to QEMU and to agents of guests is a crate of its own (`virtbus-qemu-monitor`), and so is what an emulator can do
//! (`virtbus-qemu-capabilities`). A monitor is attached to a running domain, and the watcher hears of its end by one notification.

mod addresses;
mod autostart;
mod belongings;
mod bound;
mod command;
mod completing;
mod config;
mod connection;
mod core;
mod cpus;
mod definition;
mod domain;
mod driver;
mod flags;
mod folder;
mod host;
mod host_xml;
mod jobs;
mod networks;
mod node;
mod nvram;
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
mod tap;
mod tpm;
mod translate;
mod volumes;
mod watch;

pub use config::{Config, Dirs, Timeouts};
pub use connection::Qemu;
pub use virtbus_qemu_capabilities::GuestUser;
