//! What clients have not read: replies that the bus has taken and still holds for them.
//!
//! A bus keeps what a client does not read, and stops to read from a service of which it keeps too much: then nobody is answered any more. So
//! a client that may have much to read is given nothing more until the bus has told that it did read. `dbus-daemon`
//! tells (`org.freedesktop.DBus.Debug.Stats`); a bus that does not, such as `dbus-broker`, makes each client answer for what it leaves
//! unread by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};
use zbus::{Connection, OwnedVariant};

use crate::error::{Failure, Protocol};
use crate::limits::{Limits, Whose};
use crate::peers::{PATIENCE, Peer, Peers};

/// Peers with less than this are not asked about.
const LITTLE: usize = 128 << 10;

/// After the bus was asked in vain about all connections of a user, or of all, nobody asks again for so long: what they have not read now
/// they will hardly have read sooner.
const PAUSE: Duration = Duration::from_secs(1);

/// The bus is asked about so many connections at the same time.
const AT_ONCE: usize = 16;

/// What is known of what was read.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// Bytes that users other than root may not have read.
    all: Arc<AtomicUsize>,
    /// When the bus was last asked about everybody in vain; held by whoever asks.
    asking: tokio::sync::Mutex<Option<Instant>>,
    /// The bus does not tell.
    silent: AtomicBool,
}

impl Receipts {
    /// What the clients in `peers` have not read.
    pub(crate) fn of(peers: &Peers) -> Self {
        Self {
            all: Arc::clone(&peers.unread),
            ..Self::default()
        }
    }

    /// Whose limit the peer has come to, as far as is known.
    fn exceeded(&self, peer: &Peer, limits: &Limits) -> Option<(Whose, usize)> {
        let unread = limits.unread;
        if peer.unread() > unread.connection {
            return Some((Whose::Connection, unread.connection));
        }
        let user = peer.known_user().filter(|user| !user.is_root())?;
        if user.unread.load(Ordering::Relaxed) > unread.user {
            return Some((Whose::User, unread.user));
        }
        (self.all.load(Ordering::Relaxed) > unread.all).then_some((Whose::All, unread.all))
    }

    /// Whether the peer may be given more without asking the bus first.
    pub(crate) fn are_in_order(&self, peer: &Peer, limits: &Limits) -> bool {
        self.exceeded(peer, limits).is_none()
    }

    /// Finds out whether the peer may be given more.
    ///
    /// # Errors
    /// That too much is unread, and of whom.
    pub(crate) async fn check(
        &self,
        bus: &Connection,
        peers: &Peers,
        peer: &Peer,
        limits: &Limits,
    ) -> Result<(), Failure> {
        if self.are_in_order(peer, limits) {
            return Ok(());
        }
        // Each limit has a queue of its own, so nobody waits for what is asked for the sake of somebody else's limit.
        if peer.unread() > limits.unread.connection {
            let _asking = peer.asking.lock().await;
            if peer.unread() > limits.unread.connection {
                self.ask_about(bus, peer).await;
            }
        }
        if let Some((Whose::User, _)) = self.exceeded(peer, limits)
            && let Some(user) = peer.known_user()
        {
            let is_of_user = |other: &Peer| {
                let other = other.known_user();
                other.is_some_and(|other| Arc::ptr_eq(other, user))
            };
            self.round(&user.asking, bus, peers, is_of_user, || {
                user.unread.load(Ordering::Relaxed) > limits.unread.user
            })
            .await;
        }
        if let Some((Whose::All, _)) = self.exceeded(peer, limits) {
            self.round(
                &self.asking,
                bus,
                peers,
                |_| true,
                || self.all.load(Ordering::Relaxed) > limits.unread.all,
            )
            .await;
        }
        match self.exceeded(peer, limits) {
            None => Ok(()),
            Some((whose, most)) => Err(Failure::protocol(
                Protocol::LimitsExceeded,
                format!(
                    "too many bytes of replies {} are unread; the limit is {most}",
                    whose.name()
                ),
            )),
        }
    }

    /// Asks the bus about all who are concerned, if somebody else has not done so meanwhile.
    async fn round(
        &self,
        asking: &tokio::sync::Mutex<Option<Instant>>,
        bus: &Connection,
        peers: &Peers,
        concerned: impl Fn(&Peer) -> bool,
        is_exceeded: impl Fn() -> bool,
    ) {
        let mut in_vain = asking.lock().await;
        if !is_exceeded() || in_vain.is_some_and(|when| when.elapsed() < PAUSE) {
            return;
        }
        let others = peers.all().into_iter();
        let others = others.filter(|other| other.unread() >= LITTLE && concerned(other));
        stream::iter(others)
            .for_each_concurrent(AT_ONCE, |other| async move {
                self.ask_about(bus, &other).await;
            })
            .await;
        *in_vain = is_exceeded().then(Instant::now);
    }

    /// Asks the bus what it still holds for a peer.
    async fn ask_about(&self, bus: &Connection, peer: &Peer) {
        let before = peer.unread();
        let held = if self.silent.load(Ordering::Relaxed) {
            0
        } else {
            // No answer: nothing was read, as far as is known.
            timeout(PATIENCE, self.held(bus, peer))
                .await
                .unwrap_or(before)
        };
        peer.was_read(before.saturating_sub(held));
    }

    async fn held(&self, bus: &Connection, peer: &Peer) -> usize {
        let reply = bus
            .call_method(
                Some("org.freedesktop.DBus"),
                "/org/freedesktop/DBus",
                Some("org.freedesktop.DBus.Debug.Stats"),
                "GetConnectionStats",
                &(&*peer.name,),
            )
            .await;
        let stats =
            reply.and_then(|reply| reply.body().deserialize::<HashMap<String, OwnedVariant>>());
        let told = match &stats {
            Ok(stats) => stats.get("OutgoingBytes"),
            // It has left.
            Err(zbus::Error::MethodError(name, ..)) if name.ends_with(".NameHasNoOwner") => {
                return 0;
            }
            Err(error) => {
                tracing::debug!(%error, "the bus does not tell what is unread");
                None
            }
        };
        let Some(bytes) = told.and_then(|told| u32::try_from(told.clone()).ok()) else {
            self.silent.store(true, Ordering::Relaxed);
            return 0;
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(peers: &Peers, name: &str, uid: u32) -> Arc<Peer> {
        let peer = peers.get(name);
        peers.know(&peer, Some(uid));
        peer
    }

    #[test]
    fn what_is_unread_counts_for_connection_user_and_all() {
        let peers = Peers::new(&Arc::default());
        let (receipts, mut limits) = (Receipts::of(&peers), Limits::new(8, 256));
        limits.unread.connection = 100;
        limits.unread.user = 150;
        limits.unread.all = 1000;
        let peer = known(&peers, ":1.1", 1000);
        peer.add_unread(100);
        assert!(receipts.are_in_order(&peer, &limits));
        peer.add_unread(1);
        assert_eq!(
            receipts.exceeded(&peer, &limits),
            Some((Whose::Connection, 100))
        );
        limits.unread.connection = 1000;
        peer.add_unread(50);
        assert_eq!(receipts.exceeded(&peer, &limits), Some((Whose::User, 150)));
        limits.unread.user = 1000;
        limits.unread.all = 150;
        assert_eq!(receipts.exceeded(&peer, &limits), Some((Whose::All, 150)));
        peer.was_read(51);
        assert!(receipts.are_in_order(&peer, &limits));
        let root = known(&peers, ":1.2", 0);
        root.add_unread(900);
        assert!(receipts.are_in_order(&root, &limits));
    }
}
