//! What is on disk for a domain beside its definition, such as saved memory or the state of its firmware.

use std::path::PathBuf;

use virtbus_api::{Result, Uuid};

/// The domain that something belongs to, by the name that it has or is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose<'a> {
    /// Its UUID.
    pub uuid: Uuid,
    /// Its name.
    pub name: &'a str,
}

/// One kind of file or directory that belongs to stored definitions.
///
/// It is of no use without the definition, and must never come into the hands of another domain that is given the same name. So it is removed
/// before the definition ([`super::Store::remove_config`]), and moves with it to another name ([`super::Store::rename`]).
pub trait Belonging: Send + Sync {
    /// Where it is, if there is one. It is moved if another name of the domain means another path in the same file system.
    fn path(&self, whose: Whose<'_>) -> PathBuf;

    /// Whether there is one, and it is this domain's and not that of another one which had the name before.
    fn is_of(&self, whose: Whose<'_>) -> bool;

    /// Removes it. Does nothing if there is none.
    ///
    /// # Errors
    /// If it is still there then.
    fn remove(&self, whose: Whose<'_>) -> Result<()>;
}
