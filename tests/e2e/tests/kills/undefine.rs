//! Undefining with the managed save image: no image outlives its definition, and another guest of that name never wakes up with it.

use virtbus_tests::{Domain, DomainXml, Testbed, campaign, or_skip};

use crate::strike::{Moments, only, strike};

/// `VIR_DOMAIN_UNDEFINE_MANAGED_SAVE`.
const MANAGED_SAVE: u32 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_never_outlives_its_definition() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let saves = testbed.daemon.state_dir().join("state/qemu/save");
    let saved = async |testbed: &Testbed| -> Domain {
        let domain = testbed.run(&DomainXml::small("undefined")).await;
        domain.act("ManagedSave", 0).await.unwrap();
        domain
    };
    let undefine = |domain: &Domain| {
        let domain = domain.clone();
        async move { domain.act("Undefine", MANAGED_SAVE).await }
    };

    let domain = saved(&testbed).await;
    let mut moments = Moments::of(undefine(&domain)).await;
    for round in 0..campaign::rounds(8, 200) {
        let domain = saved(&testbed).await;
        let after = moments.next();
        let told = strike(&mut testbed, after, undefine(&domain)).await;
        let there = !testbed.client.list(0).await.unwrap().is_empty();
        println!("round {round}: killed after {after:?}, defined {there}, {told:?}");
        if there {
            assert!(told.is_err(), "what was undone stays undone");
            domain.act("Undefine", MANAGED_SAVE).await.unwrap();
        }
        only(&saves, &[]).await;
        let other = testbed.define(&DomainXml::small("undefined")).await;
        let has: bool = other
            .0
            .call("HasManagedSaveImage", &(0_u32,))
            .await
            .unwrap();
        assert!(!has);
        other.act("Undefine", 0).await.unwrap();
    }
    testbed.end().await;
}
