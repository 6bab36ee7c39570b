//! Connections, opened and closed at run time: `org.libvirt.Manager` on a real bus.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt;
use virtbus_tests::client::{CONNECT, CallError, Client, Object};
use virtbus_tests::process::memory;
use virtbus_tests::wait::patient;
use virtbus_tests::{Testbed, or_skip};
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, OwnedObjectPath, Variant};

const ROOT: &str = "/org/libvirt";
const MANAGER: &str = "org.libvirt.Manager";
const LIMIT: Duration = Duration::from_secs(10);

fn manager(client: &Client) -> Object {
    client.object(ROOT, MANAGER)
}

async fn open(client: &Client, uri: &str) -> Result<String, CallError> {
    let options: HashMap<&str, Variant<'_>> = HashMap::new();
    let path: OwnedObjectPath = manager(client)
        .call("OpenConnection", &(uri, options))
        .await?;
    Ok(path.to_string())
}

async fn close(client: &Client, path: &str) -> Result<(), CallError> {
    let path = OwnedObjectPath::try_from(path).unwrap();
    manager(client).call("CloseConnection", &(path,)).await
}

async fn list(client: &Client) -> Vec<String> {
    let listed: Vec<OwnedObjectPath> = manager(client).call("ListConnections", &()).await.unwrap();
    listed.iter().map(ToString::to_string).collect()
}

fn name_of<T: std::fmt::Debug>(answer: Result<T, CallError>) -> String {
    match answer.unwrap_err() {
        CallError::Reply { name, .. } => name,
        other => panic!("{other}"),
    }
}

/// What the signals of the root say, from now on.
async fn signals(client: &Client) -> MessageStream {
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .path(ROOT)
        .build()
        .unwrap();
    MessageStream::for_match_rule(rule, client.connection(), NonZeroUsize::new(64))
        .await
        .unwrap()
}

/// The next signal of this name about a connection as such: its path, and the reason if it has one.
async fn next(signals: &mut MessageStream, member: &str) -> (String, Option<i32>) {
    let next = async {
        loop {
            let signal = signals.next().await.unwrap().unwrap();
            let (header, body) = (signal.header(), signal.body());
            if header.member().is_none_or(|name| name.as_str() != member) {
                continue;
            }
            if let Ok((path, reason)) = body.deserialize::<(OwnedObjectPath, i32)>() {
                return (path.to_string(), Some(reason));
            }
            let path = match member {
                "InterfacesRemoved" => {
                    body.deserialize::<(OwnedObjectPath, Vec<String>)>()
                        .unwrap()
                        .0
                }
                _ => {
                    body.deserialize::<(
                        OwnedObjectPath,
                        HashMap<String, HashMap<String, zbus::OwnedVariant>>,
                    )>()
                    .unwrap()
                    .0
                }
            };
            if path.as_str().matches('/').count() == 3 {
                return (path.to_string(), None);
            }
        }
    };
    tokio::time::timeout(patient(LIMIT), next).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_stand_side_by_side_and_go_without_a_trace() {
    let mut testbed = or_skip!(Testbed::start(&["--drivers", "test"]).await);
    let client = &testbed.client;
    let mut signals = signals(client).await;
    assert_eq!(list(client).await, ["/org/libvirt/Test"]);
    for _ in 0..2 {
        let one = open(client, "test:///default").await.unwrap();
        let other = open(client, "test:///default").await.unwrap();
        assert_eq!(one, "/org/libvirt/Test1");
        assert_eq!(other, "/org/libvirt/Test2");
        assert_eq!(next(&mut signals, "InterfacesAdded").await.0, one);
        assert_eq!(next(&mut signals, "InterfacesAdded").await.0, other);
        assert_eq!(list(client).await, ["/org/libvirt/Test", &one, &other]);
        // What happens on one is not known to the other.
        let name = "DomainLookupByName";
        let domain: OwnedObjectPath = client
            .object(&one, CONNECT)
            .call(name, &("test",))
            .await
            .unwrap();
        assert!(domain.as_str().starts_with(&format!("{one}/domain/")));
        let domain = client.domain(domain.as_str());
        domain.act("Destroy", 0).await.unwrap();
        let running = async |path: &str| {
            let connect = client.object(path, CONNECT);
            let domains: Vec<OwnedObjectPath> =
                connect.call("ListDomains", &(1_u32,)).await.unwrap();
            domains.len()
        };
        assert_eq!((running(&one).await, running(&other).await), (0, 1));
        // Gone means gone: the objects, and who was told of them.
        close(client, &one).await.unwrap();
        assert_eq!(next(&mut signals, "InterfacesRemoved").await.0, one);
        assert_eq!(
            next(&mut signals, "ConnectionClosed").await,
            (one.clone(), Some(3))
        );
        let gone = domain.state().await;
        assert_eq!(name_of(gone), "org.freedesktop.DBus.Error.UnknownObject");
        assert_eq!(running(&other).await, 1);
        close(client, &other).await.unwrap();
        assert_eq!(next(&mut signals, "ConnectionClosed").await.0, other);
    }
    drop(signals);
    // Two hundred connections with their objects leave no memory behind.
    let pid = testbed.daemon.pid();
    let mut before = 0;
    for round in 0..200 {
        let path = open(client, "test:///default").await.unwrap();
        let connect = client.object(&path, CONNECT);
        let _: Vec<OwnedObjectPath> = connect.call("ListDomains", &(0_u32,)).await.unwrap();
        close(client, &path).await.unwrap();
        if round == 50 {
            before = memory(pid, "VmRSS");
        }
    }
    let after = memory(pid, "VmRSS");
    assert!(after < before + 2048, "{before} -> {after} KiB");
    assert!(testbed.daemon.exited().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_or_closed_is_refused_by_name() {
    let testbed = or_skip!(Testbed::start(&["--drivers", "test"]).await);
    let client = &testbed.client;
    for (uri, error) in [
        ("esx://host/", "org.libvirt.Error.NoConnect"),
        ("test", "org.libvirt.Error.InvalidArg"),
        ("test:///nowhere.xml", "org.libvirt.Error.XmlError"),
    ] {
        assert_eq!(name_of(open(client, uri).await), error, "{uri}");
    }
    let options = HashMap::from([("color", Variant::from("red"))]);
    let refused = manager(client)
        .call::<_, OwnedObjectPath>("OpenConnection", &("test:///default", options))
        .await;
    assert_eq!(name_of(refused), "org.libvirt.Error.InvalidArg");
    for (path, error) in [
        ("/org/libvirt/Test", "org.libvirt.Error.OperationDenied"),
        ("/org/libvirt/Nobody", "org.libvirt.Error.NoConnect"),
        ("/org/libvirt", "org.libvirt.Error.InvalidArg"),
    ] {
        assert_eq!(name_of(close(client, path).await), error, "{path}");
    }
    assert_eq!(list(client).await, ["/org/libvirt/Test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_the_settings_is_opened_by_its_first_use() {
    let mut testbed = or_skip!(Testbed::prepare(&["--drivers", "test"]).await);
    let file = testbed.path("virtbusd.toml");
    let node = testbed.path("node.xml");
    let settings = format!(
        "[daemon]\nconnections = [\"lab=test://{}\"]\n",
        node.display()
    );
    std::fs::write(&file, settings).unwrap();
    testbed.daemon.argument("--config");
    testbed.daemon.argument(&file.display().to_string());
    testbed.daemon.start(&testbed.client).await;
    let client = &testbed.client;
    assert_eq!(
        list(client).await,
        ["/org/libvirt/Test", "/org/libvirt/lab"]
    );
    // The file of the node is not there yet, and nobody minds until somebody looks.
    let lab = client.object("/org/libvirt/lab", CONNECT);
    let domains = async || {
        lab.call::<_, Vec<OwnedObjectPath>>("ListDomains", &(0_u32,))
            .await
    };
    domains().await.unwrap_err();
    std::fs::write(&node, "<node><domain type='test'><name>a</name><memory>1024</memory><os><type>hvm</type></os></domain></node>").unwrap();
    assert_eq!(domains().await.unwrap().len(), 1);
    // After it was closed, its next use opens it anew.
    std::fs::write(&node, "<node/>").unwrap();
    assert_eq!(domains().await.unwrap().len(), 1);
    close(client, "/org/libvirt/lab").await.unwrap();
    assert_eq!(domains().await.unwrap().len(), 0);
}
