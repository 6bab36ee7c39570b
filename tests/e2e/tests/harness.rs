//! The harness itself: a bus that works and goes, a guest that boots.

use std::process::Stdio;
use std::time::Duration;

use virtbus_tests::client::SERVICE;
use virtbus_tests::guest::{CMDLINE, READY};
use virtbus_tests::wait::wait_for;
use virtbus_tests::{Client, GuestImage, PrivateBus, leaks, need, or_skip};

#[tokio::test(flavor = "multi_thread")]
async fn private_bus_takes_connections_and_names() {
    let bus = or_skip!(PrivateBus::start());
    let client = Client::connect(bus.address()).await.unwrap();
    assert_eq!(client.owner_pid(SERVICE).await.unwrap(), None);
    client.connection().request_name(SERVICE).await.unwrap();
    let other = Client::connect(bus.address()).await.unwrap();
    assert_eq!(
        other.owner_pid(SERVICE).await.unwrap(),
        Some(std::process::id())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn private_bus_is_gone_when_dropped() {
    let bus = or_skip!(PrivateBus::start());
    let dir = bus.dir().to_owned();
    let needle = dir.to_string_lossy().into_owned();
    assert_eq!(leaks::processes(&needle).len(), 1);
    drop(bus);
    assert_eq!(leaks::processes(&needle), []);
    assert!(!dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn call_errors_carry_name_and_text() {
    let bus = or_skip!(PrivateBus::start());
    let client = Client::connect(bus.address()).await.unwrap();
    let refused = client.list(0).await.unwrap_err();
    assert_eq!(refused.name(), "org.freedesktop.DBus.Error.ServiceUnknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_boots_under_plain_qemu() {
    let qemu = or_skip!(need::qemu());
    let image = or_skip!(GuestImage::get());
    let dir = tempfile::tempdir().unwrap();
    let console = dir.path().join("console");
    let mut guest = need::ends_with_us(&qemu.to_string_lossy())
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args([
            "-display", "none", "-accel", "tcg", "-M", "q35", "-m", "128",
        ])
        .args(["-append", &format!("{CMDLINE} tiny.poweroff")])
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(&image.initrd)
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let ended = wait_for("the guest to power off", Duration::from_secs(12), || {
        guest.try_wait().unwrap()
    });
    assert!(ended.await.success());
    let said = std::fs::read_to_string(&console).unwrap();
    assert!(said.contains(READY), "{said}");
}
