//! What drivers of hypervisors on this host share. It knows no hypervisor and no bus, and no documents: definitions are the driver's.
//!
//! - [`autostart`]: starting what is to be started with the host.
//! - [`domains`]: the domains of a connection: under which names they are found, what is known of each, and how that changes.
//! - [`jobs`]: the jobs of a domain: what may run beside what, who waits for whom, and how far long jobs are.
//! - [`log`]: the log of a guest.
//! - [`store`]: what is on disk: definitions, what starts with the host, and the status of each guest that runs.

pub mod autostart;
pub mod domains;
pub mod jobs;
pub mod log;
pub mod store;
