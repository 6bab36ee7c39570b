//! Host plumbing that any driver may use: running programs, watching processes, files that
//! survive a crash, sockets, control groups, small syntax types.
//!
//! Nothing here knows what a guest is, and nothing keeps state between calls beyond what the
//! kernel keeps. Functions that block say so; callers on an async runtime move them to
//! `spawn_blocking`.

pub mod bitmap;
pub mod cgroup;
pub mod cmd;
pub mod dirs;
pub mod file;
pub mod json;
pub mod mac_map;
#[expect(
    unsafe_code,
    reason = "the C library offers no other way to give back what it keeps"
)]
pub mod memory;
pub mod process;
#[expect(
    unsafe_code,
    reason = "tokio registers foreign descriptors by an unsafe call only; this makes it a safe one"
)]
pub mod readiness;
pub mod socket;
pub mod transfer;
#[expect(
    unsafe_code,
    reason = "the kernel hands out tap devices by a call that there is no safe one for"
)]
pub mod tun;
pub mod uri;
pub mod users;

#[cfg(test)]
mod test_utils;
