//! The whole life of a guest, as a client on the bus sees it.

use virtbus_tests::domain::{PAUSED, RUNNING, SHUTOFF, START_PAUSED, XML_INACTIVE};
use virtbus_tests::events::{
    DEFINED, RESUMED, SHUTDOWN, STARTED, STOPPED, STOPPED_DESTROYED, STOPPED_SHUTDOWN, SUSPENDED,
    UNDEFINED,
};
use virtbus_tests::guest::{MODULES_LOADED, POWERBUTTON, READY};
use virtbus_tests::wait::{LIMIT, wait_for_async};
use virtbus_tests::{DomainEvents, Testbed, or_skip};

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
