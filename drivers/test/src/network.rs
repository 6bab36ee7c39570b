//! Virtual networks, which no packet ever passes.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::domain::{DomainModificationImpact as Impact, MetadataType};
use virtbus_api::event::Event;
use virtbus_api::listing::Views;
use virtbus_api::network::{
    DhcpLease, NetworkDefineFlags, NetworkEvent, NetworkId, NetworkLifecycle, NetworkUpdateCommand,
    NetworkUpdateSection, NetworkView, NetworkXmlFlags, Networks,
};
use virtbus_api::object::{IdRef, Kind, View};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_base::Flags;
use virtbus_conf_host::network::{Network as Definition, UpdateCommand, UpdateSection};

use crate::domain::Random;
use crate::driver::{State, Test, get, get_as};
use crate::error;
use crate::kept::Kept;
use crate::notes::Note;
use crate::table::Named;

/// A network as the driver keeps it.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) kept: Kept<Definition>,
    view: Arc<NetworkView>,
}

impl Named for Network {
    const NOUN: &'static str = "network";

    fn uuid(&self) -> Uuid {
        self.kept.uuid
    }

    fn name(&self) -> &Arc<str> {
        &self.kept.name
    }

    fn id(&self) -> IdRef<'_> {
        IdRef::Network(&self.view.id)
    }
}

/// Reads a definition, completes and checks it.
pub(crate) fn parse(xml: &str, strict: bool) -> Result<Definition> {
    let mut definition = if strict {
        Definition::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        Definition::parse(xml).map_err(|error| error::xml(&error))?
    };
    definition.complete(&mut Random);
    definition.validate().map_err(|error| error::conf(&error))?;
    Ok(definition)
}

fn id(definition: &Definition) -> NetworkId {
    NetworkId {
        uuid: definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
        name: definition.name.as_str().into(),
    }
}

impl Network {
    pub(crate) fn new(definition: Definition, persistent: bool) -> Self {
        let id = id(&definition);
        let named = (id.uuid, Arc::clone(&id.name));
        let kept = Kept::new(Self::NOUN, named, definition, persistent);
        let view = Arc::new(view(id, &kept));
        Self { kept, view }
    }

    pub(crate) fn publish(&mut self) {
        self.view = Arc::new(view(self.view.id.clone(), &self.kept));
    }
}

fn view(id: NetworkId, kept: &Kept<Definition>) -> NetworkView {
    NetworkView {
        id,
        active: kept.active,
        persistent: kept.persistent,
        autostart: kept.autostart,
        bridge: kept.definition.bridge_name().map(Into::into),
        problems: Arc::default(),
    }
}

impl Test {
    fn with_network<T>(
        &self,
        id: &NetworkId,
        look: impl FnOnce(&Network) -> Result<T>,
    ) -> Result<T> {
        let state = self.lock();
        look(get_as(&state.networks, Kind::Network, (id.uuid, &id.name))?)
    }

    fn change_network(
        &self,
        state: &mut State,
        id: &NetworkId,
        change: impl FnOnce(&mut Network) -> Result<Vec<NetworkEvent>>,
    ) -> Result<Option<Arc<NetworkView>>> {
        let uuid = id.uuid;
        get_as(&state.networks, Kind::Network, (uuid, &id.name))?;
        let not_found = || Error::not_found(Kind::Network, "uuid", uuid);
        let network = state.networks.get_mut(uuid).ok_or_else(not_found)?;
        let before = Arc::clone(&network.view);
        let events = change(network)?;
        network.publish();
        let after = network.kept.is_shown().then(|| Arc::clone(&network.view));
        if after.is_none() {
            state.networks.remove(uuid);
        }
        state.touched = true;
        let id = before.id.clone();
        let events = events.into_iter();
        self.announce(
            Some(before.into()),
            after.clone().map(View::from),
            events.map(|event| Event::Network(id.clone(), event)),
        );
        Ok(after)
    }

    /// Adds a network, or gives the definition to the one that is there.
    fn put_network(&self, definition: Definition, start: bool) -> Result<Arc<NetworkView>> {
        let id = id(&definition);
        let mut state = self.lock();
        let lifecycle = if start {
            NetworkLifecycle::Started
        } else {
            NetworkLifecycle::Defined
        };
        let event = NetworkEvent::Lifecycle(lifecycle);
        let is_there = state
            .networks
            .claim(IdRef::Network(&id), id.uuid, &id.name)?;
        if is_there {
            let changed = self.change_network(&mut state, &id, |network| {
                if start {
                    network.kept.start(Some(definition))?;
                } else {
                    network.kept.define(definition);
                }
                Ok(vec![event])
            })?;
            return changed.ok_or_else(|| Error::not_found(Kind::Network, "uuid", id.uuid));
        }
        let mut network = Network::new(definition, !start);
        network.kept.active = start;
        network.publish();
        let view = Arc::clone(&network.view);
        state.networks.insert(network);
        state.touched = true;
        let events = [Event::Network(view.id.clone(), event)];
        self.announce(None, Some(Arc::clone(&view).into()), events);
        Ok(view)
    }
}

fn command(command: NetworkUpdateCommand) -> UpdateCommand {
    match command {
        NetworkUpdateCommand::Modify => UpdateCommand::Modify,
        NetworkUpdateCommand::Delete => UpdateCommand::Delete,
        NetworkUpdateCommand::AddLast => UpdateCommand::AddLast,
        NetworkUpdateCommand::AddFirst => UpdateCommand::AddFirst,
    }
}

fn section(section: NetworkUpdateSection) -> UpdateSection {
    use NetworkUpdateSection as S;
    match section {
        S::Bridge => UpdateSection::Bridge,
        S::Domain => UpdateSection::Domain,
        S::Ip => UpdateSection::Ip,
        S::IpDhcpHost => UpdateSection::IpDhcpHost,
        S::IpDhcpRange => UpdateSection::IpDhcpRange,
        S::Forward => UpdateSection::Forward,
        S::ForwardInterface => UpdateSection::ForwardInterface,
        S::ForwardPf => UpdateSection::ForwardPf,
        S::PortGroup => UpdateSection::PortGroup,
        S::DnsHost => UpdateSection::DnsHost,
        S::DnsTxt => UpdateSection::DnsTxt,
        S::DnsSrv => UpdateSection::DnsSrv,
    }
}

#[async_trait]
impl Networks for Test {
    async fn views(&self) -> Result<Views<NetworkView>> {
        Ok(self
            .lock()
            .networks
            .iter()
            .map(|network| Arc::clone(&network.view))
            .collect())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<NetworkView>> {
        let state = self.lock();
        Ok(Arc::clone(&get(&state.networks, Kind::Network, uuid)?.view))
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<NetworkView>> {
        let state = self.lock();
        let network = state.networks.named(name);
        let network = network.ok_or_else(|| Error::not_found(Kind::Network, "name", name))?;
        Ok(Arc::clone(&network.view))
    }

    async fn xml_desc(&self, id: &NetworkId, flags: NetworkXmlFlags) -> Result<String> {
        self.with_network(id, |network| {
            let inactive = flags.contains(NetworkXmlFlags::INACTIVE);
            let mut flags = Flags::empty();
            flags.set(Flags::INACTIVE, inactive);
            Ok(network.kept.shown(inactive).format(flags))
        })
    }

    async fn identify_xml(&self, xml: &str) -> Result<NetworkId> {
        let found = Definition::identify(xml).map_err(|error| error::xml(&error))?;
        Ok(NetworkId {
            uuid: found.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
            name: found.name.unwrap_or_default().as_str().into(),
        })
    }

    async fn define_xml(&self, xml: &str, flags: NetworkDefineFlags) -> Result<Arc<NetworkView>> {
        self.put_network(
            parse(xml, flags.contains(NetworkDefineFlags::VALIDATE))?,
            false,
        )
    }

    async fn create_xml(&self, xml: &str, flags: NetworkDefineFlags) -> Result<Arc<NetworkView>> {
        self.put_network(
            parse(xml, flags.contains(NetworkDefineFlags::VALIDATE))?,
            true,
        )
    }

    async fn undefine(&self, id: &NetworkId) -> Result<()> {
        self.change_network(&mut self.lock(), id, |network| {
            network.kept.undefine()?;
            Ok(vec![NetworkEvent::Lifecycle(NetworkLifecycle::Undefined)])
        })?;
        Ok(())
    }

    async fn create(&self, id: &NetworkId) -> Result<()> {
        self.change_network(&mut self.lock(), id, |network| {
            network.kept.start(None)?;
            Ok(vec![NetworkEvent::Lifecycle(NetworkLifecycle::Started)])
        })?;
        Ok(())
    }

    async fn destroy(&self, id: &NetworkId) -> Result<()> {
        self.change_network(&mut self.lock(), id, |network| {
            network.kept.stop()?;
            Ok(vec![NetworkEvent::Lifecycle(NetworkLifecycle::Stopped)])
        })?;
        Ok(())
    }

    async fn set_autostart(&self, id: &NetworkId, autostart: bool) -> Result<()> {
        self.change_network(&mut self.lock(), id, |network| {
            network.kept.set_autostart(autostart)?;
            Ok(Vec::new())
        })?;
        Ok(())
    }

    async fn update(
        &self,
        id: &NetworkId,
        what: NetworkUpdateCommand,
        place: NetworkUpdateSection,
        parent: i32,
        xml: &str,
        impact: Impact,
    ) -> Result<()> {
        self.change_network(&mut self.lock(), id, |network| {
            network.kept.edit(impact, |definition| {
                let updated = definition.update(command(what), section(place), parent, xml);
                updated.map_err(|error| error::conf(&error))
            })?;
            Ok(Vec::new())
        })?;
        Ok(())
    }

    async fn dhcp_leases(&self, id: &NetworkId, _mac: Option<&str>) -> Result<Vec<DhcpLease>> {
        self.with_network(id, |network| {
            // Nobody asks for an address on a network without packets.
            network.kept.check_active()?;
            Ok(Vec::new())
        })
    }

    async fn metadata(
        &self,
        id: &NetworkId,
        kind: MetadataType,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<String> {
        let note = Note::of(kind, uri)?;
        self.with_network(id, |network| {
            let found = note.read(&**network.kept.asked(impact)?);
            found.ok_or_else(|| {
                Error::new(
                    ErrorCode::NoNetworkMetadata,
                    ErrorDomain::Test,
                    format!("network '{}' has no such metadata", network.kept.name),
                )
            })
        })
    }

    async fn set_metadata(
        &self,
        id: &NetworkId,
        kind: MetadataType,
        metadata: Option<&str>,
        key: Option<&str>,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<()> {
        let note = Note::of(kind, uri)?;
        self.change_network(&mut self.lock(), id, |network| {
            let write = |definition: &mut Definition| note.write(definition, metadata, key);
            network.kept.edit(impact, write)?;
            let namespace = uri.map(str::to_owned);
            Ok(vec![NetworkEvent::MetadataChange { kind, namespace }])
        })?;
        Ok(())
    }
}
