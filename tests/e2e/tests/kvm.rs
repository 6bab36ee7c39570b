//! A guest under KVM with the daemon as a distribution ships it, in a Debian with a kernel of its own: `/dev/kvm` works there by emulation,
//! and has the owner and mode that Debian gives it.
//!
//! The checks are `kvm.sh`, which runs inside; here is what boots it.

use virtbus_tests::{BootedSystem, or_skip};

#[test]
fn root_a_guest_runs_under_kvm_as_the_guests_user() {
    let system = or_skip!(BootedSystem::machine_with_daemon().and_then(BootedSystem::guest));
    system.run("kvm.sh");
}
