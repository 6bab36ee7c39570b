//! Those who call: which user each is, what each has under way, and in which order its calls run.

mod peer;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;
use virtbus_api::access::Client;
use virtbus_api::providers;
use zbus::Connection;

pub(crate) use peer::{Peer, User};

use crate::error::{Failure, Protocol};
use crate::socket::{Arrivals, Senders};

/// The bus has so long to answer before it is asked again: it drops answers while too much is under way to us.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Each time it has twice as long, up to this.
const MOST_PATIENCE: Duration = Duration::from_secs(16);

/// A call waits so long until it is known who the caller is. Clients commonly wait 25 s for an answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// While a driver waits for the end of a client, it is looked so often whether the bus has told of it in vain.
const LOOKS: Duration = Duration::from_secs(30);

/// So many peers are kept without a look which of them have left.
const FEW: usize = 512;

/// What the bus says of whose connection this is: a user, or nobody's, as there is no such connection (any more). Nothing if that was no
/// answer.
async fn ask_uid(bus: &Connection, name: &str) -> Option<Option<u32>> {
    if name.is_empty() {
        // No bus between us: the other end of the socket.
        let credentials = bus.peer_creds().await.ok();
        return Some(credentials.and_then(|credentials| credentials.unix_user_id()));
    }
    let body = (name,);
    let reply = bus
        .call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "GetConnectionUnixUser",
            &body,
        )
        .await;
    match reply.and_then(|reply| reply.body().deserialize::<u32>()) {
        Ok(uid) => Some(Some(uid)),
        Err(zbus::Error::MethodError(error, ..)) if error.ends_with(".NameHasNoOwner") => {
            Some(None)
        }
        Err(error) => {
            tracing::debug!(peer = name, %error, "the bus does not say whose connection this is");
            None
        }
    }
}

/// The first answer. Who does not answer in time is asked again, and may still answer what was asked before.
async fn first_answer<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> T {
    let mut asked = FuturesUnordered::new();
    let mut patience = PATIENCE;
    loop {
        asked.push(ask());
        let answered = async {
            loop {
                match asked.next().await {
                    Some(Some(answer)) => return answer,
                    Some(None) => {}
                    // Nothing is on its way: asked again in a while.
                    None => std::future::pending().await,
                }
            }
        };
        if let Ok(answer) = timeout(patience, answered).await {
            return answer;
        }
        patience = (patience * 2).min(MOST_PATIENCE);
    }
}

/// Every peer that has called and is still there.
pub(crate) struct Peers {
    peers: Mutex<HashMap<Arc<str>, Arc<Peer>>>,
    users: Mutex<HashMap<Option<u32>, Weak<User>>>,
    /// Bytes that all users but root may not have read.
    pub(crate) unread: Arc<AtomicUsize>,
    /// Stands for those of whom it is not known yet who they are.
    unknown: Arc<User>,
    /// Whose connections are whose, for the socket.
    senders: Arc<Senders>,
    /// While there are no more than this, nobody looks which have left.
    most: AtomicUsize,
    looking: AtomicBool,
}

impl Peers {
    /// No peers yet. The socket is told by `senders` who they are.
    pub(crate) fn new(senders: &Arc<Senders>) -> Self {
        Self {
            peers: Mutex::default(),
            users: Mutex::default(),
            unread: Arc::default(),
            unknown: Arc::new(User::new(None)),
            senders: Arc::clone(senders),
            most: AtomicUsize::new(0),
            looking: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer of this unique name.
    pub(crate) fn get(&self, name: &str) -> Arc<Peer> {
        let mut peers = self.lock();
        if let Some(peer) = peers.get(name) {
            return Arc::clone(peer);
        }
        let peer = Arc::new(Peer::new(name, &self.unread));
        peers.insert(Arc::clone(&peer.name), Arc::clone(&peer));
        peer
    }

    /// Whether there are so many that it is time to look which of them have left: a bus tells that of each, but not while too much is
    /// under way to us. Says so once, until [`Peers::look_over`] has done that.
    pub(crate) fn have_grown(&self) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        self.lock().len() > most.max(FEW)
            && self
                .looking
                .compare_exchange(false, true, Ordering::Relaxed, Ordering::Relaxed)
                == Ok(false)
    }

    /// Whether a driver waits for the end of one of them: it is looked now and then whether that was missed.
    fn are_awaited(&self) -> bool {
        self.lock().values().any(|peer| peer.client.is_awaited())
    }

    /// Looks now and then who has left while a driver waits for that, for as long as there are the peers.
    pub(crate) async fn watch(peers: Weak<Self>, bus: Connection) {
        loop {
            let Some(peers) = peers.upgrade() else { return };
            if peers.are_awaited() {
                peers.look_over(&bus).await;
            }
            drop(peers);
            tokio::time::sleep(LOOKS).await;
        }
    }

    /// Takes out those that have left the bus.
    pub(crate) async fn look_over(&self, bus: &Connection) {
        let before = self.all();
        let body = ();
        let asked = bus.call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "ListNames",
            &body,
        );
        if let Ok(Ok(reply)) = timeout(PATIENCE, asked).await
            && let Ok(names) = reply.body().deserialize::<HashSet<String>>()
        {
            let left = before.iter().filter(|peer| !names.contains(&*peer.name));
            left.for_each(|peer| self.gone(&peer.name));
        }
        self.most.store(self.lock().len() * 2, Ordering::Relaxed);
        self.looking.store(false, Ordering::Relaxed);
    }

    /// Every peer.
    pub(crate) fn all(&self) -> Vec<Arc<Peer>> {
        self.lock().values().cloned().collect()
    }

    /// The peer's user; the bus is asked once.
    ///
    /// # Errors
    /// That the bus has not said yet who it is. It may any moment.
    pub(crate) async fn user_of<'p>(
        self: &Arc<Self>,
        peer: &'p Arc<Peer>,
        bus: &Connection,
    ) -> Result<&'p Arc<User>, Failure> {
        let (bus, name) = (bus.clone(), Arc::clone(&peer.name));
        let ask = move || {
            let (bus, name) = (bus.clone(), Arc::clone(&name));
            async move { ask_uid(&bus, &name).await }
        };
        self.user_by(peer, ask).await
    }

    /// The same, asking in this way.
    async fn user_by<'p, F>(
        self: &Arc<Self>,
        peer: &'p Arc<Peer>,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<&'p Arc<User>, Failure>
    where
        F: Future<Output = Option<Option<u32>>> + Send + 'static,
    {
        if let Some(user) = peer.user.get() {
            return Ok(user);
        }
        if !peer.is_asked.swap(true, Ordering::Relaxed) {
            let (peers, peer) = (Arc::clone(self), Arc::clone(peer));
            // Goes on whoever gives up waiting for it.
            tokio::spawn(async move {
                let uid = first_answer(ask).await;
                peers.know(&peer, uid);
            });
        }
        timeout(DEADLINE, peer.user.wait()).await.map_err(|_| {
            let text = "the bus has not said yet who the caller is; try again";
            Failure::protocol(Protocol::LimitsExceeded, text)
        })
    }

    /// It is known now whose a peer is.
    pub(crate) fn know(&self, peer: &Peer, uid: Option<u32>) {
        let user = self.user(uid);
        if let Some(uid) = uid {
            let peers = self.lock();
            // One that has left meanwhile has been taken out.
            if peers.contains_key(&peer.name) {
                self.senders.come(&peer.name, uid);
            }
        }
        // What was sent before counts for the user from here on, and nothing is counted in between.
        let book = peer.book();
        user.unread.fetch_add(book.bytes, Ordering::Relaxed);
        // Nobody else sets it.
        let _ = peer.user.set(user);
        drop(book);
        if uid.is_none() && !peer.name.is_empty() {
            // It had left before one of its calls was looked at, and nothing will tell of that any more.
            self.gone(&peer.name);
        }
    }

    /// Whose limits hold for a peer.
    pub(crate) fn user_or_unknown<'u>(&'u self, peer: &'u Peer) -> &'u Arc<User> {
        peer.known_user().unwrap_or(&self.unknown)
    }

    fn user(&self, uid: Option<u32>) -> Arc<User> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = users.get(&uid).and_then(Weak::upgrade) {
            return user;
        }
        users.retain(|_, user| user.strong_count() > 0);
        let user = Arc::new(User::new(uid));
        users.insert(uid, Arc::downgrade(&user));
        user
    }

    /// Forgets a peer that has left the bus.
    pub(crate) fn gone(&self, name: &str) {
        let peer = {
            let mut peers = self.lock();
            let Some(peer) = peers.remove(name) else {
                return;
            };
            self.senders.leave(name);
            peer
        };
        peer.hearing.end();
        peer.has_left();
        peer.client.leave();
    }
}

/// The clients on the bus, as drivers find them again by name: what was bound to the life of one goes on to be, also under a new daemon.
#[derive(Clone)]
pub struct Clients(pub(crate) Arc<Peers>);

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl Clients {
    /// Nobody yet, for the service of a bus that was [connected](crate::connect) with `arrivals`.
    #[must_use]
    pub fn new(arrivals: &Arrivals) -> Self {
        Self(Arc::new(Peers::new(arrivals.senders())))
    }
}

impl providers::Clients for Clients {
    fn client(&self, name: &str) -> Client {
        self.0.get(name).client.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Share;

    #[test]
    fn connections_of_a_user_count_together_until_they_leave() {
        let peers = Peers::new(&Arc::default());
        let user = peers.user(Some(1000));
        for name in [":1.1", ":1.2"] {
            let peer = peers.get(name);
            peers.know(&peer, Some(1000));
            peer.add_unread(100);
        }
        assert_eq!(user.unread.load(Ordering::Relaxed), 200);
        peers.get(":1.1").was_read(40);
        let gone = peers.get(":1.2");
        peers.gone(":1.2");
        // A reply that was under way.
        gone.add_unread(1000);
        assert_eq!(
            (gone.unread(), peers.unread.load(Ordering::Relaxed)),
            (0, 60)
        );
        assert_eq!(user.unread.load(Ordering::Relaxed), 60);
        assert_eq!(peers.all().len(), 1);
        assert!(!user.is_root() && peers.user(Some(0)).is_root());
    }

    #[tokio::test]
    async fn whoever_has_much_in_the_outbox_waits_until_it_was_taken() {
        let peers = Peers::new(&Arc::default());
        let (one, other) = (peers.get(":1.1"), peers.get(":1.2"));
        for peer in [&one, &other] {
            peers.know(peer, Some(1000));
        }
        let most = Share {
            connection: 50,
            user: 100,
            all: 1000,
        };
        let waits = |peer: &Arc<Peer>| {
            let peer = Arc::clone(peer);
            tokio::spawn(async move { peer.room(most).await })
        };
        let user = Arc::clone(one.known_user().unwrap());
        one.unsent.queued(100);
        user.unsent.queued(100);
        assert!(!one.has_room(most) && other.has_room(most));
        let first: Vec<_> = (0..3).map(|_| waits(&one)).collect();
        tokio::task::yield_now().await;
        assert!(first.iter().all(|waits| !waits.is_finished()));
        one.unsent.sent(60);
        for first in first {
            first.await.unwrap();
        }
        // A user's other connections are no way around it.
        user.unsent.queued(1);
        assert!(!other.has_room(most));
        let second = waits(&other);
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        user.unsent.sent(61);
        second.await.unwrap();
        // Root's may have as much as they like.
        let root = Peer::known(":1.3", Some(0));
        root.known_user().unwrap().unsent.queued(101);
        assert!(root.has_room(most));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_counts_and_until_then_the_caller_is_not_nobody() {
        let peers = Arc::new(Peers::new(&Arc::default()));
        let peer = peers.get(":1.1");
        let asked = Arc::new(AtomicUsize::new(0));
        // Only what is asked first is answered, when those who ask first have given up.
        let ask = {
            let asked = Arc::clone(&asked);
            move || {
                let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
                async move {
                    if !is_first {
                        return None;
                    }
                    tokio::time::sleep(DEADLINE * 3 / 2).await;
                    Some(Some(0))
                }
            }
        };
        let failure = peers.user_by(&peer, ask.clone()).await.unwrap_err();
        let text = format!("{failure:?}");
        assert!(text.contains("LimitsExceeded"), "{text}");
        assert!(text.contains("has not said yet"), "{text}");
        assert!(asked.load(Ordering::Relaxed) > 1, "it was not asked again");
        assert!(peer.known_user().is_none());
        assert!(peers.user_by(&peer, ask).await.unwrap().is_root());
    }

    #[tokio::test]
    async fn whoever_has_left_is_nobody() {
        let peers = Arc::new(Peers::new(&Arc::default()));
        let peer = peers.get(":1.1");
        let user = peers.user_by(&peer, || std::future::ready(Some(None)));
        assert_eq!(user.await.unwrap().uid, None);
    }
}
