//! What clients have not read: replies that the bus has taken and still holds for them.
//!
//! A bus keeps what a client does not read, and stops to read from a service of which it keeps too much: then nobody is answered any more. So
//! a client that may have much to read is given nothing more until the bus has told that it did read. `dbus-daemon`
//! tells (`org.freedesktop.DBus.Debug.Stats`); a bus that does not, such as `dbus-broker`, makes each client answer for what it leaves
//! unread by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::time::timeout;
use zbus::{Connection, OwnedVariant};

use crate::error::{Failure, Protocol};
use crate::limits::{Limits, Whose};
use crate::peers::{PATIENCE, Peer, Peers};

/// Peers with less than this are not asked about.
const LITTLE: usize = 128 << 10;

/// What is known of what was read.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// Bytes that users other than root may not have read.
    all: AtomicUsize,
    /// Held by the one who asks the bus; those who want to know the same wait.
    asking: tokio::sync::Mutex<()>,
    /// The bus does not tell.
    silent: AtomicBool,
}

impl Receipts {
    /// The bus has taken so many bytes for this peer.
    pub(crate) fn sent(&self, peer: &Peer, bytes: usize) {
        peer.add_unread(bytes);
        if peer.known_uid() != Some(0) {
            self.all.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// These bytes were read, or went with their peer.
    pub(crate) fn read(&self, peer: &Peer, bytes: usize) {
        peer.was_read(bytes);
        if peer.known_uid() != Some(0) {
            let less = |all: usize| Some(all.saturating_sub(bytes));
            let _ = self
                .all
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
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
        let _asking = self.asking.lock().await;
        // Somebody may have asked meanwhile.
        let Some((whose, _)) = self.exceeded(peer, limits) else {
            return Ok(());
        };
        match whose {
            Whose::Connection => self.ask_about(bus, peer).await,
            Whose::User | Whose::All => {
                let user = peer.known_user().map(|user| user.uid);
                let concerned = |other: &Arc<Peer>| {
                    other.unread() >= LITTLE
                        && (whose == Whose::All || other.known_user().map(|user| user.uid) == user)
                };
                for other in peers.all().into_iter().filter(concerned) {
                    self.ask_about(bus, &other).await;
                }
            }
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
        self.read(peer, before.saturating_sub(held));
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

    #[test]
    fn what_is_unread_counts_for_connection_user_and_all() {
        let (receipts, mut limits) = (Receipts::default(), Limits::new(8, 256));
        limits.unread.connection = 100;
        limits.unread.user = 150;
        limits.unread.all = 1000;
        let peer = Peer::known(":1.1", Some(1000));
        receipts.sent(&peer, 100);
        assert!(receipts.are_in_order(&peer, &limits));
        receipts.sent(&peer, 1);
        assert_eq!(
            receipts.exceeded(&peer, &limits),
            Some((Whose::Connection, 100))
        );
        limits.unread.connection = 1000;
        receipts.sent(&peer, 50);
        assert_eq!(receipts.exceeded(&peer, &limits), Some((Whose::User, 150)));
        limits.unread.user = 1000;
        limits.unread.all = 150;
        assert_eq!(receipts.exceeded(&peer, &limits), Some((Whose::All, 150)));
        receipts.read(&peer, 51);
        assert!(receipts.are_in_order(&peer, &limits));
        let root = Peer::known(":1.2", Some(0));
        receipts.sent(&root, 900);
        assert!(receipts.are_in_order(&root, &limits));
    }
}
