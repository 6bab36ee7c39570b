//! What clients of libvirt-dbus met: definitions that made messages which the bus refuses, arguments that only libvirt refused, and
//! answers that scripts could not tell apart. On a real bus, with the test driver.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::{HashMap, HashSet};

use virtbus_tests::client::{CONNECT, CallError, Client, DOMAIN, Object};
use virtbus_tests::walk::objects::TEST;
use virtbus_tests::walk::{ROOT, managed};
use virtbus_tests::{Testbed, or_skip};
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

type Paths = Vec<OwnedObjectPath>;
type Parameters = HashMap<String, OwnedVariant>;

async fn testbed() -> Result<Testbed, String> {
    Testbed::start(&["--drivers", "test"]).await
}

fn connection(client: &Client) -> Object {
    client.object(TEST, CONNECT)
}

async fn first_domain(client: &Client) -> Object {
    let path: OwnedObjectPath = connection(client)
        .call("DomainLookupByName", &("test",))
        .await
        .unwrap();
    client.object(path.as_str(), DOMAIN)
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, CallError>) -> (String, String) {
    match answer.unwrap_err() {
        CallError::Reply { name, message } => (name, message),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_without_an_address_is_served_like_any_other() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let connection = connection(client);
    for xml in [
        "<interface type='ethernet' name='eth9'/>",
        "<interface type='bridge' name='br0'><bridge><interface type='ethernet' name='eth9'/></bridge></interface>",
        "<interface type='vlan'><vlan tag='42'><interface name='eth1'/></vlan></interface>",
        "<interface type='bond' name='bond0'><bond mode='802.3ad'/></interface>",
    ] {
        let path: OwnedObjectPath = connection
            .call("InterfaceDefineXML", &(xml, 0_u32))
            .await
            .unwrap();
        let listed: Paths = connection.call("ListInterfaces", &(0_u32,)).await.unwrap();
        assert!(listed.contains(&path), "{xml}");
        let all = managed(client, ROOT).await.unwrap();
        assert!(all.contains_key(path.as_str()), "{xml}");
        let interface = client.object(path.as_str(), "org.libvirt.Interface");
        let mac: String = interface.get("MAC").await.unwrap();
        let found: OwnedObjectPath = connection
            .call("InterfaceLookupByMAC", &(mac,))
            .await
            .unwrap();
        assert_eq!(found, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_what_was_made() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let pool: OwnedObjectPath = connection(client)
        .call("StoragePoolLookupByName", &("default-pool",))
        .await
        .unwrap();
    let pool = client.object(pool.as_str(), "org.libvirt.StoragePool");
    let volume = |path: &OwnedObjectPath| client.object(path.as_str(), "org.libvirt.StorageVol");
    let xml = "<volume><name>base</name><capacity>4096</capacity></volume>";
    let base: OwnedObjectPath = pool
        .call("StorageVolCreateXML", &(xml, 0_u32))
        .await
        .unwrap();
    let xml: String = volume(&base).call("GetXMLDesc", &(0_u32,)).await.unwrap();
    let xml = xml.replace("<name>base</name>", "<name>clone</name>");
    let clone: OwnedObjectPath = pool
        .call("StorageVolCreateXML", &(xml, 0_u32))
        .await
        .unwrap();
    assert_ne!(base, clone);
    volume(&clone)
        .call::<_, ()>("Delete", &(0_u32,))
        .await
        .unwrap();
    let left: Paths = pool.call("ListStorageVolumes", &(0_u32,)).await.unwrap();
    assert_eq!(left, [base]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_of_parameters_has_the_form_that_its_caller_expects() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let domain = first_domain(client).await;
    for name in ["org.libvirt", "org.virtbus"] {
        let domain = client.object(domain.path(), DOMAIN).of(name);
        let mut lists: Vec<(&str, Parameters)> = Vec::new();
        for method in [
            "GetBlockIOParameters",
            "GetMemoryParameters",
            "GetNumaParameters",
            "GetSchedulerParameters",
        ] {
            // VIR_TYPED_PARAM_STRING_OKAY.
            lists.push((method, domain.call(method, &(4_u32,)).await.unwrap()));
        }
        for (method, device) in [
            ("GetBlockIOTune", "vda"),
            ("GetInterfaceParameters", "testnet0"),
        ] {
            lists.push((method, domain.call(method, &(device, 4_u32)).await.unwrap()));
        }
        lists.push((
            "GetStats",
            domain.call("GetStats", &(0_u32, 0_u32)).await.unwrap(),
        ));
        let mut seen = 0;
        for (method, list) in lists {
            for (field, value) in list {
                let is_wrapped = matches!(&*value, Variant::Variant(_));
                assert_eq!(is_wrapped, name == "org.libvirt", "{method} {field}");
                seen += 1;
            }
        }
        assert!(seen > 20, "only {seen} parameters");
        // These are plain for everybody.
        let stats: Parameters = domain.call("BlockStats", &("vda", 4_u32)).await.unwrap();
        assert!(
            stats
                .values()
                .all(|value| !matches!(&**value, Variant::Variant(_)))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_nobody_knows_are_left_out_unless_the_caller_insists() {
    let testbed = or_skip!(testbed().await);
    let domain = first_domain(&testbed.client).await;
    let (unknown, enforce) = (1_u32 << 20, 1_u32 << 31);
    let stats = async |groups, flags| {
        domain
            .call::<_, Parameters>("GetStats", &(groups, flags))
            .await
    };
    assert_eq!(stats(unknown, 0).await.unwrap().len(), 0);
    let known = stats(1 | unknown, 0).await.unwrap();
    let fields: HashSet<&str> = known.keys().map(String::as_str).collect();
    assert_eq!(fields, HashSet::from(["state.state", "state.reason"]));
    let (error, _) = refusal(stats(1 | unknown, enforce).await);
    assert_eq!(error, "org.libvirt.Error.ArgumentUnsupported");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_errors_begin_with_what_scripts_look_for() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let domain = first_domain(client).await;
    for (name, is_told) in [("org.libvirt", true), ("org.virtbus", false)] {
        let domain = client.object(domain.path(), DOMAIN).of(name);
        let connection = client.object(TEST, CONNECT).of(name);
        let define = async |xml: &str| {
            refusal(
                connection
                    .call::<_, OwnedObjectPath>("DomainDefineXML", &(xml,))
                    .await,
            )
        };
        let unsupported = "<domain type='test'><name>a</name><memory>1</memory><os><type>hvm</type></os>\
            <devices><controller type='usb' model='none'/><hub type='usb'/></devices></domain>";
        for (begins, (_, text)) in [
            (
                "Requested operation is not valid: ",
                refusal(domain.call::<_, ()>("Resume", &()).await),
            ),
            (
                "invalid argument: ",
                refusal(domain.call::<_, ()>("SetVcpus", &(0_u32, 0_u32)).await),
            ),
            ("XML error: ", define("<domain").await),
            ("unsupported configuration: ", define(unsupported).await),
        ] {
            assert_eq!(text.starts_with(begins), is_told, "{name}: {text}");
        }
        // This one is for everybody.
        let gone = connection.call::<_, OwnedObjectPath>("DomainLookupByName", &("none",));
        let (_, text) = refusal(gone.await);
        assert!(text.starts_with("Domain not found: none"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_are_checked_before_any_driver_sees_them() {
    let testbed = or_skip!(testbed().await);
    let domain = first_domain(&testbed.client).await;
    let none = || HashMap::<&str, Variant<'_>>::new();
    let mut answers: Vec<(&str, Result<(), CallError>)> = Vec::new();
    for method in [
        "SetBlockIOParameters",
        "SetMemoryParameters",
        "SetNumaParameters",
        "SetPerfEvents",
        "SetSchedulerParameters",
    ] {
        answers.push((method, domain.call(method, &(none(), 0_u32)).await));
    }
    for (method, device) in [
        ("SetBlockIOTune", "vda"),
        ("SetInterfaceParameters", "testnet0"),
    ] {
        answers.push((method, domain.call(method, &(device, none(), 0_u32)).await));
    }
    let limits = HashMap::from([
        ("hard_limit", Variant::U64(2)),
        ("swap_hard_limit", Variant::U64(1)),
    ]);
    answers.push((
        "limits",
        domain.call("SetMemoryParameters", &(limits, 0_u32)).await,
    ));
    for keys in [Vec::new(), vec![30_u32; 17]] {
        let keys = domain.call("SendKey", &(0_u32, 0_u32, keys, 0_u32)).await;
        answers.push(("SendKey", keys));
    }
    for (pid, signal) in [(1_i64, 65_u32), (0, 9)] {
        let signalled = domain
            .call("SendProcessSignal", &(pid, signal, 0_u32))
            .await;
        answers.push(("SendProcessSignal", signalled));
    }
    for flags in [0_u32, 3] {
        let peeked = domain
            .call::<_, Vec<u8>>("MemoryPeek", &(0_u64, 1_u64, flags))
            .await;
        answers.push(("MemoryPeek", peeked.map(drop)));
    }
    for flags in [4_u32, 8 | 2, 8 | 16] {
        answers.push(("SetVcpus", domain.call("SetVcpus", &(1_u32, flags)).await));
    }
    for (kind, key, uri) in [
        (1, "key", ""),
        (1, "", "uri"),
        (0, "key", ""),
        (2, "", "uri"),
    ] {
        let noted = domain
            .call("SetMetadata", &(kind, "<a/>", key, uri, 0_u32))
            .await;
        answers.push(("SetMetadata", noted));
    }
    for (method, answer) in answers {
        let (error, text) = refusal(answer);
        assert_eq!(error, "org.libvirt.Error.InvalidArg", "{method}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_that_a_driver_does_not_know_are_refused_before_anything_happens() {
    let testbed = or_skip!(testbed().await);
    let domain = first_domain(&testbed.client).await;
    let before: (i32, i32) = domain.call("GetState", &(0_u32,)).await.unwrap();
    for (method, flags, named) in [
        ("Shutdown", 1_u32, "0x1"),
        ("Destroy", 2, "0x2 (VIR_DOMAIN_DESTROY_REMOVE_LOGS)"),
        ("Reboot", 1 << 20, "0x100000"),
    ] {
        let answer = domain.call::<_, ()>(method, &(flags,)).await;
        let (error, text) = refusal(answer);
        assert_eq!(error, "org.libvirt.Error.InvalidArg", "{method}: {text}");
        assert!(text.contains(named), "{method}: {text}");
    }
    let after: (i32, i32) = domain.call("GetState", &(0_u32,)).await.unwrap();
    assert_eq!(after, before);
}
