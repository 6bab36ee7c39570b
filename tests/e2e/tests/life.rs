//! The whole life of a guest, as a client on the bus sees it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use virtbus_tests::events::{
    DEFINED, RESUMED, SHUTDOWN, STARTED, STOPPED, STOPPED_DESTROYED, STOPPED_SHUTDOWN, SUSPENDED,
    UNDEFINED,
};
use virtbus_tests::guest::{MODULES_LOADED, POWERBUTTON, READY, TICK};
use virtbus_tests::wait::{wait_for, wait_for_async};
use virtbus_tests::{DomainEvents, Testbed, skip};

/// What an idle machine needs at most for a guest to follow an order.
const LIMIT: Duration = Duration::from_secs(12);

const RUNNING: i32 = 1;
const PAUSED: i32 = 3;
const SHUTOFF: i32 = 5;
const XML_INACTIVE: u32 = 2;
const START_PAUSED: u32 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_defined_started_paused_resumed_shut_down_and_undefined() {
    let prepared = async {
        let testbed = Testbed::start(&[]).await?;
        let guest = testbed.guest("life", "tiny.tick")?;
        Ok::<_, String>((testbed, guest))
    };
    let (testbed, guest) = match prepared.await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let client = &testbed.client;
    let mut events = DomainEvents::subscribe(client).await.unwrap();

    let domain = client.define(&guest.xml()).await.unwrap();
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
    testbed.wait_for_console("life", READY).await;
    testbed.wait_for_console("life", MODULES_LOADED).await;

    let live = domain.xml(0).await.unwrap();
    assert!(live.starts_with("<domain type='qemu' id='"), "{live}");
    let inactive = domain.xml(XML_INACTIVE).await.unwrap();
    assert!(inactive.starts_with("<domain type='qemu'>"), "{inactive}");

    domain.tell("Suspend").await.unwrap();
    assert_eq!(events.next_of(domain.path(), LIMIT).await.event, SUSPENDED);
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    let console = testbed.console("life");
    let ticks_paused = ticks(&console);
    domain.tell("Resume").await.unwrap();
    assert_eq!(events.next_of(domain.path(), LIMIT).await.event, RESUMED);
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    wait_for("the guest to tick on", LIMIT, || {
        (ticks(&console) > ticks_paused + 1).then_some(())
    })
    .await;

    domain.act("Shutdown", 0).await.unwrap();
    events.wait_for(domain.path(), SHUTDOWN, LIMIT).await;
    let stopped = events.next_of(domain.path(), LIMIT).await;
    assert_eq!((stopped.event, stopped.detail), (STOPPED, STOPPED_SHUTDOWN));
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    testbed.wait_for_console("life", POWERBUTTON).await;

    domain.act("Undefine", 0).await.unwrap();
    assert_eq!(events.next_of(domain.path(), LIMIT).await.event, UNDEFINED);
    assert_eq!(client.list(0).await.unwrap(), Vec::<String>::new());
    let gone = domain.state().await.unwrap_err();
    assert!(gone.to_string().contains("Domain not found"), "{gone}");
    testbed.assert_nothing_left(&["life"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_guest_does_nothing_until_it_is_resumed() {
    let prepared = async {
        let testbed = Testbed::start(&[]).await?;
        let guest = testbed.guest("paused", "")?;
        Ok::<_, String>((testbed, guest))
    };
    let (testbed, guest) = match prepared.await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let domain = testbed.client.define(&guest.xml()).await.unwrap();
    domain.act("Create", START_PAUSED).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    // Nothing was said before Resume was asked for, however long that took.
    assert_eq!(fs::read(testbed.console("paused")).unwrap_or_default(), b"");
    domain.tell("Resume").await.unwrap();
    testbed.wait_for_console("paused", READY).await;
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["paused"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_outlives_the_daemon_and_is_found_again() {
    let prepared = async {
        let testbed = Testbed::start(&[]).await?;
        let guest = testbed.guest("survivor", "tiny.tick")?;
        Ok::<_, String>((testbed, guest))
    };
    let (mut testbed, guest) = match prepared.await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let domain = testbed.client.define(&guest.xml()).await.unwrap();
    domain.act("Create", 0).await.unwrap();
    testbed.wait_for_console("survivor", READY).await;
    let before = domain.xml(0).await.unwrap();
    let processes = testbed.daemon.children();

    testbed.daemon.kill();
    let console = testbed.console("survivor");
    let ticks_alone = ticks(&console);
    wait_for("the guest to tick without the daemon", LIMIT, || {
        (ticks(&console) > ticks_alone + 1).then_some(())
    })
    .await;
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
    testbed.assert_nothing_left(&["survivor"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_not_defined_is_gone_when_destroyed() {
    let prepared = async {
        let testbed = Testbed::start(&[]).await?;
        let guest = testbed.guest("transient", "")?;
        Ok::<_, String>((testbed, guest))
    };
    let (testbed, guest) = match prepared.await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let domain = testbed.client.create(&guest.xml(), 0).await.unwrap();
    assert!(!domain.0.get::<bool>("Persistent").await.unwrap());
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    domain.act("Destroy", 0).await.unwrap();
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
    testbed.assert_nothing_left(&["transient"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_state_does_not_allow_is_refused_and_changes_nothing() {
    let prepared = async {
        let testbed = Testbed::start(&[]).await?;
        let guest = testbed.guest("states", "")?;
        Ok::<_, String>((testbed, guest))
    };
    let (testbed, guest) = match prepared.await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let domain = testbed.client.define(&guest.xml()).await.unwrap();
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
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["states"]).await;
}

/// How far the guest has counted.
fn ticks(console: &Path) -> usize {
    let said = fs::read(console).unwrap_or_default();
    String::from_utf8_lossy(&said).matches(TICK).count()
}
