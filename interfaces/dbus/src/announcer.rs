//! Who is told what happens on a connection.
//!
//! Called by the driver in the order in which things happened, and only queues. Where all objects of a class are alike to the rules, a
//! signal goes to everybody who listens. Where rules tell them apart, it goes to each client that may see the object, and only to
//! those who have called once: the bus does not tell who listens.
//!
//! A bus that does not read is not waited for, and its signals are not piled up for ever. What changes then is kept once
//! for each object, and told in one piece when the bus reads again; events besides are left out, which the log tells.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use virtbus_api::event::{Event, EventListener};
use virtbus_api::object::View;
use virtbus_api::session::Target;
use zbus::Message;

use crate::dispatch::Shared;
use crate::hearing;
use crate::outbox::Behind;
use crate::signals::{Signals, about};
use crate::tree::Node;

/// Tells of one connection's events.
pub(crate) struct Announcer {
    shared: Weak<Shared>,
    node: Arc<Node>,
    missed: Mutex<Missed>,
}

/// What was not told because the bus did not read.
#[derive(Default)]
struct Missed {
    /// By the object's path: what was told last, and what is so now.
    changes: BTreeMap<String, (Option<View>, Option<View>)>,
    /// Other events.
    events: u64,
}

impl Missed {
    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.events == 0
    }

    fn note(&mut self, path: String, before: Option<View>, after: Option<View>) {
        let told = self.changes.remove(&path).map_or(before, |(told, _)| told);
        if told != after {
            self.changes.insert(path, (told, after));
        }
    }
}

impl Announcer {
    pub(crate) fn new(shared: &Weak<Shared>, node: Arc<Node>) -> Self {
        Self {
            shared: Weak::clone(shared),
            node,
            missed: Mutex::default(),
        }
    }

    fn missed(&self) -> MutexGuard<'_, Missed> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the signals of an event. False: not all of them, as too many wait.
    fn announce(&self, shared: &Arc<Shared>, event: &Event) -> bool {
        let Some(id) = about(event) else {
            return true;
        };
        let signals = Signals::of(event, &self.node);
        tell(shared, &self.node, &Target::named(id), signals)
    }

    fn note(&self, missed: &mut Missed, event: &Event) {
        match event {
            Event::Changed { before, after } => {
                if let Some(id) = about(event) {
                    missed.note(self.node.path_of(&id), before.clone(), after.clone());
                }
            }
            Event::Domain(..)
            | Event::Network(..)
            | Event::NodeDevice(..)
            | Event::Secret(..)
            | Event::StoragePool(..) => missed.events += 1,
            // Whoever gives the connection up tells of that.
            Event::Closed(_) => {}
        }
    }
}

/// Queues signals about an object, for everybody who may know of it. False: not all of them, as too many wait.
pub(crate) fn tell(
    shared: &Arc<Shared>,
    node: &Arc<Node>,
    target: &Target,
    signals: Vec<Message>,
) -> bool {
    if !node.guarded.tells_apart(target.class()) {
        let send = |signal: Message| shared.outbox.signal(signal, None);
        return signals.into_iter().all(send);
    }
    let signals: Arc<[Message]> = signals.into();
    let peers = shared.peers.all();
    let mut told = true;
    for peer in &peers {
        told &= hearing::tell(shared, peer, node, target, &signals);
    }
    told
}

impl EventListener for Announcer {
    fn event(&self, event: &Event) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        // Held until it is queued: what is told when the bus reads again must not overtake it, nor be overtaken.
        let mut missed = self.missed();
        if !missed.is_empty() || !self.announce(&shared, event) {
            self.note(&mut missed, event);
        }
    }
}

impl Behind for Announcer {
    fn catch_up(&self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let mut missed = self.missed();
        let Missed { changes, events } = std::mem::take(&mut *missed);
        if events > 0 {
            let connection = self.node.name();
            tracing::warn!(
                connection,
                events,
                "events were not signalled because the bus did not read"
            );
        }
        for (path, (before, after)) in changes {
            let changed = Event::Changed {
                before: before.clone(),
                after: after.clone(),
            };
            if !missed.is_empty() || !self.announce(&shared, &changed) {
                missed.note(path, before, after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use virtbus_api::secret::{SecretId, SecretUsageType, SecretView};

    use super::*;

    fn secret(ephemeral: bool) -> View {
        let id = SecretId {
            uuid: virtbus_api::Uuid::nil(),
            usage_type: SecretUsageType::None,
            usage_id: "".into(),
        };
        let private = false;
        Arc::new(SecretView {
            id,
            ephemeral,
            private,
        })
        .into()
    }

    #[test]
    fn of_many_changes_the_whole_is_kept() {
        let (one, other) = (secret(false), secret(true));
        let mut missed = Missed::default();
        let mut note = |before: Option<&View>, after: Option<&View>| {
            missed.note("/secret".to_owned(), before.cloned(), after.cloned());
            missed.changes.get("/secret").cloned()
        };
        // New, changed, and gone again: nothing to tell.
        assert_eq!(note(None, Some(&one)), Some((None, Some(one.clone()))));
        assert_eq!(
            note(Some(&one), Some(&other)),
            Some((None, Some(other.clone())))
        );
        assert_eq!(note(Some(&other), None), None);
        // Changed, gone, and back as it was told.
        note(Some(&one), Some(&other));
        assert_eq!(note(Some(&other), None), Some((Some(one.clone()), None)));
        assert_eq!(note(None, Some(&one)), None);
        assert!(missed.is_empty());
    }
}
