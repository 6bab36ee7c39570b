//! A driver that keeps nothing, as one for libvirt's own protocol may be: what is known of a guest takes several questions, what names it takes one.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::connection::Host;
use virtbus_api::connections::{Driver, Opening};
use virtbus_api::domain::{DomainId, DomainView, DomainXmlFlags, Domains};
use virtbus_api::event::EventHub;
use virtbus_api::flags::KnownFlags;
use virtbus_api::listing::Views;
use virtbus_api::object::{Id, Kind};
use virtbus_api::session::{Directory, Key};
use virtbus_api::{Connection, Error, Result, Uuid};

use crate::line::{self, Line};

/// Opens connections to servers: `plain:///PATH/OF/SOCKET`.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

#[async_trait]
impl Driver for Plain {
    fn name(&self) -> &str {
        "Plain"
    }

    fn schemes(&self) -> &[&str] {
        &["plain"]
    }

    async fn open(&self, opening: Opening<'_>) -> Result<Arc<dyn Connection>> {
        let uri = opening.uri;
        let events = Arc::new(EventHub::default());
        Ok(Arc::new(PlainConnection {
            uri: uri.to_owned(),
            line: Line::to(uri, &events).await?,
            events,
        }))
    }
}

struct PlainConnection {
    uri: String,
    events: Arc<EventHub>,
    line: Line,
}

impl PlainConnection {
    async fn id(&self, what: &str, missing: Error) -> Result<DomainId> {
        let found = self.line.ask(&format!("find {what}")).await?;
        line::id(&found).ok_or(missing)
    }

    async fn known(&self, id: DomainId) -> Result<Arc<DomainView>> {
        let state = self.line.ask(&format!("state {}", id.uuid)).await?;
        let autostart = self.line.ask(&format!("autostart {}", id.uuid)).await?;
        Ok(Arc::new(line::known(id, &state, &autostart)))
    }
}

#[async_trait]
impl Directory for PlainConnection {
    async fn identify(&self, kind: Kind, key: Key<'_>, _: Option<&Id>) -> Result<Option<Id>> {
        let id = match (kind, key) {
            (Kind::Domain, Key::Uuid(uuid)) => {
                let missing = Error::no_domain(uuid);
                self.id(&uuid.to_string(), missing).await?
            }
            (Kind::Domain, Key::Name(name)) => self.id(name, Error::no_domain_named(name)).await?,
            _ => return Ok(None),
        };
        Ok(Some(id.into()))
    }
}

#[async_trait]
impl Domains for PlainConnection {
    async fn views(&self) -> Result<Views<DomainView>> {
        let all = self.line.ask("list").await?;
        Ok(all
            .split(';')
            .filter_map(line::view)
            .map(Arc::new)
            .collect())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<DomainView>> {
        let missing = Error::no_domain(uuid);
        self.known(self.id(&uuid.to_string(), missing).await?).await
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<DomainView>> {
        let missing = Error::no_domain_named(name);
        self.known(self.id(name, missing).await?).await
    }

    async fn view_by_id(&self, number: u32) -> Result<Arc<DomainView>> {
        Err(Error::no_domain_numbered(number.into()))
    }

    async fn xml_desc(&self, domain: &DomainId, _: DomainXmlFlags) -> Result<String> {
        self.line.ask(&format!("find {}", domain.uuid)).await
    }

    async fn set_autostart(&self, domain: &DomainId, autostart: bool) -> Result<()> {
        let word = if autostart { "on" } else { "off" };
        let question = format!("autostart {} {word}", domain.uuid);
        self.line.ask(&question).await?;
        Ok(())
    }
}

impl Host for PlainConnection {}

impl Connection for PlainConnection {
    fn driver(&self) -> &str {
        "Plain"
    }

    fn flags(&self) -> &'static [KnownFlags] {
        &[]
    }

    fn uri(&self) -> &str {
        &self.uri
    }

    fn events(&self) -> &EventHub {
        &self.events
    }

    fn host(&self) -> &dyn Host {
        self
    }

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }

    fn domains(&self) -> Option<&dyn Domains> {
        Some(self)
    }

    fn is_idle(&self) -> bool {
        true
    }
}
