//! The driver API: what every driver offers and every interface serves.
//!
//! A *driver* is opened and yields a [`Connection`]; a connection offers the hypervisor's own API in
//! groups of methods that a caller wants together, and the secondary APIs (networks, storage, …). Objects are
//! named by value ([`domain::DomainId`], [`object::Id`]), as libvirt's clients hold them, so that nothing here
//! assumes that a driver keeps state in this process or runs on this host.
//!
//! This crate knows no other crate of ours, no bus, no XML and no host. Numbers (error codes, flags, states, events)
//! are libvirt's, since they cross the wire.

pub mod access;
pub mod arguments;
pub mod connection;
pub mod connections;
mod declare;
pub mod domain;
pub mod error;
pub mod event;
pub mod filter;
pub mod flags;
pub mod interface;
pub mod listing;
pub mod naming;
pub mod network;
pub mod node;
pub mod node_device;
pub mod numbers;
pub mod nwfilter;
pub mod object;
pub mod placement;
pub mod providers;
pub mod secret;
pub mod security;
pub mod session;
pub mod storage;
pub mod typed;

pub use connection::Connection;
pub use error::{Error, ErrorCode, ErrorDomain, Result};
pub use uuid::Uuid;
