//! XML documents of domains: definition, status, snapshots, checkpoints, backups.
//!
//! No I/O, and nothing that knows a hypervisor: what a driver means by leaving something out, and what it cannot do,
//! comes in through [`DomainDefaults`](domain::DomainDefaults).

#![forbid(unsafe_code)]

pub mod backup;
pub mod checkpoint;
pub mod domain;
pub mod domain_status;
mod identity;
pub mod moment;
pub mod reference;
pub mod snapshot;
