//! Queues that have their turn one after the other: users, and the connections of each.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Queues by key, of which each has its turn.
#[derive(Debug)]
struct Rounds<K, Q> {
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
    fn queue(&mut self, key: &K) -> &mut Q {
        if !self.queues.contains_key(key) {
            self.order.push_back(key.clone());
        }
        self.queues.entry(key.clone()).or_default()
    }

    /// Takes from the next queue; `take` says what, and whether there is more in it.
    fn next<T>(&mut self, take: impl FnOnce(&K, &mut Q) -> (Option<T>, bool)) -> Option<T> {
        let key = self.order.pop_front()?;
        let (taken, more) = match self.queues.get_mut(&key) {
            Some(queue) => take(&key, queue),
            None => (None, false),
        };
        if more {
            self.order.push_back(key);
        } else {
            self.queues.remove(&key);
        }
        taken
    }

    /// Whether there is no queue.
    fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }
}

/// What waits for its turn: users have theirs one after the other, and among a user's turns the connections. What belongs to one connection
/// stays in its order.
#[derive(Debug)]
pub(crate) struct ByUser<U, C, T> {
    users: Rounds<U, Rounds<C, VecDeque<T>>>,
    /// As whose the things of a connection wait. It may become known meanwhile that they are somebody else's.
    places: HashMap<C, U>,
}

impl<U, C, T> Default for ByUser<U, C, T> {
    fn default() -> Self {
        Self {
            users: Rounds::default(),
            places: HashMap::new(),
        }
    }
}

impl<U: Clone + Eq + Hash, C: Clone + Eq + Hash, T> ByUser<U, C, T> {
    /// Adds what belongs to a connection of this user.
    pub(crate) fn push(&mut self, user: U, connection: &C, thing: T) {
        let user = match self.places.get(connection) {
            Some(user) => user.clone(),
            None => {
                self.places.insert(connection.clone(), user.clone());
                user
            }
        };
        let connections = self.users.queue(&user);
        connections.queue(connection).push_back(thing);
    }

    /// Takes out what has its turn.
    pub(crate) fn next(&mut self) -> Option<T> {
        let places = &mut self.places;
        self.users.next(|_, connections| {
            let thing = connections.next(|connection, things| {
                let thing = things.pop_front();
                if things.is_empty() {
                    places.remove(connection);
                }
                (thing, !things.is_empty())
            });
            (thing, !connections.is_empty())
        })
    }

    /// Whether nothing waits.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_of_a_user_have_no_more_turns_than_one() {
        let mut waiting = ByUser::default();
        for connection in ["a1", "a2", "a3"] {
            for number in [1, 2] {
                waiting.push("alice", &connection, format!("{connection} {number}"));
            }
        }
        waiting.push("root", &"r", "r 1".to_owned());
        waiting.push("root", &"r", "r 2".to_owned());
        let order: Vec<String> = std::iter::from_fn(|| waiting.next()).collect();
        let expected = ["a1 1", "r 1", "a2 1", "r 2", "a3 1", "a1 2", "a2 2", "a3 2"];
        assert_eq!(order, expected);
        assert!(waiting.is_empty() && waiting.places.is_empty());
    }

    #[test]
    fn what_is_of_one_connection_keeps_its_order_when_its_user_becomes_known() {
        let mut waiting = ByUser::default();
        waiting.push(None, &"a", 1);
        waiting.push(None, &"b", 10);
        waiting.push(Some("alice"), &"a", 2);
        assert_eq!(waiting.next(), Some(1));
        waiting.push(Some("alice"), &"a", 3);
        let rest: Vec<i32> = std::iter::from_fn(|| waiting.next()).collect();
        assert_eq!(rest, [10, 2, 3]);
        waiting.push(Some("alice"), &"a", 4);
        assert_eq!(waiting.places.get("a"), Some(&Some("alice")));
    }
}
