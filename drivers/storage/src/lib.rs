//! Storage pools of this host and the volumes in them. A subsystem, which every connection offers, and from which guests have disks.
//!
//! ```text
//!   driver ──▶ lifecycle ──▶ backend ──▶ mount, mkfs             pools
//!      ├─────▶ make, change ──▶ chain, copy, wipe ──▶ qemu-img   volumes
//!      └─────▶ table, pool ◀── watch                             what is known of both
//!                      look ──▶ folder                           what is in a directory
//! ```
//!
//! - [`command`]: what programs are told, as values. [`backing`]: what images name in their headers.
//! - `table`, `pool`: what is known; reads wait for no job and no disk. `store`: what is on disk of it.
//! - `folder`, `look`: the directory of a pool, held, and what is in it.
//! - `hands`: threads for what may hang, a few for each pool. `jobs`: what may be done with a volume at the same time.
//!
//! Nothing here knows a hypervisor or a bus. No file is reached by a path that somebody else may change, and no program gets a path that could be
//! led elsewhere.

#![forbid(unsafe_code)]

mod backend;
pub mod backing;
mod chain;
mod change;
pub mod command;
mod copy;
mod core;
mod driver;
mod error;
mod folder;
mod hands;
mod jobs;
mod lifecycle;
mod look;
mod make;
mod mark;
mod notify;
mod pending;
mod pool;
mod programs;
mod store;
mod table;
mod watch;
mod wipe;

pub use driver::StorageDriver;
pub use store::Config;
