//! The reading side: takes each call off the bus, finds what it is about, and runs it.
//!
//! One task reads, and never waits for anything but the next message. A call is polled once as it arrives: a read that is answered
//! from memory has its reply on the socket before the next message is looked at. Whatever has to wait goes on in a task
//! of its own, within its sender's limit. A sender's writes to one object enter the driver in the order in which they
//! were sent.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use virtbus_api::access::{Caller, Grant, Guard, Guarded};
use virtbus_api::{Connection, ErrorCode};
use zbus::message::{Flags, Header, Type};
use zbus::{Message, MessageStream};

use crate::declare::{Interface, Method};
use crate::error::{Failure, Protocol};
use crate::interfaces::connect::ConnectView;
use crate::invocation::Invocation;
use crate::outbox::{Outbox, Watch};
use crate::peers::{Peer, Peers};
use crate::quirks::Dialect;
use crate::signals::Announcer;
use crate::standard;
use crate::standard::log_control::{self, LogControl};
use crate::tree::{self, Node, Place, ROOT, Target, View};

/// How much one client may ask at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls of one sender that wait for something; more are refused.
    pub calls_in_flight: usize,
    /// Messages on their way out; while there are more, nothing is read.
    pub queued_messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_in_flight: 1024,
            queued_messages: 4096,
        }
    }
}

/// What every call needs.
pub(crate) struct Shared {
    pub(crate) bus: zbus::Connection,
    pub(crate) guard: Guard,
    pub(crate) outbox: Arc<Outbox>,
    /// Where work goes on that a call begins.
    runtime: Handle,
    nodes: RwLock<Vec<Arc<Node>>>,
    log_control: OnceLock<Arc<dyn LogControl>>,
    peers: Peers,
    limits: Limits,
    /// Calls taken so far, and calls not yet answered: whether the service is idle.
    taken: AtomicU64,
    open: AtomicU64,
}

/// The objects on one bus connection.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// A service on `bus` that asks `guard` about every call. Serves nothing yet. What calls start, and what does not answer at the first
    /// look, goes on in the runtime that this is called in, wherever [`Service::run`] runs.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(bus: zbus::Connection, guard: Guard, limits: Limits) -> Self {
        let outbox = Arc::new(Outbox::new(bus.clone()));
        Self {
            shared: Arc::new(Shared {
                bus,
                guard,
                outbox,
                runtime: Handle::current(),
                nodes: RwLock::default(),
                log_control: OnceLock::new(),
                peers: Peers::default(),
                limits,
                taken: AtomicU64::new(0),
                open: AtomicU64::new(0),
            }),
        }
    }

    /// Serves the objects of `connection` under [`ROOT`], and announces what happens on it.
    pub fn serve(&self, connection: &Arc<dyn Connection>) {
        let name = connection.driver();
        let node = Arc::new(Node {
            name,
            path: format!("{ROOT}/{name}"),
            connection: Guarded::new(Arc::clone(connection)),
        });
        connection
            .events()
            .subscribe(Arc::new(Announcer::new(&self.shared, Arc::clone(&node))));
        self.shared
            .nodes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(node);
    }

    /// Serves how the program logs, at the path that is the same for every service. Only the first that is given counts.
    pub fn serve_log_control(&self, control: Arc<dyn LogControl>) {
        let _ = self.shared.log_control.set(control);
    }

    /// Reads and answers until the bus connection ends. `messages` must have been made before any name was requested, so
    /// that no call is missed.
    ///
    /// # Errors
    /// If the connection ends with an error.
    pub async fn run(&self, mut messages: MessageStream) -> zbus::Result<()> {
        watch_leavers(&self.shared.bus).await?;
        let writer = tokio::spawn(Arc::clone(&self.shared.outbox).write_signals());
        let ended = loop {
            self.shared
                .outbox
                .at_most(self.shared.limits.queued_messages)
                .await;
            match messages.next().await {
                Some(Ok(message)) => self.take(message),
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            }
        };
        writer.abort();
        ended
    }

    /// Waits until every message so far is on the socket.
    pub async fn flush(&self) {
        self.shared.outbox.drained().await;
    }

    /// How many calls have been taken, and whether all of them are answered.
    #[must_use]
    pub fn activity(&self) -> (u64, bool) {
        (
            self.shared.taken.load(Ordering::Relaxed),
            self.shared.open.load(Ordering::Relaxed) == 0,
        )
    }

    fn take(&self, message: Message) {
        match message.message_type() {
            Type::MethodCall => self.call(message),
            Type::Signal => self.hear(&message),
            Type::MethodReturn | Type::Error => {}
        }
    }

    /// A client has left the bus.
    fn hear(&self, message: &Message) {
        let header = message.header();
        if header
            .member()
            .is_some_and(|member| member.as_str() == "NameOwnerChanged")
            && header
                .sender()
                .is_some_and(|sender| sender.as_str() == "org.freedesktop.DBus")
        {
            let body = message.body();
            if let Ok((name, _, new)) = body.deserialize::<(&str, &str, &str)>()
                && new.is_empty()
            {
                self.shared.peers.gone(name);
            }
        }
    }

    fn call(&self, message: Message) {
        let shared = &self.shared;
        shared.taken.fetch_add(1, Ordering::Relaxed);
        let peer = {
            let header = message.header();
            shared
                .peers
                .get(header.sender().map_or("", |sender| sender.as_str()))
        };
        let _in_runtime = shared.runtime.enter();
        // Begins before anything is read.
        let watch = tells_state(&message.header()).then(|| shared.outbox.watch());
        let mut answer = Box::pin(
            AssertUnwindSafe(answer(
                Arc::clone(shared),
                message.clone(),
                Arc::clone(&peer),
            ))
            .catch_unwind(),
        );
        match answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(result) => {
                let result = result.unwrap_or_else(|_| Err(panicked()));
                shared.finish(&message, result, watch.as_ref());
            }
            Poll::Pending => {
                let Some(in_flight) = peer.enter(shared.limits.calls_in_flight) else {
                    let most = shared.limits.calls_in_flight;
                    let text = format!("{most} calls of this client are under way already");
                    shared.finish(
                        &message,
                        Err(Failure::protocol(Protocol::LimitsExceeded, text)),
                        None,
                    );
                    return;
                };
                shared.open.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(shared);
                tokio::spawn(async move {
                    let result = answer.await.unwrap_or_else(|_| Err(panicked()));
                    shared.finish(&message, result, watch.as_ref());
                    shared.open.fetch_sub(1, Ordering::Relaxed);
                    drop(in_flight);
                });
            }
        }
    }
}

/// Whether a call asks for what clients keep a picture of, with signals that tell its changes.
fn tells_state(call: &Header<'_>) -> bool {
    let member = call.member().map_or("", |member| member.as_str());
    match member {
        "GetManagedObjects" => true,
        "Get" | "GetAll" => call
            .interface()
            .is_none_or(|interface| interface.as_str() == standard::properties::NAME),
        _ => false,
    }
}

/// Asks the bus to tell when a client leaves.
async fn watch_leavers(bus: &zbus::Connection) -> zbus::Result<()> {
    if !bus.is_bus() {
        return Ok(());
    }
    let rule = "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
                member='NameOwnerChanged',arg2=''";
    bus.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "AddMatch",
        &(rule,),
    )
    .await?;
    Ok(())
}

fn panicked() -> Failure {
    Failure::protocol(
        Protocol::Failed,
        "the call ended by a mistake of the daemon; its log tells more",
    )
}

impl Shared {
    /// Sends the reply, if one is wanted.
    fn finish(&self, call: &Message, result: Result<Message, Failure>, watch: Option<&Watch>) {
        let header = call.header();
        if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
            return;
        }
        let reply = result.or_else(|failure| failure.reply(&header));
        match reply {
            Ok(reply) => match watch {
                Some(watch) => self.outbox.reply_with_news(reply, watch),
                None => self.outbox.reply(reply),
            },
            Err(error) => tracing::error!(%error, "a reply cannot be built"),
        }
    }

    /// Every connection that is served.
    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        self.nodes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How the program logs, if that is served.
    pub(crate) fn log_control(&self) -> Option<&dyn LogControl> {
        self.log_control.get().map(|control| &**control)
    }

    /// The connection of this short name.
    pub(crate) fn node(&self, name: &str) -> Option<Arc<Node>> {
        self.nodes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|node| node.name == name)
            .cloned()
    }

    /// The caller, as the guard sees it.
    async fn caller(&self, peer: &Peer, header: &Header<'_>) -> Caller {
        Caller {
            name: Arc::clone(&peer.name),
            uid: peer.uid(&self.bus).await,
            interactive: header
                .primary()
                .flags()
                .contains(Flags::ALLOW_INTERACTIVE_AUTH),
        }
    }
}

/// What is known of a call before anything is waited for.
pub(crate) struct Received {
    pub(crate) shared: Arc<Shared>,
    pub(crate) message: Message,
    pub(crate) peer: Arc<Peer>,
    pub(crate) dialect: Dialect,
}

/// Answers one call.
async fn answer(
    shared: Arc<Shared>,
    message: Message,
    peer: Arc<Peer>,
) -> Result<Message, Failure> {
    let header = message.header();
    let (Some(path), Some(member)) = (header.path(), header.member()) else {
        return Err(Failure::protocol(
            Protocol::InvalidArgs,
            "a call needs a path and a member",
        ));
    };
    let (path, member) = (path.as_str(), member.as_str());
    let interface = header.interface().map(zbus::names::InterfaceName::as_str);
    let received = Received {
        dialect: Dialect::of(&header),
        shared,
        message: message.clone(),
        peer,
    };
    let Some(place) = Place::of(path) else {
        // `Peer` answers everywhere.
        return match interface {
            Some(standard::peer::NAME) => standard::peer::answer(&received, member),
            _ => Err(unknown_object(path)),
        };
    };
    if place == Place::LogControl {
        return log_control::answer(received, interface, member).await;
    }
    if let Some(standard) = standard::Member::find(interface, member) {
        return standard.answer(received, place, path).await;
    }
    let (interface, method) = find_method(place, interface, member, path)?;
    check_signature(interface, method, &message)?;
    let order = if method.reads {
        None
    } else {
        Some(received.peer.lane(path).lock_owned().await)
    };
    let invocation = received.invocation(place, path, order).await?;
    (method.run)(invocation).await.map_err(Failure::Api)
}

impl Received {
    /// The caller of this call.
    pub(crate) async fn caller(&self) -> Caller {
        self.shared.caller(&self.peer, &self.message.header()).await
    }

    /// Looks up who calls and what the call is about.
    pub(crate) async fn invocation(
        self,
        place: Place<'_>,
        path: &str,
        order: Option<tokio::sync::OwnedMutexGuard<()>>,
    ) -> Result<Invocation, Failure> {
        let caller = self.caller().await;
        let (node, target, _) = find_object(&self.shared, place, path).await?;
        Ok(Invocation {
            guard: self.shared.guard.clone(),
            node,
            target,
            caller,
            dialect: self.dialect,
            message: self.message,
            order: std::sync::Mutex::new(order),
        })
    }
}

/// The object at a place, and what is known of it.
pub(crate) async fn find_object(
    shared: &Shared,
    place: Place<'_>,
    path: &str,
) -> Result<(Arc<Node>, Target, View), Failure> {
    let identify = Grant::identify();
    match place {
        Place::Connection(name) => {
            let node = shared.node(name).ok_or_else(|| unknown_object(path))?;
            let target = Target::connection(node.name);
            let view = View::Connect(ConnectView::of(node.connection.open(&identify)));
            Ok((node, target, view))
        }
        Place::Object(name, kind, element) => {
            let node = shared.node(name).ok_or_else(|| unknown_object(path))?;
            let view = match tree::find(node.connection.open(&identify), kind, element).await {
                Ok(Some(view)) => view,
                Ok(None) => return Err(unknown_object(path)),
                Err(error) if error.code == ErrorCode::NoSupport => {
                    return Err(unknown_object(path));
                }
                Err(error) => return Err(error.into()),
            };
            let target = Target::of_view(node.name, &view);
            Ok((node, target, View::Object(view)))
        }
        Place::Above { .. } | Place::LogControl | Place::Root | Place::Folder(..) => {
            Err(unknown_object(path))
        }
    }
}

/// The interface of the objects at a place.
pub(crate) fn interface_at(place: Place<'_>) -> Option<&'static Interface> {
    match place {
        Place::Connection(_) => Some(tree::connect_interface()),
        Place::Object(_, kind, _) => Some(tree::interface(kind)),
        Place::Above { .. } | Place::LogControl | Place::Root | Place::Folder(..) => None,
    }
}

fn find_method(
    place: Place<'_>,
    name: Option<&str>,
    member: &str,
    path: &str,
) -> Result<(&'static Interface, &'static Method), Failure> {
    let interface =
        interface_at(place).filter(|interface| name.is_none_or(|name| name == interface.name));
    let Some(interface) = interface else {
        return Err(match name {
            Some(name) => Failure::protocol(
                Protocol::UnknownInterface,
                format!("{path} has no interface {name}"),
            ),
            None => Failure::protocol(
                Protocol::UnknownMethod,
                format!("{path} has no method {member}"),
            ),
        });
    };
    let method = interface.method(member).ok_or_else(|| {
        Failure::protocol(
            Protocol::UnknownMethod,
            format!("{} has no method {member}", interface.name),
        )
    })?;
    Ok((interface, method))
}

fn check_signature(
    interface: &Interface,
    method: &Method,
    message: &Message,
) -> Result<(), Failure> {
    let given = message.body().signature().to_string_no_parens();
    let wanted: String = method
        .ins
        .iter()
        .map(|arg| arg.signature.to_string())
        .collect();
    if given == wanted {
        return Ok(());
    }
    let arguments: Vec<String> = method
        .ins
        .iter()
        .map(|arg| format!("{}: {}", arg.name, arg.signature))
        .collect();
    Err(Failure::protocol(
        Protocol::InvalidArgs,
        format!(
            "{}.{} takes ({}), not '{given}'",
            interface.name,
            method.name,
            arguments.join(", ")
        ),
    ))
}

pub(crate) fn unknown_object(path: &str) -> Failure {
    Failure::protocol(
        Protocol::UnknownObject,
        format!("there is no object at {path}"),
    )
}
