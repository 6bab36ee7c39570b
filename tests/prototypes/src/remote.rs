//! A driver as one for ESX would be: it mirrors what a server on another host has, and may lose that at any time.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use virtbus_api::connection::Host;
use virtbus_api::connections::{Driver, Opening};
use virtbus_api::domain::{DomainId, DomainView, Domains};
use virtbus_api::event::EventHub;
use virtbus_api::flags::KnownFlags;
use virtbus_api::listing::Views;
use virtbus_api::{Connection, Error, Result, Uuid};
use virtbus_mirror::{Mirror, Pace, Poll, poll};

use crate::line::{self, Line};

/// Opens connections to servers: `far:///PATH/OF/SOCKET`. Each is polled at this pace.
#[derive(Debug, Clone, Copy)]
pub struct Far(pub Pace);

#[async_trait]
impl Driver for Far {
    fn name(&self) -> &str {
        "Far"
    }

    fn schemes(&self) -> &[&str] {
        &["far"]
    }

    async fn open(&self, opening: Opening<'_>) -> Result<Arc<dyn Connection>> {
        let uri = opening.uri;
        let events = Arc::new(EventHub::default());
        let line = Line::to(uri, &events).await?;
        let domains = Mirror::new(Arc::clone(&events));
        domains.refresh(list(&line)).await?;
        Ok(Arc::new_cyclic(|me| FarConnection {
            uri: uri.to_owned(),
            events,
            line,
            domains,
            _poll: poll(Weak::clone(me), self.0, async |far: Arc<FarConnection>| {
                far.domains.refresh(list(&far.line)).await
            }),
        }))
    }
}

async fn list(line: &Line) -> Result<Vec<DomainView>> {
    let all = line.ask("list").await?;
    Ok(all.split(';').filter_map(line::view).collect())
}

struct FarConnection {
    uri: String,
    events: Arc<EventHub>,
    line: Line,
    domains: Mirror<DomainView>,
    _poll: Poll,
}

#[async_trait]
impl Domains for FarConnection {
    async fn views(&self) -> Result<Views<DomainView>> {
        Ok(self.domains.views())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<DomainView>> {
        self.domains.view(&uuid)
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<DomainView>> {
        self.domains.view_by_name(name)
    }

    async fn view_by_id(&self, number: u32) -> Result<Arc<DomainView>> {
        self.domains.view_by_id(number)
    }

    async fn set_autostart(&self, domain: &DomainId, autostart: bool) -> Result<()> {
        let word = if autostart { "on" } else { "off" };
        let question = format!("autostart {} {word}", domain.uuid);
        let after = line::view(&self.line.ask(&question).await?);
        // Whoever has the reply sees what it did.
        self.domains
            .put(after.ok_or_else(|| Error::no_domain(domain.uuid))?);
        Ok(())
    }
}

#[async_trait]
impl Host for FarConnection {
    async fn hostname(&self) -> Result<String> {
        self.line.ask("host").await
    }
}

#[async_trait]
impl Connection for FarConnection {
    fn driver(&self) -> &str {
        "Far"
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

    fn domains(&self) -> Option<&dyn Domains> {
        Some(self)
    }

    fn is_idle(&self) -> bool {
        true
    }
}
