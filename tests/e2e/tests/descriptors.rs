//! A daemon that has no file descriptors left: calls that need one are refused, and neither guests nor definitions are lost.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use virtbus_tests::client::{Client, Domain, SERVICE};
use virtbus_tests::events::{DomainEvents, STOPPED};
use virtbus_tests::wait::wait_for_async;
use virtbus_tests::{DomainXml, Testbed, need, skip};
use zbus::OwnedVariant;

const LIMIT: Duration = Duration::from_secs(12);
const RUNNING: i32 = 1;
const SHUTOFF: i32 = 5;
const LIST_ACTIVE: u32 = 1;

fn guest(name: &str) -> DomainXml {
    DomainXml::new(name).memory_mib(64)
}

async fn running(client: &Client, count: usize) -> Vec<Domain> {
    let mut domains = Vec::new();
    for number in 0..count {
        let xml = guest(&format!("kept-{number}")).xml();
        let domain = client.define(&xml).await.unwrap();
        domain.act("Create", 0).await.unwrap();
        domains.push(domain);
    }
    domains
}

/// The processes of the guests.
fn emulators(testbed: &Testbed) -> Vec<u32> {
    let mut pids: Vec<u32> = testbed
        .daemon
        .children()
        .iter()
        .map(|child| child.pid)
        .collect();
    pids.sort_unstable();
    pids
}

fn pid(number: u32) -> Pid {
    i32::try_from(number).ok().and_then(Pid::from_raw).unwrap()
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
    let ready = async {
        need::qemu()?;
        Testbed::start(&[]).await
    };
    let mut testbed = match ready.await {
        Ok(testbed) => testbed,
        Err(reason) => skip!("{reason}"),
    };
    let client = testbed.client.clone();
    let domains = running(&client, 3).await;
    let spare = client.define(&guest("spare").xml()).await.unwrap();
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
        match client.define(&guest("newcomer").xml()).await {
            Ok(newcomer) => newcomer.act("Undefine", 0).await.unwrap(),
            Err(error) => assert!(error.is_refusal(), "{more} more: {error}"),
        }
        for domain in &domains {
            assert_eq!(domain.state().await.unwrap().0, RUNNING);
            let statistics: HashMap<String, OwnedVariant> =
                domain.0.call("GetStats", &(0_u32, 0_u32)).await.unwrap();
            assert!(statistics.contains_key("state.state"));
        }
        assert_eq!(client.list(0).await.unwrap().len(), 4, "{more} more");
    }

    // What happens meanwhile is noticed.
    allow_more(&testbed, Some(0));
    let victim = testbed.daemon.children();
    let victim = victim
        .iter()
        .find(|child| child.command.contains("guest=kept-0"));
    kill_process(pid(victim.unwrap().pid), Signal::KILL).unwrap();
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
    testbed.remove_all().await.unwrap();
    testbed
        .assert_nothing_left(&["kept-", "spare", "newcomer"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_outlive_a_daemon_that_cannot_open_what_it_needs() {
    let ready = async {
        need::qemu()?;
        need::program("prlimit")?;
        Testbed::start(&[]).await
    };
    let mut testbed = match ready.await {
        Ok(testbed) => testbed,
        Err(reason) => skip!("{reason}"),
    };
    let client = testbed.client.clone();
    let domains = running(&client, 6).await;
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
            assert_eq!(client.list(0).await.unwrap().len(), 6, "{most} descriptors");
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
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["kept-"]).await;
}
