//! Confinement of guests: what stands between a guest that has broken out of its hypervisor and
//! the rest of the host.
//!
//! Each way of confinement is a module of its own and is asked by the hypervisor drivers when a
//! guest starts, changes its devices, and ends. So far there is file ownership ([`dac`]).
//!
//! Nothing here decides which files a guest may use: the definition does.

pub mod dac;
mod driver;
