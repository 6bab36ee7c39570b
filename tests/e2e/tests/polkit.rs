//! Who may do what, decided by the real polkit on the real system bus of a booted Debian.
//!
//! The checks run inside: `policy.sh` asks polkit and the bus about the installed policy, `polkit.sh` asks the daemon, `walk.sh`
//! asks it for everything it has, by the program `virtbus-walk`. Here is what boots them.

use std::path::Path;

use virtbus_tests::{BootedSystem, GuestImage, Installation, booted, daemon, skip};

/// The rules that administrators may take as an example.
const RULES: [&str; 2] = ["60-libvirt-group.rules", "per-guest.rules"];

#[test]
fn root_the_bus_and_polkit_take_the_policy() {
    if let Err(reason) = BootedSystem::possible() {
        skip!("{reason}");
    }
    // Stands in for the daemon, which is not asked here.
    let installation = Installation::staged(Path::new("/bin/true")).unwrap();
    let mut system = BootedSystem::new(&installation);
    for name in RULES {
        let rules = booted::repository().join("dbus-policy/rules").join(name);
        system = system.copy(&rules, &Path::new("/etc/polkit-1/rules.d").join(name));
    }
    system.run("policy.sh");
}

#[test]
fn root_polkit_decides_about_calls_and_guests() {
    let ready = BootedSystem::possible().and_then(|()| Ok((daemon::binary()?, GuestImage::get()?)));
    let (binary, image) = match ready {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let installation = Installation::staged(&binary).unwrap();
    BootedSystem::new(&installation)
        .guest(&image)
        .run("polkit.sh");
}

#[test]
fn root_every_member_is_let_in_or_refused_as_declared() {
    let ready = BootedSystem::possible().and_then(|()| daemon::binary());
    let binary = match ready {
        Ok(binary) => binary,
        Err(reason) => skip!("{reason}"),
    };
    let installation = Installation::staged(&binary).unwrap();
    BootedSystem::new(&installation)
        .walker(Path::new(env!("CARGO_BIN_EXE_virtbus-walk")))
        .run("walk.sh");
}
