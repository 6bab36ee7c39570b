//! What one client hears: signals about objects that not everybody may see, one after the other, each only if this client may.
//!
//! Who may see what is asked of the authorizer, whose answer may take a while; those who publish events wait for nothing, so what
//! is not known yet is asked for in the client's own turns, one event after the other, and what comes later waits behind it. How much may wait
//! has [limits](crate::limits::Limits::events), and nothing waits for a client that has left.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use tokio::sync::Notify;
use tokio::time::timeout;
use virtbus_api::access::Caller;
use virtbus_api::session::Target;
use zbus::Message;

use crate::dispatch::Shared;
use crate::limits::Counted;
use crate::outbox::addressed;
use crate::peers::Peer;
use crate::tree::Node;

/// Events that wait until it is known whether a client may hear of them.
#[derive(Default)]
pub(crate) struct Hearing {
    waiting: Mutex<Waiting>,
    /// Told when nothing waits any more.
    quiet: Notify,
    /// Told when the client has left.
    ended: Notify,
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
    /// The client has left.
    has_ended: bool,
}

/// The signals of an event, and what it is about.
struct Heard {
    node: Arc<Node>,
    target: Target,
    signals: Arc<[Message]>,
    /// The question whether it may be heard, if it is on its way.
    asked: Option<BoxFuture<'static, bool>>,
    _counted: Counted,
}

impl Hearing {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client has left: nothing of what waits is asked about any more.
    pub(crate) fn end(&self) {
        let events = {
            let mut waiting = self.lock();
            waiting.has_ended = true;
            std::mem::take(&mut waiting.events)
        };
        drop(events);
        self.ended.notify_waiters();
    }

    /// What `work` comes to; nothing if the client leaves before.
    async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let ended = self.ended.notified();
        tokio::pin!(ended, work);
        ended.as_mut().enable();
        if self.lock().has_ended {
            return None;
        }
        match select(work, ended).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }

    /// The next that waits. Whoever gets none serves no longer.
    fn next(&self, peer: &Peer) -> Option<Heard> {
        let mut waiting = self.lock();
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
        drop(waiting);
        if next.is_none() {
            self.quiet.notify_waiters();
        }
        next
    }

    /// The next that waits, if it is about the same object.
    fn next_about(&self, node: &Arc<Node>, target: &Target) -> Option<Heard> {
        let mut waiting = self.lock();
        let next = waiting.events.front()?;
        let is_same = Arc::ptr_eq(&next.node, node) && next.target.id().ok() == target.id().ok();
        if is_same {
            waiting.events.pop_front()
        } else {
            None
        }
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

/// Whether a client may hear of something is asked again after so long, if it could not be found out.
const AGAIN: Duration = Duration::from_secs(1);

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
    let mut waiting = peer.hearing.lock();
    if waiting.has_ended {
        return true;
    }
    let mut asked = None;
    if !waiting.is_served {
        let mut may = may_see(shared, peer, node, target);
        match (&mut may).now_or_never() {
            Some(true) => return signals.iter().all(|signal| send(shared, peer, signal)),
            Some(false) => return true,
            None => asked = Some(may),
        }
    }
    let user = shared.peers.user_or_unknown(peer);
    let most = shared.limits.events;
    let counts = [(&user.events, most.user), (&shared.events, most.all)];
    let counted = (waiting.events.len() < most.connection)
        .then(|| Counted::with(counts.into_iter().filter(|_| !user.is_root())))
        .flatten();
    let Some(counted) = counted else {
        waiting.left_out += 1;
        return true;
    };
    waiting.events.push_back(Heard {
        node: Arc::clone(node),
        target: target.clone(),
        signals: Arc::clone(signals),
        asked,
        _counted: counted,
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
            // It is asked until that is known, or the client has left.
            if let Ok(user) = shared.peers.user_of(&peer, &shared.questions).await {
                break user.uid;
            }
        };
        let caller = Caller::Bus {
            client: peer.client.clone(),
            uid,
            interactive: false,
        };
        loop {
            // What cannot be found out now can be in a while, and nothing is left out for that.
            match node.guarded.session(&caller).sees(&target).await {
                Ok(may) => break may,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    };
    may.boxed()
}

/// Takes out what waits, in order, until nothing does or the client has left.
async fn serve(shared: Arc<Shared>, peer: Arc<Peer>) {
    let hearing = &peer.hearing;
    while let Some(mut heard) = hearing.next(&peer) {
        let asked = heard.asked.take();
        let asked = asked.unwrap_or_else(|| may_see(&shared, &peer, &heard.node, &heard.target));
        let Some(may) = hearing.unless_ended(asked).await else {
            continue;
        };
        // One question for all that happened to an object meanwhile.
        let mut next = Some(heard);
        while let Some(heard) = next {
            let all = async {
                for signal in heard.signals.iter().filter(|_| may) {
                    while !send(&shared, &peer, signal) {
                        shared.outbox.caught_up().await;
                    }
                }
            };
            if hearing.unless_ended(all).await.is_none() {
                break;
            }
            next = hearing.next_about(&heard.node, &heard.target);
        }
    }
}

/// False: the outbox takes no more.
fn send(shared: &Shared, peer: &Arc<Peer>, signal: &Message) -> bool {
    addressed(signal, &peer.name).is_none_or(|signal| shared.outbox.signal(signal, Some(peer)))
}
