//! Errors of documents, files and programs as the API's errors.

use std::fmt::Display;
use std::io;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::{ConfError, ConfErrorKind, XmlError};
use virtbus_util::cmd::CmdError;
use virtbus_util::file::FileError;

use crate::command::NoCommand;
use crate::command::qemu_img::Refusal;

/// An error of this driver.
pub(crate) fn refused(code: ErrorCode, message: impl Into<String>) -> Error {
    Error::new(code, ErrorDomain::Storage, message)
}

/// What cannot be read.
pub(crate) fn xml(error: &XmlError) -> Error {
    refused(ErrorCode::XmlError, error.to_string())
}

/// What cannot be read by the schema.
pub(crate) fn schema(error: &XmlError) -> Error {
    refused(ErrorCode::XmlInvalidSchema, error.to_string())
}

/// What contradicts itself or its pool.
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

/// A failure of the file system, of a file of the driver's own.
pub(crate) fn file(error: &FileError) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Storage, error)
}

/// What the kernel refused about something.
pub(crate) fn system(what: impl Display, error: &io::Error) -> Error {
    refused(ErrorCode::SystemError, format!("{what}: {error}"))
}

/// A program that failed.
pub(crate) fn program(what: impl Display, error: &CmdError) -> Error {
    let error = Error::chain(ErrorCode::OperationFailed, ErrorDomain::Storage, error);
    while_doing(what, error)
}

/// A volume that cannot be made so.
pub(crate) fn making(error: &Refusal) -> Error {
    refused(ErrorCode::ConfigUnsupported, error.to_string())
}

/// A pool whose storage cannot be made accessible so.
pub(crate) fn activating(error: &NoCommand) -> Error {
    refused(ErrorCode::ConfigUnsupported, error.to_string())
}

/// The operation failed though nothing was wrong with asking for it.
pub(crate) fn failed(message: impl Into<String>) -> Error {
    refused(ErrorCode::OperationFailed, message)
}

/// Something has not answered.
pub(crate) fn slow(message: impl Into<String>) -> Error {
    refused(ErrorCode::OperationTimeout, message)
}

/// The object is in no state for that.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    refused(ErrorCode::OperationInvalid, message)
}

/// This daemon cannot do that.
pub(crate) fn unsupported(message: impl Into<String>) -> Error {
    refused(ErrorCode::NoSupport, message)
}

/// What was being done when an error came.
pub(crate) fn while_doing(what: impl Display, error: Error) -> Error {
    Error {
        message: format!("{what}: {}", error.message),
        ..error
    }
}

/// Runs work in a task of its own: a caller that goes away does not leave half of it.
pub(crate) async fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|ended| {
        Err(Error::internal(format!(
            "a task of the storage driver failed: {ended}"
        )))
    })
}
