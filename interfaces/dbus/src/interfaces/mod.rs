//! The interfaces of ours, a module each: the table of members, each with the call of the driver API that it is.

pub(crate) mod checkpoint;
pub(crate) mod connect;
pub(crate) mod domain;
pub(crate) mod interface;
pub(crate) mod lookup;
pub(crate) mod manager;
pub(crate) mod network;
pub(crate) mod node_device;
pub(crate) mod nwfilter;
pub(crate) mod secret;
pub(crate) mod snapshot;
pub(crate) mod storage;
