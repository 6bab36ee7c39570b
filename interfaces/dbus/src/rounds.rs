//! Queues that have their turn one after the other.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Queues by key, of which each has its turn.
#[derive(Debug)]
pub(crate) struct Rounds<K, Q> {
    order: VecDeque<K>,
    queues: HashMap<K, Q>,
}

impl<K, Q> Default for Rounds<K, Q> {
    fn default() -> Self {
        Self {
            order: VecDeque::new(),
            queues: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, Q: Default> Rounds<K, Q> {
    /// The queue of this key, which is the last in the round if it is new. To be filled at once.
    pub(crate) fn queue(&mut self, key: &K) -> &mut Q {
        if !self.queues.contains_key(key) {
            self.order.push_back(key.clone());
        }
        self.queues.entry(key.clone()).or_default()
    }

    /// Takes from the next queue; `take` says what, and whether there is more in it.
    pub(crate) fn next<T>(&mut self, take: impl FnOnce(&mut Q) -> (Option<T>, bool)) -> Option<T> {
        let key = self.order.pop_front()?;
        let (taken, more) = self.queues.get_mut(&key).map_or((None, false), take);
        if more {
            self.order.push_back(key);
        } else {
            self.queues.remove(&key);
        }
        taken
    }

    /// Whether there is no queue.
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }
}
