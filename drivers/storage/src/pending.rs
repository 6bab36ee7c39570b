//! What is to be looked at in a pool because the kernel told of a change.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Of more names than this the whole directory is looked through.
const MOST_NAMES: usize = 2048;

/// What is to be looked at in a pool.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    names: BTreeSet<Arc<str>>,
    all: bool,
    /// A task looks at it, and takes what comes meanwhile.
    pub(crate) is_followed: bool,
}

impl Pending {
    /// Adds a name, or all of the directory.
    pub(crate) fn add(&mut self, name: Option<&str>) {
        match name {
            Some(name) if self.names.len() < MOST_NAMES => {
                self.names.insert(name.into());
            }
            _ => self.all = true,
        }
    }

    /// What is to be done next: nothing, everything, or these names.
    pub(crate) fn take(&mut self) -> Option<Option<BTreeSet<Arc<str>>>> {
        let names = std::mem::take(&mut self.names);
        if std::mem::take(&mut self.all) {
            return Some(None);
        }
        if names.is_empty() {
            self.is_followed = false;
            return None;
        }
        Some(Some(names))
    }
}
