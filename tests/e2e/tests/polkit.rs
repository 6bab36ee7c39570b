//! Who may do what, decided by the real polkit on the real system bus of a booted Debian.
//!
//! The checks run inside: `policy.sh` asks polkit and the bus about the installed policy, `polkit.sh` asks the daemon, `access.sh`
//! whether rules hold in all their forms, `walk.sh` asks it for everything it has, by the program `virtbus-walk`. Here is what boots them.

use std::path::Path;

use virtbus_tests::{BootedSystem, booted, or_skip};

/// The rules that administrators may take as an example.
const RULES: [&str; 2] = ["60-libvirt-group.rules", "per-guest.rules"];

#[test]
fn root_the_bus_and_polkit_take_the_policy() {
    let mut system = or_skip!(BootedSystem::without_daemon());
    for name in RULES {
        let rules = booted::repository().join("dbus-policy/rules").join(name);
        system = system.copy(&rules, &Path::new("/etc/polkit-1/rules.d").join(name));
    }
    system.run("policy.sh");
}

#[test]
fn root_polkit_decides_about_calls_and_guests() {
    let system = or_skip!(BootedSystem::with_daemon().and_then(BootedSystem::guest));
    system.run("polkit.sh");
}

#[test]
fn root_rules_hold_however_they_are_written() {
    let walker = Path::new(env!("CARGO_BIN_EXE_virtbus-walk"));
    let system = or_skip!(BootedSystem::with_daemon()).walker(walker);
    system.run("access.sh");
}

#[test]
fn root_every_member_is_let_in_or_refused_as_declared() {
    let walker = Path::new(env!("CARGO_BIN_EXE_virtbus-walk"));
    let system = or_skip!(BootedSystem::with_daemon()).walker(walker);
    system.run("walk.sh");
}
