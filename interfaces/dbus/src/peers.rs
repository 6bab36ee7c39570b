//! Those who call: which user each is, what each has under way, and in which order its calls run.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, SetOnce};
use tokio::time::{Instant, timeout};
use virtbus_api::access::Client;
use virtbus_api::providers;
use zbus::Connection;

use crate::error::{Failure, Protocol};
use crate::hearing::Hearing;
use crate::limits::{Account, Share, Unsent};
use crate::socket::{Arrivals, Senders};
use crate::streams::Streams;

/// So many lanes a peer has before those that nobody uses are dropped.
const LANES_KEPT: usize = 64;

/// The bus has so long to answer before it is asked again: it drops answers while too much is under way to us.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Each time it has twice as long, up to this.
const MOST_PATIENCE: Duration = Duration::from_secs(16);

/// A call waits so long until it is known who the caller is. Clients commonly wait 25 s for an answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// While a driver waits for the end of a client, it is looked so often whether the bus has told of it in vain.
const LOOKS: Duration = Duration::from_secs(30);

/// Of so many documents of a user it is found out at the same time what they are about.
const DOCUMENTS: usize = 2;

/// So many answers that have every object are made for a user at the same time: each lists all of them while it is made.
const PICTURES: usize = 4;

/// So many peers are kept without a look which of them have left.
const FEW: usize = 512;

/// A user, with all connections.
#[derive(Debug)]
pub(crate) struct User {
    /// None is one whom the bus does not know.
    pub(crate) uid: Option<u32>,
    pub(crate) account: Arc<Account>,
    /// Bytes of replies that the connections of this user may not have read.
    pub(crate) unread: AtomicUsize,
    /// Bytes of replies to them that the bus has not taken.
    pub(crate) unsent: Unsent,
    /// Events that wait until it is known whether they may hear of them.
    pub(crate) events: Arc<AtomicUsize>,
    /// Streams under way.
    pub(crate) streams: Arc<AtomicUsize>,
    /// Turns at having it found out what a document is about.
    pub(crate) documents: Semaphore,
    /// Turns at answers that have every object.
    pub(crate) pictures: Semaphore,
    /// When the bus was last asked about all connections of this user in vain; held by whoever asks.
    pub(crate) asking: tokio::sync::Mutex<Option<Instant>>,
}

impl User {
    fn new(uid: Option<u32>) -> Self {
        Self {
            documents: Semaphore::new(DOCUMENTS),
            pictures: Semaphore::new(PICTURES),
            asking: tokio::sync::Mutex::default(),
            uid,
            account: Arc::default(),
            unread: AtomicUsize::new(0),
            unsent: Unsent::default(),
            events: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// Whether only the limits of a connection hold.
    pub(crate) fn is_root(&self) -> bool {
        self.uid == Some(0)
    }
}

/// A client on the bus.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: Arc<str>,
    /// The same, for drivers to which something is bound to its life.
    pub(crate) client: Client,
    user: SetOnce<Arc<User>>,
    /// The bus was asked whose it is.
    is_asked: AtomicBool,
    pub(crate) account: Arc<Account>,
    /// Bytes of replies that the bus has not taken.
    pub(crate) unsent: Unsent,
    unread: Mutex<Unread>,
    /// Bytes that all users but root may not have read.
    all: Arc<AtomicUsize>,
    /// Whoever asks the bus what this peer has read.
    pub(crate) asking: tokio::sync::Mutex<()>,
    lanes: Mutex<Lanes>,
    /// What this peer is told by signals of its own.
    pub(crate) hearing: Hearing,
    /// Content that goes through descriptors of this peer.
    pub(crate) streams: Streams,
}

/// Bytes of replies that the bus has taken since it was known what of them was read.
#[derive(Debug, Default)]
struct Unread {
    bytes: usize,
    /// So many of them count among those of all users.
    of_all: usize,
    /// The peer has left, and nothing is kept for it any more.
    gone: bool,
}

/// The order of one client's writes to one object.
pub(crate) type Lane = tokio::sync::Mutex<()>;

/// The lanes of a peer, by a number for each path: a path may have a million letters. Two paths that have the same number by chance are
/// written to one after the other.
#[derive(Debug)]
struct Lanes {
    numbers: RandomState,
    lanes: HashMap<u64, Weak<Lane>>,
    /// With as many it is looked which are not used any more.
    most: usize,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            numbers: RandomState::new(),
            lanes: HashMap::new(),
            most: LANES_KEPT,
        }
    }
}

impl Lanes {
    fn lane(&mut self, path: &str) -> Arc<Lane> {
        let number = self.numbers.hash_one(path);
        if let Some(lane) = self.lanes.get(&number).and_then(Weak::upgrade) {
            return lane;
        }
        if self.lanes.len() >= self.most {
            self.lanes.retain(|_, lane| lane.strong_count() > 0);
            self.most = (self.lanes.len() * 2).max(LANES_KEPT);
        }
        let lane = Arc::new(Lane::new(()));
        self.lanes.insert(number, Arc::downgrade(&lane));
        lane
    }
}

impl Peer {
    fn new(name: &str, all: &Arc<AtomicUsize>) -> Self {
        let name: Arc<str> = name.into();
        Self {
            client: Client::new(Arc::clone(&name)),
            name,
            user: SetOnce::new(),
            is_asked: AtomicBool::new(false),
            account: Arc::default(),
            unsent: Unsent::default(),
            unread: Mutex::default(),
            all: Arc::clone(all),
            asking: tokio::sync::Mutex::default(),
            lanes: Mutex::default(),
            hearing: Hearing::default(),
            streams: Streams::default(),
        }
    }

    /// A peer of whom the bus need not be asked.
    #[cfg(test)]
    pub(crate) fn known(name: &str, uid: Option<u32>) -> Arc<Self> {
        let peer = Self::new(name, &Arc::default());
        peer.user.set(Arc::new(User::new(uid))).unwrap();
        Arc::new(peer)
    }

    /// The peer's user, if that is known already.
    pub(crate) fn known_user(&self) -> Option<&Arc<User>> {
        self.user.get()
    }

    /// The peer's user id, as far as it is known already.
    pub(crate) fn known_uid(&self) -> Option<u32> {
        self.user.get().and_then(|user| user.uid)
    }

    /// Whether neither the peer nor its user has more bytes of replies unsent than it may.
    pub(crate) fn has_room(&self, most: Share) -> bool {
        let of_user = self.known_user().filter(|user| !user.is_root());
        self.unsent.bytes() <= most.connection
            && of_user.is_none_or(|user| user.unsent.bytes() <= most.user)
    }

    /// Waits until the bus has taken so much of the replies to this peer, and to all of its user's, that there is room for another.
    pub(crate) async fn room(&self, most: Share) {
        self.unsent.room(most.connection).await;
        if let Some(user) = self.known_user().filter(|user| !user.is_root()) {
            user.unsent.room(most.user).await;
        }
    }

    fn book(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that may be unread.
    pub(crate) fn unread(&self) -> usize {
        self.book().bytes
    }

    /// The bus has taken so many bytes more, which count among those of all users unless they are root's. Nothing counts for a peer that
    /// has left: the bus keeps nothing for it, and nobody would take it off again.
    pub(crate) fn add_unread(&self, bytes: usize) {
        let mut book = self.book();
        if book.gone {
            return;
        }
        book.bytes += bytes;
        let user = self.user.get();
        if let Some(user) = user {
            user.unread.fetch_add(bytes, Ordering::Relaxed);
        }
        if user.is_none_or(|user| !user.is_root()) {
            book.of_all += bytes;
            self.all.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// So many of them were read.
    pub(crate) fn was_read(&self, bytes: usize) {
        self.take_off(&mut self.book(), bytes);
    }

    /// The peer has left: what it had not read is gone.
    pub(crate) fn has_left(&self) {
        let mut book = self.book();
        book.gone = true;
        let bytes = book.bytes;
        self.take_off(&mut book, bytes);
    }

    fn take_off(&self, book: &mut Unread, bytes: usize) {
        let bytes = bytes.min(book.bytes);
        book.bytes -= bytes;
        // Those that counted before it was known that they are root's count until all of them are read.
        let of_all = if book.bytes == 0 {
            book.of_all
        } else {
            bytes.min(book.of_all)
        };
        book.of_all -= of_all;
        less(&self.all, of_all);
        if let Some(user) = self.user.get() {
            less(&user.unread, bytes);
        }
    }

    /// The lane of the peer's writes to the object at `path`.
    pub(crate) fn lane(&self, path: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.lane(path)
    }
}

/// Counts down, and not below nothing.
fn less(count: &AtomicUsize, bytes: usize) {
    let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
        Some(count.saturating_sub(bytes))
    });
}

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

    #[test]
    fn writes_to_an_object_have_one_lane_while_there_are_any() {
        let peer = Peer::known(":1.1", Some(1000));
        let first = peer.lane("/a");
        assert!(Arc::ptr_eq(&first, &peer.lane("/a")));
        assert!(!Arc::ptr_eq(&first, &peer.lane("/b")));
        for number in 0..10_000 {
            drop(peer.lane(&number.to_string()));
        }
        let lanes = peer.lanes.lock().unwrap();
        assert!(lanes.lanes.len() <= LANES_KEPT, "{}", lanes.lanes.len());
        drop(lanes);
        assert!(Arc::ptr_eq(&first, &peer.lane("/a")));
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
