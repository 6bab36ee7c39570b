//! How what happened reaches whoever serves it: a hub of listeners per connection, and one per subsystem of the host, whose events connections
//! that offer it pass on ([`EventHub::forward`]).
//!
//! A driver publishes in this order: it writes down, swaps the snapshot, then announces. Events of one connection are
//! delivered in the order of publication and none is ever left out; therefore a listener is called
//! synchronously, must not block, and puts what it has to do into a queue of its own.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::declare::numbered;
use crate::domain::{DomainEvent, DomainId};
use crate::network::{NetworkEvent, NetworkId};
use crate::node_device::{NodeDeviceEvent, NodeDeviceId};
use crate::object::View;
use crate::secret::{SecretEvent, SecretId};
use crate::storage::{StoragePoolEvent, StoragePoolId};

/// Something that happened on a connection.
#[derive(Debug, Clone)]
pub enum Event {
    /// The snapshot of an object was replaced. `None` before: the object is new; `None` after: it is gone.
    Changed {
        /// What was known until now.
        before: Option<View>,
        /// What is known from now on.
        after: Option<View>,
    },
    /// Something happened to a domain.
    Domain(DomainId, DomainEvent),
    /// Something happened to a network.
    Network(NetworkId, NetworkEvent),
    /// Something happened to a device of the host.
    NodeDevice(NodeDeviceId, NodeDeviceEvent),
    /// Something happened to a secret.
    Secret(SecretId, SecretEvent),
    /// Something happened to a storage pool.
    StoragePool(StoragePoolId, StoragePoolEvent),
    /// The connection ended by itself, and no further event comes.
    Closed(CloseReason),
}

numbered! {
    /// Why a connection ended.
    CloseReason: virConnectCloseReason, VIR_CONNECT_CLOSE_REASON_ {
        /// By an error that is not told further.
        Error = 0,
        /// The other side closed it.
        Eof = 1,
        /// The other side did not answer any more.
        Keepalive = 2,
        /// A client closed it.
        Client = 3,
    }
}

/// Takes events as they are published; see the module on what it must not do.
pub trait EventListener: Send + Sync {
    /// Called for each event, in order, by whichever thread published it.
    fn event(&self, event: &Event);
}

/// Hands a connection's events to its listeners.
#[derive(Default)]
pub struct EventHub {
    listeners: Arc<Listeners>,
}

/// Replaced when one comes or goes, so that nothing is locked while they are called: one of them may be about to go.
#[derive(Default)]
struct Listeners(RwLock<Arc<[Listener]>>);

type Listener = Arc<dyn EventListener>;

impl Listeners {
    fn now(&self) -> Arc<[Listener]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, event: &Event) {
        for listener in self.now().iter() {
            listener.event(event);
        }
    }

    fn change(&self, change: impl FnOnce(&[Listener]) -> Arc<[Listener]>) {
        let mut listeners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *listeners = change(&listeners);
    }
}

impl std::fmt::Debug for EventHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHub").finish_non_exhaustive()
    }
}

/// Has a listener hear events until it is dropped.
#[must_use = "the listener hears nothing after this is dropped"]
pub struct Subscription {
    hub: Weak<Listeners>,
    listener: Weak<dyn EventListener>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Subscription {
    /// Has the listener hear events for as long as there is the hub.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            let is_other =
                |listener: &&Listener| !Weak::ptr_eq(&Arc::downgrade(listener), &self.listener);
            hub.change(|listeners| listeners.iter().filter(is_other).cloned().collect());
        }
    }
}

impl EventHub {
    /// Adds a listener, which hears all that is published from now on until the subscription is dropped.
    pub fn subscribe(&self, listener: Arc<dyn EventListener>) -> Subscription {
        let subscription = Subscription {
            hub: Arc::downgrade(&self.listeners),
            listener: Arc::downgrade(&listener),
        };
        self.listeners.change(|listeners| {
            let listeners = listeners.iter().cloned();
            listeners.chain([listener]).collect()
        });
        subscription
    }

    /// Has all that is published here be published on another hub too, until the subscription is dropped or that hub is gone. Nothing is
    /// kept alive by it.
    pub fn forward(&self, to: &Self) -> Subscription {
        self.subscribe(Arc::new(Forward {
            to: Arc::downgrade(&to.listeners),
        }))
    }

    /// Hands `event` to every listener before it returns.
    ///
    /// Who publishes about one object holds that object's lock meanwhile; that is what makes the order of
    /// events the order of states.
    pub fn publish(&self, event: &Event) {
        self.listeners.publish(event);
    }
}

/// Publishes on another hub what it hears.
struct Forward {
    to: Weak<Listeners>,
}

impl EventListener for Forward {
    fn event(&self, event: &Event) {
        if let Some(to) = self.to.upgrade() {
            to.publish(event);
        }
    }
}
