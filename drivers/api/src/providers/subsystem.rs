//! Subsystems of the host (virtual networks, storage, secrets, …), which many connections offer as their own.

use std::sync::Arc;

use super::Providers;
use crate::access::Call;
use crate::connection::offers;
use crate::event::{EventHub, Subscription};
use crate::flags::KnownFlags;
use crate::interface::Interfaces;
use crate::network::{NetworkPorts, Networks};
use crate::node_device::NodeDevices;
use crate::nwfilter::{NwfilterBindings, Nwfilters};
use crate::secret::Secrets;
use crate::storage::{StoragePools, StorageVols};

/// A part of the host that has objects of its own. There is one of a kind; each connection that offers it shows the same objects and tells
/// of the same events, so that a network is there under QEMU and LXC alike.
pub trait Subsystem: Send + Sync {
    /// The flags that it knows, call by call; every other one is refused before it is called.
    fn flags(&self) -> &'static [KnownFlags];

    /// What happens to its objects. Events are published under the lock of the object that they are about, as those of a connection are.
    fn events(&self) -> &EventHub;

    /// Whether nothing of it has to be watched for a client that may come later. The daemon may end then.
    fn is_idle(&self) -> bool;

    offers! { None;
        /// Network interfaces of the host.
        interfaces: Interfaces;
        /// Virtual networks.
        networks: Networks;
        /// Ports of networks.
        network_ports: NetworkPorts;
        /// Devices of the host.
        node_devices: NodeDevices;
        /// Network filters.
        nwfilters: Nwfilters;
        /// Bindings of network filters.
        nwfilter_bindings: NwfilterBindings;
        /// Secrets.
        secrets: Secrets;
        /// Storage pools.
        storage_pools: StoragePools;
        /// Storage volumes.
        storage_vols: StorageVols;
    }
}

/// The subsystems that a connection offers. What they tell is told on the connection's own hub for as long as this lives.
#[derive(Default)]
pub struct Offered {
    subsystems: Vec<Arc<dyn Subsystem>>,
    forwarded: Vec<Subscription>,
}

impl std::fmt::Debug for Offered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offered")
            .field("subsystems", &self.subsystems.len())
            .field("forwarded", &self.forwarded)
            .finish()
    }
}

impl Offered {
    /// All subsystems of the host, for a connection that tells of events on `hub`.
    #[must_use]
    pub fn on(hub: &EventHub, providers: &Providers) -> Self {
        let subsystems = providers.subsystems().to_vec();
        let forwarded = subsystems.iter().map(|one| one.events().forward(hub));
        Self {
            forwarded: forwarded.collect(),
            subsystems,
        }
    }

    /// None, for a connection that brings its own or has none.
    #[must_use]
    pub const fn none() -> &'static Self {
        const NONE: &Offered = &Offered {
            subsystems: Vec::new(),
            forwarded: Vec::new(),
        };
        NONE
    }

    /// The first of the subsystems that has what is asked for.
    pub(crate) fn find<'a, T: ?Sized>(
        &'a self,
        group: impl Fn(&'a dyn Subsystem) -> Option<&'a T>,
    ) -> Option<&'a T> {
        self.subsystems.iter().find_map(|one| group(&**one))
    }

    /// The flags that they know for a call.
    pub(crate) fn flags(&self, call: Call) -> Option<&'static KnownFlags> {
        let tables = self.subsystems.iter().map(|one| one.flags());
        tables.flatten().find(|row| row.calls.contains(&call))
    }

    /// Whether nothing of them has to be watched.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.subsystems.iter().all(|one| one.is_idle())
    }
}
