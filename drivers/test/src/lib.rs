//! The test driver: libvirt's `test:///default`, domains and everything around them in memory only.
//!
//! It has no hypervisor and touches nothing on the host but the files that a caller names (saved memory, dumps). What it is for:
//! to exercise every call on any machine in milliseconds, and to be the reference of what a call means: states, events,
//! errors for wrong states. All of a connection is behind one lock that is held for as long as memory is changed, never for
//! waiting; what is read most (views) is published whole.

mod cpus;
mod data;
mod domain;
mod driver;
mod error;
mod flags;
mod host;
mod interface;
mod kept;
mod network;
mod node_device;
mod notes;
mod opening;
mod storage;
mod table;

pub use data::NodeFileError;
pub use driver::Test;
pub use opening::TestDriver;
