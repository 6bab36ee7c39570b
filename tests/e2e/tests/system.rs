//! The daemon as a distribution ships it, in a booted Debian: installed by `make install`,
//! started by systemd on the first call, asking the real polkit, with guests in scopes.
//!
//! The checks are `system.sh`, which runs inside; here is what boots it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use virtbus_tests::{GuestImage, Installation, daemon, need, skip};

/// What the booted system needs beyond systemd, the bus and polkit.
const PACKAGES: &str = "qemu-system-x86 qemu-utils seabios ipxe-qemu";

#[test]
fn root_the_installed_daemon_is_activated_confined_and_asks_polkit() {
    let ready = need::root()
        .and_then(|()| need::program("make"))
        .and_then(|_| Ok((daemon::binary()?, GuestImage::get()?)))
        .and_then(|ready| boots().map(|()| ready));
    let (binary, image) = match ready {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let installation = Installation::staged(&binary).unwrap();
    let mut boot = boot_systemd();
    for (file, inside) in installation.files().unwrap() {
        boot.arg("--copy")
            .arg(format!("{}:{}", file.display(), inside.display()));
    }
    let guest = image.kernel.parent().expect("a file in a directory");
    let script = repository().join("tests/e2e/tests/system.sh");
    let done = boot
        .args(["--setup-cmd", "systemd-sysusers && useradd -m alice"])
        .args(["--bind-ro", &format!("{}:/guest", guest.display())])
        .args(["--bind-ro", &format!("{}:/system.sh", script.display())])
        .args(["--", "bash", "/system.sh"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}:\n{said}\n{errors}", done.status);
    assert!(said.contains("all checks passed"), "{said}");
}

/// Whether a system can be booted at all: packages can be had, name spaces be made.
fn boots() -> Result<(), String> {
    let done = boot_systemd().args(["--", "true"]).output();
    let done = done.map_err(|error| format!("needs boot-systemd: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!(
        "needs to boot a system: {}",
        said.lines().last().unwrap_or("no reason given")
    ))
}

fn boot_systemd() -> Command {
    let mut boot = Command::new(repository().join("tests/testbed/boot-systemd"));
    boot.args(["--packages", PACKAGES]).stdin(Stdio::null());
    boot
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
