//! What the packet filter of the host is told of a network.
//!
//! - [`Rule`]: one thing that it is told, whatever its syntax; [`rules`] makes them of a definition.
//! - [`nft`]: as statements of nftables, in tables that belong to one network each.
//! - [`ruleset`]: what the rules that a host has do with packets.
//! - [`iptables`]: as commands of iptables, in chains that all networks share.
//!
//! Rules are in the order in which they are *inserted*: a later one is looked at before the earlier ones. Nothing of the host is looked at
//! and nothing is run here.

pub mod iptables;
pub mod nft;
mod rule;
pub mod ruleset;

pub use rule::{Protocol, Rule, Subnet, rules};
pub use virtbus_conf_base::common::IpFamily as Family;

/// A program to run, by its name without directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Command {
    pub(crate) fn new<A: Into<String>>(
        program: &'static str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program,
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }
}
