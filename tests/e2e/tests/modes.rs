//! What a guest can be asked for beside its plain life: starting with the host, its agent; and
//! daemons in other circumstances: a full disk, an unprivileged user.

use std::process::Stdio;
use std::time::Duration;

use virtbus_tests::domain::{RUNNING, SHUTOFF};
use virtbus_tests::events::{STOPPED, STOPPED_SHUTDOWN};
use virtbus_tests::mounts::Mount;
use virtbus_tests::wait::wait_for_async;
use virtbus_tests::{
    Client, DomainEvents, DomainXml, GuestImage, PrivateBus, Testbed, need, or_skip,
};
use zbus::Variant;

const LIMIT: Duration = Duration::from_secs(20);
const BY_AGENT: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_marked_for_it_starts_with_the_host_and_not_with_the_daemon() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.define(&DomainXml::new("early")).await;
    let other = testbed.define(&DomainXml::new("late")).await;
    domain
        .0
        .set("Autostart", Variant::from(true))
        .await
        .unwrap();
    assert!(domain.0.get::<bool>("Autostart").await.unwrap());

    testbed.daemon.stop().await;
    testbed.daemon.start(&testbed.client).await;
    assert_eq!(
        domain.state().await.unwrap().0,
        SHUTOFF,
        "the host has not booted since"
    );

    // What a boot of the host does: runtime files are gone.
    testbed.daemon.stop().await;
    std::fs::remove_dir_all(testbed.daemon.state_dir().join("run")).unwrap();
    testbed.daemon.start(&testbed.client).await;
    wait_for_async("the guest to be started", LIMIT, async || {
        (domain.state().await.unwrap().0 == RUNNING).then_some(())
    })
    .await;
    assert_eq!(other.state().await.unwrap().0, SHUTOFF);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_shut_down_by_its_agent() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let image = or_skip!(GuestImage::with_agent());
    let console = testbed.console("obedient");
    let guest = DomainXml::new("obedient")
        .boot(&image, "")
        .serial_file(console.path())
        .device(
            "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
        );
    let domain = testbed.define(&guest).await;
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    domain.act("Create", 0).await.unwrap();

    // Nobody listens in the guest yet: an error in bounded time, and the guest is as it was.
    let early = domain.act("Shutdown", BY_AGENT).await;
    if let Err(error) = &early {
        assert!(error.is_refusal(), "{error}");
        console.wait_for("TINY-GUEST AGENT").await;
        wait_for_async("the agent to take the order", LIMIT, async || {
            domain.act("Shutdown", BY_AGENT).await.ok()
        })
        .await;
    }
    let stopped = events.wait_for(domain.path(), STOPPED, LIMIT).await;
    assert_eq!(stopped.detail, STOPPED_SHUTDOWN);
    domain.act("Undefine", 0).await.unwrap();
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_full_disk_is_told_of_and_changes_nothing() {
    or_skip!(need::qemu());
    let mut testbed = or_skip!(Testbed::prepare(&[]).await);
    let config = testbed.daemon.state_dir().join("config");
    std::fs::create_dir_all(&config).unwrap();
    let small = or_skip!(Mount::small(&config));
    testbed.daemon.start(&testbed.client).await;
    let guest = DomainXml::new("kept");
    let domain = testbed.define(&guest).await;
    let before = domain.xml(0).await.unwrap();
    let filler = config.join("filler");
    // Fills what is left; the error is the point.
    let _ = std::fs::write(&filler, vec![0_u8; 4 << 20]);

    let changed = guest.xml().replace("'MiB'>128<", "'MiB'>256<");
    assert_ne!(changed, guest.xml());
    let refused = testbed.client.define(&changed).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    assert!(refused.to_string().contains("kept.xml"), "{refused}");
    testbed
        .client
        .define(&DomainXml::new("new").xml())
        .await
        .unwrap_err();
    assert_eq!(domain.xml(0).await.unwrap(), before);
    assert_eq!(testbed.client.list(0).await.unwrap(), [domain.path()]);
    testbed.crash_and_restart().await;
    assert_eq!(domain.xml(0).await.unwrap(), before);

    // The guest itself needs nothing of that disk.
    domain.act("Create", 0).await.unwrap();
    domain.act("Destroy", 0).await.unwrap();
    std::fs::remove_file(&filler).unwrap();
    testbed.client.define(&changed).await.unwrap();
    testbed.remove_all().await;
    testbed.daemon.stop().await;
    drop(small);
}

#[tokio::test(flavor = "multi_thread")]
async fn root_an_unprivileged_user_has_a_session_of_their_own() {
    or_skip!(need::root());
    or_skip!(need::qemu());
    or_skip!(need::program("setpriv"));
    let bus = or_skip!(PrivateBus::start());
    let client = or_skip!(Client::connect(bus.address()).await);
    let home = tempfile::Builder::new()
        .prefix("virtbus-home-")
        .tempdir()
        .unwrap();
    std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).unwrap();
    // A copy, since the build directory need not be anybody's to enter.
    let binary = home.path().join("virtbusd");
    std::fs::copy(virtbus_tests::daemon::binary().unwrap(), &binary).unwrap();
    let log = std::fs::File::create(home.path().join("log")).unwrap();
    let mut daemon = need::ends_with_us("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&binary)
        .arg("--session")
        .env_clear()
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path().join("runtime"))
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    wait_for_async("the session's daemon", LIMIT, async || {
        client.owner_pid("org.libvirt").await.unwrap()
    })
    .await;

    let domain = client.define(&DomainXml::new("mine").xml()).await.unwrap();
    assert!(home.path().join(".config/virtbus/qemu/mine.xml").exists());
    domain.act("Create", 0).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    domain.act("Destroy", 0).await.unwrap();
    domain.act("Undefine", 0).await.unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}
