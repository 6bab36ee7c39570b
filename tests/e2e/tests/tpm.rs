//! Guests with an emulated TPM: what it remembers, and that its emulator never outlives them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use virtbus_tests::campaign::{Random, rounds};
use virtbus_tests::domain::SHUTOFF;
use virtbus_tests::wait::wait_for_async;
use virtbus_tests::{DomainXml, Testbed, need, or_skip};

const LIMIT: Duration = Duration::from_secs(20);
const TPM: &str = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";

/// Longer than a start takes, milliseconds.
const START: u64 = 250;

fn state_of(testbed: &Testbed, guest: &DomainXml) -> PathBuf {
    let states = testbed.daemon.state_dir().join("state/qemu/swtpm");
    states.join(guest.uuid().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tpm_keeps_its_state_until_the_domain_is_undefined() {
    or_skip!(need::program("swtpm"));
    let testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::new("sealed").device(TPM);
    let domain = testbed.define(&guest).await;
    let state = state_of(&testbed, &guest);
    for _ in 0..2 {
        domain.act("Create", 0).await.unwrap();
        assert!(state.join("tpm2").is_dir());
        assert_eq!(working_in(&state.join("tpm2")), 1, "one emulator runs");
        domain.act("Destroy", 0).await.unwrap();
        assert_eq!(working_in(&state.join("tpm2")), 0, "it runs on");
    }
    domain.act("Undefine", 0).await.unwrap();
    assert!(!state.exists());
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commas_in_a_name_are_no_options_of_the_tpm() {
    or_skip!(need::program("swtpm"));
    let testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::new("a,mode=0666,b").device(TPM);
    let domain = testbed.define(&guest).await;
    domain.act("Create", 0).await.unwrap();
    domain.act("Destroy", 0).await.unwrap();
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_called_off_or_killed_leaves_no_tpm_emulator() {
    or_skip!(need::program("swtpm"));
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::new("brief").device(TPM);
    let domain = testbed.define(&guest).await;
    let state = state_of(&testbed, &guest).join("tpm2");
    let mut random = Random::seeded();
    for round in 0..rounds(12, 300) {
        let moment = Duration::from_millis(random.below(START));
        // Its answer is of no interest, and if the daemon is killed there is none.
        let starting = tokio::time::timeout(moment, domain.act("Create", 0)).await;
        if round % 2 == 0 {
            testbed.crash_and_restart().await;
        }
        wait_for_async("the guest to be off", LIMIT, async || {
            let _ = domain.act("Destroy", 0).await;
            (domain.state().await.ok()?.0 == SHUTOFF).then_some(())
        })
        .await;
        assert_eq!(
            working_in(&state),
            0,
            "round {round}: an emulator is left, {moment:?} after the start began ({starting:?})"
        );
    }
    testbed.end().await;
}

/// How many processes work in this directory. One that has ended and waits for its parent works nowhere.
fn working_in(dir: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc can be read");
    processes
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok())
        .filter(|cwd| cwd == dir)
        .count()
}
