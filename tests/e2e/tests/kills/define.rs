//! Defining, anew and in place of another definition: what is there is one of the two, whole.

use virtbus_tests::client::CallError;
use virtbus_tests::domain::XML_INACTIVE;
use virtbus_tests::{Client, DomainXml, Testbed, campaign, or_skip};

use crate::strike::{Moments, only, strike};

fn define(
    client: &Client,
    guest: &DomainXml,
) -> impl Future<Output = Result<(), CallError>> + Send + use<> {
    let (client, xml) = (client.clone(), guest.xml());
    async move { client.define(&xml).await.map(drop) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_the_old_one_or_the_new_one() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let first = DomainXml::small("defined");
    let version = |round: u64| {
        let description = format!("<description>round {round}</description>");
        first.clone().element(&description)
    };
    let dir = testbed.daemon.state_dir().join("config/qemu");
    let domain = testbed.client.domain(&first.object_path());
    let mut moments = Moments::of(define(&testbed.client, &version(0))).await;
    let mut there = domain.xml(XML_INACTIVE).await.unwrap();
    for round in 1..campaign::rounds(20, 400) {
        let after = moments.next();
        let change = define(&testbed.client, &version(round));
        let told = strike(&mut testbed, after, change).await;
        let now = domain.xml(XML_INACTIVE).await.unwrap();
        println!("round {round}: killed after {after:?}, {told:?}");
        let new = now.contains(&format!("<description>round {round}</description>"));
        assert!(new || (now == there && told.is_err()), "{now}");
        there = now;
        only(&dir, &["defined.xml"]).await;
    }
    testbed.end().await;
}
