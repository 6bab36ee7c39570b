//! The one error type that drivers return and interfaces turn into their wire's form.
//!
//! An error has libvirt's code, the part of the library it comes from, and a message that a person can act
//! on. Inside a crate errors are enums of their own; they become this type where they leave it.

mod code;

use std::fmt;

pub use code::{ErrorCode, ErrorDomain};

/// What a call of the driver API answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed call: what kind, from where, and a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure it was; clients compare its number.
    pub code: ErrorCode,
    /// The part of the library that it comes from.
    pub domain: ErrorDomain,
    /// What happened and to what, complete without its causes' messages.
    pub message: String,
}

impl Error {
    /// An error with the given code and message.
    pub fn new(code: ErrorCode, domain: ErrorDomain, message: impl Into<String>) -> Self {
        Self {
            code,
            domain,
            message: message.into(),
        }
    }

    /// An error whose message is `error`'s followed by those of its causes, `: ` between them.
    pub fn chain(code: ErrorCode, domain: ErrorDomain, error: &dyn std::error::Error) -> Self {
        Self::new(code, domain, Chain(error).to_string())
    }

    /// The driver does not implement this call at all. Clients of libvirt-dbus look for the words before the colon.
    pub fn no_support(call: &str) -> Self {
        Self::new(
            ErrorCode::NoSupport,
            ErrorDomain::None,
            format!("this function is not supported by the connection driver: {call}"),
        )
    }

    /// The object is not in a state in which this can be done.
    pub fn operation_invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::OperationInvalid, ErrorDomain::None, message)
    }

    /// Something that must hold does not; the message is for whoever mends the daemon.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InternalError, ErrorDomain::None, message)
    }

    /// An argument is out of its range; `message` names it.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArg, ErrorDomain::None, message)
    }
}

/// An error with all its causes on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
