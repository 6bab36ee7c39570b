//! Virtual networks, which no packet ever passes.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::domain::DomainModificationImpact as Impact;
use virtbus_api::event::Event;
use virtbus_api::listing::Views;
use virtbus_api::network::{
    DhcpLease, NetworkDefineFlags, NetworkEvent, NetworkId, NetworkLifecycle, NetworkUpdateCommand,
    NetworkUpdateSection, NetworkView, NetworkXmlFlags, Networks,
};
use virtbus_api::object::{Kind, View};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf::network::{Network as Definition, UpdateCommand, UpdateSection};
use virtbus_conf::{Flags, Text};

use crate::domain::Random;
use crate::driver::{State, Test, get};
use crate::error;
use crate::table::Named;

/// A network as the driver keeps it.
#[derive(Debug)]
pub(crate) struct Network {
    uuid: Uuid,
    name: Arc<str>,
    /// The definition in use: the running one, or else the stored one.
    definition: Arc<Definition>,
    /// The definition for the next start, where it is another.
    next: Option<Arc<Definition>>,
    persistent: bool,
    pub(crate) active: bool,
    autostart: bool,
    view: Arc<NetworkView>,
}

impl Named for Network {
    const NOUN: &'static str = "network";

    fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn name(&self) -> &Arc<str> {
        &self.name
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

impl Network {
    pub(crate) fn new(definition: Definition, persistent: bool) -> Self {
        let uuid = definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0);
        let name: Arc<str> = definition.name.as_str().into();
        let id = NetworkId {
            uuid,
            name: Arc::clone(&name),
        };
        Self {
            uuid,
            name,
            definition: Arc::new(definition),
            next: None,
            persistent,
            active: false,
            autostart: false,
            view: Arc::new(NetworkView {
                id,
                active: false,
                persistent,
                autostart: false,
                bridge: None,
            }),
        }
    }

    pub(crate) fn publish(&mut self) {
        self.view = Arc::new(NetworkView {
            id: self.view.id.clone(),
            active: self.active,
            persistent: self.persistent,
            autostart: self.autostart,
            bridge: self.definition.bridge_name().map(Into::into),
        });
    }

    fn stored(&self) -> Result<&Arc<Definition>> {
        if self.persistent {
            Ok(self.next.as_ref().unwrap_or(&self.definition))
        } else {
            Err(Error::operation_invalid(format!(
                "network '{}' is transient",
                self.name
            )))
        }
    }

    fn check_active(&self) -> Result<()> {
        if self.active {
            return Ok(());
        }
        Err(Error::operation_invalid(format!(
            "network '{}' is not active",
            self.name
        )))
    }

    /// Changes the definitions that `impact` means, all or none.
    fn edit(&mut self, impact: Impact, edit: impl Fn(&mut Definition) -> Result<()>) -> Result<()> {
        let current = impact.is_empty();
        if impact.contains(Impact::LIVE) {
            self.check_active()?;
        }
        if impact.contains(Impact::CONFIG) {
            self.stored()?;
        }
        let live = impact.contains(Impact::LIVE) || current && self.active;
        let stored = impact.contains(Impact::CONFIG) || current && !self.active;
        let edited = |definition: &Definition| {
            let mut changed = definition.clone();
            edit(&mut changed)?;
            Ok::<_, Error>(Arc::new(changed))
        };
        let new_live = if live {
            Some(edited(&self.definition)?)
        } else {
            None
        };
        let new_stored = if stored {
            Some(edited(self.stored()?)?)
        } else {
            None
        };
        if self.active {
            if let Some(new) = new_live {
                // What is stored stays as it was.
                if self.persistent {
                    self.next
                        .get_or_insert_with(|| Arc::clone(&self.definition));
                }
                self.definition = new;
            }
            if let Some(new) = new_stored {
                self.next = Some(new);
            }
        } else if let Some(new) = new_stored {
            self.definition = new;
        }
        Ok(())
    }

    /// Ends its run; what was stored meanwhile takes effect.
    fn stop(&mut self) {
        self.active = false;
        if let Some(next) = self.next.take() {
            self.definition = next;
        }
    }
}

impl Test {
    fn with_network<T>(
        &self,
        id: &NetworkId,
        look: impl FnOnce(&Network) -> Result<T>,
    ) -> Result<T> {
        let state = self.lock();
        look(get(&state.networks, Kind::Network, id.uuid)?)
    }

    fn change_network(
        &self,
        state: &mut State,
        uuid: Uuid,
        change: impl FnOnce(&mut Network) -> Result<Vec<NetworkEvent>>,
    ) -> Result<Option<Arc<NetworkView>>> {
        let not_found = || Error::not_found(Kind::Network, "uuid", uuid);
        let network = state.networks.get_mut(uuid).ok_or_else(not_found)?;
        let before = Arc::clone(&network.view);
        let events = change(network)?;
        network.publish();
        let after = Arc::clone(&network.view);
        let shown = network.active || network.persistent;
        if !shown {
            state.networks.remove(uuid);
        }
        state.touched = true;
        let changed = |after: Option<&Arc<NetworkView>>| {
            let after = after.map(|view| View::from(Arc::clone(view)));
            let before = Some(View::from(Arc::clone(&before)));
            if before != after {
                self.hub.publish(&Event::Changed { before, after });
            }
        };
        if shown {
            changed(Some(&after));
        }
        for event in events {
            self.hub.publish(&Event::Network(after.id.clone(), event));
        }
        if !shown {
            changed(None);
        }
        Ok(shown.then_some(after))
    }

    /// Adds a network, or gives the definition to the one that is there.
    fn put_network(&self, definition: Definition, start: bool) -> Result<Arc<NetworkView>> {
        let uuid = definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0);
        let mut state = self.lock();
        let lifecycle = if start {
            NetworkLifecycle::Started
        } else {
            NetworkLifecycle::Defined
        };
        let event = NetworkEvent::Lifecycle(lifecycle);
        if state.networks.claim(uuid, &definition.name)? {
            let changed = self.change_network(&mut state, uuid, |network| {
                if start {
                    if network.active {
                        return Err(Error::operation_invalid(format!(
                            "network '{}' is active already",
                            network.name
                        )));
                    }
                    if network.persistent {
                        network.next = Some(Arc::clone(&network.definition));
                    }
                    network.definition = Arc::new(definition);
                    network.active = true;
                } else {
                    network.persistent = true;
                    if network.active {
                        network.next = Some(Arc::new(definition));
                    } else {
                        network.definition = Arc::new(definition);
                    }
                }
                Ok(vec![event])
            })?;
            return changed.ok_or_else(|| Error::not_found(Kind::Network, "uuid", uuid));
        }
        let mut network = Network::new(definition, !start);
        network.active = start;
        network.publish();
        let view = Arc::clone(&network.view);
        state.networks.insert(network);
        state.touched = true;
        self.hub.publish(&Event::Changed {
            before: None,
            after: Some(View::from(Arc::clone(&view))),
        });
        self.hub.publish(&Event::Network(view.id.clone(), event));
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
            let next = network.next.as_ref().filter(|_| inactive);
            let flags = if inactive {
                Flags::INACTIVE
            } else {
                Flags::empty()
            };
            Ok(next.unwrap_or(&network.definition).format(flags))
        })
    }

    async fn identify_xml(&self, xml: &str) -> Result<NetworkId> {
        let definition = Definition::parse(xml).map_err(|error| error::xml(&error))?;
        Ok(NetworkId {
            uuid: definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
            name: definition.name.as_str().into(),
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
        self.change_network(&mut self.lock(), id.uuid, |network| {
            network.stored()?;
            network.persistent = false;
            network.autostart = false;
            network.next = None;
            Ok(vec![NetworkEvent::Lifecycle(NetworkLifecycle::Undefined)])
        })?;
        Ok(())
    }

    async fn create(&self, id: &NetworkId) -> Result<()> {
        self.change_network(&mut self.lock(), id.uuid, |network| {
            if network.active {
                return Err(Error::operation_invalid(format!(
                    "network '{}' is active already",
                    network.name
                )));
            }
            network.active = true;
            Ok(vec![NetworkEvent::Lifecycle(NetworkLifecycle::Started)])
        })?;
        Ok(())
    }

    async fn destroy(&self, id: &NetworkId) -> Result<()> {
        self.change_network(&mut self.lock(), id.uuid, |network| {
            network.check_active()?;
            network.stop();
            Ok(vec![NetworkEvent::Lifecycle(NetworkLifecycle::Stopped)])
        })?;
        Ok(())
    }

    async fn set_autostart(&self, id: &NetworkId, autostart: bool) -> Result<()> {
        self.change_network(&mut self.lock(), id.uuid, |network| {
            network.stored()?;
            network.autostart = autostart;
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
        self.change_network(&mut self.lock(), id.uuid, |network| {
            network.edit(impact, |definition| {
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
            network.check_active()?;
            Ok(Vec::new())
        })
    }

    async fn metadata(
        &self,
        id: &NetworkId,
        kind: i32,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<String> {
        self.with_network(id, |network| {
            if impact.contains(Impact::LIVE) {
                network.check_active()?;
            }
            let definition = if impact.contains(Impact::CONFIG) {
                network.stored()?
            } else {
                &network.definition
            };
            let found = match kind {
                0 => definition.description.as_deref().map(str::to_owned),
                1 => definition.title.as_deref().map(str::to_owned),
                2 => {
                    let uri = uri.ok_or_else(|| {
                        Error::invalid_argument("'uri' must name the element's name space")
                    })?;
                    let all = definition.metadata();
                    let child = all.and_then(|all| {
                        all.elements()
                            .find(|child| child.namespace.as_deref() == Some(uri))
                            .map(|child| all.lift(child))
                    });
                    child.map(|child| child.to_text())
                }
                other => {
                    return Err(Error::invalid_argument(format!(
                        "there is no metadata of the type {other}"
                    )));
                }
            };
            found.ok_or_else(|| {
                Error::new(
                    ErrorCode::NoNetworkMetadata,
                    ErrorDomain::Test,
                    format!("network '{}' has no such metadata", network.name),
                )
            })
        })
    }

    async fn set_metadata(
        &self,
        id: &NetworkId,
        kind: i32,
        metadata: Option<&str>,
        _key: Option<&str>,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<()> {
        let owned = metadata.map(Text::from);
        self.change_network(&mut self.lock(), id.uuid, |network| {
            network.edit(impact, |definition| {
                match kind {
                    0 => definition.description.clone_from(&owned),
                    1 => definition.title.clone_from(&owned),
                    _ => {
                        return Err(Error::new(
                            ErrorCode::OperationUnsupported,
                            ErrorDomain::Test,
                            "of a network's metadata, title and description can be set here",
                        ));
                    }
                }
                Ok(())
            })?;
            let namespace = uri.map(str::to_owned);
            Ok(vec![NetworkEvent::MetadataChange { kind, namespace }])
        })?;
        Ok(())
    }
}
