//! The interfaces that the D-Bus specification defines, answered once for all objects; and systemd's for logging, which has an
//! object to itself.

pub(crate) mod introspect;
pub(crate) mod log_control;
pub(crate) mod objects;
pub(crate) mod peer;
pub(crate) mod properties;

use zbus::Message;

use crate::answer::{Order, Received};
use crate::declare::Kind;
use crate::error::{Failure, Protocol};
use crate::tree::Place;

/// A member of a standard interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member<'a> {
    Peer(&'a str),
    Introspect,
    Get,
    GetAll,
    Set,
    GetManagedObjects,
    Unknown(&'static str, &'a str),
}

impl<'a> Member<'a> {
    /// The member that a call names, if its interface is one of the standard ones or not named at all.
    pub(crate) fn find(interface: Option<&str>, member: &'a str) -> Option<Self> {
        let of = |name: &'static str| interface.is_none_or(|interface| interface == name);
        let named = |name: &'static str| interface == Some(name);
        match member {
            "Ping" | "GetMachineId" if of(peer::NAME) => Some(Self::Peer(member)),
            "Introspect" if of(introspect::NAME) => Some(Self::Introspect),
            "Get" if of(properties::NAME) => Some(Self::Get),
            "GetAll" if of(properties::NAME) => Some(Self::GetAll),
            "Set" if of(properties::NAME) => Some(Self::Set),
            "GetManagedObjects" if of(objects::NAME) => Some(Self::GetManagedObjects),
            _ => [
                peer::NAME,
                introspect::NAME,
                properties::NAME,
                objects::NAME,
            ]
            .into_iter()
            .find(|name| named(name))
            .map(|name| Self::Unknown(name, member)),
        }
    }

    /// How the call is answered.
    pub(crate) fn kind(self, place: Place<'_>) -> Kind {
        match self {
            Self::Set => Kind::Write,
            // There are as many objects as there may be.
            Self::GetManagedObjects => Kind::Read,
            Self::Introspect if matches!(place, Place::Folder(..)) => Kind::Read,
            // A connection's properties may have to ask the host.
            Self::Get | Self::GetAll if matches!(place, Place::Connection(_)) => Kind::Read,
            Self::Peer(_) | Self::Introspect | Self::Get | Self::GetAll | Self::Unknown(..) => {
                Kind::Memory
            }
        }
    }

    /// Answers the call.
    pub(crate) async fn answer(
        self,
        received: Received,
        place: Place<'_>,
        path: &str,
        order: Order,
    ) -> Result<Message, Failure> {
        match self {
            Self::Peer(member) => peer::answer(&received, member),
            Self::Introspect => introspect::answer(&received, place, path).await,
            Self::Get => properties::get(&received, place, path).await,
            Self::GetAll => properties::get_all(&received, place, path).await,
            Self::Set => properties::set(received, place, path, order).await,
            Self::GetManagedObjects => objects::answer(&received, place, path).await,
            Self::Unknown(interface, member) => Err(Failure::protocol(
                Protocol::UnknownMethod,
                format!("{interface} has no method {member}"),
            )),
        }
    }
}

/// The arguments of a standard member.
fn arguments<'m, T>(message: &'m Message, body: &'m zbus::message::Body) -> Result<T, Failure>
where
    T: zbus::wire::DynamicDeserialize<'m>,
{
    body.deserialize().map_err(|error| {
        let member = message
            .header()
            .member()
            .map(ToString::to_string)
            .unwrap_or_default();
        Failure::protocol(
            Protocol::InvalidArgs,
            format!("the arguments of {member} cannot be read: {error}"),
        )
    })
}
