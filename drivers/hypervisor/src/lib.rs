//! What drivers of hypervisors on this host share. It knows no hypervisor, no files and no bus.
//!
//! - [`domains`]: the domains of a connection: under which names they are found, what is known of each, and how that changes.
//! - [`jobs`]: the jobs of a domain: what may run beside what, who waits for whom, and how far long jobs are.

pub mod domains;
pub mod jobs;
