//! The connections on the bus: a node for each that is served, from when it comes until it goes.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use virtbus_api::Connection;
use virtbus_api::connections::{Connections, Follower, ManagerConnection};
use virtbus_api::event::{CloseReason, Subscription};
use virtbus_api::session::{Guarded, Target};

use crate::announcer::{self, Announcer};
use crate::dispatch::Shared;
use crate::outbox::Behind;
use crate::signals;
use crate::tree::Node;

/// The nodes.
pub(crate) struct Nodes {
    /// What is at [`ROOT`](crate::tree::ROOT).
    manager: Arc<Node>,
    served: RwLock<Vec<Served>>,
}

struct Served {
    node: Arc<Node>,
    announcer: Arc<Announcer>,
    /// To the connection's events, once it is open. Dropped with the rest, so that a connection keeps nobody who keeps the connection.
    events: Option<Subscription>,
}

impl Nodes {
    pub(crate) fn new(connections: &Arc<Connections>) -> Self {
        let manager = ManagerConnection::new(Arc::clone(connections));
        let guarded = Guarded::new("", manager, connections.guard().clone());
        Self {
            manager: Arc::new(Node::at_root(guarded)),
            served: RwLock::default(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Served>> {
        self.served.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Served>> {
        self.served.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is at the root: the daemon itself, which opens and closes connections.
    pub(crate) fn manager(&self) -> Arc<Node> {
        Arc::clone(&self.manager)
    }

    /// Every connection that is served.
    pub(crate) fn all(&self) -> Vec<Arc<Node>> {
        let served = self.read();
        served.iter().map(|one| Arc::clone(&one.node)).collect()
    }

    /// The connection of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Node>> {
        let served = self.read();
        let found = served.iter().find(|one| one.node.name() == name);
        found.map(|one| Arc::clone(&one.node))
    }
}

impl Follower for Shared {
    fn served(&self, guarded: &Arc<Guarded>) {
        let node = Arc::new(Node::new(Arc::clone(guarded)));
        let announcer = Arc::new(Announcer::new(self.me(), Arc::clone(&node)));
        let behind: Arc<dyn Behind> = announcer.clone();
        self.outbox.when_behind(Arc::downgrade(&behind));
        self.nodes.write().push(Served {
            node: Arc::clone(&node),
            announcer,
            events: None,
        });
        self.tell_of(&node, signals::connection_added(&node));
    }

    fn opened(&self, guarded: &Arc<Guarded>, connection: &Arc<dyn Connection>) {
        let announcer = {
            let served = self.nodes.read();
            let found = served.iter().find(|one| one.node.is_of(guarded));
            found.map(|one| Arc::clone(&one.announcer))
        };
        let Some(announcer) = announcer else { return };
        // Not under the lock: whoever publishes just now may wait for it.
        let events = connection.events().subscribe(announcer);
        let mut served = self.nodes.write();
        if let Some(one) = served.iter_mut().find(|one| one.node.is_of(guarded)) {
            one.events = Some(events);
        }
    }

    fn gone(&self, guarded: &Arc<Guarded>, reason: CloseReason) {
        let gone = {
            let mut served = self.nodes.write();
            let at = served.iter().position(|one| one.node.is_of(guarded));
            at.map(|at| served.remove(at))
        };
        if let Some(Served { node, .. }) = gone {
            self.tell_of(&node, signals::connection_removed(&node, reason));
        }
    }
}

impl Shared {
    /// Sends signals about a connection as such. Those that the bus is too slow for are left out, like events.
    fn tell_of(&self, node: &Arc<Node>, signals: Vec<zbus::Message>) {
        if self.is_running()
            && let Some(shared) = self.me().upgrade()
            && !announcer::tell(&shared, node, &Target::connection(), signals)
        {
            let name = node.name();
            tracing::warn!(
                connection = name,
                "that connection '{name}' came or went was not signalled because the bus did not read"
            );
        }
    }
}
