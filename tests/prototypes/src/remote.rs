//! A driver as one for ESX would be: it keeps no state, asks a server on another host for everything, and may lose that at any time.
//!
//! The server here has a socket and speaks in lines: `list` answers `UUID NAME STATE` for each guest, separated by `;`.

use std::path::Path;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use virtbus_api::connection::Host;
use virtbus_api::connections::{Driver, Opening};
use virtbus_api::domain::{
    DomainId, DomainState, DomainView, Domains, RunningReason, ShutoffReason,
};
use virtbus_api::event::{CloseReason, Event, EventHub};
use virtbus_api::flags::KnownFlags;
use virtbus_api::listing::Views;
use virtbus_api::{Connection, Error, ErrorCode, ErrorDomain, Result, Uuid};

/// Opens connections to servers: `far:///PATH/OF/SOCKET`.
#[derive(Debug, Clone, Copy)]
pub struct Far;

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
        let path = uri.trim_start_matches("far://");
        let stream = UnixStream::connect(Path::new(path)).await;
        let stream = stream.map_err(|error| lost(&format!("cannot reach {uri}: {error}")))?;
        let (read, write) = stream.into_split();
        let (answer, answers) = mpsc::channel(1);
        let far = Arc::new(FarConnection {
            uri: uri.to_owned(),
            events: EventHub::default(),
            line: Mutex::new((write, answers)),
        });
        tokio::spawn(listen(read, answer, Arc::downgrade(&far)));
        Ok(far)
    }
}

/// Hands answers on, and tells when no more can come. Keeps nobody.
async fn listen(read: OwnedReadHalf, answer: mpsc::Sender<String>, far: Weak<FarConnection>) {
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if answer.send(line).await.is_err() {
            return;
        }
    }
    drop(answer);
    if let Some(far) = far.upgrade() {
        far.events.publish(&Event::Closed(CloseReason::Eof));
    }
}

struct FarConnection {
    uri: String,
    events: EventHub,
    /// One question at a time.
    line: Mutex<(OwnedWriteHalf, mpsc::Receiver<String>)>,
}

fn lost(why: &str) -> Error {
    Error::new(ErrorCode::NoConnect, ErrorDomain::None, why)
}

impl FarConnection {
    async fn ask(&self, question: &str) -> Result<String> {
        let mut line = self.line.lock().await;
        let (write, answers) = &mut *line;
        let sent = write.write_all(format!("{question}\n").as_bytes()).await;
        sent.map_err(|error| lost(&error.to_string()))?;
        let answer = answers.recv().await;
        answer.ok_or_else(|| lost("the server has closed the connection"))
    }

    async fn find(
        &self,
        is_it: impl Fn(&DomainId) -> bool,
        missing: Error,
    ) -> Result<Arc<DomainView>> {
        let views = self.views().await?;
        views
            .iter()
            .find(|view| is_it(&view.id))
            .cloned()
            .ok_or(missing)
    }
}

fn view(text: &str) -> Option<Arc<DomainView>> {
    let mut words = text.split(' ');
    let uuid = words.next()?.parse().ok()?;
    let name = words.next()?.into();
    let runs = words.next()? == "running";
    Some(Arc::new(DomainView {
        id: DomainId {
            uuid,
            name,
            id: runs.then_some(1),
        },
        state: if runs {
            DomainState::Running(RunningReason::Booted)
        } else {
            DomainState::Shutoff(ShutoffReason::Unknown)
        },
        os_type: "hvm".into(),
        persistent: true,
        autostart: false,
        updated: false,
        managed_save: false,
        scheduler: None,
        snapshots: 0,
        checkpoints: 0,
        job: None,
    }))
}

#[async_trait]
impl Domains for FarConnection {
    async fn views(&self) -> Result<Views<DomainView>> {
        let all = self.ask("list").await?;
        Ok(all.split(';').filter_map(view).collect())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<DomainView>> {
        self.find(|id| id.uuid == uuid, Error::no_domain(uuid))
            .await
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<DomainView>> {
        self.find(|id| &*id.name == name, Error::no_domain_named(name))
            .await
    }

    async fn view_by_id(&self, number: u32) -> Result<Arc<DomainView>> {
        let missing = Error::no_domain_numbered(number.into());
        self.find(|id| id.id == Some(number), missing).await
    }
}

#[async_trait]
impl Host for FarConnection {
    async fn hostname(&self) -> Result<String> {
        self.ask("host").await
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
