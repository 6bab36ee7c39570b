//! The harness of the end-to-end tests: a private bus, the built daemon on it, real guests.
//!
//! A test starts a [`Testbed`] (bus, daemon, directory), with a guest or without, or is skipped
//! by [`or_skip!`]. It talks to the daemon as any client would through [`client::Client`], waits
//! for outside facts with [`wait::wait_for`], and ends with [`Testbed::end`]. What was
//! started is ended by its pid when its value is dropped, also when the test panics, and
//! [`leaks`] tells what a daemon left behind. No test touches the system's own bus, libvirt
//! or network, and none knows anything of the daemon that a client could not know: this
//! crate depends on none of the others.

pub mod booted;
pub mod bus;
pub mod campaign;
pub mod client;
pub mod console;
pub mod daemon;
pub mod domain;
pub mod domain_xml;
pub mod events;
pub mod guest;
pub mod installation;
pub mod leaks;
pub mod mounts;
pub mod namespaces;
pub mod need;
pub mod process;
pub mod raw;
pub mod testbed;
pub mod wait;
pub mod waits;
pub mod walk;

pub use booted::BootedSystem;
pub use bus::PrivateBus;
pub use campaign::Random;
pub use client::{CallError, Client};
pub use console::Console;
pub use daemon::Daemon;
pub use domain::Domain;
pub use domain_xml::DomainXml;
pub use events::DomainEvents;
pub use guest::GuestImage;
pub use installation::Installation;
pub use raw::RawClient;
pub use testbed::Testbed;
pub use virtbus_skip::{or_skip, skip};
pub use waits::Waits;
