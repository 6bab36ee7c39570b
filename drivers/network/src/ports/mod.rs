//! Ports of networks: what guests' interfaces are plugged into.
//!
//! - [`allocate`]: what an interface is connected to, by the network's mode and what is in use. No host.
//! - `bandwidth`: what is guaranteed to single guests.
//! - `functions`: virtual functions of network cards.
//! - `plug`: making, changing and removing ports of a network that is up.
//! - `calls`: the calls of clients, and what drivers of hypervisors need.

mod allocate;
mod bandwidth;
mod calls;
mod functions;
mod parameters;
mod plug;
