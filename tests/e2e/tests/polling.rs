//! A console that polls statistics of all guests while guests start and stop: nobody who looks waits for what another does.
//! Which call waits for which is told by the order in which they end; times are printed only.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::{Signal, kill_process};
use virtbus_tests::client::{CallError, Client};
use virtbus_tests::domain::{RUNNING, SHUTOFF, Statistics};
use virtbus_tests::wait::{LIMIT, wait_for};
use virtbus_tests::{Domain, DomainXml, Testbed, need, or_skip, process};

const GUESTS: usize = 10;

async fn all_statistics(client: &Client) -> Result<Vec<(String, Statistics)>, CallError> {
    client
        .qemu()
        .call("GetAllDomainStats", &(0_u32, 0_u32))
        .await
}

/// An emulator that stops itself as it becomes a guest whose name contains "held".
fn holding_emulator(testbed: &Testbed, qemu: &Path) -> PathBuf {
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *guest=held*) kill -STOP $$;; esac\nexec {} \"$@\"\n",
        qemu.display()
    );
    testbed.script("emulator", &text)
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_told_while_ten_guests_start_and_stop() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let client = &testbed.client;
    let domains = testbed.define_small("polled", GUESTS).await;
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
            let each = join_all(domains.iter().map(Domain::statistics)).await;
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
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_start_of_another_guest() {
    let qemu = or_skip!(need::qemu());
    let testbed = or_skip!(Testbed::start(&[]).await);
    let client = &testbed.client;
    let domains = testbed.define_small("polled", 3).await;
    domains[0].act("Create", 0).await.unwrap();
    let emulator = holding_emulator(&testbed, &qemu);
    let held = DomainXml::small("held").emulator(&emulator);
    let held = testbed.define(&held).await;
    let start = {
        let held = held.clone();
        tokio::spawn(async move { held.act("Create", 0).await })
    };
    let pid = wait_for("the emulator to stop", LIMIT, || {
        let emulator = testbed.daemon.emulator("held");
        emulator.filter(|pid| process::is_stopped(*pid))
    })
    .await;

    // Whatever is asked of others, and what is known of this one, is answered before it has started.
    for domain in &domains {
        domain.statistics().await.unwrap();
    }
    assert_eq!(all_statistics(client).await.unwrap().len(), 4);
    assert!(held.statistics().await.unwrap().contains_key("state.state"));
    assert!(held.xml(0).await.unwrap().contains("held"));
    domains[1].act("Create", 0).await.unwrap();
    domains[1].tell("Suspend").await.unwrap();
    domains[0].act("Destroy", 0).await.unwrap();
    testbed.define(&DomainXml::small("newcomer")).await;
    assert_eq!(domains[0].state().await.unwrap().0, SHUTOFF);
    assert!(!start.is_finished(), "it has started while it was stopped");

    kill_process(pid, Signal::CONT).unwrap();
    start.await.unwrap().unwrap();
    assert_eq!(held.state().await.unwrap().0, RUNNING);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_that_hang_are_counted_without_what_only_they_know() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let client = &testbed.client;
    let domains = testbed.define_small("polled", 4).await;
    for domain in &domains {
        domain.act("Create", 0).await.unwrap();
    }
    // All but one hang.
    for name in ["polled-1", "polled-2", "polled-3"] {
        process::stop(testbed.daemon.emulator(name).unwrap()).await;
    }
    let all = {
        let client = client.clone();
        tokio::spawn(async move { all_statistics(&client).await })
    };
    let begin = Instant::now();
    let alive = domains[0].statistics().await.unwrap();
    println!("beside guests that hang: {:?}", begin.elapsed());
    assert!(alive.contains_key("vcpu.current"), "{alive:?}");
    let all = all.await.unwrap().unwrap();
    println!("with guests that hang: {:?}", begin.elapsed());
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|(_, of)| of.contains_key("state.state")));
    testbed.end().await;
}
