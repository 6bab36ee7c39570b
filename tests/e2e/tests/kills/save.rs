//! Saving to a file in whose place an older image is: the guest goes on and the older image is whole, or the newest memory is in it.

use std::fs;

use virtbus_tests::domain::{RUNNING, SHUTOFF};
use virtbus_tests::guest::READY;
use virtbus_tests::{Domain, Testbed, campaign, or_skip};

use crate::strike::{
    Moments, as_many_emulators, counts_on, is_complete, last_tick, only, settled, strike,
};

#[tokio::test(flavor = "multi_thread")]
async fn no_memory_is_lost_while_a_guest_is_saved() {
    let (mut testbed, guest) = or_skip!(Testbed::with_guest("saving", "tiny.tick").await);
    let domain = testbed.run(&guest).await;
    let console = testbed.console("saving");
    console.wait_for(READY).await;
    counts_on(&console).await;
    let dir = testbed.path("saves");
    fs::create_dir(&dir).unwrap();
    let image = dir.join("guest.save");
    let to = image.to_str().unwrap().to_owned();
    let save = |domain: &Domain, to: &str| {
        let (domain, to) = (domain.clone(), to.to_owned());
        async move { domain.0.call::<_, ()>("Save", &(to, "", 0_u32)).await }
    };
    let restore = async |testbed: &Testbed| {
        let arguments = (to.as_str(), "", 0_u32);
        let restored: Result<(), _> = testbed
            .client
            .qemu()
            .call("DomainRestore", &arguments)
            .await;
        restored.unwrap();
    };

    let mut moments = Moments::of(save(&domain, &to)).await;
    restore(&testbed).await;
    counts_on(&console).await;
    for round in 0..campaign::rounds(8, 200) {
        let before = last_tick(&console);
        let after = moments.next();
        let told = strike(&mut testbed, after, save(&domain, &to)).await;
        let state = settled(&domain).await;
        println!("round {round}: killed after {after:?}, state {state}, {told:?}");
        assert!(is_complete(&image), "an image is there at every moment");
        only(&dir, &["guest.save"]).await;
        as_many_emulators(&testbed, state).await;
        if state == SHUTOFF {
            restore(&testbed).await;
        } else {
            assert!(told.is_err(), "what was done stays done");
        }
        assert_eq!(domain.state().await.unwrap().0, RUNNING);
        counts_on(&console).await;
        assert!(last_tick(&console) > before);
    }
    testbed.end().await;
}
