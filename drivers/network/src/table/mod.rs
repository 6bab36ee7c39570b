//! What is known of each network, under which names it is found, and how that changes.
//!
//! Each network has a state that is replaced whole under a lock of its own, held for moments only and while what changed is announced; so
//! events of a network come in the order of its states, and reads wait for no work. Work on a network is a *turn*: one at a time, waited for
//! with a deadline. A network that is neither defined nor up is in no list; it is in the table for as long as somebody has a turn to define
//! or start it.

mod claims;
mod state;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use virtbus_api::event::{Event, EventHub};
use virtbus_api::listing::{Listing, Views};
use virtbus_api::network::{NetworkEvent, NetworkId, NetworkView};
use virtbus_api::object::{IdRef, Kind, View};
use virtbus_api::{Error, ErrorCode, Result, Uuid, naming};

use crate::error::refused;

pub(crate) use claims::{ClaimedBridge, PortClaim};
pub(crate) use state::{Live, Port, Snapshot, State, with_connections};

/// So many networks there may be, as many as libvirt's protocol lists (`REMOTE_NETWORK_LIST_MAX`).
const MOST: usize = 16_384;

/// A network.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: NetworkId,
    snapshot: Mutex<Arc<Snapshot>>,
    job: Arc<tokio::sync::Mutex<()>>,
    /// What the turn that is taken is for.
    doing: Mutex<&'static str>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    fn new(id: NetworkId, state: State) -> Self {
        let snapshot = Snapshot::new(&id, state);
        Self {
            id,
            snapshot: Mutex::new(Arc::new(snapshot)),
            job: Arc::default(),
            doing: Mutex::new(""),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&lock(&self.snapshot))
    }

    /// That something cannot be done with the network as it is.
    pub(crate) fn wrong(&self, what: &str) -> Error {
        refused(
            ErrorCode::OperationInvalid,
            format!("network '{}' {what}", self.id.name),
        )
    }

    /// The run, of a network that is up.
    pub(crate) fn live(&self) -> Result<Live> {
        let snapshot = self.snapshot();
        let live = snapshot.state.live.clone();
        live.ok_or_else(|| self.wrong("is not active"))
    }
}

/// A turn to do something with a network, alone.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) entry: Arc<Entry>,
    table: Arc<Table>,
    _job: OwnedMutexGuard<()>,
}

impl Turn {
    /// Changes what is known of the network, and tells of it. What has to be on disk is there already.
    pub(crate) fn publish(
        &self,
        change: impl FnOnce(&mut State),
        events: impl IntoIterator<Item = NetworkEvent>,
    ) {
        self.table.publish(&self.entry, change, events);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.entry.doing) = "";
        // It was there only to become something.
        self.table.forget_unless_shown(&self.entry);
    }
}

#[derive(Debug, Default)]
struct Names {
    entries: HashMap<Uuid, Arc<Entry>>,
    uuids: HashMap<Arc<str>, Uuid>,
    /// Bridges of definitions that are on their way into the table.
    bridges: HashSet<String>,
    /// Ports that are on their way into it.
    ports: HashSet<Uuid>,
}

/// Every network.
#[derive(Debug)]
pub(crate) struct Table {
    names: Mutex<Names>,
    pub(crate) hub: EventHub,
    listing: Arc<Listing<NetworkView>>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let hub = EventHub::default();
        let listing = Listing::on(&hub);
        Self {
            names: Mutex::default(),
            hub,
            listing,
        }
    }

    /// Adds a network while nobody is served yet.
    ///
    /// # Errors
    /// If another one has its UUID or name.
    pub(crate) fn add(&self, id: NetworkId, state: State) -> Result<Arc<Entry>> {
        let mut names = lock(&self.names);
        if names.claim(&id)?.is_some() {
            return Err(Error::internal(format!(
                "network '{}' is there twice",
                id.name
            )));
        }
        Ok(names.insert(Entry::new(id, state)))
    }

    fn all(&self) -> Vec<Arc<Entry>> {
        lock(&self.names).entries.values().map(Arc::clone).collect()
    }

    /// Every network that is shown, with its snapshot.
    pub(crate) fn shown(&self) -> Vec<(Arc<Entry>, Arc<Snapshot>)> {
        let entries = self.all().into_iter();
        let with_snapshot = entries.map(|entry| {
            let snapshot = entry.snapshot();
            (entry, snapshot)
        });
        with_snapshot
            .filter(|(_, snapshot)| snapshot.state.is_shown())
            .collect()
    }

    /// What is known of every network.
    pub(crate) fn views(&self) -> Views<NetworkView> {
        self.listing.get(|| {
            let shown = self.shown().into_iter();
            shown
                .map(|(_, snapshot)| Arc::clone(&snapshot.view))
                .collect()
        })
    }

    /// The network with this UUID.
    pub(crate) fn get(&self, uuid: Uuid) -> Result<Arc<Entry>> {
        let entry = lock(&self.names).entries.get(&uuid).map(Arc::clone);
        entry
            .filter(|entry| entry.snapshot().state.is_shown())
            .ok_or_else(|| Error::not_found(Kind::Network, "uuid", uuid))
    }

    /// The network with this name.
    pub(crate) fn named(&self, name: &str) -> Result<Arc<Entry>> {
        let uuid = lock(&self.names).uuids.get(name).copied();
        uuid.and_then(|uuid| self.get(uuid).ok())
            .ok_or_else(|| Error::not_found(Kind::Network, "name", name))
    }

    /// The network that is named so: who may do something to one network may not do it to another that was given its UUID since.
    pub(crate) fn same(&self, id: &NetworkId) -> Result<Arc<Entry>> {
        let entry = self.get(id.uuid)?;
        if entry.id.name == id.name {
            return Ok(entry);
        }
        Err(Error::not_found(Kind::Network, "uuid", id.uuid))
    }

    /// The port with this UUID, and its network.
    pub(crate) fn port(&self, uuid: Uuid) -> Result<(Arc<Entry>, Arc<Port>)> {
        for (entry, snapshot) in self.shown() {
            let live = snapshot.state.live.as_ref();
            if let Some(port) = live.and_then(|live| live.ports.get(&uuid)) {
                return Ok((entry, Arc::clone(port)));
            }
        }
        Err(Error::not_found(Kind::NetworkPort, "uuid", uuid))
    }

    /// A turn with a network that is there.
    ///
    /// # Errors
    /// `NoNetwork` if it is gone when its turn has come, `OperationTimeout` naming what is being done to it.
    pub(crate) async fn turn(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        doing: &'static str,
        limit: Duration,
    ) -> Result<Turn> {
        let turn = self.wait(entry, doing, limit).await?;
        if self.has(entry) && entry.snapshot().state.is_shown() {
            return Ok(turn);
        }
        Err(Error::not_found(Kind::Network, "uuid", entry.id.uuid))
    }

    /// A turn to define or start the network that is called so, whether it is there or not.
    ///
    /// # Errors
    /// Those of [`naming::claim`], and `OperationTimeout`.
    pub(crate) async fn turn_for(
        self: &Arc<Self>,
        id: &NetworkId,
        doing: &'static str,
        limit: Duration,
    ) -> Result<Turn> {
        loop {
            let entry = self.claim(id)?;
            let turn = self.wait(&entry, doing, limit).await?;
            if self.has(&entry) {
                return Ok(turn);
            }
        }
    }

    fn claim(&self, id: &NetworkId) -> Result<Arc<Entry>> {
        let mut names = lock(&self.names);
        if let Some(entry) = names.claim(id)? {
            return Ok(entry);
        }
        if names.entries.len() >= MOST {
            return Err(refused(
                ErrorCode::OperationFailed,
                format!("there are {MOST} networks already, and no more are taken"),
            ));
        }
        Ok(names.insert(Entry::new(id.clone(), State::default())))
    }

    fn has(&self, entry: &Arc<Entry>) -> bool {
        let names = lock(&self.names);
        let there = names.entries.get(&entry.id.uuid);
        there.is_some_and(|there| Arc::ptr_eq(there, entry))
    }

    async fn wait(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        doing: &'static str,
        limit: Duration,
    ) -> Result<Turn> {
        let waited = timeout(limit, Arc::clone(&entry.job).lock_owned()).await;
        let job = waited.map_err(|_| {
            refused(
                ErrorCode::OperationTimeout,
                format!(
                    "network '{}' is still busy ({}) after {} s",
                    entry.id.name,
                    lock(&entry.doing),
                    limit.as_secs()
                ),
            )
        })?;
        *lock(&entry.doing) = doing;
        Ok(Turn {
            entry: Arc::clone(entry),
            table: Arc::clone(self),
            _job: job,
        })
    }

    /// Removes a network from the table if it is not shown.
    fn forget_unless_shown(&self, entry: &Arc<Entry>) {
        let mut names = lock(&self.names);
        let there = names.entries.get(&entry.id.uuid);
        if there.is_some_and(|there| Arc::ptr_eq(there, entry))
            && !entry.snapshot().state.is_shown()
        {
            names.entries.remove(&entry.id.uuid);
            names.uuids.remove(&entry.id.name);
        }
    }

    fn publish(
        &self,
        entry: &Entry,
        change: impl FnOnce(&mut State),
        events: impl IntoIterator<Item = NetworkEvent>,
    ) {
        let mut snapshot = lock(&entry.snapshot);
        let before = Arc::clone(&snapshot);
        let mut state = before.state.clone();
        change(&mut state);
        let after = Arc::new(Snapshot::new(&entry.id, state));
        *snapshot = Arc::clone(&after);
        // What vanishes with its network goes before it, and what comes with it behind it.
        self.announce_ports(&before.state, &after.state, Gone);
        let shown = |one: &Snapshot| {
            one.state
                .is_shown()
                .then(|| View::from(Arc::clone(&one.view)))
        };
        let (was, is) = (shown(&before), shown(&after));
        if was != is {
            self.hub.publish(&Event::Changed {
                before: was,
                after: is,
            });
        }
        self.announce_ports(&before.state, &after.state, Come);
        for event in events {
            self.hub.publish(&Event::Network(entry.id.clone(), event));
        }
    }

    /// Has it be known what keeps a network's packets from passing.
    pub(crate) fn set_problems(&self, entry: &Entry, problems: Vec<String>) {
        if *entry.snapshot().view.problems != *problems {
            self.publish(entry, |state| state.problems = problems.into(), []);
        }
    }

    fn announce_ports(&self, before: &State, after: &State, which: Which) {
        let (here, there) = match which {
            Gone => (before, after),
            Come => (after, before),
        };
        let is_there = |uuid| {
            there
                .live
                .as_ref()
                .is_some_and(|live| live.ports.contains_key(uuid))
        };
        let ports = here.live.iter().flat_map(|live| &live.ports);
        for (_, port) in ports.filter(|(uuid, _)| !is_there(*uuid)) {
            let view = Some(View::from(Arc::clone(&port.view)));
            let (before, after) = match which {
                Gone => (view, None),
                Come => (None, view),
            };
            self.hub.publish(&Event::Changed { before, after });
        }
    }
}

/// Which ports are told of.
#[derive(Debug, Clone, Copy)]
enum Which {
    Gone,
    Come,
}
use Which::{Come, Gone};

impl Names {
    /// The network that is called so, if it is there.
    ///
    /// # Errors
    /// Those of [`naming::claim`].
    fn claim(&self, id: &NetworkId) -> Result<Option<Arc<Entry>>> {
        let by_name = self
            .uuids
            .get(&id.name)
            .and_then(|uuid| self.entries.get(uuid));
        let by_uuid = self.entries.get(&id.uuid);
        let sharing = by_uuid.into_iter().chain(by_name);
        let is_there = naming::claim(
            IdRef::Network(id),
            sharing.map(|entry| IdRef::Network(&entry.id)),
        )?;
        Ok(by_uuid.filter(|_| is_there).map(Arc::clone))
    }

    fn insert(&mut self, entry: Entry) -> Arc<Entry> {
        let entry = Arc::new(entry);
        self.uuids.insert(Arc::clone(&entry.id.name), entry.id.uuid);
        self.entries.insert(entry.id.uuid, Arc::clone(&entry));
        entry
    }
}
