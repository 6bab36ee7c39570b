//! Dumping memory, by QEMU's dump and by a migration's stream: the guest goes on, and the file is one that was whole.

use std::fs;

use virtbus_tests::domain::RUNNING;
use virtbus_tests::guest::READY;
use virtbus_tests::{Domain, Testbed, campaign, or_skip};

use crate::strike::{Moments, as_many_emulators, counts_on, last_tick, only, settled, strike};

/// `VIR_DUMP_MEMORY_ONLY`.
const MEMORY_ONLY: u32 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_goes_on_after_its_dump_was_interrupted() {
    let (mut testbed, guest) = or_skip!(Testbed::with_guest("dumping", "tiny.tick").await);
    let domain = testbed.run(&guest).await;
    let console = testbed.console("dumping");
    console.wait_for(READY).await;
    let dir = testbed.path("dumps");
    fs::create_dir(&dir).unwrap();
    let core = dir.join("core");
    let to = core.to_str().unwrap().to_owned();
    let dump = |domain: &Domain, flags: u32| {
        let (domain, to) = (domain.clone(), to.clone());
        let arguments = (to, 0_u32, flags);
        async move { domain.0.call::<_, ()>("CoreDump", &arguments).await }
    };

    let mut kinds = [
        (MEMORY_ONLY, Moments::of(dump(&domain, MEMORY_ONLY)).await),
        (0, Moments::of(dump(&domain, 0)).await),
    ];
    for round in 0..campaign::rounds(8, 200) {
        let before = last_tick(&console);
        let (flags, moments) = &mut kinds[usize::from(round % 2 == 1)];
        let after = moments.next();
        let told = strike(&mut testbed, after, dump(&domain, *flags)).await;
        let state = settled(&domain).await;
        println!("round {round}: flags {flags}, killed after {after:?}, state {state}, {told:?}");
        assert_eq!(state, RUNNING);
        only(&dir, &["core"]).await;
        assert!(core.metadata().unwrap().len() > 1 << 20);
        as_many_emulators(&testbed, state).await;
        counts_on(&console).await;
        assert!(last_tick(&console) > before);
    }
    testbed.end().await;
}
