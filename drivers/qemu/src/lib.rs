//! The QEMU driver.

pub mod capabilities;
pub mod monitor;
