//! What drivers of hypervisors on this host share. It knows no hypervisor, no files and no bus.
//!
//! - [`jobs`]: the jobs of a domain: what may run beside what, who waits for whom, and how far long jobs are.

pub mod jobs;
