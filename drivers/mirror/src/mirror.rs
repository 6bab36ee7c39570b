//! The table of what another host has, and what becomes of it by lists and events.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use virtbus_api::domain::DomainView;
use virtbus_api::event::{Event, EventHub};
use virtbus_api::listing::Views;
use virtbus_api::{Error, Result};

use crate::kinds::Mirrored;
use crate::table::Table;

/// What another host has of one kind of objects. Reads wait for nothing; what changes is published on the connection's hub in the order in
/// which it changed, after the table has it. Listeners of the hub must not change the mirror.
pub struct Mirror<V: Mirrored> {
    hub: Arc<EventHub>,
    /// Held while something changes until it is published. Nobody waits for it who reads.
    order: Mutex<Order<V::Key>>,
    table: RwLock<Table<V>>,
}

/// Which of two pieces of news is the later one.
struct Order<K> {
    /// Counts readings that began, and events.
    now: u64,
    /// Readings that are under way.
    under_way: usize,
    /// The last reading that was taken.
    taken: u64,
    /// Objects of which events told while a reading was under way, and when.
    told: BTreeMap<K, u64>,
    /// Objects that were left out, and the log says so.
    left_out: BTreeSet<K>,
}

/// Of so many objects that were left out it is remembered that the log says so.
const MOST_LEFT_OUT: usize = 64;

/// What became of an object.
type Step<V> = (Option<Arc<V>>, Option<Arc<V>>);

impl<V: Mirrored> std::fmt::Debug for Mirror<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror").finish_non_exhaustive()
    }
}

impl<V: Mirrored> Mirror<V> {
    /// One that has nothing yet, of a connection whose events `hub` has.
    #[must_use]
    pub fn new(hub: Arc<EventHub>) -> Self {
        Self {
            hub,
            order: Mutex::new(Order {
                now: 0,
                under_way: 0,
                taken: 0,
                told: BTreeMap::new(),
                left_out: BTreeSet::new(),
            }),
            table: RwLock::default(),
        }
    }

    fn order(&self) -> MutexGuard<'_, Order<V::Key>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Table<V>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table<V>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of each object, by key.
    #[must_use]
    pub fn views(&self) -> Views<V> {
        let listed = self.read().listed();
        listed.unwrap_or_else(|| self.write().list())
    }

    /// What is known of the object with this key.
    ///
    /// # Errors
    /// That there is none.
    pub fn view(&self, key: &V::Key) -> Result<Arc<V>> {
        let found = self.read().get(key).cloned();
        found.ok_or_else(|| Error::not_found(V::KIND, V::KEY, key))
    }

    /// What is known of the object with this name. Some hosts allow several objects of one name; it is always the same of them then, and the others are
    /// found by their keys.
    ///
    /// # Errors
    /// That there is none.
    pub fn view_by_name(&self, name: &str) -> Result<Arc<V>> {
        let found = self.read().named(name).cloned();
        found.ok_or_else(|| Error::not_found(V::KIND, "name", name))
    }

    /// Brings everything up to date with the list that `ask` answers. What events tell of an object while `ask` is waited for is newer, and stays; a
    /// list that was asked for before another one that is here already is not used.
    ///
    /// # Errors
    /// Those of `ask`; nothing is changed then.
    pub async fn refresh<I>(&self, ask: impl Future<Output = Result<I>>) -> Result<()>
    where
        I: IntoIterator<Item = V>,
    {
        let reading = self.begin();
        let list = ask.await?;
        reading.finish(list);
        Ok(())
    }

    /// Begins to bring everything up to date: before the other host is asked for its list.
    #[must_use]
    pub fn begin(&self) -> Reading<'_, V> {
        let mut order = self.order();
        order.now += 1;
        order.under_way += 1;
        Reading {
            mirror: self,
            began: order.now,
        }
    }

    /// An event told all that is known of an object, which may be new.
    pub fn put(&self, view: V) {
        let key = view.key();
        self.tell(&key, |_| Some(view));
    }

    /// An event told that something is otherwise about an object: all else is as it was. False: there is no such object, and the event is about one that is
    /// yet to be told of. Its key must stay as it is.
    pub fn update(&self, key: &V::Key, change: impl FnOnce(&mut V)) -> bool {
        let mut is_there = false;
        self.tell(key, |known| {
            let mut view = known?.clone();
            is_there = true;
            change(&mut view);
            Some(view)
        });
        is_there
    }

    /// An event told that an object is gone.
    pub fn remove(&self, key: &V::Key) {
        self.tell(key, |_| None);
    }

    fn tell(&self, key: &V::Key, change: impl FnOnce(Option<&V>) -> Option<V>) {
        let mut order = self.order();
        let before = self.read().get(key).cloned();
        let after = change(before.as_deref());
        let after = after.filter(|view| order.can_be_shown(key, view));
        order.now += 1;
        if order.under_way > 0 {
            let now = order.now;
            order.told.insert(key.clone(), now);
        }
        if before.as_deref() == after.as_ref() {
            return;
        }
        let after = after.map(Arc::new);
        self.write().set(key, after.clone());
        self.publish(&(before, after));
        drop(order);
    }

    fn publish(&self, (before, after): &Step<V>) {
        let happened = V::happened(before.as_deref(), after.as_deref());
        for event in &happened.earlier {
            self.hub.publish(event);
        }
        self.hub.publish(&Event::Changed {
            before: before.clone().map(V::any),
            after: after.clone().map(V::any),
        });
        for event in &happened.later {
            self.hub.publish(event);
        }
    }
}

impl Mirror<DomainView> {
    /// What is known of the running domain with this number.
    ///
    /// # Errors
    /// That there is none.
    pub fn view_by_id(&self, number: u32) -> Result<Arc<DomainView>> {
        let table = self.read();
        let found = table.all().find(|(_, view)| view.id.id == Some(number));
        let found = found.map(|(_, view)| Arc::clone(view));
        found.ok_or_else(|| Error::no_domain_numbered(number.into()))
    }
}

impl<K: Ord + Clone> Order<K> {
    /// Whether an object can be named on the bus. One that cannot is left out, which the log tells once.
    fn can_be_shown<V: Mirrored<Key = K>>(&mut self, key: &K, view: &V) -> bool {
        if view.named().can_be_named() {
            self.left_out.remove(key);
            return true;
        }
        if self.left_out.len() < MOST_LEFT_OUT && self.left_out.insert(key.clone()) {
            let id = view.named();
            tracing::warn!(object = ?id, "an object of another host has no name that can be used: {id:?}, ignoring");
        }
        false
    }
}

/// A list that another host is being asked for.
pub struct Reading<'m, V: Mirrored> {
    mirror: &'m Mirror<V>,
    began: u64,
}

impl<V: Mirrored> std::fmt::Debug for Reading<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl<V: Mirrored> Reading<'_, V> {
    /// Takes the list over, and publishes what is different: first what is gone, then what changed, then what is new, each by key. Of several objects
    /// with one key the first counts.
    pub fn finish(self, list: impl IntoIterator<Item = V>) {
        let mirror = self.mirror;
        let mut order = mirror.order();
        if self.began < order.taken {
            return;
        }
        order.taken = self.began;
        let mut new: BTreeMap<V::Key, Arc<V>> = BTreeMap::new();
        for view in list {
            let key = view.key();
            if order.can_be_shown(&key, &view) {
                new.entry(key).or_insert_with(|| Arc::new(view));
            }
        }
        let is_newer = |key: &V::Key| order.told.get(key).is_some_and(|at| *at > self.began);
        let mut gone: Vec<Step<V>> = Vec::new();
        let (mut changed, mut came) = (gone.clone(), gone.clone());
        {
            let table = mirror.read();
            for (key, view) in table.all() {
                if !new.contains_key(key) && !is_newer(key) {
                    gone.push((Some(Arc::clone(view)), None));
                }
            }
            for (key, view) in new {
                if is_newer(&key) {
                    continue;
                }
                match table.get(&key) {
                    Some(known) if **known == *view => {}
                    Some(known) => changed.push((Some(Arc::clone(known)), Some(view))),
                    None => came.push((None, Some(view))),
                }
            }
        }
        let steps = [gone, changed, came].concat();
        {
            let mut table = mirror.write();
            for (before, after) in &steps {
                if let Some(view) = after.as_ref().or(before.as_ref()) {
                    table.set(&view.key(), after.clone());
                }
            }
        }
        for step in &steps {
            mirror.publish(step);
        }
        // The reading ends when this is dropped, which takes the lock.
        drop(order);
    }
}

impl<V: Mirrored> Drop for Reading<'_, V> {
    fn drop(&mut self) {
        let mut order = self.mirror.order();
        order.under_way -= 1;
        if order.under_way == 0 {
            order.told.clear();
        }
    }
}
