//! Programs of the host: where they are, and how they are run.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use virtbus_api::{Error, Result};
use virtbus_util::cmd::{Cmd, Output};

use crate::error;

/// Where programs of the system are.
const DIRECTORIES: [&str; 6] = [
    "/usr/bin",
    "/usr/sbin",
    "/bin",
    "/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
];

/// Mounting, looking at a device, making a file system.
pub(crate) const QUICK: Duration = Duration::from_secs(90);

/// A program of this name, which ends with the daemon.
///
/// # Errors
/// `NoSupport` with the name if the host lacks it.
pub(crate) fn command(name: &str) -> Result<Cmd> {
    let mut paths = DIRECTORIES.iter().map(|dir| PathBuf::from(dir).join(name));
    let path = paths.find(|path| path.is_file());
    let path = path.ok_or_else(|| missing(name))?;
    let mut cmd = Cmd::new(path);
    // What it leaves is half done, and nobody would know of it.
    cmd.parent_death_signal(Signal::KILL);
    Ok(cmd)
}

fn missing(name: &str) -> Error {
    error::unsupported(format!(
        "this host does not have the program '{name}'; install the package that has it"
    ))
}

/// Runs a program to its end.
///
/// # Errors
/// `OperationFailed` with what the program said.
pub(crate) async fn run(what: &str, mut cmd: Cmd, limit: Duration) -> Result<Output> {
    tracing::debug!("running {}", cmd.display());
    let output = cmd.run(limit).await;
    output.map_err(|failed| error::program(what, &failed))
}
