//! Kinds of documents, with what they declare.
//!
//! Each crate lists those that it has as `DOCUMENTS`. Reference pages, generators of documents and tests begin there;
//! nothing is read or written by it.

use virtbus_xml::{Describe, Description};

use crate::cpu::Cpu;

/// A kind of document.
#[derive(Debug, Clone, Copy)]
pub struct DocumentKind {
    /// What it is called, in lower case and with dashes.
    pub name: &'static str,
    /// Name of its root element.
    pub root: &'static str,
    /// What it declares.
    pub describe: fn() -> &'static Description,
}

impl DocumentKind {
    /// The kind called `name` that is read as a `T`, of documents with the root element `root`.
    pub const fn of<T: Describe>(name: &'static str, root: &'static str) -> Self {
        Self {
            name,
            root,
            describe: T::describe,
        }
    }
}

/// Every kind of document of this crate.
pub const DOCUMENTS: &[DocumentKind] = &[DocumentKind::of::<Cpu>("cpu", "cpu")];
