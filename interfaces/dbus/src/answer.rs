//! One call: what it is, which object it is about, and its answer.
//!
//! What can be said without looking at any object is said first: which kind of call it is, and so whether it is answered where all others
//! would wait for it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::OwnedMutexGuard;
use virtbus_api::ErrorCode;
use virtbus_api::access::Caller;
use virtbus_api::session::{Need, Target};
use zbus::Message;
use zbus::message::Header;

use crate::declare::{Interface, Kind, Method};
use crate::dispatch::Shared;
use crate::error::{Failure, Protocol};
use crate::interfaces;
use crate::invocation::Invocation;
use crate::peers::Peer;
use crate::quirks::Dialect;
use crate::standard;
use crate::standard::log_control;
use crate::tree::{self, Named, Node, Place};
use crate::turns::next_turn;

/// How a call is answered. What is wrong with one is told from memory.
pub(crate) fn kind(call: &Header<'_>) -> Kind {
    let (Some(path), Some(member)) = (call.path(), call.member()) else {
        return Kind::Memory;
    };
    let interface = call.interface().map(zbus::names::InterfaceName::as_str);
    let (path, member) = (path.as_str(), member.as_str());
    let Some(place) = Place::of(path) else {
        return Kind::Memory;
    };
    if let Some(standard) = standard::Member::find(interface, member) {
        return standard.kind(place);
    }
    match find_method(place, interface, member, path) {
        Ok((_, method)) => method.kind,
        Err(_) => Kind::Memory,
    }
}

/// Whether descriptors are among the arguments.
pub(crate) fn has_descriptors(call: &Header<'_>) -> bool {
    call.signature().to_string().contains('h')
}

/// A call's place among its sender's writes to the same object.
pub(crate) enum Order {
    /// It is no write.
    None,
    /// It was taken when the call arrived, and comes.
    Coming(BoxFuture<'static, OwnedMutexGuard<()>>),
    /// It is the next.
    Here(OwnedMutexGuard<()>),
}

impl Order {
    /// Takes a place behind all that came before.
    pub(crate) fn take(peer: &Peer, call: &Header<'_>) -> Self {
        let path = call.path().map_or("/", |path| path.as_str());
        let mut coming = peer.lane(path).lock_owned().boxed();
        // Polled once, it is in the queue.
        match (&mut coming).now_or_never() {
            Some(here) => Self::Here(here),
            None => Self::Coming(coming),
        }
    }

    pub(crate) async fn come(self) -> Option<OwnedMutexGuard<()>> {
        match self {
            Self::None => None,
            Self::Coming(coming) => Some(coming.await),
            Self::Here(here) => Some(here),
        }
    }
}

/// What is known of a call before anything is waited for.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) shared: Arc<Shared>,
    pub(crate) message: Message,
    pub(crate) peer: Arc<Peer>,
    pub(crate) dialect: Dialect,
}

/// Answers one call.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    message: Message,
    peer: Arc<Peer>,
    order: Order,
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
        return log_control::answer(received, interface, member, order).await;
    }
    let answered = answer_member(received.clone(), place, interface, member, path, order).await;
    match answered {
        Err(failure) if failure.complains_of_the_call() => {
            // Whoever mistook a path has no use for the types of arguments.
            received.require_object(place, path).await?;
            Err(failure)
        }
        answered => answered,
    }
}

async fn answer_member(
    received: Received,
    place: Place<'_>,
    interface: Option<&str>,
    member: &str,
    path: &str,
    order: Order,
) -> Result<Message, Failure> {
    if let Some(standard) = standard::Member::find(interface, member) {
        return standard.answer(received, place, path, order).await;
    }
    let (interface, method) = find_method(place, interface, member, path)?;
    check_signature(interface, method, &received.message)?;
    let order = order.come().await;
    let invocation = received.invocation(place, path, order, method.need).await?;
    (method.run)(invocation).await.map_err(Failure::Api)
}

impl Received {
    /// The caller of this call.
    pub(crate) fn caller(&self) -> Caller {
        Shared::caller(&self.peer, &self.message.header())
    }

    /// Whether an object is at this place that the caller may know of, if objects are at such places at all.
    async fn require_object(&self, place: Place<'_>, path: &str) -> Result<(), Failure> {
        if interface_at(place).is_none() {
            return Ok(());
        }
        let caller = self.caller();
        let found = find_object(&self.shared, &caller, place, path, Need::Id);
        let (node, target) = found.await?;
        match target.not_found() {
            Some(not_found) if !node.guarded.session(&caller).sees(&target).await? => {
                Err(not_found.into())
            }
            _ => Ok(()),
        }
    }

    /// Looks up who calls and what the call is about.
    pub(crate) async fn invocation(
        self,
        place: Place<'_>,
        path: &str,
        order: Option<OwnedMutexGuard<()>>,
        need: Need,
    ) -> Result<Invocation, Failure> {
        let caller = self.caller();
        let (node, target) = find_object(&self.shared, &caller, place, path, need).await?;
        Ok(Invocation {
            node,
            target,
            caller,
            dialect: self.dialect,
            message: self.message,
            shared: self.shared,
            peer: self.peer,
            order: std::sync::Mutex::new(order),
        })
    }
}

/// The object at a place, with what the call needs of it.
pub(crate) async fn find_object(
    shared: &Shared,
    caller: &Caller,
    place: Place<'_>,
    path: &str,
    need: Need,
) -> Result<(Arc<Node>, Target), Failure> {
    let unknown = || unknown_object(path);
    match place {
        Place::Connection(name) => {
            let node = shared.nodes.get(name).ok_or_else(unknown)?;
            Ok((node, Target::connection()))
        }
        Place::Object(name, kind, element) => {
            let node = shared.nodes.get(name).ok_or_else(unknown)?;
            if !node.guarded.is_open() {
                // Opening it may take a while.
                next_turn().await;
            }
            let named = Named::by(kind, element).ok_or_else(unknown)?;
            let found = node
                .guarded
                .session(caller)
                .find(kind, named.key(kind), need)
                .await;
            match found {
                Ok(target) => Ok((node, target)),
                Err(error) if error.code == ErrorCode::NoSupport => Err(unknown()),
                Err(error) => Err(error.into()),
            }
        }
        Place::Root => Ok((shared.nodes.manager(), Target::connection())),
        Place::Above { .. } | Place::LogControl | Place::Folder(..) => Err(unknown()),
    }
}

/// The interface of the objects at a place.
pub(crate) fn interface_at(place: Place<'_>) -> Option<&'static Interface> {
    match place {
        Place::Connection(_) => Some(tree::connect_interface()),
        Place::Object(_, kind, _) => Some(tree::interface(kind)),
        Place::Root => Some(&interfaces::manager::MANAGER),
        Place::Above { .. } | Place::LogControl | Place::Folder(..) => None,
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
        .map(|arg| format!("{}: {}", arg.name(), arg.signature))
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

/// So many bytes of a path are repeated in an error.
const SHOWN: usize = 256;

pub(crate) fn unknown_object(path: &str) -> Failure {
    let text = if path.len() > SHOWN {
        let end = path.floor_char_boundary(SHOWN);
        format!("there is no object at {}...", &path[..end])
    } else {
        format!("there is no object at {path}")
    };
    Failure::protocol(Protocol::UnknownObject, text)
}
