//! What one client hears: signals about objects that not everybody may see, one after the other, each only if this client may.
//!
//! Who may see what is asked of the authorizer, whose answer may take a while; those who publish events wait for nothing, so what
//! is not known yet is asked for in the client's own turns, and what comes later waits behind it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::timeout;
use virtbus_api::access::Caller;
use virtbus_api::session::Target;
use zbus::Message;

use crate::dispatch::Shared;
use crate::outbox::addressed;
use crate::peers::Peer;
use crate::tree::Node;

/// So many events may wait for one client. An authorizer that answers at all answers as many in a second or two.
const MOST: usize = 4096;

/// Events that wait until it is known whether a client may hear of them.
#[derive(Default)]
pub(crate) struct Hearing {
    waiting: Mutex<Waiting>,
    /// Told when nothing waits any more.
    quiet: Notify,
}

impl std::fmt::Debug for Hearing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hearing").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Heard>,
    /// Somebody takes them out.
    is_served: bool,
    /// Events that did not fit.
    left_out: u64,
}

/// The signals of an event, and whether they may be heard.
struct Heard {
    may: BoxFuture<'static, bool>,
    signals: Arc<[Message]>,
}

impl Hearing {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing waits to be heard, but not for what comes meanwhile for ever.
    pub(crate) async fn is_quiet(&self) {
        let quiet = self.quiet.notified();
        tokio::pin!(quiet);
        quiet.as_mut().enable();
        if self.lock().is_served {
            let _ = timeout(PATIENCE, quiet).await;
        }
    }
}

/// So long a reply waits for signals that come before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets a peer hear the signals of an event about an object, if and when it may. False: the outbox takes no more.
pub(crate) fn tell(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    node: &Arc<Node>,
    target: &Target,
    signals: &Arc<[Message]>,
) -> bool {
    let mut may = may_see(shared, peer, node, target);
    let mut waiting = peer.hearing.lock();
    if !waiting.is_served {
        match (&mut may).now_or_never() {
            Some(true) => return signals.iter().all(|signal| send(shared, peer, signal)),
            Some(false) => return true,
            None => {}
        }
    }
    if waiting.events.len() >= MOST {
        waiting.left_out += 1;
        return true;
    }
    waiting.events.push_back(Heard {
        may,
        signals: Arc::clone(signals),
    });
    if !waiting.is_served {
        waiting.is_served = true;
        let serve = serve(Arc::clone(shared), Arc::clone(peer));
        shared.turns.go_on(Arc::clone(peer), Box::pin(serve));
    }
    true
}

fn may_see(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    node: &Arc<Node>,
    target: &Target,
) -> BoxFuture<'static, bool> {
    let (shared, peer) = (Arc::clone(shared), Arc::clone(peer));
    let (node, target) = (Arc::clone(node), target.clone());
    let may = async move {
        let uid = loop {
            // It is asked until that is known.
            if let Ok(user) = shared.peers.user_of(&peer, &shared.questions).await {
                break user.uid;
            }
        };
        let caller = Caller::Bus {
            name: Arc::clone(&peer.name),
            uid,
            interactive: false,
        };
        node.guarded.session(&caller).sees(&target).await
    };
    may.boxed()
}

/// Takes out what waits, in order.
async fn serve(shared: Arc<Shared>, peer: Arc<Peer>) {
    loop {
        let next = {
            let mut waiting = peer.hearing.lock();
            let next = waiting.events.pop_front();
            waiting.is_served = next.is_some();
            if next.is_none() && waiting.left_out > 0 {
                let events = std::mem::take(&mut waiting.left_out);
                tracing::warn!(
                    peer = &*peer.name,
                    events,
                    "events were not sent to a client because its authorization was not known in time"
                );
            }
            next
        };
        let Some(Heard { may, signals }) = next else {
            peer.hearing.quiet.notify_waiters();
            return;
        };
        if !may.await {
            continue;
        }
        for signal in &*signals {
            while !send(&shared, &peer, signal) {
                shared.outbox.caught_up().await;
            }
        }
    }
}

/// False: the outbox takes no more.
fn send(shared: &Shared, peer: &Arc<Peer>, signal: &Message) -> bool {
    addressed(signal, &peer.name).is_none_or(|signal| shared.outbox.signal(signal, Some(peer)))
}
