//! Secrets of this host: passwords and keys that drivers use for disks, servers and TPMs. A subsystem, which every connection offers.
//!
//! - [`Secrets`](driver::SecretDriver): the calls, and values for drivers.
//! - `table`: what is known of each secret; reads wait for no disk.
//! - `store`: definitions and values on disk.
//! - `vault`: by which values are encrypted there.
//!
//! A value is read from the disk and decrypted each time that it is asked for, so that the daemon's memory has none but those of ephemeral
//! secrets. No value is in a log, a definition, an event, or an argument of a program.

#![forbid(unsafe_code)]

mod driver;
mod store;
mod table;
mod vault;

pub use driver::{Config, SecretDriver};
pub use vault::KEY_BYTES;
