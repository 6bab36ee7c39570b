//! The daemon and the system around it: bus and polkit restart, names are wanted, descriptors run out.
//!
//! The checks are `bus.sh`, which runs in a booted Debian; here is what boots it.

use virtbus_tests::{BootedSystem, Installation, daemon, skip};

#[test]
fn root_the_daemon_lives_through_restarts_of_bus_and_polkit() {
    let ready = BootedSystem::possible().and_then(|()| daemon::binary());
    let binary = match ready {
        Ok(binary) => binary,
        Err(reason) => skip!("{reason}"),
    };
    let installation = Installation::staged(&binary).unwrap();
    BootedSystem::new(&installation).run_without_bus("bus.sh");
}
