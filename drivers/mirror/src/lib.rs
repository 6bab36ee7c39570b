//! What drivers keep of objects that are on another host, so that reads are answered from memory and changes are announced.
//!
//! A [`Mirror`] has what the other host has of one kind of objects. It is brought up to date by whole lists ([`Mirror::refresh`]), by what single
//! events say ([`Mirror::put`], [`Mirror::update`], [`Mirror::remove`]), or by both; what that changes is published on the connection's hub, in
//! order and once. [`poll`] asks again and again, until the connection ends or the other host does. Knows no hypervisor, no protocol and no bus.

mod domain;
mod happened;
mod kinds;
mod mirror;
mod poll;
mod table;

pub use happened::Happened;
pub use kinds::Mirrored;
pub use mirror::{Mirror, Reading};
pub use poll::{Pace, Poll, poll};
