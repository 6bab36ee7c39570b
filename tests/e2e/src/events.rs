//! The lifecycle events of domains, in the order in which they came.
//!
//! Subscribed to before the act that causes them, so none can be missed. The numbers are
//! libvirt's `virDomainEventType` and its detail types; only those that tests name are here.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt;
use zbus::{MatchRule, MessageStream, OwnedObjectPath};

use crate::client::{CONNECT, CallError, Client, QEMU_PATH};
use crate::wait::patient;

/// A definition was added or changed.
pub const DEFINED: i32 = 0;
/// A definition was removed.
pub const UNDEFINED: i32 = 1;
/// A guest was started.
pub const STARTED: i32 = 2;
/// A guest was paused.
pub const SUSPENDED: i32 = 3;
/// A guest runs again.
pub const RESUMED: i32 = 4;
/// A guest is gone.
pub const STOPPED: i32 = 5;
/// A guest ended its own work and is about to stop.
pub const SHUTDOWN: i32 = 6;

/// Detail of [`DEFINED`]: under another name.
pub const DEFINED_RENAMED: i32 = 2;
/// Detail of [`UNDEFINED`]: it has another name.
pub const UNDEFINED_RENAMED: i32 = 1;
/// Detail of [`STARTED`]: from its beginning.
pub const STARTED_BOOTED: i32 = 0;
/// Detail of [`STARTED`]: from a saved image.
pub const STARTED_RESTORED: i32 = 2;
/// Detail of [`SUSPENDED`]: somebody paused it, or a job of the host's needs it to stand still.
pub const SUSPENDED_PAUSED: i32 = 0;
/// Detail of [`SUSPENDED`]: it was saved paused.
pub const SUSPENDED_RESTORED: i32 = 4;
/// Detail of [`RESUMED`]: somebody resumed it, or what it was halted for is over.
pub const RESUMED_UNPAUSED: i32 = 0;
/// Detail of [`RESUMED`]: it goes on from a saved state.
pub const RESUMED_FROM_SNAPSHOT: i32 = 2;
/// Detail of [`SHUTDOWN`]: the guest did it.
pub const SHUTDOWN_GUEST: i32 = 1;
/// Detail of [`STOPPED`]: it was saved.
pub const STOPPED_SAVED: i32 = 4;
/// Detail of [`STOPPED`]: the guest shut itself down.
pub const STOPPED_SHUTDOWN: i32 = 0;
/// Detail of [`STOPPED`]: somebody destroyed it.
pub const STOPPED_DESTROYED: i32 = 1;
/// Detail of [`STOPPED`]: the guest crashed.
pub const STOPPED_CRASHED: i32 = 2;
/// Detail of [`STOPPED`]: the emulator failed.
pub const STOPPED_FAILED: i32 = 5;

/// Events that may wait unread: far more than any test causes.
const QUEUE: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// One `DomainEvent` signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainEvent {
    /// The object path of the domain.
    pub domain: String,
    /// What happened: one of the constants of this module, or another of libvirt's.
    pub event: i32,
    /// Libvirt's detail of that.
    pub detail: i32,
}

/// The events of all domains from the subscription on.
#[derive(Debug)]
pub struct DomainEvents {
    stream: MessageStream,
}

impl DomainEvents {
    /// Subscribes; what happens after this returned is seen.
    ///
    /// # Errors
    /// When the bus refuses.
    pub async fn subscribe(client: &Client) -> Result<DomainEvents, CallError> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .path(QEMU_PATH)
            .interface(CONNECT)
            .member("DomainEvent")
            .build()?;
        let stream = MessageStream::for_match_rule(rule, client.connection(), Some(QUEUE)).await?;
        Ok(DomainEvents { stream })
    }

    /// The next event of the domain at `path`, whichever it is.
    ///
    /// # Panics
    /// When none comes within five times `limit`, or one is malformed.
    pub async fn next_of(&mut self, path: &str, limit: Duration) -> DomainEvent {
        let next = async {
            loop {
                let event = self.next().await;
                if event.domain == path {
                    return event;
                }
            }
        };
        match tokio::time::timeout(patient(limit), next).await {
            Ok(event) => event,
            Err(_) => panic!("no event of {path} within {:?}", patient(limit)),
        }
    }

    /// The next `count` events of the domain at `path`, each with its detail.
    ///
    /// # Panics
    /// As [`DomainEvents::next_of`].
    pub async fn next_all(&mut self, path: &str, count: usize, limit: Duration) -> Vec<(i32, i32)> {
        let mut told = Vec::new();
        while told.len() < count {
            let event = self.next_of(path, limit).await;
            told.push((event.event, event.detail));
        }
        told
    }

    /// Waits for an event of a kind, passing over others of the same domain.
    ///
    /// # Panics
    /// As [`DomainEvents::next_of`].
    pub async fn wait_for(&mut self, path: &str, event: i32, limit: Duration) -> DomainEvent {
        loop {
            let next = self.next_of(path, limit).await;
            if next.event == event {
                return next;
            }
        }
    }

    async fn next(&mut self) -> DomainEvent {
        let message = self.stream.next().await;
        let message = message.expect("the bus stays").expect("a sound message");
        let body = message.body();
        let decoded: Result<(OwnedObjectPath, i32, i32), _> = body.deserialize();
        let (domain, event, detail) = decoded.expect("a DomainEvent has the signature oii");
        DomainEvent {
            domain: domain.to_string(),
            event,
            detail,
        }
    }
}
