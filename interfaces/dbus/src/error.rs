//! How failures look on the bus: the driver API's errors by libvirt's code, and the protocol's own errors.
//!
//! Nothing else builds an error message.

use std::borrow::Cow;

use virtbus_api::{Error, ErrorCode};
use zbus::Message;
use zbus::message::Header;

use crate::quirks::{Dialect, error_text};

/// A call that failed: in the driver API's terms or in the bus's.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The driver or the guard said so.
    Api(Error),
    /// The message asks for something that is not there, or is not well-formed.
    Protocol(Protocol, String),
}

/// Errors that the D-Bus specification names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    UnknownObject,
    UnknownInterface,
    UnknownMethod,
    UnknownProperty,
    PropertyReadOnly,
    InvalidArgs,
    LimitsExceeded,
    Failed,
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::UnknownObject => "org.freedesktop.DBus.Error.UnknownObject",
            Self::UnknownInterface => "org.freedesktop.DBus.Error.UnknownInterface",
            Self::UnknownMethod => "org.freedesktop.DBus.Error.UnknownMethod",
            Self::UnknownProperty => "org.freedesktop.DBus.Error.UnknownProperty",
            Self::PropertyReadOnly => "org.freedesktop.DBus.Error.PropertyReadOnly",
            Self::InvalidArgs => "org.freedesktop.DBus.Error.InvalidArgs",
            Self::LimitsExceeded => "org.freedesktop.DBus.Error.LimitsExceeded",
            Self::Failed => "org.freedesktop.DBus.Error.Failed",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Api(error)
    }
}

impl Failure {
    pub(crate) fn protocol(kind: Protocol, message: impl Into<String>) -> Self {
        Self::Protocol(kind, message.into())
    }

    /// Whether the call was wrong as it stands, whatever is true of the object that it is about.
    pub(crate) const fn complains_of_the_call(&self) -> bool {
        matches!(
            self,
            Self::Protocol(
                Protocol::UnknownInterface
                    | Protocol::UnknownMethod
                    | Protocol::UnknownProperty
                    | Protocol::PropertyReadOnly
                    | Protocol::InvalidArgs,
                _
            )
        )
    }

    /// The error's name and text on the bus, for callers of a dialect.
    fn on_the_bus(&self, dialect: Dialect) -> (String, Cow<'_, str>) {
        match self {
            Self::Protocol(kind, message) => (kind.name().to_owned(), message.into()),
            Self::Api(error) => {
                let name = match error.code {
                    ErrorCode::AccessDenied => "org.freedesktop.DBus.Error.AccessDenied".to_owned(),
                    code => format!("org.libvirt.Error.{}", code.name()),
                };
                (name, error_text(error, dialect))
            }
        }
    }

    /// The reply to the call with this header.
    pub(crate) fn reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        let (name, text) = self.on_the_bus(Dialect::of(call));
        // D-Bus strings hold no NUL; whatever a guest or tool said is shown as far as it can be.
        let text = text.replace('\0', "\u{fffd}");
        Message::error(call, name.as_str()).build(&(text,))
    }
}
