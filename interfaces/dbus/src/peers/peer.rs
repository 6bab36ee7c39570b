//! A client on the bus and the user whose it is: what each has under way, has not read, and in which order its writes run.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Semaphore, SetOnce};
use tokio::time::Instant;
use virtbus_api::access::Client;

use crate::hearing::Hearing;
use crate::limits::{Account, Share, Unsent};
use crate::streams::Streams;

/// So many lanes a peer has before those that nobody uses are dropped.
const LANES_KEPT: usize = 64;

/// Of so many documents of a user it is found out at the same time what they are about.
const DOCUMENTS: usize = 2;

/// So many answers that have every object are made for a user at the same time: each lists all of them while it is made.
const PICTURES: usize = 4;

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
    pub(super) fn new(uid: Option<u32>) -> Self {
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
    pub(super) user: SetOnce<Arc<User>>,
    /// The bus was asked whose it is.
    pub(super) is_asked: AtomicBool,
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
pub(super) struct Unread {
    pub(super) bytes: usize,
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
    pub(super) fn new(name: &str, all: &Arc<AtomicUsize>) -> Self {
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

    pub(super) fn book(&self) -> MutexGuard<'_, Unread> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
