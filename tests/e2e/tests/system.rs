//! The daemon as a distribution ships it, in a booted Debian: installed by `make install`,
//! started by systemd on the first call, with guests in scopes of their own.
//!
//! The checks are `system.sh` and `network.sh`, which run inside; here is what boots it.

use virtbus_tests::{BootedSystem, or_skip};

#[test]
fn root_the_installed_daemon_is_activated_and_its_guests_outlive_it() {
    let system = or_skip!(BootedSystem::with_daemon().and_then(BootedSystem::guest));
    system.run("system.sh");
}

#[test]
fn root_networks_of_the_installed_daemon_outlive_it() {
    let system = or_skip!(BootedSystem::with_daemon().and_then(BootedSystem::guest));
    system.run("network.sh");
}
