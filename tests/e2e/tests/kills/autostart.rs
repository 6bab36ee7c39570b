//! Starting guests with the host: the next daemon starts those that the last one did not come to, and no others.

use std::fs;
use std::time::Instant;

use virtbus_tests::domain::{LIST_ACTIVE, RUNNING};
use virtbus_tests::wait::{LIMIT, wait_for_async, wait_until};
use virtbus_tests::{Domain, Random, Testbed, campaign, or_skip};
use zbus::Variant;

/// More than are started at once.
const GUESTS: usize = 9;

async fn all_run(testbed: &Testbed, guests: usize) {
    wait_for_async("all to run that are to", LIMIT, async || {
        let active = testbed.client.list(LIST_ACTIVE).await.ok()?;
        (active.len() == guests).then_some(())
    })
    .await;
    assert_eq!(testbed.daemon.children().len(), guests);
}

async fn destroy(domains: &[Domain]) {
    for domain in domains {
        let destroyed = domain.act("Destroy", 0).await;
        destroyed.expect("a guest that runs can be ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_guest_is_started_with_the_host_and_once() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let domains = testbed.define_small("with-host", GUESTS).await;
    for domain in &domains {
        domain
            .0
            .set("Autostart", Variant::from(true))
            .await
            .unwrap();
    }
    let notes = testbed.daemon.state_dir().join("run/qemu/autostarted");
    let over = || fs::read_to_string(&notes).is_ok_and(|text| text.ends_with("all\n"));
    wait_until("the first autostart to be over", LIMIT, over).await;

    // As after a boot of the host.
    testbed.daemon.kill();
    fs::remove_file(&notes).unwrap();
    let begin = Instant::now();
    testbed.daemon.start(&testbed.client).await;
    all_run(&testbed, GUESTS).await;
    let span = u64::try_from(begin.elapsed().as_micros()).unwrap();
    let mut random = Random::seeded();
    for round in 0..campaign::rounds(6, 100) {
        wait_until("the autostart to be over", LIMIT, over).await;
        destroy(&domains).await;
        testbed.daemon.kill();
        fs::remove_file(&notes).unwrap();
        testbed.daemon.start(&testbed.client).await;
        // The moment of the blow, and not a wait for anything.
        let after = std::time::Duration::from_micros(random.below(span));
        tokio::time::sleep(after).await;
        testbed.daemon.kill();
        let noted = fs::read_to_string(&notes).unwrap_or_default();
        println!(
            "round {round}: killed after {after:?}, {} lines",
            noted.lines().count()
        );
        testbed.daemon.start(&testbed.client).await;
        all_run(&testbed, GUESTS).await;
    }

    // What somebody ended is not started again by another daemon of the same boot.
    wait_until("the autostart to be over", LIMIT, over).await;
    destroy(&domains).await;
    testbed.crash_and_restart().await;
    testbed.daemon.kill();
    let text = fs::read_to_string(&notes).unwrap();
    let left = text.replace("all\n", "");
    let last = left.lines().rfind(|line| !line.is_empty()).unwrap();
    let one_is_left = left.replace(last, "");
    fs::write(&notes, one_is_left).unwrap();
    testbed.daemon.start(&testbed.client).await;
    wait_until("the autostart to be over", LIMIT, over).await;
    all_run(&testbed, 1).await;
    let path = format!("_{}", last.replace('-', "_"));
    let its = domains.iter().find(|domain| domain.path().ends_with(&path));
    assert_eq!(its.unwrap().state().await.unwrap().0, RUNNING);
    testbed.end().await;
}
