//! How what happened reaches whoever serves it: a hub of listeners per connection.
//!
//! A driver publishes in this order: it writes down, swaps the snapshot, then announces. Events of one connection are
//! delivered in the order of publication and none is ever left out; therefore a listener is called
//! synchronously, must not block, and puts what it has to do into a queue of its own.

use std::sync::{Arc, RwLock};

use crate::domain::{DomainEvent, DomainId, DomainView};

/// Something that happened on a connection.
#[derive(Debug, Clone)]
pub enum Event {
    /// A domain's snapshot was replaced. `None` before: the domain is new; `None` after: it is gone.
    DomainChanged {
        /// What was known until now.
        before: Option<Arc<DomainView>>,
        /// What is known from now on.
        after: Option<Arc<DomainView>>,
    },
    /// Something happened to a domain.
    Domain(DomainId, DomainEvent),
}

/// Takes events as they are published; see the module on what it must not do.
pub trait EventListener: Send + Sync {
    /// Called for each event, in order, by whichever thread published it.
    fn event(&self, event: &Event);
}

/// Hands a connection's events to its listeners.
#[derive(Default)]
pub struct EventHub {
    listeners: RwLock<Vec<Arc<dyn EventListener>>>,
}

impl std::fmt::Debug for EventHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHub").finish_non_exhaustive()
    }
}

impl EventHub {
    /// Adds a listener, which hears all that is published from now on.
    pub fn subscribe(&self, listener: Arc<dyn EventListener>) {
        self.listeners
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(listener);
    }

    /// Hands `event` to every listener before it returns.
    ///
    /// Who publishes about one object holds that object's lock meanwhile; that is what makes the order of
    /// events the order of states.
    pub fn publish(&self, event: &Event) {
        for listener in self
            .listeners
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
        {
            listener.event(event);
        }
    }
}
