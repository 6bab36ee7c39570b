//! How what happened reaches whoever serves it: a hub of listeners per connection.
//!
//! A driver publishes in this order: it writes down, swaps the snapshot, then announces. Events of one connection are
//! delivered in the order of publication and none is ever left out; therefore a listener is called
//! synchronously, must not block, and puts what it has to do into a queue of its own.

use std::sync::{Arc, RwLock};

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
