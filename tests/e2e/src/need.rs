//! What the machine must have for a test to run, as questions that give the reason to skip.
//!
//! ```
//! use virtbus_tests::{need, or_skip};
//!
//! fn domain_create_boots() {
//!     or_skip!(need::qemu());
//! }
//! ```

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// The emulator that the tests' guests run on.
pub const QEMU: &str = "qemu-system-x86_64";

/// The test must run as root.
///
/// # Errors
/// The reason to skip.
pub fn root() -> Result<(), String> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err("needs root".to_owned())
    }
}

/// QEMU for x86_64 must be installed.
///
/// # Errors
/// The reason to skip.
pub fn qemu() -> Result<PathBuf, String> {
    program(QEMU)
}

/// A usable `/dev/kvm` must be there.
///
/// # Errors
/// The reason to skip.
pub fn kvm() -> Result<(), String> {
    device("/dev/kvm")
}

/// A usable `/dev/net/tun` must be there.
///
/// # Errors
/// The reason to skip.
pub fn tun() -> Result<(), String> {
    device("/dev/net/tun")
}

/// A program must be in the search path or with the system's administration programs.
///
/// # Errors
/// The reason to skip.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("needs the program {name}"))
}

/// All of these programs must be there.
///
/// # Errors
/// The reason to skip.
pub fn programs(names: &[&str]) -> Result<(), String> {
    names.iter().try_for_each(|name| program(name).map(drop))
}

/// A command that the kernel kills when the thread that starts it ends, so that a test
/// which is itself killed leaves nothing running.
#[must_use]
pub fn ends_with_us(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    // Of its own group: an interrupt on the terminal is for the test runner.
    command.process_group(0);
    command
}

fn device(path: &str) -> Result<(), String> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("needs {path}: {error}")),
    }
}
