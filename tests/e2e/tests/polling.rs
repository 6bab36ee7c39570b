//! A console that polls statistics of all guests while guests start and stop: nobody who looks waits for what another does.
//! Which call waits for which is told by the order in which they end; times are printed only.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use virtbus_tests::client::{CallError, Client, Domain};
use virtbus_tests::wait::wait_for;
use virtbus_tests::{DomainXml, Testbed, need, skip};
use zbus::OwnedVariant;

const LIMIT: Duration = Duration::from_secs(12);
const RUNNING: i32 = 1;
const SHUTOFF: i32 = 5;
const GUESTS: usize = 10;

type Statistics = HashMap<String, OwnedVariant>;

async fn statistics(domain: &Domain) -> Result<Statistics, CallError> {
    domain.0.call("GetStats", &(0_u32, 0_u32)).await
}

async fn all_statistics(client: &Client) -> Result<Vec<(String, Statistics)>, CallError> {
    client
        .qemu()
        .call("GetAllDomainStats", &(0_u32, 0_u32))
        .await
}

fn guest(name: &str) -> DomainXml {
    DomainXml::new(name).memory_mib(64)
}

async fn define(client: &Client, count: usize) -> Vec<Domain> {
    let mut domains = Vec::new();
    for number in 0..count {
        let xml = guest(&format!("polled-{number}")).xml();
        domains.push(client.define(&xml).await.unwrap());
    }
    domains
}

/// An emulator that stops itself as it becomes a guest whose name contains "held".
fn holding_emulator(testbed: &Testbed, qemu: &Path) -> PathBuf {
    let path = testbed.path("emulator");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *guest=held*) kill -STOP $$;; esac\nexec {} \"$@\"\n",
        qemu.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The process of a guest, once it has stopped.
async fn stopped(testbed: &Testbed, name: &str) -> Pid {
    wait_for("the emulator to stop", LIMIT, || {
        let children = testbed.daemon.children();
        let found = children
            .iter()
            .find(|child| child.command.contains(&format!("guest={name}")))?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", found.pid)).ok()?;
        // The state follows the name in parentheses.
        let state = stat.rsplit(')').next()?.trim_start();
        let pid = i32::try_from(found.pid).ok().and_then(Pid::from_raw)?;
        state.starts_with('T').then_some(pid)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_told_while_ten_guests_start_and_stop() {
    let ready = async {
        need::qemu()?;
        Testbed::start(&[]).await
    };
    let testbed = match ready.await {
        Ok(testbed) => testbed,
        Err(reason) => skip!("{reason}"),
    };
    let client = &testbed.client;
    let domains = define(client, GUESTS).await;
    let over = AtomicBool::new(false);
    let lives = async {
        for _ in 0..2 {
            let started = join_all(domains.iter().map(|domain| domain.act("Create", 0))).await;
            started.into_iter().collect::<Result<(), _>>().unwrap();
            let ended = join_all(domains.iter().map(|domain| domain.act("Destroy", 0))).await;
            ended.into_iter().collect::<Result<(), _>>().unwrap();
        }
        over.store(true, Ordering::Relaxed);
    };
    let polls = async {
        let (mut polls, mut slowest) = (0, Duration::ZERO);
        while !over.load(Ordering::Relaxed) {
            let begin = Instant::now();
            let each = join_all(domains.iter().map(statistics)).await;
            for answer in each {
                assert!(answer.unwrap().contains_key("state.state"));
            }
            assert_eq!(all_statistics(client).await.unwrap().len(), GUESTS);
            slowest = slowest.max(begin.elapsed());
            polls += 1;
        }
        println!("{polls} polls of {GUESTS} guests that start and stop, the slowest {slowest:?}");
        polls
    };
    let ((), polls) = futures_util::future::join(lives, polls).await;
    assert!(polls > 1, "nobody polled");
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["polled-"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_start_of_another_guest() {
    let ready = async {
        let qemu = need::qemu()?;
        Ok::<_, String>((Testbed::start(&[]).await?, qemu))
    };
    let (testbed, qemu) = match ready.await {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let client = &testbed.client;
    let domains = define(client, 3).await;
    domains[0].act("Create", 0).await.unwrap();
    let emulator = holding_emulator(&testbed, &qemu);
    let emulator = format!("<emulator>{}</emulator>", emulator.display());
    let held = guest("held").device(&emulator).xml();
    let held = client.define(&held).await.unwrap();
    let start = {
        let held = held.clone();
        tokio::spawn(async move { held.act("Create", 0).await })
    };
    let pid = stopped(&testbed, "held").await;

    // Whatever is asked of others, and what is known of this one, is answered before it has started.
    for domain in &domains {
        statistics(domain).await.unwrap();
    }
    assert_eq!(all_statistics(client).await.unwrap().len(), 4);
    assert!(statistics(&held).await.unwrap().contains_key("state.state"));
    assert!(held.xml(0).await.unwrap().contains("held"));
    domains[1].act("Create", 0).await.unwrap();
    domains[1].tell("Suspend").await.unwrap();
    domains[0].act("Destroy", 0).await.unwrap();
    client.define(&guest("newcomer").xml()).await.unwrap();
    assert_eq!(domains[0].state().await.unwrap().0, SHUTOFF);
    assert!(!start.is_finished(), "it has started while it was stopped");

    kill_process(pid, Signal::CONT).unwrap();
    start.await.unwrap().unwrap();
    assert_eq!(held.state().await.unwrap().0, RUNNING);
    testbed.remove_all().await.unwrap();
    testbed
        .assert_nothing_left(&["polled-", "held", "newcomer"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_that_hang_are_counted_without_what_only_they_know() {
    let ready = async {
        need::qemu()?;
        Testbed::start(&[]).await
    };
    let testbed = match ready.await {
        Ok(testbed) => testbed,
        Err(reason) => skip!("{reason}"),
    };
    let client = &testbed.client;
    let domains = define(client, 4).await;
    for domain in &domains {
        domain.act("Create", 0).await.unwrap();
    }
    // All but one hang.
    let children = testbed.daemon.children();
    for child in &children {
        if !child.command.contains("guest=polled-0") {
            let pid = i32::try_from(child.pid)
                .ok()
                .and_then(Pid::from_raw)
                .unwrap();
            kill_process(pid, Signal::STOP).unwrap();
        }
    }
    for name in ["polled-1", "polled-2", "polled-3"] {
        stopped(&testbed, name).await;
    }
    let all = {
        let client = client.clone();
        tokio::spawn(async move { all_statistics(&client).await })
    };
    let begin = Instant::now();
    let alive = statistics(&domains[0]).await.unwrap();
    println!("beside guests that hang: {:?}", begin.elapsed());
    assert!(alive.contains_key("vcpu.current"), "{alive:?}");
    let all = all.await.unwrap().unwrap();
    println!("with guests that hang: {:?}", begin.elapsed());
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|(_, of)| of.contains_key("state.state")));
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["polled-"]).await;
}
