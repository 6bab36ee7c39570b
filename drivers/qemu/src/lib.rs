//! The QEMU driver.

pub mod monitor;
