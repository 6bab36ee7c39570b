//! What the daemon's answers are compared with: a service that does nothing but answer, by zbus's own object server.
//!
//! It runs as a process of its own, like the daemon, with as many threads. What it is to answer is given to it beforehand, so
//! that its replies are as long as the daemon's.

use std::collections::HashMap;

use futures_util::StreamExt;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, MessageStream, OwnedObjectPath, OwnedVariant, connection, interface};

use crate::Outcome;
use crate::served::{Body, Question};

/// The argument that makes this program the yardstick.
pub(crate) const WORD: &str = "serve-yardstick";

/// The name that it takes.
pub(crate) const NAME: &str = "org.virtbus.Yardstick";

const PATH: &str = "/yardstick";
const INTERFACE: &str = "org.virtbus.Yardstick";

/// What `GetManagedObjects` answers.
pub(crate) type Objects = HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>>;

/// The object.
#[derive(Debug, Default)]
struct Bare {
    text: String,
    paths: Vec<OwnedObjectPath>,
    objects: Objects,
}

#[interface(name = "org.virtbus.Yardstick")]
impl Bare {
    async fn number(&self) -> u32 {
        1
    }

    async fn text(&self) -> &str {
        &self.text
    }

    async fn paths(&self) -> &[OwnedObjectPath] {
        &self.paths
    }

    async fn objects(&self) -> &Objects {
        &self.objects
    }

    #[zbus(signal)]
    async fn emitted(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    async fn emit(
        &self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        Ok(Self::emitted(&emitter).await?)
    }

    async fn set_text(&mut self, text: String) {
        self.text = text;
    }

    async fn set_paths(&mut self, paths: Vec<OwnedObjectPath>) {
        self.paths = paths;
    }

    async fn set_objects(&mut self, objects: Objects) {
        self.objects = objects;
    }
}

/// Serves until the bus is gone.
///
/// # Errors
/// If there is no bus at `address`.
pub(crate) fn serve(address: &str) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let bus = connection::Builder::address(address)
            .serve_at(PATH, Bare::default())
            .name(NAME)
            .build()
            .await?;
        // Ends with the connection.
        let mut messages = MessageStream::from(&bus);
        while messages.next().await.is_some_and(|message| message.is_ok()) {}
        Ok(())
    })
}

/// A call to the yardstick.
pub(crate) fn question(member: &'static str) -> Question {
    Question {
        destination: NAME,
        path: PATH.to_owned(),
        interface: INTERFACE,
        member,
        body: Body::Nothing,
    }
}

/// Tells the yardstick what to answer.
///
/// # Errors
/// If it is not there.
pub(crate) async fn prepare<B>(bus: &Connection, member: &str, body: &B) -> Outcome<()>
where
    B: serde::Serialize + zbus::DynamicType,
{
    bus.call_method(Some(NAME), PATH, Some(INTERFACE), member, body)
        .await?;
    Ok(())
}
