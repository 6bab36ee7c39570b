//! The whole life of a guest, as a client on the bus sees it.

use std::time::{Duration, Instant};

use virtbus_tests::domain::{PAUSED, RUNNING, SHUTOFF, START_PAUSED, XML_INACTIVE};
use virtbus_tests::events::{
    DEFINED, RESUMED, RESUMED_FROM_SNAPSHOT, RESUMED_UNPAUSED, SHUTDOWN, SHUTDOWN_GUEST, STARTED,
    STARTED_BOOTED, STARTED_RESTORED, STOPPED, STOPPED_DESTROYED, STOPPED_SAVED, STOPPED_SHUTDOWN,
    SUSPENDED, SUSPENDED_PAUSED, SUSPENDED_RESTORED, UNDEFINED,
};
use virtbus_tests::guest::{MODULES_LOADED, POWERBUTTON, READY};
use virtbus_tests::wait::{LIMIT, wait_for_async};
use virtbus_tests::{DomainEvents, Testbed, or_skip};

/// A button that was not heard is pressed again after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// `VIR_DOMAIN_SAVE_PAUSED`, `VIR_DUMP_MEMORY_ONLY`.
const SAVE_PAUSED: u32 = 4;
const MEMORY_ONLY: u32 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_defined_started_paused_resumed_shut_down_and_undefined() {
    let (testbed, guest) = or_skip!(Testbed::with_guest("life", "tiny.tick").await);
    let client = &testbed.client;
    let mut events = DomainEvents::subscribe(client).await.unwrap();

    let domain = testbed.define(&guest).await;
    assert_eq!(domain.path(), guest.object_path());
    assert_eq!(events.next_of(domain.path(), LIMIT).await.event, DEFINED);
    assert_eq!(client.list(0).await.unwrap(), [domain.path()]);
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    assert!(!domain.0.get::<bool>("Active").await.unwrap());
    assert!(domain.0.get::<bool>("Persistent").await.unwrap());
    assert_eq!(domain.0.get::<String>("Name").await.unwrap(), "life");
    assert_eq!(
        domain.0.get::<String>("UUID").await.unwrap(),
        guest.uuid().to_string()
    );

    domain.act("Create", 0).await.unwrap();
    events.wait_for(domain.path(), STARTED, LIMIT).await;
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    assert!(domain.0.get::<bool>("Active").await.unwrap());
    testbed.console("life").wait_for(READY).await;
    testbed.console("life").wait_for(MODULES_LOADED).await;

    let live = domain.xml(0).await.unwrap();
    assert!(live.starts_with("<domain type='qemu' id='"), "{live}");
    let inactive = domain.xml(XML_INACTIVE).await.unwrap();
    assert!(inactive.starts_with("<domain type='qemu'>"), "{inactive}");

    domain.tell("Suspend").await.unwrap();
    assert_eq!(events.next_of(domain.path(), LIMIT).await.event, SUSPENDED);
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    domain.tell("Resume").await.unwrap();
    assert_eq!(events.next_of(domain.path(), LIMIT).await.event, RESUMED);
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    testbed.console("life").wait_for_ticks().await;

    domain.act("Shutdown", 0).await.unwrap();
    events.wait_for(domain.path(), SHUTDOWN, LIMIT).await;
    let stopped = events.next_of(domain.path(), LIMIT).await;
    assert_eq!((stopped.event, stopped.detail), (STOPPED, STOPPED_SHUTDOWN));
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    testbed.console("life").wait_for(POWERBUTTON).await;

    domain.act("Undefine", 0).await.unwrap();
    assert_eq!(events.next_of(domain.path(), LIMIT).await.event, UNDEFINED);
    assert_eq!(client.list(0).await.unwrap(), Vec::<String>::new());
    let gone = domain.state().await.unwrap_err();
    assert!(gone.to_string().contains("Domain not found"), "{gone}");
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_guest_is_told_as_libvirt_tells_it() {
    let (testbed, guest) = or_skip!(Testbed::with_guest("told", "").await);
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    let domain = testbed.define(&guest).await;
    let path = domain.path().to_owned();
    let mut happens = async |wanted: &[(i32, i32)]| {
        let told = events.next_all(&path, wanted.len(), LIMIT).await;
        assert_eq!(told, wanted);
    };
    let paused = (SUSPENDED, SUSPENDED_PAUSED);
    let unpaused = (RESUMED, RESUMED_UNPAUSED);
    let booted = (STARTED, STARTED_BOOTED);
    happens(&[(DEFINED, 0)]).await;

    domain.act("Create", 0).await.unwrap();
    happens(&[unpaused, booted]).await;
    let running = domain.tell("Resume").await.unwrap_err();
    assert!(running.is_refusal(), "{running}");
    assert!(
        running.to_string().contains("is already running"),
        "{running}"
    );
    domain.tell("Suspend").await.unwrap();
    domain.tell("Suspend").await.unwrap();
    happens(&[paused]).await;
    domain.act("Destroy", 0).await.unwrap();
    happens(&[(STOPPED, STOPPED_DESTROYED)]).await;

    domain.act("Create", START_PAUSED).await.unwrap();
    happens(&[booted, paused]).await;
    domain.tell("Resume").await.unwrap();
    happens(&[unpaused]).await;

    // Paused for it, and gone; and back, running or not.
    let saved = [paused, (STOPPED, STOPPED_SAVED)];
    domain.act("ManagedSave", 0).await.unwrap();
    happens(&saved).await;
    domain.act("Create", 0).await.unwrap();
    let restored = (STARTED, STARTED_RESTORED);
    happens(&[restored, (RESUMED, RESUMED_FROM_SNAPSHOT)]).await;
    domain.act("ManagedSave", SAVE_PAUSED).await.unwrap();
    happens(&saved).await;
    domain.act("Create", 0).await.unwrap();
    happens(&[restored, (SUSPENDED, SUSPENDED_RESTORED)]).await;
    domain.tell("Resume").await.unwrap();
    happens(&[unpaused]).await;

    // Halted for a dump, and going on.
    let core = testbed.path("core");
    let to = core.to_str().unwrap();
    let dumped: Result<(), _> = domain.0.call("CoreDump", &(to, 0_u32, MEMORY_ONLY)).await;
    dumped.unwrap();
    happens(&[paused, unpaused]).await;

    domain.act("Destroy", 0).await.unwrap();
    domain.act("Create", 0).await.unwrap();
    happens(&[(STOPPED, STOPPED_DESTROYED), unpaused, booted]).await;
    let console = testbed.console("told");
    console.wait_for(MODULES_LOADED).await;
    // Pressed again until it is heard: the guest may not listen to the button yet.
    let mut pressed = Instant::now() - AGAIN;
    wait_for_async("the guest to hear the button", LIMIT, async || {
        if pressed.elapsed() >= AGAIN {
            pressed = Instant::now();
            domain.act("Shutdown", 0).await.unwrap();
        }
        (console.times(POWERBUTTON) > 0).then_some(())
    })
    .await;
    happens(&[(SHUTDOWN, SHUTDOWN_GUEST), (STOPPED, STOPPED_SHUTDOWN)]).await;
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_guest_does_nothing_until_it_is_resumed() {
    let (testbed, guest) = or_skip!(Testbed::with_guest("paused", "").await);
    let domain = testbed.define(&guest).await;
    domain.act("Create", START_PAUSED).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    // Nothing was said before Resume was asked for, however long that took.
    assert_eq!(testbed.console("paused").text(), "");
    domain.tell("Resume").await.unwrap();
    testbed.console("paused").wait_for(READY).await;
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_outlives_the_daemon_and_is_found_again() {
    let (mut testbed, domain) = or_skip!(Testbed::with_booted("survivor", "tiny.tick").await);
    let before = domain.xml(0).await.unwrap();
    let processes = testbed.daemon.children();

    testbed.daemon.kill();
    testbed.console("survivor").wait_for_ticks().await;
    testbed.daemon.start(&testbed.client).await;

    wait_for_async("the guest to be found again", LIMIT, async || {
        (domain.state().await.ok()?.0 == RUNNING).then_some(())
    })
    .await;
    assert_eq!(testbed.daemon.children(), processes);
    assert_eq!(domain.xml(0).await.unwrap(), before);

    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    domain.act("Destroy", 0).await.unwrap();
    // QEMU may announce its shutdown before.
    let stopped = events.wait_for(domain.path(), STOPPED, LIMIT).await;
    assert_eq!(stopped.detail, STOPPED_DESTROYED);
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_not_defined_is_gone_when_destroyed() {
    let (testbed, guest) = or_skip!(Testbed::with_guest("transient", "").await);
    let domain = testbed.client.create(&guest.xml(), 0).await.unwrap();
    assert!(!domain.0.get::<bool>("Persistent").await.unwrap());
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    domain.act("Destroy", 0).await.unwrap();
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_state_does_not_allow_is_refused_and_changes_nothing() {
    let (testbed, guest) = or_skip!(Testbed::with_guest("states", "").await);
    let domain = testbed.define(&guest).await;
    for method in ["Suspend", "Resume"] {
        let refused = domain.tell(method).await.unwrap_err();
        assert!(refused.is_refusal(), "{method}: {refused}");
    }
    for method in ["Shutdown", "Destroy", "Reboot", "Reset"] {
        let refused = domain.act(method, 0).await.unwrap_err();
        assert!(refused.is_refusal(), "{method}: {refused}");
    }
    domain.act("Create", 0).await.unwrap();
    let refused = domain.act("Create", 0).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    testbed.end().await;
}
