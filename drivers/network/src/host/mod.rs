//! What is done to the host for a network, and what is looked at there.
//!
//! - [`run`]: programs, with a deadline; [`on_disk`]: what may wait for a disk.
//! - `bridge`: bridges with their addresses and routes.
//! - `filter`: the packet filter.
//! - `server`: DHCP and DNS servers as processes.
//! - `links`, `routes`: interfaces, addresses and routes that the host has.
//! - `watch`: what others take away.
//!
//! Nothing here knows what is published of a network.

pub(crate) mod bridge;
pub(crate) mod filter;
pub(crate) mod leases;
pub(crate) mod links;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod watch;

use std::path::Path;
use std::time::Duration;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::cmd::{Cmd, Output};

use crate::config::Config;
use crate::error::refused;

/// Runs a program to its end.
///
/// # Errors
/// What it said, that it is missing, or that it did not end in time.
pub(crate) async fn run(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    input: Option<String>,
    limit: Duration,
) -> Result<Output> {
    let mut cmd = Cmd::new(program);
    cmd.args(arguments);
    if let Some(input) = input {
        cmd.input(input);
    }
    let ended = cmd.run(limit).await;
    ended.map_err(|error| Error::chain(ErrorCode::OperationFailed, ErrorDomain::Network, &error))
}

/// Runs work for which a disk is waited, with a deadline. It goes on when nobody waits for it any more.
///
/// # Errors
/// Those of the work, and `OperationTimeout`.
pub(crate) async fn on_disk<T: Send + 'static>(
    config: &Config,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let limit = config.timeouts.disk;
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failed)) => Err(Error::internal(format!(
            "a task of the network driver failed: {failed}"
        ))),
        Err(_) => Err(refused(
            ErrorCode::OperationTimeout,
            format!(
                "the disk with the files of networks has not answered for {} s",
                limit.as_secs()
            ),
        )),
    }
}
