//! What drivers of hypervisors on this host share. It knows no hypervisor and no bus, and no documents.
//!
//! - [`domains`]: the domains of a connection: under which names they are found, what is known of each, and how that changes.
//! - [`jobs`]: the jobs of a domain: what may run beside what, who waits for whom, and how far long jobs are.
//! - [`log`]: the log of a guest.

pub mod domains;
pub mod jobs;
pub mod log;
