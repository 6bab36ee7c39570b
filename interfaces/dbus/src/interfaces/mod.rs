//! The interfaces of ours, a module each: the table of members and the handlers that forward to the driver.

pub(crate) mod connect;
pub(crate) mod domain;
