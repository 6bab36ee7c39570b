//! Work that blocks, and its failures as errors of the API: what every layer of the driver needs to use the host.

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::file::FileError;

/// Runs blocking work on the threads kept for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(Error::internal(format!(
                "a task of the driver failed: {error}"
            )))
        })
}

/// A failure of the file system as an error of the API.
pub(crate) fn failed(error: FileError) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error)
}
