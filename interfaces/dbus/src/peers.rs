//! Those who call: which user each is, how many of its calls are under way, and in which order they run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::OnceCell;
use zbus::Connection;

/// How many lanes a peer keeps before those that nobody uses are dropped.
const LANES_KEPT: usize = 64;

/// A client on the bus.
pub(crate) struct Peer {
    pub(crate) name: Arc<str>,
    uid: OnceCell<Option<u32>>,
    in_flight: AtomicUsize,
    lanes: Mutex<HashMap<String, Weak<Lane>>>,
}

/// The order of one client's writes to one object.
pub(crate) type Lane = tokio::sync::Mutex<()>;

/// A call under way; counts until it is dropped.
pub(crate) struct InFlight(Arc<Peer>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Peer {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            uid: OnceCell::new(),
            in_flight: AtomicUsize::new(0),
            lanes: Mutex::default(),
        }
    }

    /// The peer's user, asked of the bus once. `None` if the bus cannot tell, for example because the peer is gone.
    pub(crate) async fn uid(&self, bus: &Connection) -> Option<u32> {
        *self.uid.get_or_init(|| ask_uid(bus, &self.name)).await
    }

    /// Counts a call, unless `most` are under way already.
    pub(crate) fn enter(self: &Arc<Self>, most: usize) -> Option<InFlight> {
        self.in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < most).then_some(count + 1)
            })
            .ok()
            .map(|_| InFlight(Arc::clone(self)))
    }

    /// The lane of the peer's writes to the object at `path`.
    pub(crate) fn lane(&self, path: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(path).and_then(Weak::upgrade) {
            return lane;
        }
        if lanes.len() >= LANES_KEPT {
            lanes.retain(|_, lane| lane.strong_count() > 0);
        }
        let lane = Arc::new(Lane::new(()));
        lanes.insert(path.to_owned(), Arc::downgrade(&lane));
        lane
    }
}

async fn ask_uid(bus: &Connection, name: &str) -> Option<u32> {
    if name.is_empty() {
        // No bus between us: the other end of the socket.
        return bus
            .peer_creds()
            .await
            .ok()
            .and_then(|credentials| credentials.unix_user_id());
    }
    let reply = bus
        .call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "GetConnectionUnixUser",
            &(name,),
        )
        .await;
    match reply.and_then(|reply| reply.body().deserialize::<u32>()) {
        Ok(uid) => Some(uid),
        Err(error) => {
            tracing::debug!(peer = name, %error, "the bus does not know whose connection this is");
            None
        }
    }
}

/// Every peer that has called and is still there.
#[derive(Default)]
pub(crate) struct Peers(Mutex<HashMap<Arc<str>, Arc<Peer>>>);

impl Peers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Peer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer of this unique name.
    pub(crate) fn get(&self, name: &str) -> Arc<Peer> {
        let mut peers = self.lock();
        if let Some(peer) = peers.get(name) {
            return Arc::clone(peer);
        }
        let peer = Arc::new(Peer::new(name));
        peers.insert(Arc::clone(&peer.name), Arc::clone(&peer));
        peer
    }

    /// Forgets a peer that has left the bus.
    pub(crate) fn gone(&self, name: &str) {
        self.lock().remove(name);
    }
}
