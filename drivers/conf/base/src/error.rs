//! The error of everything after reading: completing, validating, comparing, changing.

use std::fmt;

use virtbus_xml::shortened;

/// The class of a [`ConfError`]; drivers map it to libvirt's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfErrorKind {
    /// The document contradicts itself or leaves something out (`VIR_ERR_XML_ERROR`).
    Invalid,
    /// The document asks for something that cannot be (`VIR_ERR_CONFIG_UNSUPPORTED`).
    Unsupported,
    /// An argument beside the document is wrong (`VIR_ERR_INVALID_ARG`).
    Argument,
    /// The operation does not fit the object (`VIR_ERR_OPERATION_INVALID`).
    Operation,
    /// Something failed that should not have (`VIR_ERR_INTERNAL_ERROR`).
    Internal,
}

/// Why a definition was refused, without a place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfError {
    kind: ConfErrorKind,
    message: String,
}

/// What everything gives that can fail with a [`ConfError`].
pub type Result<T, E = ConfError> = std::result::Result<T, E>;

impl ConfError {
    /// An error of this class.
    pub fn new(kind: ConfErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            // What is wrong may be named in it, however long that is.
            message: shortened(message.into(), 1000),
        }
    }

    /// [`ConfErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ConfErrorKind::Invalid, message)
    }

    /// [`ConfErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ConfErrorKind::Unsupported, message)
    }

    /// The class.
    pub fn kind(&self) -> ConfErrorKind {
        self.kind
    }

    /// What was wrong.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfError {}
