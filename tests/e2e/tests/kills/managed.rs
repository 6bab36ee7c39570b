//! Managed saves, and starts from them: the guest is in the image or runs, never both, and never with older memory.

use virtbus_tests::domain::{RUNNING, SHUTOFF};
use virtbus_tests::guest::READY;
use virtbus_tests::{Domain, Testbed, campaign, or_skip};

use crate::strike::{
    Moments, as_many_emulators, counts_on, is_complete, last_tick, only, settled, strike,
};

async fn has_image(domain: &Domain) -> bool {
    let has: Result<bool, _> = domain.0.call("HasManagedSaveImage", &(0_u32,)).await;
    has.expect("the domain can be asked")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_memory_is_lost_by_managed_saves_and_starts_from_them() {
    let (mut testbed, guest) = or_skip!(Testbed::with_guest("managed", "tiny.tick").await);
    let domain = testbed.run(&guest).await;
    let console = testbed.console("managed");
    console.wait_for(READY).await;
    counts_on(&console).await;
    let dir = testbed.daemon.state_dir().join("state/qemu/save");
    let image = dir.join("managed.save");
    let act = |domain: &Domain, method: &'static str| {
        let domain = domain.clone();
        async move { domain.act(method, 0).await }
    };

    let mut saves = Moments::of(act(&domain, "ManagedSave")).await;
    let mut starts = Moments::of(act(&domain, "Create")).await;
    counts_on(&console).await;
    let mut state = RUNNING;
    for round in 0..campaign::rounds(10, 300) {
        let before = last_tick(&console);
        let (method, after) = if state == RUNNING {
            ("ManagedSave", saves.next())
        } else {
            ("Create", starts.next())
        };
        let told = strike(&mut testbed, after, act(&domain, method)).await;
        state = settled(&domain).await;
        println!("round {round}: {method} killed after {after:?}, state {state}, {told:?}");
        assert_eq!(has_image(&domain).await, state == SHUTOFF);
        assert_eq!(is_complete(&image), state == SHUTOFF);
        only(
            &dir,
            if state == SHUTOFF {
                &["managed.save"]
            } else {
                &[]
            },
        )
        .await;
        as_many_emulators(&testbed, state).await;
        if state == RUNNING {
            counts_on(&console).await;
            assert!(last_tick(&console) > before);
        }
    }
    if state == SHUTOFF {
        domain.act("Create", 0).await.unwrap();
        counts_on(&console).await;
    }
    testbed.end().await;
}
