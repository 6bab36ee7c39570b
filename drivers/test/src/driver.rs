//! The connection: what it has, and how it is opened.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use virtbus_api::connection::{Host, NodeInfo};
use virtbus_api::domain::{
    CheckpointCreateFlags, DomainAgent, DomainCheckpoints, DomainConsole, DomainCounters,
    DomainDescription, DomainDevices, DomainJobs, DomainLifecycle, DomainSaving, DomainSnapshots,
    DomainState, DomainStatistics, DomainTuning, DomainVcpus, DomainView, Domains, PausedReason,
    RunningReason, ShutoffReason, SnapshotCreateFlags,
};
use virtbus_api::event::{Event, EventHub};
use virtbus_api::interface::Interfaces;
use virtbus_api::listing::Listing;
use virtbus_api::network::Networks;
use virtbus_api::node::Node;
use virtbus_api::node_device::NodeDevices;
use virtbus_api::object::View;
use virtbus_api::storage::{StoragePools, StorageVols};
use virtbus_api::{Connection, Error, ErrorCode, ErrorDomain, Result};

use crate::data::{FirstDomain, NodeFile};
use crate::domain::{Domain, Saved};
use crate::interface::HostInterface;
use crate::network::Network;
use crate::node_device::Device;
use crate::storage::{Pool, Space};
use crate::table::{Named, Table};
use crate::{domain, interface, network, node_device, storage};

/// All that a connection has.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) domains: Table<Domain>,
    pub(crate) networks: Table<Network>,
    pub(crate) pools: Table<Pool>,
    pub(crate) interfaces: BTreeMap<Arc<str>, HostInterface>,
    /// The interfaces as they were when a change of them began.
    pub(crate) interfaces_before: Option<BTreeMap<Arc<str>, HostInterface>>,
    pub(crate) devices: BTreeMap<Arc<str>, Device>,
    /// The number of the next run.
    pub(crate) next_id: u32,
    /// Whether anything is not as it was first.
    pub(crate) touched: bool,
}

/// A connection of the test driver.
#[derive(Debug)]
pub struct Test {
    uri: String,
    pub(crate) hub: EventHub,
    /// All domains, between two changes.
    pub(crate) listing: Arc<Listing<DomainView>>,
    pub(crate) info: NodeInfo,
    /// What the content of volumes takes.
    pub(crate) space: Space,
    state: Mutex<State>,
    /// Set once everything is there; before, nobody listens.
    opened: AtomicBool,
}

impl Test {
    /// Opens `test:///default`, or `test:///PATH` for the node that a file describes. Blocks for the files.
    ///
    /// # Errors
    /// `InvalidArg` for another URI; `XmlError` for a node file that cannot be used, naming file and place.
    pub async fn open(uri: &str) -> Result<Arc<Self>> {
        let path = uri
            .strip_prefix("test://")
            .filter(|path| path.starts_with('/'));
        let path = path.ok_or_else(|| {
            Error::invalid_argument(format!(
                "'{uri}' is none of the test driver's: test:///default, test:///FILE"
            ))
        })?;
        let node = if path == "/default" {
            NodeFile::default_node()
        } else {
            NodeFile::read(Path::new(path))
        };
        let node = node.map_err(|error| {
            Error::new(ErrorCode::XmlError, ErrorDomain::Test, error.to_string())
        })?;
        let hub = EventHub::default();
        let listing = Listing::on(&hub);
        let test = Arc::new(Self {
            uri: uri.to_owned(),
            hub,
            listing,
            info: node.info.clone(),
            space: Space::default(),
            state: Mutex::new(State {
                domains: Table::default(),
                networks: Table::default(),
                pools: Table::default(),
                interfaces: BTreeMap::new(),
                interfaces_before: None,
                devices: BTreeMap::new(),
                next_id: 1,
                touched: false,
            }),
            opened: AtomicBool::new(false),
        });
        test.fill(node).await?;
        test.lock().touched = false;
        test.opened.store(true, Ordering::Release);
        Ok(test)
    }

    /// Everything that there is.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a change, and of the events that go with it: those about an object that goes come while it is still named.
    pub(crate) fn announce(
        &self,
        before: Option<View>,
        after: Option<View>,
        events: impl IntoIterator<Item = Event>,
    ) {
        let goes = after.is_none();
        let changed = (before != after).then_some(Event::Changed { before, after });
        if !goes && let Some(changed) = &changed {
            self.hub.publish(changed);
        }
        for event in events {
            self.hub.publish(&event);
        }
        if goes && let Some(changed) = &changed {
            self.hub.publish(changed);
        }
    }

    /// Tells what became of a list of objects, which `name` tells apart.
    pub(crate) fn announce_all<V>(
        &self,
        before: &[Arc<V>],
        after: &[Arc<V>],
        name: impl Fn(&V) -> &Arc<str>,
    ) where
        View: From<Arc<V>>,
    {
        let named = |list: &[Arc<V>], view: &V| {
            let found = list.iter().find(|other| name(other) == name(view));
            found.map(|view| View::from(Arc::clone(view)))
        };
        for was in before {
            self.announce(Some(Arc::clone(was).into()), named(after, was), []);
        }
        for is in after {
            if named(before, is).is_none() {
                self.announce(None, Some(Arc::clone(is).into()), []);
            }
        }
    }

    async fn fill(&self, node: NodeFile) -> Result<()> {
        for xml in &node.networks {
            let mut network = Network::new(network::parse(xml, false)?, true);
            network.kept.active = true;
            network.publish();
            self.lock().networks.add(network)?;
        }
        for xml in &node.interfaces {
            let definition = interface::parse(xml, false)?;
            self.lock().put_interface(definition, true)?;
        }
        for first in &node.pools {
            let mut pool = Pool::new(storage::parse_pool(&first.xml, false)?, true);
            pool.kept.active = true;
            pool.publish();
            let mut state = self.lock();
            for volume in &first.volumes {
                let definition = pool.read_volume(volume, false)?;
                state.claim_volume(&pool, &definition)?;
                pool.add(definition, OnceLock::new())?;
            }
            state.pools.add(pool)?;
        }
        for xml in &node.devices {
            let device = Device::new(node_device::parse(xml, false)?)?;
            self.lock().put_device(device)?;
        }
        for first in &node.domains {
            self.add(first).await?;
        }
        Ok(())
    }

    async fn add(&self, first: &FirstDomain) -> Result<()> {
        let definition = Arc::new(domain::parse(&first.xml, false)?);
        let uuid = definition
            .uuid
            .map_or(virtbus_api::Uuid::nil(), |uuid| uuid.0);
        let state = match first.state {
            1 => DomainState::Running(RunningReason::Booted),
            3 => DomainState::Paused(PausedReason::Unknown),
            5 => DomainState::Shutoff(ShutoffReason::Unknown),
            6 => DomainState::Crashed { panicked: false },
            other => {
                return Err(Error::invalid_argument(format!(
                    "a domain cannot begin in the state {other}"
                )));
            }
        };
        if first.transient && !state.is_active() {
            return Err(Error::invalid_argument(format!(
                "domain '{}' cannot be both transient and off",
                definition.name
            )));
        }
        let id = {
            let mut all = self.lock();
            all.domains.add(Domain::new(uuid, &definition.name))?;
            self.change_in(&mut all, uuid, |domain, next_id| {
                if !first.transient {
                    domain.stored = Some(Arc::clone(&definition));
                }
                if state.is_active() {
                    domain.start(Arc::clone(&definition), state, next_id);
                }
                if first.managed_save {
                    domain.saved = Some(Saved {
                        definition,
                        running: true,
                    });
                }
                Ok(((), Vec::new()))
            })?;
            let domain = all
                .domains
                .get(uuid)
                .ok_or_else(|| Error::no_domain(uuid))?;
            domain.view().id.clone()
        };
        for xml in &first.snapshots {
            DomainSnapshots::create_xml(self, &id, xml, SnapshotCreateFlags::REDEFINE).await?;
        }
        for xml in &first.checkpoints {
            DomainCheckpoints::create_xml(self, &id, xml, CheckpointCreateFlags::REDEFINE).await?;
        }
        Ok(())
    }
}

/// The groups that the test driver has: itself, all of them.
macro_rules! offers {
    ($($name:ident: $group:ident),* $(,)?) => { $(
        fn $name(&self) -> Option<&dyn $group> {
            Some(self)
        }
    )* };
}

impl Connection for Test {
    fn flags(&self) -> &'static [virtbus_api::flags::KnownFlags] {
        crate::flags::FLAGS
    }

    fn driver(&self) -> &'static str {
        "Test"
    }

    fn uri(&self) -> &str {
        &self.uri
    }

    fn events(&self) -> &EventHub {
        &self.hub
    }

    fn host(&self) -> &dyn Host {
        self
    }

    offers!(
        node: Node,
        domains: Domains,
        lifecycle: DomainLifecycle,
        statistics: DomainStatistics,
        counters: DomainCounters,
        description: DomainDescription,
        devices: DomainDevices,
        vcpus: DomainVcpus,
        tuning: DomainTuning,
        agent: DomainAgent,
        console: DomainConsole,
        saving: DomainSaving,
        jobs: DomainJobs,
        snapshots: DomainSnapshots,
        checkpoints: DomainCheckpoints,
        interfaces: Interfaces,
        networks: Networks,
        node_devices: NodeDevices,
        storage_pools: StoragePools,
        storage_vols: StorageVols,
    );

    /// Whether everything is as it was first: only then does the daemon lose nothing by ending.
    fn is_idle(&self) -> bool {
        !self.opened.load(Ordering::Acquire) || !self.lock().touched
    }
}

/// `NoNetwork` and the like are told apart by the kind; this is what tables of the driver need to find one.
pub(crate) fn get<T: Named>(
    table: &Table<T>,
    kind: virtbus_api::object::Kind,
    uuid: virtbus_api::Uuid,
) -> Result<&T> {
    table
        .get(uuid)
        .ok_or_else(|| Error::not_found(kind, "uuid", uuid))
}

/// The same, of an object that a call is about.
pub(crate) fn get_as<'t, T: Named>(
    table: &'t Table<T>,
    kind: virtbus_api::object::Kind,
    (uuid, name): (virtbus_api::Uuid, &str),
) -> Result<&'t T> {
    table
        .get_as(uuid, name)
        .ok_or_else(|| Error::not_found(kind, "uuid", uuid))
}
