//! One call of a declared member, from decoded arguments to the reply.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedMutexGuard;
use virtbus_api::access::{Arguments, Call, Caller, Grant, Guard};
use virtbus_api::{Connection, Error, Result};
use zbus::wire::DynamicType;
use zbus::{Message, Type};

use crate::quirks::Dialect;
use crate::tree::{Node, Target};

/// A call on its way to a handler.
pub(crate) struct Invocation {
    pub(crate) guard: Guard,
    pub(crate) node: Arc<Node>,
    pub(crate) target: Target,
    pub(crate) caller: Caller,
    pub(crate) dialect: Dialect,
    pub(crate) message: Message,
    /// The call's place in the order of its sender's writes; given up once the driver has the call.
    pub(crate) order: std::sync::Mutex<Option<OwnedMutexGuard<()>>>,
}

/// What a handler works with.
pub(crate) struct Context<'a> {
    pub(crate) connection: &'a dyn Connection,
    pub(crate) node: &'a Node,
    pub(crate) target: &'a Target,
    pub(crate) guard: &'a Guard,
    pub(crate) caller: &'a Caller,
    pub(crate) dialect: Dialect,
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

    /// Asks for what the call needs.
    pub(crate) async fn require(&self, call: Call, arguments: Arguments) -> Result<Grant> {
        require(&self.guard, &self.caller, call, arguments, &self.target).await
    }

    /// What a handler works with, now that the call is granted.
    pub(crate) fn context<'a>(&'a self, grant: &Grant) -> Context<'a> {
        Context {
            connection: self.node.connection.open(grant),
            node: &self.node,
            target: &self.target,
            guard: &self.guard,
            caller: &self.caller,
            dialect: self.dialect,
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

/// Asks for what a call needs. Whoever may not see an object is told that it is not there.
pub(crate) async fn require(
    guard: &Guard,
    caller: &Caller,
    call: Call,
    arguments: Arguments,
    target: &Target,
) -> Result<Grant> {
    if let Some(not_found) = target.not_found()
        && !sees(guard, caller, target).await
    {
        return Err(not_found);
    }
    guard.require(caller, call, arguments, target).await
}

/// Whether the caller may know that the object is there.
pub(crate) async fn sees(guard: &Guard, caller: &Caller, target: &Target) -> bool {
    let seen = guard
        .visible(caller, target.getattr(), vec![target.clone()])
        .await;
    !seen.is_empty()
}

/// The reply to `call` with this body.
pub(crate) fn reply<T: Serialize + DynamicType>(call: &Message, body: &T) -> Result<Message> {
    Message::method_return(&call.header())
        .build(body)
        .map_err(|error| {
            Error::internal(format!("the answer does not fit into a message: {error}"))
        })
}
