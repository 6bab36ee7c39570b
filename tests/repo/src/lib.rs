//! Tests of the repository itself, and what they need: the tracked files, the tokens of Rust
//! sources, the crates and their edges, and the generators of committed files.
//!
//! The rules are in CONTRIBUTING; each is held by a test in `tests/`. Nothing here tests what the
//! program does.

pub mod bless;
pub mod circles;
pub mod completions;
pub mod crates;
pub mod man;
pub mod policy;
pub mod source;
pub mod tracked;
pub mod words;
