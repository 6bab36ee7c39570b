//! What drivers of hypervisors on this host share. It knows no hypervisor and no bus, and no documents: definitions are the driver's.
//!
//! - [`domains`]: the domains of a connection: under which names they are found, what is known of each, and how that changes.
//! - [`jobs`]: the jobs of a domain: what may run beside what, who waits for whom, and how far long jobs are.
//! - [`store`]: what is on disk: definitions, what starts with the host, and the status of each guest that runs.
//! - [`recovery`]: what a new daemon does about the guests of the last one.
//! - [`autostart`]: starting what is to be started with the host.
//! - [`log`]: the log of a guest.
//!
//! ```text
//!   recovery ──▶ store
//!      │  └────▶ jobs
//!      └───────▶ domains ◀── autostart
//! ```
//!
//! A driver says what it keeps on disk ([`store::Kept`]), how it starts a domain ([`autostart::Starter`]), and how its guests are found and
//! taken in ([`recovery::Guests`]); everything that must hold whenever the daemon is killed is here.

pub mod autostart;
pub mod domains;
pub mod jobs;
pub mod log;
pub mod recovery;
pub mod store;
