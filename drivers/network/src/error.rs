//! Errors of documents, files and programs as the API's errors.

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_conf_base::{ConfError, ConfErrorKind, XmlError};
use virtbus_util::file::FileError;

/// An error of this driver.
pub(crate) fn refused(code: ErrorCode, message: impl Into<String>) -> Error {
    Error::new(code, ErrorDomain::Network, message)
}

/// What cannot be read.
pub(crate) fn xml(error: &XmlError) -> Error {
    refused(ErrorCode::XmlError, error.to_string())
}

/// What cannot be read by the schema.
pub(crate) fn schema(error: &XmlError) -> Error {
    refused(ErrorCode::XmlInvalidSchema, error.to_string())
}

/// What contradicts itself or the network.
pub(crate) fn conf(error: &ConfError) -> Error {
    let code = match error.kind() {
        ConfErrorKind::Invalid => ErrorCode::XmlError,
        ConfErrorKind::Unsupported => ErrorCode::ConfigUnsupported,
        ConfErrorKind::Argument => ErrorCode::InvalidArg,
        ConfErrorKind::Operation => ErrorCode::OperationInvalid,
        ConfErrorKind::Internal => ErrorCode::InternalError,
    };
    refused(code, error.to_string())
}

/// A failure of the file system.
pub(crate) fn file(error: &FileError) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Network, error)
}

/// The operation failed though nothing was wrong with asking for it.
pub(crate) fn failed(message: impl Into<String>) -> Error {
    refused(ErrorCode::OperationFailed, message)
}

/// What was being done when an error came.
pub(crate) fn while_doing(what: &str, error: Error) -> Error {
    Error {
        message: format!("{what}: {}", error.message),
        ..error
    }
}
