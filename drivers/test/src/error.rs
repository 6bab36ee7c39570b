//! Errors of documents as the API's errors.

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_conf_base::{ConfError, ConfErrorKind, XmlError};

/// What cannot be read.
pub(crate) fn xml(error: &XmlError) -> Error {
    Error::new(ErrorCode::XmlError, ErrorDomain::Test, error.to_string())
}

/// What cannot be read by the schema.
pub(crate) fn schema(error: &XmlError) -> Error {
    Error::new(
        ErrorCode::XmlInvalidSchema,
        ErrorDomain::Test,
        error.to_string(),
    )
}

/// What contradicts itself or the object.
pub(crate) fn conf(error: &ConfError) -> Error {
    let code = match error.kind() {
        ConfErrorKind::Invalid => ErrorCode::XmlError,
        ConfErrorKind::Unsupported => ErrorCode::ConfigUnsupported,
        ConfErrorKind::Argument => ErrorCode::InvalidArg,
        ConfErrorKind::Operation => ErrorCode::OperationInvalid,
        ConfErrorKind::Internal => ErrorCode::InternalError,
    };
    Error::new(code, ErrorDomain::Test, error.to_string())
}

/// The operation failed though nothing was wrong with asking for it.
pub(crate) fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::OperationFailed, ErrorDomain::Test, message)
}
