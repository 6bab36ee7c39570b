//! What is known of a domain, and the one way in which that changes.
//!
//! Readers take the published snapshot, which is swapped whole and needs no lock. Writers hold the domain's lock while they write down
//! what must survive, swap the snapshot and announce, in this order; so the order of events is the order of states, and what was
//! announced is on disk. Nothing is waited for under the lock.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use virtbus_api::Uuid;
use virtbus_api::domain::{DefinedDetail, DomainEvent, DomainView, Lifecycle, UndefinedDetail};
use virtbus_api::event::{Event, EventHub};
use virtbus_api::object::View;

/// What readers see of a domain: published whole, never changed.
pub trait Snapshot: Send + Sync + 'static {
    /// What everybody sees who may know of the domain.
    fn view(&self) -> &Arc<DomainView>;

    /// Whether anybody may know of the domain yet, or still: it is defined or runs.
    fn is_shown(&self) -> bool;
}

/// What writers change of a domain.
pub trait State: Send + 'static {
    /// What readers see of it.
    type Snapshot: Snapshot;

    /// What readers are to see now. The domain's UUID is always the same.
    fn snapshot(&self) -> Self::Snapshot;
}

/// The state of a domain with what is published of it.
pub struct Published<S: State> {
    /// The domain's UUID.
    pub uuid: Uuid,
    snapshot: ArcSwap<S::Snapshot>,
    state: Mutex<S>,
}

impl<S: State> fmt::Debug for Published<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published")
            .field("uuid", &self.uuid)
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl<S: State> Published<S> {
    /// A domain in this state, of which nobody is told.
    pub fn new(state: S) -> Self {
        let snapshot = state.snapshot();
        Self {
            uuid: snapshot.view().id.uuid,
            snapshot: ArcSwap::from_pointee(snapshot),
            state: Mutex::new(state),
        }
    }

    /// What is known of the domain. Never waits.
    #[must_use]
    pub fn snapshot(&self) -> Arc<S::Snapshot> {
        self.snapshot.load_full()
    }

    /// The domain's name now.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.snapshot.load().view().id.name)
    }

    /// Looks at what writers change. Not across an await, and not for readers.
    pub fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the domain: `change` edits and says what happened; then the snapshot is swapped, and both are announced.
    ///
    /// What must be on disk is written by `change`; if it fails, it must have left everything as it was.
    ///
    /// # Errors
    /// Those of `change`; nothing is published or announced then.
    pub fn change<T, E>(
        &self,
        hub: &EventHub,
        change: impl FnOnce(&mut S) -> Result<(T, Vec<DomainEvent>), E>,
    ) -> Result<T, E> {
        let mut state = self.lock();
        let (answer, events) = change(&mut state)?;
        let (before, after) = self.swap(&state);
        let shown = |snapshot: &S::Snapshot| {
            let view = snapshot.is_shown().then(|| snapshot.view());
            view.cloned()
        };
        let (was, is) = (shown(&before), shown(&after));
        // An event about a domain that is going must come while the domain is still named.
        let id = &after.view().id;
        let goes = is.is_none();
        if was != is && !goes {
            hub.publish(&Event::Changed {
                before: was.clone().map(View::from),
                after: is.clone().map(View::from),
            });
        }
        for event in events {
            hub.publish(&Event::Domain(id.clone(), event));
        }
        if was != is && goes {
            hub.publish(&Event::Changed {
                before: was.map(View::from),
                after: None,
            });
        }
        drop(state);
        Ok(answer)
    }

    /// Changes what nothing has to be written down for, and nothing is told of but the change itself.
    pub fn adjust(&self, hub: &EventHub, change: impl FnOnce(&mut S)) {
        let done: Result<(), Infallible> = self.change(hub, |state| {
            change(state);
            Ok(((), Vec::new()))
        });
        done.unwrap_or_else(|never| match never {});
    }

    /// Gives the domain, which is shown, another name, and tells of that: it is gone under one name and there under the other.
    pub fn rename(&self, hub: &EventHub, change: impl FnOnce(&mut S)) {
        let mut state = self.lock();
        change(&mut state);
        let (before, after) = self.swap(&state);
        let (was, is) = (Arc::clone(before.view()), Arc::clone(after.view()));
        let event = |lifecycle| DomainEvent::Lifecycle(lifecycle);
        let gone = event(Lifecycle::Undefined(UndefinedDetail::Renamed));
        hub.publish(&Event::Domain(was.id.clone(), gone));
        hub.publish(&Event::Changed {
            before: Some(View::from(was)),
            after: Some(View::from(Arc::clone(&is))),
        });
        let came = event(Lifecycle::Defined(DefinedDetail::Renamed));
        hub.publish(&Event::Domain(is.id.clone(), came));
        drop(state);
    }

    /// Publishes a state, whose lock is held. Returns what was published before, and what is now.
    fn swap(&self, state: &S) -> (Arc<S::Snapshot>, Arc<S::Snapshot>) {
        let after = Arc::new(state.snapshot());
        (self.snapshot.swap(Arc::clone(&after)), after)
    }
}

#[cfg(test)]
pub(crate) mod tests;
