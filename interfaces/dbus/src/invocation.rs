//! One call of a declared member, from decoded arguments to the reply.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedMutexGuard;
use virtbus_api::access::{Arguments, Call, Caller, Seen};
use virtbus_api::filter::Filtered;
use virtbus_api::listing::Views;
use virtbus_api::object::{Id, Kind, ObjectView};
use virtbus_api::session::{Granted, Key, Need, Session, Target};
use virtbus_api::storage::Transfer;
use virtbus_api::typed::TypedParameters;
use virtbus_api::{Error, Result};
use zbus::wire::DynamicType;
use zbus::{Message, OwnedObjectPath, Type};

use crate::dispatch::Shared;
use crate::paths::Paths;
use crate::peers::Peer;
use crate::quirks::Dialect;
use crate::streams::Streams;
use crate::tree::Node;
use crate::turns::next_turn;
use crate::value::{Parameters, Wrapping, sendable};

/// A call on its way to a handler.
pub(crate) struct Invocation {
    pub(crate) node: Arc<Node>,
    pub(crate) target: Target,
    pub(crate) caller: Caller,
    pub(crate) dialect: Dialect,
    pub(crate) message: Message,
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Arc<Peer>,
    /// The call's place in the order of its sender's writes; given up once the driver has the call.
    pub(crate) order: std::sync::Mutex<Option<OwnedMutexGuard<()>>>,
}

/// What a method's body works with: the granted call, and how its answer is spelt.
pub(crate) struct Context<'a> {
    granted: Granted<'a>,
    node: &'a Node,
    dialect: Dialect,
    shared: &'a Arc<Shared>,
    peer: &'a Peer,
}

impl<'a> Deref for Context<'a> {
    type Target = Granted<'a>;

    fn deref(&self) -> &Granted<'a> {
        &self.granted
    }
}

impl Invocation {
    /// The arguments. The dispatcher has compared the signature; what can be wrong yet are values such as a bad path.
    pub(crate) fn arguments<T: DeserializeOwned + Type>(&self) -> Result<T> {
        let body = self.message.body();
        body.deserialize_ignore_signature().map_err(|error| {
            Error::invalid_argument(format!("the arguments cannot be read: {error}"))
        })
    }

    /// The value of a property that is being set.
    pub(crate) fn property_value<T>(&self) -> Result<T>
    where
        T: TryFrom<zbus::OwnedVariant>,
    {
        let body = self.message.body();
        let (_, name, value): (String, String, zbus::OwnedVariant) =
            body.deserialize().map_err(|error| {
                Error::invalid_argument(format!("the arguments cannot be read: {error}"))
            })?;
        T::try_from(value)
            .map_err(|_| Error::invalid_argument(format!("the value of {name} has the wrong type")))
    }

    /// The same call about another object than the one it was sent to.
    pub(crate) fn about(self, target: Target) -> Self {
        Self { target, ..self }
    }

    fn session(&self) -> Session<'_> {
        self.node.guarded.session(&self.caller)
    }

    /// The object that the call is about, by the key that is among its arguments.
    pub(crate) async fn found(&self, kind: Kind, key: Result<Key<'_>>) -> Result<Target> {
        let found = self.session().find_from(&self.target, kind, key, Need::Id);
        found.await
    }

    /// What the definition among the arguments is about.
    pub(crate) async fn defined(&self, kind: Kind, xml: &str) -> Result<Target> {
        // Drivers read documents in the order in which they come, whoever has no right to what is in them.
        let user = self.shared.peers.user_or_unknown(&self.peer);
        let turn = user.documents.acquire().await;
        let _turn = turn.map_err(|error| Error::internal(error.to_string()))?;
        self.session().defined_from(&self.target, kind, xml).await
    }

    /// Asks for what the call needs.
    pub(crate) async fn grant(&self, call: Call, arguments: Arguments) -> Result<Granted<'_>> {
        self.session().grant(call, arguments, &self.target).await
    }

    /// What a method's body works with, now that the call is granted.
    pub(crate) fn context<'a>(&'a self, granted: Granted<'a>) -> Context<'a> {
        Context {
            granted,
            node: &self.node,
            dialect: self.dialect,
            shared: &self.shared,
            peer: &self.peer,
        }
    }

    /// Runs a handler. Once it has been entered (a job's place in its object's queue is taken by then), the sender's next
    /// write may follow.
    pub(crate) async fn enter<T>(&self, handler: impl Future<Output = T>) -> T {
        let mut handler = pin!(handler);
        std::future::poll_fn(|context| {
            let answer = handler.as_mut().poll(context);
            drop(
                self.order
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .take(),
            );
            if answer.is_ready() {
                answer
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// The reply with this body.
    pub(crate) fn reply<T: Serialize + DynamicType>(&self, body: &T) -> Result<Message> {
        reply(&self.message, body)
    }
}

impl Context<'_> {
    /// The path of the object that the call is about.
    pub(crate) fn path(&self) -> Result<OwnedObjectPath> {
        self.path_of_id(self.any_id()?)
    }

    /// The path of an object.
    pub(crate) fn path_of<V: ObjectView>(&self, view: Arc<V>) -> Result<OwnedObjectPath> {
        self.path_of_id(&view.named().to_id())
    }

    /// The path of the object that has this id.
    pub(crate) fn path_of_id(&self, id: &Id) -> Result<OwnedObjectPath> {
        if !id.borrowed().can_be_named() {
            return Err(Error::internal("the driver gives an object no name"));
        }
        OwnedObjectPath::try_from(self.node.path_of(id))
            .map_err(|error| Error::internal(format!("an object's path is wrong: {error}")))
    }

    /// The descriptor of a transfer, which goes on in the background. The caller learns how it ended by `StreamFinish`.
    pub(crate) async fn stream(
        &self,
        transfer: impl Future<Output = Result<Transfer>>,
    ) -> Result<zbus::OwnedFd> {
        let descriptor = self.shared.stream(self.peer, transfer);
        Ok(descriptor.await?.into())
    }

    /// The caller's streams.
    pub(crate) const fn streams(&self) -> &Streams {
        &self.peer.streams
    }

    /// The paths of those that the flags choose and the caller may see.
    pub(crate) async fn list<V, F>(&self, views: &Views<V>, flags: F) -> Result<Paths>
    where
        V: ObjectView + Filtered<F> + Send + Sync + 'static,
        F: Copy + Default + PartialEq,
    {
        if flags == F::default() {
            return self.list_all(views).await;
        }
        not_among_others(views.len()).await;
        let views = views.iter().filter(|view| view.matches(flags));
        let chosen: Vec<&V> = views.map(|view| &**view).collect();
        let seen = self
            .seen(V::KIND, chosen.len(), |at| chosen[at].named())
            .await?;
        let seen = (0..).zip(&chosen).filter(|(at, _)| seen.has(*at));
        let ids = seen.map(|(_, view)| view.named());
        Ok(Paths::of(self.node, V::KIND, ids))
    }

    /// The paths of those that the caller may see.
    pub(crate) async fn list_all<V>(&self, views: &Views<V>) -> Result<Paths>
    where
        V: ObjectView + Send + Sync + 'static,
    {
        not_among_others(views.len()).await;
        let seen = self
            .seen(V::KIND, views.len(), |at| views[at].named())
            .await?;
        let paths = |views: &[Arc<V>], seen: &Seen| {
            let seen = (0..).zip(views).filter(|(at, _)| seen.has(*at));
            let ids = seen.map(|(_, view)| view.named());
            Paths::of(self.node, V::KIND, ids)
        };
        Ok(match seen {
            Seen::All => views.work_out(|views| paths(views, &Seen::All)),
            seen => paths(views, &seen),
        })
    }

    /// Typed parameters in an answer that every client reads alike.
    pub(crate) fn parameters<F>(&self, parameters: TypedParameters) -> Parameters<F> {
        Parameters::new(parameters, Wrapping::Once)
    }

    /// Typed parameters in an answer that libvirt-dbus wraps twice.
    pub(crate) fn wrapped<F>(&self, parameters: TypedParameters) -> Parameters<F> {
        Parameters::new(parameters, self.dialect.wrapping())
    }
}

/// A list of more objects is not gone through where all other calls would wait for it.
const SHORT_LIST: usize = 500;

/// Has a call that is answered from memory go on in a turn of its own, if it is about so many objects.
async fn not_among_others(count: usize) {
    if count > SHORT_LIST {
        next_turn().await;
    }
}

/// The reply to `call` with this body.
pub(crate) fn reply<T: Serialize + DynamicType>(call: &Message, body: &T) -> Result<Message> {
    Message::method_return(&call.header())
        .build(body)
        .and_then(sendable)
        .map_err(|error| {
            Error::internal(format!("the answer does not fit into a message: {error}"))
        })
}
