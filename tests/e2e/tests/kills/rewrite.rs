//! Changing the definition in an image: the image is whole at every moment, with the old definition or the new one.

use virtbus_tests::domain::XML_INACTIVE;
use virtbus_tests::guest::READY;
use virtbus_tests::{Domain, Testbed, campaign, or_skip};

use crate::strike::{Moments, counts_on, is_complete, only, strike};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_whole_while_its_definition_is_changed() {
    let (mut testbed, guest) = or_skip!(Testbed::with_guest("changing", "tiny.tick").await);
    let domain = testbed.run(&guest).await;
    let console = testbed.console("changing");
    console.wait_for(READY).await;
    counts_on(&console).await;
    let xml = domain.xml(XML_INACTIVE).await.unwrap();
    domain.act("ManagedSave", 0).await.unwrap();
    let dir = testbed.daemon.state_dir().join("state/qemu/save");
    let image = dir.join("changing.save");
    let described = |round: u64| {
        let filling = "x".repeat(usize::try_from(round % 7).unwrap() * 1500);
        let description = format!("<description>round {round} {filling}</description>");
        xml.replacen("</uuid>", &format!("</uuid>{description}"), 1)
    };
    let change = |domain: &Domain, round: u64| {
        let (domain, xml) = (domain.clone(), described(round));
        let arguments = (xml, 0_u32);
        async move {
            let method = "ManagedSaveDefineXML";
            domain.0.call::<_, ()>(method, &arguments).await
        }
    };
    let round_in = async |domain: &Domain| -> u64 {
        let xml: String = domain
            .0
            .call("ManagedSaveGetXMLDesc", &(0_u32,))
            .await
            .unwrap();
        let rest = xml.split("<description>round ").nth(1).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };

    let mut moments = Moments::of(change(&domain, 0)).await;
    for round in 1..campaign::rounds(20, 400) {
        let before = round_in(&domain).await;
        let after = moments.next();
        let told = strike(&mut testbed, after, change(&domain, round)).await;
        let now = round_in(&domain).await;
        println!("round {round}: killed after {after:?}, {before} became {now}, {told:?}");
        assert!(now == round || (now == before && told.is_err()));
        assert!(is_complete(&image));
        only(&dir, &["changing.save"]).await;
    }
    domain.act("Create", 0).await.unwrap();
    console.wait_for_ticks().await;
    testbed.end().await;
}
