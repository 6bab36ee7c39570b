//! What both drivers of another host share: a server with a socket, which speaks in lines and answers one question at a time.
//!
//! A guest is `UUID NAME STATE AUTOSTART`. `list` answers all of them, separated by `;`; `find NAME-OR-UUID` answers `UUID NAME` or nothing; `state UUID`
//! and `autostart UUID` answer that; `autostart UUID on` (or `off`) sets it, and answers the guest.

use std::path::Path;
use std::sync::{Arc, Weak};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use virtbus_api::domain::{DomainId, DomainState, DomainView, RunningReason, ShutoffReason};
use virtbus_api::event::{CloseReason, Event, EventHub};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};

/// A connection to a server.
pub(crate) struct Line(Mutex<Option<Ends>>);

/// Taken while a question is under way: if that is called off, nobody gets its answer for another one's.
type Ends = (OwnedWriteHalf, mpsc::Receiver<String>);

fn lost(why: &str) -> Error {
    Error::new(ErrorCode::NoConnect, ErrorDomain::None, why)
}

impl Line {
    /// Connects to the socket that a URI names. When the server ends, `hub` is told.
    pub(crate) async fn to(uri: &str, hub: &Arc<EventHub>) -> Result<Self> {
        let (_, path) = uri.split_once("://").unwrap_or_default();
        let stream = UnixStream::connect(Path::new(path)).await;
        let stream = stream.map_err(|error| lost(&format!("cannot reach {uri}: {error}")))?;
        let (read, write) = stream.into_split();
        let (answer, answers) = mpsc::channel(1);
        tokio::spawn(listen(read, answer, Arc::downgrade(hub)));
        Ok(Self(Mutex::new(Some((write, answers)))))
    }

    pub(crate) async fn ask(&self, question: &str) -> Result<String> {
        let mut line = self.0.lock().await;
        let ends = line.take();
        let (mut write, mut answers) = ends.ok_or_else(|| lost("the server did not answer"))?;
        let sent = write.write_all(format!("{question}\n").as_bytes()).await;
        sent.map_err(|error| lost(&error.to_string()))?;
        let answer = answers.recv().await;
        *line = Some((write, answers));
        answer.ok_or_else(|| lost("the server has closed the connection"))
    }
}

/// Hands answers on, and tells when no more can come. Keeps nobody.
async fn listen(read: OwnedReadHalf, answer: mpsc::Sender<String>, hub: Weak<EventHub>) {
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if answer.send(line).await.is_err() {
            return;
        }
    }
    drop(answer);
    if let Some(hub) = hub.upgrade() {
        hub.publish(&Event::Closed(CloseReason::Eof));
    }
}

pub(crate) fn id(text: &str) -> Option<DomainId> {
    let (uuid, name) = text.split_once(' ')?;
    Some(DomainId {
        uuid: uuid.parse().ok()?,
        name: name.into(),
        id: None,
    })
}

pub(crate) fn view(text: &str) -> Option<DomainView> {
    let mut words = text.rsplitn(3, ' ');
    let (autostart, state) = (words.next()?, words.next()?);
    Some(known(id(words.next()?)?, state, autostart))
}

pub(crate) fn known(mut id: DomainId, state: &str, autostart: &str) -> DomainView {
    let runs = state == "running";
    id.id = runs.then_some(1);
    DomainView {
        id,
        state: if runs {
            DomainState::Running(RunningReason::Booted)
        } else {
            DomainState::Shutoff(ShutoffReason::Unknown)
        },
        os_type: "hvm".into(),
        persistent: true,
        autostart: autostart == "on",
        updated: false,
        managed_save: false,
        scheduler: None,
        snapshots: 0,
        checkpoints: 0,
        job: None,
    }
}
