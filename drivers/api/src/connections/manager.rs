//! Opening and closing connections, as a client does it: through a session like everything else.
//!
//! The daemon itself is a connection, without domains and without a hypervisor, which offers only this group of methods; so the order of a call,
//! permissions and interfaces are those of any other call.

use std::sync::Arc;

use async_trait::async_trait;

use super::Connections;
use crate::access::Caller;
use crate::connection::Host;
use crate::declare::group;
use crate::event::EventHub;
use crate::flags::KnownFlags;
use crate::session::Guarded;
use crate::typed::TypedParameters;
use crate::{Connection, Result};

group! {
    /// Connections, opened and closed at run time.
    Manager {
        /// Opens the connection that the URI names, and serves it. If it is served already and there can be only one, that one.
        fn open_connection(uri: &str, options: TypedParameters, by: &Caller) -> Arc<Guarded>: ManagerOpenConnection;
        /// Closes a connection that was opened by a client or by the settings. Calls under way on it end with an error.
        fn close_connection(name: &str) -> (): ManagerCloseConnection;
        /// Every connection that is served.
        fn connections() -> Vec<Arc<Guarded>>: ManagerListConnections;
    }
}

/// The daemon as a connection that offers only [`Manager`].
#[derive(Debug)]
pub struct ManagerConnection {
    connections: Arc<Connections>,
    events: EventHub,
}

impl ManagerConnection {
    /// The manager of these.
    #[must_use]
    pub fn new(connections: Arc<Connections>) -> Arc<Self> {
        Arc::new(Self {
            connections,
            events: EventHub::default(),
        })
    }
}

impl Connection for ManagerConnection {
    fn driver(&self) -> &str {
        "Manager"
    }

    fn flags(&self) -> &'static [KnownFlags] {
        &[]
    }

    fn uri(&self) -> &str {
        "virtbus:///"
    }

    fn events(&self) -> &EventHub {
        &self.events
    }

    fn host(&self) -> &dyn Host {
        &NoHost
    }

    fn manager(&self) -> Option<&dyn Manager> {
        Some(self)
    }

    fn is_idle(&self) -> bool {
        true
    }
}

#[async_trait]
impl Manager for ManagerConnection {
    async fn open_connection(
        &self,
        uri: &str,
        options: TypedParameters,
        by: &Caller,
    ) -> Result<Arc<Guarded>> {
        self.connections.open(uri, &options, by).await
    }

    async fn close_connection(&self, name: &str) -> Result<()> {
        self.connections.close(name).await
    }

    async fn connections(&self) -> Result<Vec<Arc<Guarded>>> {
        Ok(self.connections.all())
    }
}

/// There is no hypervisor.
struct NoHost;

impl Host for NoHost {}
