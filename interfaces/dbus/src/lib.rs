//! The `org.libvirt.*` objects: turns a message into one call of the driver API, and its answer back into a message.
//!
//! There is no policy here and no state beyond the table of connections: who may do what is decided behind
//! [`virtbus_api::access::Guard`], what is known of an object by its driver. zbus carries the messages; its object
//! server is not used, since it would answer properties without asking anybody and introspect ten thousand objects
//! in one reply. The way of a message:
//!
//! ```text
//! socket ── leaves out what cannot be read
//! dispatch ── finds the sender (peers); what is not in memory waits for its turn (turns, limits)
//! answer ── finds the object (tree) and the member (declare: one table per interface)
//!    ├─ standard/*     Introspectable, Properties, ObjectManager, Peer: answered once for all objects
//!    └─ interfaces/*   decode → authorize → driver → reply
//! outbox ── replies and signals leave in one order
//! signals ── the drivers' events as signals; announcer, hearing ── to everybody, or to each who may see what they are about
//! ```

mod announcer;
mod answer;
mod declare;
mod dispatch;
mod error;
mod hearing;
mod interfaces;
mod invocation;
mod limits;
mod nodes;
mod numbers;
mod outbox;
mod paths;
mod peers;
mod quirks;
mod receipts;
mod rounds;
mod signals;
mod socket;
mod standard;
mod streams;
mod tree;
mod turns;
mod value;

pub use dispatch::Service;
pub use limits::{Limits, Share};
pub use numbers::{Explanation, How, Told};
pub use peers::Clients;
pub use socket::{Arrivals, connect};
pub use standard::log_control::LogControl;
pub use tree::ROOT;

/// The name that libvirt-dbus owns; calls to it are answered as libvirt-dbus would.
pub const BUS_NAME: &str = "org.libvirt";

/// The second name: the same objects, answered as the D-Bus specification asks.
pub const PLAIN_BUS_NAME: &str = "org.virtbus";

/// Introspection of every interface with its documentation, as installed: file name and XML.
#[must_use]
pub fn documents() -> Vec<(String, String)> {
    standard::introspect::documents()
}

/// What each number is that a member of an interface takes, answers or tells.
#[must_use]
pub fn numbers() -> Vec<Explanation> {
    standard::introspect::interfaces()
        .flat_map(numbers::of_interface)
        .collect()
}
