//! Mutated documents against every document type: what must hold for any text whatsoever.
//!
//! A [`Target`] is one type with what is checked of it, a [`Mutator`] makes documents out of seeds, and a
//! [`Campaign`] runs many through a target and keeps what breaks it. An execution depends on the
//! seeds, the run's number and its own number only, so it can be had again. There is no coverage feedback: that would need
//! another toolchain than the one the product is built with.

pub mod campaign;
mod dictionary;
pub mod finding;
mod measure;
mod minimise;
mod mutate;
mod oddities;
mod probe;
mod rng;
pub mod seeds;
pub mod targets;
mod tree;
mod trip;

pub use campaign::{Campaign, Tally};
pub use dictionary::Dictionary;
pub use finding::{Finding, Kind};
pub use minimise::minimise;
pub use mutate::Mutator;
pub use rng::Rng;
pub use seeds::Seeds;
pub use targets::{TARGETS, Target};
pub use trip::Outcome;
