//! The subsystem, and the calls of networks: what may be done with a network in which state. How it is done is the affair of the other modules.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::domain::{DomainModificationImpact as Impact, MetadataType};
use virtbus_api::event::EventHub;
use virtbus_api::flags::KnownFlags;
use virtbus_api::listing::Views;
use virtbus_api::network::{
    DhcpLease, NetworkDefineFlags, NetworkEvent, NetworkId, NetworkLifecycle, NetworkPorts,
    NetworkUpdateCommand, NetworkUpdateSection, NetworkView, NetworkXmlFlags, Networks,
};
use virtbus_api::providers::Subsystem;
use virtbus_api::{Error, Result, Uuid};
use virtbus_conf_base::Flags;
use virtbus_conf_base::common::Mac;
use virtbus_conf_host::network::Network as Definition;
use virtbus_util::file;

use crate::config::Config;
use crate::core::Core;
use crate::definition;
use crate::error;
use crate::first;
use crate::host::{leases, links, on_disk, server};
use crate::lifecycle;
use crate::notes::{self, Note};
use crate::store::Store;
use crate::table::{Entry, State, Turn};

/// So many networks are started at the same time with the host: one that hangs holds up a part of them only.
const STARTED_AT_ONCE: usize = 4;

/// Virtual networks of this host.
#[derive(Debug)]
pub struct NetworkDriver {
    pub(crate) core: Arc<Core>,
    /// Has what others remove of networks be put back.
    _guard: lifecycle::Guard,
}

impl NetworkDriver {
    /// Opens the driver: reads what is stored, and takes in networks that an earlier daemon left.
    ///
    /// # Errors
    /// If its directories cannot be made or read.
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        let core = Arc::new(Core::new(config));
        // First, so that nothing is missed.
        let guard = lifecycle::guard(&core);
        lifecycle::recover(&core).await?;
        let driver = Arc::new(Self {
            core,
            _guard: guard,
        });
        if driver.core.config.default_network
            && let Err(error) = driver.make_default().await
        {
            tracing::error!(%error, "the network 'default' cannot be made: {error}");
        }
        Ok(driver)
    }

    /// Makes the network `default`, if this is the first time.
    async fn make_default(&self) -> Result<()> {
        if let Some(xml) = first::network(&self.core).await? {
            self.put(&xml, true, false).await?;
        }
        // Behind it: one that could not be made is tried again.
        self.core.stored(Store::note_first_use).await
    }

    /// Starts the networks that start with the host, unless that was done since it booted. Returns at once.
    pub fn autostart(self: &Arc<Self>) {
        let driver = Arc::clone(self);
        tokio::spawn(async move {
            match driver
                .core
                .stored(|store| Ok(store.begin_autostart()))
                .await
            {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(%error, "networks are not autostarted: {error}");
                    return;
                }
            }
            let mut under_way = tokio::task::JoinSet::new();
            let mut marked = driver.core.table.shown();
            marked
                .retain(|(_, snapshot)| snapshot.state.autostart && snapshot.state.live.is_none());
            marked.sort_by(|(one, _), (other, _)| one.id.name.cmp(&other.id.name));
            for (entry, _) in marked {
                if under_way.len() >= STARTED_AT_ONCE {
                    under_way.join_next().await;
                }
                let driver = Arc::clone(&driver);
                under_way.spawn(async move {
                    if let Err(error) = driver.create(&entry.id).await {
                        let name = &entry.id.name;
                        tracing::error!(network = %name, %error, "network '{name}' cannot be autostarted: {error}");
                    }
                });
            }
            under_way.join_all().await;
        });
    }

    /// Does something with a network that is there, when its turn has come. It goes on if the caller goes away.
    pub(crate) async fn job<T, F>(
        &self,
        entry: &Arc<Entry>,
        doing: &'static str,
        work: impl FnOnce(Arc<Core>, Turn) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let limit = self.core.config.timeouts.job;
        let turn = self.core.table.turn(entry, doing, limit).await?;
        whole(work(Arc::clone(&self.core), turn)).await
    }

    /// Takes a definition, stored or to be started at once.
    async fn put(&self, xml: &str, strict: bool, start: bool) -> Result<Arc<NetworkView>> {
        let definition = definition::read(xml, strict)?;
        let id = lifecycle::id_of(&definition);
        let doing = if start { "starting it" } else { "defining it" };
        let limit = self.core.config.timeouts.job;
        let turn = self.core.table.turn_for(&id, doing, limit).await?;
        let core = Arc::clone(&self.core);
        whole(async move {
            let snapshot = turn.entry.snapshot();
            let state = &snapshot.state;
            let there = state.definition(!start).map(Arc::clone);
            let claimed = if definition.has_own_bridge() {
                let wanted = definition.bridge_name().map(str::to_owned);
                let kept = there.as_ref().and_then(|there| there.bridge_name());
                let wanted = wanted.or_else(|| kept.map(str::to_owned));
                let (table, id) = (Arc::clone(&core.table), id.clone());
                let claim = move || table.claim_bridge(&id, wanted.as_deref(), links::exists);
                Some(on_disk(&core.config, claim).await?)
            } else {
                None
            };
            let name = claimed.as_ref().map(crate::table::ClaimedBridge::name);
            let definition = Arc::new(definition::complete(definition, name, there.as_deref())?);
            if start {
                if state.live.is_some() {
                    return Err(turn.entry.wrong("is already active"));
                }
                lifecycle::start(&core, &turn, definition).await?;
            } else {
                let written = Arc::clone(&definition);
                core.stored(move |store| store.write_definition(&written))
                    .await?;
                let defined = NetworkEvent::Lifecycle(NetworkLifecycle::Defined);
                turn.publish(|state| state.stored = Some(definition), [defined]);
            }
            Ok(Arc::clone(&turn.entry.snapshot().view))
        })
        .await
    }
}

/// Work that goes on to its end if the caller goes away.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(answer) => answer,
        Err(failed) => Err(Error::internal(format!(
            "a task of the network driver failed: {failed}"
        ))),
    }
}

impl Subsystem for NetworkDriver {
    fn flags(&self) -> &'static [KnownFlags] {
        crate::flags::FLAGS
    }

    fn events(&self) -> &EventHub {
        &self.core.table.hub
    }

    fn is_idle(&self) -> bool {
        // Servers are watched.
        let shown = self.core.table.shown();
        shown
            .iter()
            .all(|(_, snapshot)| snapshot.state.live.is_none())
    }

    fn networks(&self) -> Option<&dyn Networks> {
        Some(self)
    }

    fn network_ports(&self) -> Option<&dyn NetworkPorts> {
        Some(self)
    }
}

/// What a question is about: the definition that `impact` means.
fn asked(entry: &Entry, state: &State, impact: Impact) -> Result<Arc<Definition>> {
    if impact.contains(Impact::LIVE) && state.live.is_none() {
        return Err(entry.wrong("is not active"));
    }
    if impact.contains(Impact::CONFIG) && state.stored.is_none() {
        return Err(entry.wrong("is transient and has no stored definition"));
    }
    let inactive = impact.contains(Impact::CONFIG);
    let definition = state.definition(inactive).map(Arc::clone);
    definition.ok_or_else(|| entry.wrong("is gone"))
}

#[async_trait]
impl Networks for NetworkDriver {
    async fn views(&self) -> Result<Views<NetworkView>> {
        Ok(self.core.table.views())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<NetworkView>> {
        Ok(Arc::clone(&self.core.table.get(uuid)?.snapshot().view))
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<NetworkView>> {
        Ok(Arc::clone(&self.core.table.named(name)?.snapshot().view))
    }

    async fn xml_desc(&self, network: &NetworkId, flags: NetworkXmlFlags) -> Result<String> {
        let entry = self.core.table.same(network)?;
        let snapshot = entry.snapshot();
        let text = if flags.contains(NetworkXmlFlags::INACTIVE) {
            let definition = snapshot.state.definition(true);
            definition.map(|definition| definition.format(Flags::INACTIVE))
        } else {
            snapshot.text().map(|text| text.to_string())
        };
        text.ok_or_else(|| entry.wrong("is gone"))
    }

    async fn identify_xml(&self, xml: &str) -> Result<NetworkId> {
        let found = Definition::identify(xml).map_err(|error| error::xml(&error))?;
        Ok(NetworkId {
            uuid: found.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
            name: found.name.unwrap_or_default().as_str().into(),
        })
    }

    async fn define_xml(&self, xml: &str, flags: NetworkDefineFlags) -> Result<Arc<NetworkView>> {
        let strict = flags.contains(NetworkDefineFlags::VALIDATE);
        self.put(xml, strict, false).await
    }

    async fn create_xml(&self, xml: &str, flags: NetworkDefineFlags) -> Result<Arc<NetworkView>> {
        let strict = flags.contains(NetworkDefineFlags::VALIDATE);
        self.put(xml, strict, true).await
    }

    async fn undefine(&self, network: &NetworkId) -> Result<()> {
        let entry = self.core.table.same(network)?;
        self.job(&entry, "undefining it", |core, turn| async move {
            let snapshot = turn.entry.snapshot();
            if snapshot.state.stored.is_none() {
                return Err(turn
                    .entry
                    .wrong("is transient and has no stored definition"));
            }
            let is_up = snapshot.state.live.is_some();
            let files = server::Files::of(&core.config, &turn.entry.id.name);
            let name = turn.entry.id.name.to_string();
            core.stored(move |store| {
                // What a run needs goes with the run.
                if !is_up {
                    files.remove_leases()?;
                }
                store.remove_definition(&name)
            })
            .await?;
            let undefined = NetworkEvent::Lifecycle(NetworkLifecycle::Undefined);
            let forget = |state: &mut State| {
                state.stored = None;
                state.autostart = false;
            };
            turn.publish(forget, [undefined]);
            Ok(())
        })
        .await
    }

    async fn create(&self, network: &NetworkId) -> Result<()> {
        let entry = self.core.table.same(network)?;
        self.job(&entry, "starting it", |core, turn| async move {
            let snapshot = turn.entry.snapshot();
            if snapshot.state.live.is_some() {
                return Err(turn.entry.wrong("is already active"));
            }
            let definition = asked(&turn.entry, &snapshot.state, Impact::CONFIG)?;
            lifecycle::start(&core, &turn, definition).await
        })
        .await
    }

    async fn destroy(&self, network: &NetworkId) -> Result<()> {
        let entry = self.core.table.same(network)?;
        self.job(&entry, "stopping it", |core, turn| async move {
            lifecycle::stop(&core, &turn).await
        })
        .await
    }

    async fn set_autostart(&self, network: &NetworkId, autostart: bool) -> Result<()> {
        let entry = self.core.table.same(network)?;
        self.job(
            &entry,
            "marking it for autostart",
            move |core, turn| async move {
                if turn.entry.snapshot().state.stored.is_none() {
                    return Err(turn
                        .entry
                        .wrong("is transient and cannot start with the host"));
                }
                let name = turn.entry.id.name.to_string();
                core.stored(move |store| store.write_autostart(&name, autostart))
                    .await?;
                turn.publish(|state| state.autostart = autostart, []);
                Ok(())
            },
        )
        .await
    }

    async fn update(
        &self,
        network: &NetworkId,
        command: NetworkUpdateCommand,
        section: NetworkUpdateSection,
        parent: i32,
        xml: &str,
        impact: Impact,
    ) -> Result<()> {
        let entry = self.core.table.same(network)?;
        let change = lifecycle::section(command, section, parent, xml);
        self.job(&entry, "updating it", move |core, turn| async move {
            lifecycle::edit(&core, &turn, impact, change, Vec::new()).await
        })
        .await
    }

    async fn dhcp_leases(&self, network: &NetworkId, mac: Option<&str>) -> Result<Vec<DhcpLease>> {
        let entry = self.core.table.same(network)?;
        self.leases_of(&entry, mac).await
    }

    async fn metadata(
        &self,
        network: &NetworkId,
        kind: MetadataType,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<String> {
        let entry = self.core.table.same(network)?;
        let definition = asked(&entry, &entry.snapshot().state, impact)?;
        notes::read(&definition, kind, uri)
    }

    async fn set_metadata(
        &self,
        network: &NetworkId,
        kind: MetadataType,
        metadata: Option<&str>,
        key: Option<&str>,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<()> {
        let entry = self.core.table.same(network)?;
        let note = Note::new(kind, metadata, key, uri)?;
        let namespace = uri.map(str::to_owned);
        let events = vec![NetworkEvent::MetadataChange { kind, namespace }];
        self.job(
            &entry,
            "setting its metadata",
            move |core, turn| async move {
                let write = move |definition: &mut Definition| note.write(definition);
                lifecycle::edit(&core, &turn, impact, write, events).await
            },
        )
        .await
    }
}

impl NetworkDriver {
    /// The leases of a network's DHCP server, all or those of one Ethernet address.
    pub(crate) async fn leases_of(
        &self,
        entry: &Arc<Entry>,
        mac: Option<&str>,
    ) -> Result<Vec<DhcpLease>> {
        let live = entry.live()?;
        let wanted = match mac {
            Some(text) => Some(Mac::parse(text).ok_or_else(|| {
                Error::invalid_argument(format!("'{text}' is not an Ethernet address"))
            })?),
            None => None,
        };
        let path = server::Files::of(&self.core.config, &entry.id.name).leases;
        let text = on_disk(&self.core.config, move || {
            match file::read_limited(&path, leases::LONGEST) {
                Ok(text) => Ok(text),
                // No server, or none that has given an address.
                Err(error) if error.is_not_found() => Ok(Vec::new()),
                Err(error) => Err(error::file(&error)),
            }
        })
        .await?;
        let bridge = live.definition.bridge_name().unwrap_or_default();
        let mut all = leases::parse(&String::from_utf8_lossy(&text), &live.definition, bridge);
        if let Some(wanted) = wanted {
            all.retain(|lease| Mac::parse(&lease.mac) == Some(wanted));
        }
        Ok(all)
    }
}
