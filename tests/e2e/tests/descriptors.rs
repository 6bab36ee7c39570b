//! A daemon that has no file descriptors left: calls that need one are refused, and neither guests nor definitions are lost.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::fs;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use virtbus_tests::client::SERVICE;
use virtbus_tests::domain::{LIST_ACTIVE, RUNNING, SHUTOFF};
use virtbus_tests::events::{DomainEvents, STOPPED};
use virtbus_tests::process::pid;
use virtbus_tests::wait::{LIMIT, wait_for_async};
use virtbus_tests::{Domain, DomainXml, Testbed, need, or_skip};

/// What callers are told by a daemon that cannot run for want of something.
const CANNOT_RUN: &str = "org.freedesktop.DBus.Error.Spawn.Failed";
/// What the bus says where nobody has the name.
const NOBODY: &str = "org.freedesktop.DBus.Error.ServiceUnknown";

async fn running(testbed: &Testbed, count: usize) -> Vec<Domain> {
    let domains = testbed.define_small("kept", count).await;
    for domain in &domains {
        domain.act("Create", 0).await.unwrap();
    }
    domains
}

/// The processes of the guests.
fn emulators(testbed: &Testbed) -> Vec<u32> {
    let children = testbed.daemon.children();
    let mut pids: Vec<u32> = children.iter().map(|child| child.pid).collect();
    pids.sort_unstable();
    pids
}

/// Lets the running daemon open `more` files than it has open, or as many as this test may.
fn allow_more(testbed: &Testbed, more: Option<u64>) {
    let daemon = testbed.daemon.pid();
    let own = getrlimit(Resource::Nofile);
    let open = fs::read_dir(format!("/proc/{daemon}/fd")).unwrap().count();
    let current = match more {
        Some(more) => Some(u64::try_from(open).unwrap() + more),
        None => own.current,
    };
    let limit = Rlimit {
        current,
        maximum: own.maximum,
    };
    prlimit(Some(pid(daemon)), Resource::Nofile, limit).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_descriptors_refuses_and_goes_on() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let client = testbed.client.clone();
    let domains = running(&testbed, 3).await;
    let spare = testbed.define(&DomainXml::small("spare")).await;
    let spare_xml = spare.xml(0).await.unwrap();
    let mut events = DomainEvents::subscribe(&client).await.unwrap();

    for more in 0..8 {
        allow_more(&testbed, Some(more));
        // With none it is refused; with some it may come some way, and has to be undone.
        match spare.act("Create", 0).await {
            Ok(()) => spare.act("Destroy", 0).await.unwrap(),
            Err(error) => assert!(error.is_refusal(), "{more} more: {error}"),
        }
        assert_eq!(spare.state().await.unwrap().0, SHUTOFF, "{more} more");
        match client.define(&DomainXml::small("newcomer").xml()).await {
            Ok(newcomer) => newcomer.act("Undefine", 0).await.unwrap(),
            Err(error) => assert!(error.is_refusal(), "{more} more: {error}"),
        }
        for domain in &domains {
            assert_eq!(domain.state().await.unwrap().0, RUNNING);
            let statistics = domain.statistics().await.unwrap();
            assert!(statistics.contains_key("state.state"));
        }
        assert_eq!(client.list(0).await.unwrap().len(), 4, "{more} more");
    }

    // What happens meanwhile is noticed.
    allow_more(&testbed, Some(0));
    let victim = testbed.daemon.emulator("kept-0").unwrap();
    kill_process(victim, Signal::KILL).unwrap();
    events.wait_for(domains[0].path(), STOPPED, LIMIT).await;
    assert_eq!(domains[0].state().await.unwrap().0, SHUTOFF);
    domains[1].tell("Suspend").await.unwrap();
    domains[1].tell("Resume").await.unwrap();

    allow_more(&testbed, None);
    assert!(testbed.daemon.exited().is_none());
    domains[0].act("Create", 0).await.unwrap();
    let before = emulators(&testbed);
    testbed.crash_and_restart().await;
    assert_eq!(emulators(&testbed), before);
    assert_eq!(client.list(LIST_ACTIVE).await.unwrap().len(), 3);
    assert_eq!(spare.xml(0).await.unwrap(), spare_xml);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_outlive_a_daemon_that_cannot_open_what_it_needs() {
    or_skip!(need::program("prlimit"));
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let client = testbed.client.clone();
    let domains = running(&testbed, 6).await;
    let before = emulators(&testbed);
    let open = fs::read_dir(format!("/proc/{}/fd", testbed.daemon.pid()));
    let open = u64::try_from(open.unwrap().count()).unwrap();
    // From too few to run at all up to a few less than it has with all of its guests.
    let steps = (1..=6).map(|step| 8 + step * open.saturating_sub(10) / 6);
    for most in steps {
        testbed.daemon.kill();
        testbed.daemon.limit_open_files(Some(most));
        testbed.daemon.spawn();
        let pid = testbed.daemon.pid();
        let came_up = wait_for_async("the daemon to come up or to end", LIMIT, async || {
            if testbed.daemon.exited().is_some() {
                return Some(false);
            }
            let owner = client.owner_pid(SERVICE).await.unwrap();
            (owner == Some(pid)).then_some(true)
        })
        .await;
        println!("of {open} descriptors {most}: came up: {came_up}");
        if came_up {
            match client.list(0).await {
                Ok(listed) => assert_eq!(listed.len(), 6, "{most} descriptors"),
                // It had taken the names only to say why it cannot run, and may be gone already.
                Err(error) => assert!(
                    [CANNOT_RUN, NOBODY].contains(&error.name()),
                    "{most} descriptors: {error}"
                ),
            }
        }
        assert_eq!(emulators(&testbed), before, "{most} descriptors");
    }
    testbed.daemon.kill();
    testbed.daemon.limit_open_files(None);
    testbed.daemon.start(&client).await;
    assert_eq!(emulators(&testbed), before);
    for domain in &domains {
        assert_eq!(domain.state().await.unwrap().0, RUNNING);
        // Its monitor is reached while the daemon answers already, and waited for.
        domain.tell("Suspend").await.unwrap();
        domain.act("Destroy", 0).await.unwrap();
    }
    testbed.end().await;
}
