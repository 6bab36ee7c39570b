//! Who may do what, decided by the real polkit on the real system bus of a booted Debian.
//!
//! The checks run inside: `policy.sh` asks polkit and the bus about the installed policy,
//! `polkit.sh` asks the daemon. Here is what boots them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use virtbus_tests::{GuestImage, Installation, daemon, need, skip};

/// What the daemon needs beyond systemd, the bus and polkit.
const PACKAGES: &str = "qemu-system-x86 qemu-utils seabios ipxe-qemu";

/// The rules that administrators may take as an example.
const RULES: [&str; 2] = ["60-libvirt-group.rules", "per-guest.rules"];

#[test]
fn root_the_bus_and_polkit_take_the_policy() {
    if let Err(reason) = can_boot() {
        skip!("{reason}");
    }
    // Stands in for the daemon, which is not asked here.
    let installation = Installation::staged(Path::new("/bin/true")).unwrap();
    let mut boot = boot_systemd(&installation);
    for name in RULES {
        let rules = repository().join("dbus-policy/rules").join(name);
        boot.arg("--copy")
            .arg(format!("{}:/etc/polkit-1/rules.d/{name}", rules.display()));
    }
    run(boot, "policy.sh");
}

#[test]
fn root_polkit_decides_about_calls_and_guests() {
    let ready = can_boot().and_then(|()| Ok((daemon::binary()?, GuestImage::get()?)));
    let (binary, image) = match ready {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let installation = Installation::staged(&binary).unwrap();
    let mut boot = boot_systemd(&installation);
    let guest = image.kernel.parent().expect("a file in a directory");
    boot.args(["--bind-ro", &format!("{}:/guest", guest.display())]);
    run(boot, "polkit.sh");
}

/// Whether a system can be booted at all: packages can be had, name spaces be made.
fn can_boot() -> Result<(), String> {
    need::root()?;
    need::program("make")?;
    let done = boot_command().args(["--", "true"]).output();
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

fn boot_command() -> Command {
    let mut boot = Command::new(repository().join("tests/testbed/boot-systemd"));
    boot.args(["--packages", PACKAGES]).stdin(Stdio::null());
    boot
}

/// A system with what `make install` lays out.
fn boot_systemd(installation: &Installation) -> Command {
    let mut boot = boot_command();
    let files = installation.files().expect("what was installed is there");
    for (file, inside) in files {
        boot.arg("--copy")
            .arg(format!("{}:{}", file.display(), inside.display()));
    }
    boot.args(["--setup-cmd", "systemd-sysusers"]);
    boot
}

/// Boots the system with a script of checks in it, which must come to its end.
fn run(mut boot: Command, script: &str) {
    let file = repository().join("tests/e2e/tests").join(script);
    boot.args(["--bind-ro", &format!("{}:/checks.sh", file.display())]);
    let done = boot.args(["--", "bash", "/checks.sh"]).output();
    let done = done.expect("it could be run a moment ago");
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}:\n{said}\n{errors}", done.status);
    assert!(said.contains("all checks passed"), "{said}");
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
