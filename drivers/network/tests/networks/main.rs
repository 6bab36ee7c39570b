//! Networks for real: bridges, dnsmasq and packet filters in network namespaces of their own, with guests in others.
//!
//! Each test runs once more as the first process of fresh namespaces (network, mounts, processes), so that nothing of the machine is touched
//! and all that it started is gone when it ends, however it ends.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

mod calls;
mod faults;
mod host;
mod ports;
mod restart;
mod traffic;
