//! The domains of a connection: what is known of each, and under which names they are found.
//!
//! ```text
//!   Table ──▶ domain ──▶ Published ──┬─▶ snapshot: for readers, swapped whole, never waited for
//!                                    └─▶ state: for writers, under the domain's lock
//! ```
//!
//! A driver says what its state is ([`State`]) and what readers see of it ([`Snapshot`]); its domain has a [`Published`] among whatever else it
//! needs, such as its jobs. What is on disk, and what a domain does, is the driver's affair.

mod published;
mod starting;
mod table;

pub use published::{Published, Snapshot, State};
pub use starting::Starting;
pub use table::{Claim, Entry, Reserved, Table};

/// Domains that have nothing but names, for the tests of what uses them.
#[cfg(test)]
pub(crate) use published::tests as named;
