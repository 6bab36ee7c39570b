//! What is known of all objects of a kind, by key and by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use virtbus_api::listing::Views;

use crate::kinds::Mirrored;

/// The objects. Two may have the same name, as some hosts allow it.
pub(crate) struct Table<V: Mirrored> {
    by_key: BTreeMap<V::Key, Arc<V>>,
    by_name: BTreeMap<Arc<str>, BTreeSet<V::Key>>,
    /// All of them, once somebody has asked, until one changes.
    listed: Option<Views<V>>,
}

impl<V: Mirrored> Default for Table<V> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_name: BTreeMap::new(),
            listed: None,
        }
    }
}

impl<V: Mirrored> Table<V> {
    pub(crate) fn get(&self, key: &V::Key) -> Option<&Arc<V>> {
        self.by_key.get(key)
    }

    /// The one with this name; of several always the same, the one with the first key.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<V>> {
        let keys = self.by_name.get(name)?;
        self.by_key.get(keys.first()?)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&V::Key, &Arc<V>)> {
        self.by_key.iter()
    }

    /// The list, if it is kept.
    pub(crate) fn listed(&self) -> Option<Views<V>> {
        self.listed.clone()
    }

    /// The list, which is kept from now on.
    pub(crate) fn list(&mut self) -> Views<V> {
        let gather = || self.by_key.values().cloned().collect();
        self.listed.get_or_insert_with(gather).clone()
    }

    /// Replaces what is known of an object; nothing: it is gone.
    pub(crate) fn set(&mut self, key: &V::Key, view: Option<Arc<V>>) {
        self.listed = None;
        let before = match &view {
            Some(view) => {
                let keys = self.by_name.entry(Arc::clone(view.name())).or_default();
                keys.insert(key.clone());
                self.by_key.insert(key.clone(), Arc::clone(view))
            }
            None => self.by_key.remove(key),
        };
        let Some(before) = before else { return };
        let old = before.name();
        if view.is_some_and(|view| view.name() == old) {
            return;
        }
        if let Some(keys) = self.by_name.get_mut(old) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_name.remove(old);
            }
        }
    }
}
