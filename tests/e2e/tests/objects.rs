//! Every kind of object, served from the test driver on a real bus: all members answer, signals and properties follow,
//! and the two names speak their dialects.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use virtbus_tests::client::{CONNECT, CallError, Client, DOMAIN, Object};
use virtbus_tests::wait::patient;
use virtbus_tests::walk::introspection::{Members, Way};
use virtbus_tests::walk::objects::TEST;
use virtbus_tests::walk::{ROOT, introspect, managed};
use virtbus_tests::{Testbed, or_skip};
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, Variant};

const LIMIT: Duration = Duration::from_secs(10);

/// The driver alone, without what guests need.
async fn testbed() -> Result<Testbed, String> {
    Testbed::start(&["--drivers", "test"]).await
}

fn connection(client: &Client) -> Object {
    client.object(TEST, CONNECT)
}

async fn find(client: &Client, method: &str, name: &str) -> String {
    let path: OwnedObjectPath = connection(client).call(method, &(name,)).await.unwrap();
    path.to_string()
}

/// The text of a call's error.
fn refusal<T: std::fmt::Debug>(answer: Result<T, CallError>) -> (String, String) {
    match answer.unwrap_err() {
        CallError::Reply { name, message } => (name, message),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_object_is_found_listed_and_read() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    for (list, find_by, name, interface, member) in [
        ("ListDomains", "DomainLookupByName", "test", DOMAIN, "Name"),
        (
            "ListNetworks",
            "NetworkLookupByName",
            "default",
            "org.libvirt.Network",
            "Name",
        ),
        (
            "ListStoragePools",
            "StoragePoolLookupByName",
            "default-pool",
            "org.libvirt.StoragePool",
            "Name",
        ),
        (
            "ListInterfaces",
            "InterfaceLookupByName",
            "eth1",
            "org.libvirt.Interface",
            "Name",
        ),
        (
            "ListNodeDevices",
            "NodeDeviceLookupByName",
            "computer",
            "org.libvirt.NodeDevice",
            "Name",
        ),
    ] {
        let path = find(client, find_by, name).await;
        let listed: Vec<OwnedObjectPath> = connection(client).call(list, &(0_u32,)).await.unwrap();
        assert!(
            listed.iter().any(|there| there.as_str() == path),
            "{list}: {listed:?}"
        );
        let object = client.object(&path, interface);
        assert_eq!(object.get::<String>(member).await.unwrap(), name);
        let xml: String = object.call("GetXMLDesc", &(0_u32,)).await.unwrap();
        assert!(xml.contains(name), "{xml}");
        let (error, text) = refusal(
            connection(client)
                .call::<_, OwnedObjectPath>(find_by, &("no such",))
                .await,
        );
        assert!(error.starts_with("org.libvirt.Error.No"), "{error}: {text}");
    }
    let (_, text) = refusal(
        connection(client)
            .call::<_, OwnedObjectPath>("StorageVolLookupByPath", &("/none",))
            .await,
    );
    assert!(text.contains("no storage vol with matching path"), "{text}");
    let (_, text) = refusal(
        connection(client)
            .call::<_, OwnedObjectPath>("DomainLookupByName", &("none",))
            .await,
    );
    assert!(text.starts_with("Domain not found"), "{text}");
    let (error, text) = refusal(
        connection(client)
            .call::<_, Vec<OwnedObjectPath>>("ListSecrets", &(0_u32,))
            .await,
    );
    assert_eq!(error, "org.libvirt.Error.NoSupport");
    assert!(
        text.starts_with("this function is not supported by the connection driver"),
        "{text}"
    );
    let domain = find(client, "DomainLookupByName", "test").await;
    let snapshot: OwnedObjectPath = client
        .object(&domain, "org.libvirt.Domain")
        .call("SnapshotCreateXML", &("<domainsnapshot/>", 0_u32))
        .await
        .unwrap();
    let (error, text) = refusal(
        client
            .object(snapshot.as_str(), "org.libvirt.DomainSnapshot")
            .call::<_, OwnedObjectPath>("GetParent", &(0_u32,))
            .await,
    );
    assert_eq!(error, "org.libvirt.Error.NoDomainSnapshot");
    assert!(text.contains("does not have a parent"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_of_every_object_answers() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let pool = find(client, "StoragePoolLookupByName", "default-pool").await;
    let volume = "<volume><name>v</name><capacity>1024</capacity></volume>";
    let volume: OwnedObjectPath = client
        .object(&pool, "org.libvirt.StoragePool")
        .call("StorageVolCreateXML", &(volume, 0_u32))
        .await
        .unwrap();
    let domain = find(client, "DomainLookupByName", "test").await;
    let snapshot = "<domainsnapshot><name>s 1</name></domainsnapshot>";
    let snapshot: OwnedObjectPath = client
        .object(&domain, DOMAIN)
        .call("SnapshotCreateXML", &(snapshot, 0_u32))
        .await
        .unwrap();
    assert!(snapshot.as_str().ends_with("_s_201"), "{snapshot}");
    let objects = [
        (TEST.to_owned(), CONNECT),
        (snapshot.to_string(), "org.libvirt.DomainSnapshot"),
        (domain, DOMAIN),
        (volume.to_string(), "org.libvirt.StorageVol"),
        (
            find(client, "NetworkLookupByName", "default").await,
            "org.libvirt.Network",
        ),
        (
            find(client, "InterfaceLookupByName", "eth1").await,
            "org.libvirt.Interface",
        ),
        (
            find(client, "NodeDeviceLookupByName", "scsi_host1").await,
            "org.libvirt.NodeDevice",
        ),
        (pool, "org.libvirt.StoragePool"),
    ];
    let mut asked = 0;
    for (path, interface) in objects {
        let shown = introspect(client, &path).await.unwrap();
        let methods = Members::of(&shown, interface).methods;
        // Those that may take the object away come last.
        let (last, methods): (Vec<_>, Vec<_>) = methods.into_iter().partition(|method| {
            ["Delete", "Destroy", "Undefine", "Shutdown"].contains(&method.name.as_str())
        });
        for method in methods.into_iter().chain(last) {
            let name = &method.name;
            let reply = client
                .object(&path, interface)
                .call_values(name, method.arguments(&Way::default()))
                .await;
            asked += 1;
            let Err(error) = reply else { continue };
            assert!(error.is_refusal(), "{interface}.{name}: {error}");
            assert!(
                !error.name().ends_with(".InternalError"),
                "{interface}.{name}: {error}"
            );
            assert!(
                !error.to_string().ends_with("support "),
                "{interface}.{name}: {error}"
            );
        }
    }
    assert!(asked > 230, "only {asked} methods were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_and_one_match_give_the_whole_picture_and_keep_it() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .path_namespace("/org/libvirt")
        .build();
    let mut signals = MessageStream::for_match_rule(rule.unwrap(), client.connection(), None)
        .await
        .unwrap();
    let objects = managed(client, ROOT).await.unwrap();
    let kinds: Vec<usize> = [
        "/domain/",
        "/network/",
        "/storagepool/",
        "/interface/",
        "/nodedev/",
    ]
    .map(|kind| objects.keys().filter(|path| path.contains(kind)).count())
    .into();
    assert_eq!(kinds, [1, 1, 1, 1, 4]);

    let network: OwnedObjectPath = connection(client)
        .call("NetworkDefineXML", &("<network><name>n</name></network>",))
        .await
        .unwrap();
    client
        .object(network.as_str(), "org.libvirt.Network")
        .call::<_, ()>("Create", &())
        .await
        .unwrap();
    let mut told = Vec::new();
    while told.len() < 5 {
        let message = tokio::time::timeout(patient(LIMIT), signals.next())
            .await
            .expect("a signal in time")
            .unwrap()
            .unwrap();
        let header = message.header();
        told.push(format!(
            "{} {}",
            header.path().unwrap(),
            header.member().unwrap()
        ));
    }
    let expected = [
        "/org/libvirt/Test InterfacesAdded".to_owned(),
        "/org/libvirt InterfacesAdded".to_owned(),
        "/org/libvirt/Test NetworkEvent".to_owned(),
        format!("{network} PropertiesChanged"),
        "/org/libvirt/Test NetworkEvent".to_owned(),
    ];
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_names_wrap_values_as_their_clients_expect() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let path = find(client, "StoragePoolLookupByName", "default-pool").await;
    for (name, wrapped) in [("org.libvirt", true), ("org.virtbus", false)] {
        let pool = client.object(&path, "org.libvirt.StoragePool").of(name);
        let all = pool.get_all().await.unwrap();
        assert_eq!(
            matches!(&*all["Active"], Variant::Variant(_)),
            wrapped,
            "{name}: {:?}",
            all["Active"]
        );
        let one: OwnedVariant = pool.get("Active").await.unwrap();
        assert_eq!(*one, Variant::Bool(true), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_go_in_and_come_out_with_their_types() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let domain = client.object(&find(client, "DomainLookupByName", "test").await, DOMAIN);
    let limit = HashMap::from([("hard_limit", Variant::U64(4_000_000))]);
    domain
        .call::<_, ()>("SetMemoryParameters", &(limit, 2_u32))
        .await
        .unwrap();
    // That texts are welcome (4) goes without saying, and may be said.
    for flags in [2_u32, 2 | 4] {
        let read: HashMap<String, OwnedVariant> =
            domain.call("GetMemoryParameters", &(flags,)).await.unwrap();
        let Variant::Variant(limit) = &*read["hard_limit"] else {
            panic!("{read:?}");
        };
        assert_eq!(**limit, Variant::U64(4_000_000));
    }
    let plain = client.object(domain.path(), DOMAIN).of("org.virtbus");
    let read: HashMap<String, OwnedVariant> =
        plain.call("GetMemoryParameters", &(2_u32,)).await.unwrap();
    assert_eq!(*read["hard_limit"], Variant::U64(4_000_000));
    let wrong = HashMap::from([("hard_limit", Variant::Bool(true))]);
    let (error, text) = refusal(
        domain
            .call::<_, ()>("SetMemoryParameters", &(wrong, 2_u32))
            .await,
    );
    assert_eq!(error, "org.libvirt.Error.InvalidArg");
    assert!(text.contains("hard_limit"), "{text}");
    let unfit = HashMap::from([("hard_limit", Variant::U8(1))]);
    let (_, text) = refusal(
        domain
            .call::<_, ()>("SetMemoryParameters", &(unfit, 2_u32))
            .await,
    );
    assert!(text.contains("hard_limit"), "{text}");
    let (name, _) = refusal(
        domain
            .call::<_, Vec<u8>>("MemoryPeek", &(0_u64, 1_u64 << 40, 2_u32))
            .await,
    );
    assert_eq!(name, "org.libvirt.Error.InvalidArg");
}
