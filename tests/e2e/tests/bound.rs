//! Guests that end with the client that started them, and what confines a guest.

use virtbus_tests::domain::{RUNNING, SHUTOFF};
use virtbus_tests::events::{STARTED, STOPPED};
use virtbus_tests::wait::{LIMIT, wait_for_async};
use virtbus_tests::{Client, DomainEvents, DomainXml, Testbed, or_skip};

/// `VIR_DOMAIN_START_AUTODESTROY`.
const AUTODESTROY: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_ends_with_its_client_whichever_daemon_there_is() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let (bound, other) = (DomainXml::small("bound"), DomainXml::small("other"));
    let (bound, other) = (testbed.define(&bound).await, testbed.define(&other).await);
    let (bound, other) = (bound.path().to_owned(), other.path().to_owned());
    let owner = Client::connect(testbed.bus.address()).await.unwrap();
    owner
        .domain(&bound)
        .act("Create", AUTODESTROY)
        .await
        .unwrap();
    owner.domain(&other).act("Create", 0).await.unwrap();
    // The client is still there for the next daemon, and so is the guest.
    testbed.crash_and_restart().await;
    let client = Client::connect(testbed.bus.address()).await.unwrap();
    let mut events = DomainEvents::subscribe(&client).await.unwrap();
    for path in [&bound, &other] {
        assert_eq!(client.domain(path).state().await.unwrap().0, RUNNING);
    }
    drop(owner);
    events.wait_for(&bound, STOPPED, LIMIT).await;
    assert_eq!(client.domain(&bound).state().await.unwrap().0, SHUTOFF);
    assert_eq!(client.domain(&other).state().await.unwrap().0, RUNNING);

    // One that is started again by somebody else is not the first one's any more.
    client.domain(&bound).act("Create", 0).await.unwrap();
    events.wait_for(&bound, STARTED, LIMIT).await;
    assert_eq!(client.domain(&bound).state().await.unwrap().0, RUNNING);
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_client_left_without_a_daemon_ends_with_the_next() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::small("left");
    let owner = Client::connect(testbed.bus.address()).await.unwrap();
    let domain = owner.create(&guest.xml(), AUTODESTROY).await.unwrap();
    let path = domain.path().to_owned();
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    testbed.daemon.kill();
    drop((domain, owner));
    testbed.daemon.start(&testbed.client).await;
    wait_for_async("the guest to end", LIMIT, async || {
        let listed = testbed.client.list(0).await.unwrap();
        listed.is_empty().then_some(())
    })
    .await;
    let gone = testbed.client.domain(&path).state().await;
    gone.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_told_of_guests_that_run() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.define(&DomainXml::small("labelled")).await;
    let labels = || domain.0.call("GetSecurityLabelList", &());
    let off: Result<Vec<(String, bool)>, _> = labels().await;
    off.unwrap_err();
    domain.act("Create", 0).await.unwrap();
    let running: Vec<(String, bool)> = labels().await.unwrap();
    let qemu = testbed.client.qemu();
    let (model, doi): (String, String) = qemu.call("NodeGetSecurityModel", &()).await.unwrap();
    let capabilities: String = qemu.call("GetCapabilities", &()).await.unwrap();
    // In a session nobody confines guests; in the system's daemon their files are theirs alone.
    match &*running {
        [] => {
            assert_eq!((&*model, &*doi), ("none", "0"));
            assert!(!capabilities.contains("<secmodel>"));
        }
        [(label, enforcing)] => {
            assert_eq!(&*model, "dac");
            assert!(*enforcing && label.starts_with('+'), "{label}");
            assert!(capabilities.contains(label), "{capabilities}");
        }
        more => panic!("{more:?}"),
    }
    testbed.remove_all().await;
}
