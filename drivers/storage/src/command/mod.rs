//! What programs of the host are told, as values: nothing here runs one or looks at a file.

mod pool;
pub mod qemu_img;

pub(crate) use pool::source;
pub use pool::{NoCommand, activation};

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name, without a directory.
    pub program: &'static str,
    /// What it is told.
    pub arguments: Vec<String>,
}
