//! XML documents of storage: pools, what pools can be, volumes, and where the contents of a disk are.
//!
//! No I/O, and nothing that knows a kind of pool's programs. Domains are built on this; it knows none.

#![forbid(unsafe_code)]

mod identity;
pub mod reference;
pub mod storage;
pub mod storage_pool;
pub mod storage_pool_capabilities;
pub mod storage_volume;
