//! The daemon as a distribution ships it, in a booted Debian: installed by `make install`,
//! started by systemd on the first call, with guests in scopes of their own.
//!
//! The checks are `system.sh`, which runs inside; here is what boots it.

use virtbus_tests::{BootedSystem, GuestImage, Installation, daemon, skip};

#[test]
fn root_the_installed_daemon_is_activated_and_its_guests_outlive_it() {
    let ready = BootedSystem::possible().and_then(|()| Ok((daemon::binary()?, GuestImage::get()?)));
    let (binary, image) = match ready {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let installation = Installation::staged(&binary).unwrap();
    BootedSystem::new(&installation)
        .guest(&image)
        .run("system.sh");
}
