//! Definitions for an emulator that can do everything: what is meant by them, and what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose data cannot be read has to fail"
)]

mod common;
mod meanings;
mod memory;
mod plugged;
mod refusals;
