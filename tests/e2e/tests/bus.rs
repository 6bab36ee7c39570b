//! The daemon and the system around it: bus and polkit restart, names are wanted, descriptors run out.
//!
//! The checks are `bus.sh`, which runs in a booted Debian; here is what boots it.

use virtbus_tests::{BootedSystem, or_skip};

#[test]
fn root_the_daemon_lives_through_restarts_of_bus_and_polkit() {
    let system = or_skip!(BootedSystem::with_daemon());
    system.run_without_bus("bus.sh");
}
