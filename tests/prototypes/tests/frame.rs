//! Whether the frame carries: a driver for another host behind a slow server, and rows of another protocol.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};
use virtbus_api::access::{Authorizer, Caller, Guard, Object, ObjectClass, Permission, Verdict};
use virtbus_api::connections::{Connections, Driver, Drivers};
use virtbus_api::providers::Providers;
use virtbus_api::{Connection, ErrorCode};
use virtbus_dbus::{Arrivals, BUS_NAME, Clients, Limits, Service};
use virtbus_prototypes::{remote::Far, rpc};
use virtbus_skip::or_skip;
use virtbus_tests::bus::PrivateBus;
use virtbus_tests::client::{CONNECT, Client, DOMAIN, MANAGER};
use virtbus_tests::wait::patient;
use zbus::message::Type;
use zbus::{Address, MatchRule, MessageStream, OwnedObjectPath, Variant};

/// Lets everybody do everything, or nothing.
struct All(Verdict);

#[async_trait]
impl Authorizer for All {
    async fn check(&self, _: &Caller, _: Permission, _: &dyn Object) -> Verdict {
        self.0
    }

    fn tells_apart(&self, _: ObjectClass) -> bool {
        false
    }
}

/// A server that takes its time. Ended, with all connections to it, when it is dropped.
struct Server(JoinHandle<()>);

impl Server {
    fn start(path: &Path, name: &'static str) -> Self {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        Self(tokio::spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                clients.spawn(async move {
                    let (read, mut write) = stream.into_split();
                    let mut lines = BufReader::new(read).lines();
                    while let Ok(Some(question)) = lines.next_line().await {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        let answer = match question.as_str() {
                            "list" => format!(
                                "11111111-1111-4111-8111-111111111111 {name}-web running;\
                                 22222222-2222-4222-8222-222222222222 {name}-db off\n"
                            ),
                            _ => format!("{name}\n"),
                        };
                        let _ = write.write_all(answer.as_bytes()).await;
                    }
                });
            }
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A daemon's service in this process, with this driver.
async fn serve(bus: &PrivateBus, driver: Arc<dyn Driver>) -> Arc<Connections> {
    let guard = Guard::new(Arc::new(All(Verdict::Granted)));
    let drivers = Drivers::new(Providers::default());
    drivers.add(driver);
    let connections = Connections::new(guard, drivers);
    let arrivals = Arrivals::new(64);
    let address = Address::try_from(bus.address()).unwrap();
    let (connection, messages) = virtbus_dbus::connect(address, &arrivals).await.unwrap();
    let limits = Limits::new(1024, 1024);
    let clients = Clients::new(&arrivals);
    let service = Service::new(connection.clone(), arrivals, &clients, &connections, limits);
    tokio::spawn(async move { service.run(messages).await });
    connection.request_name(BUS_NAME).await.unwrap();
    connections
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_stand_side_by_side_and_one_that_dies_takes_nothing_with_it() {
    let bus = or_skip!(PrivateBus::start());
    let connections = serve(&bus, Arc::new(Far)).await;
    let client = Client::connect(bus.address()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let socket = |name: &str| -> PathBuf { dir.path().join(name) };
    let manager = client.object("/org/libvirt", MANAGER);
    let open = async |name: &str| -> String {
        let uri = format!("far://{}", socket(name).display());
        let none: HashMap<&str, Variant<'_>> = HashMap::new();
        let path: OwnedObjectPath = manager.call("OpenConnection", &(uri, none)).await.unwrap();
        path.to_string()
    };
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .interface(MANAGER)
        .build()
        .unwrap();
    let mut closed = MessageStream::for_match_rule(rule, client.connection(), None)
        .await
        .unwrap();
    for _ in 0..2 {
        let (one, other) = (
            Server::start(&socket("a"), "a"),
            Server::start(&socket("b"), "b"),
        );
        let (path_one, path_other) = (open("a").await, open("b").await);
        assert_eq!(
            (&*path_one, &*path_other),
            ("/org/libvirt/Far1", "/org/libvirt/Far2")
        );
        for (path, name) in [(&path_one, "a"), (&path_other, "b")] {
            let connect = client.object(path, CONNECT);
            let hostname: String = connect.get("Hostname").await.unwrap();
            assert_eq!(hostname, name);
            let running: Vec<OwnedObjectPath> =
                connect.call("ListDomains", &(1_u32,)).await.unwrap();
            let domain = client.object(running[0].as_str(), DOMAIN);
            assert_eq!(
                domain.get::<String>("Name").await.unwrap(),
                format!("{name}-web")
            );
            let missing = connect
                .call::<_, OwnedObjectPath>("DomainLookupByName", &("x",))
                .await;
            assert!(missing.unwrap_err().name().ends_with(".NoDomain"));
        }
        // One host dies; that is told, and the other is not touched.
        drop(one);
        let told = tokio::time::timeout(patient(Duration::from_secs(10)), closed.next()).await;
        let told = told.unwrap().unwrap().unwrap();
        let (path, reason): (OwnedObjectPath, i32) = told.body().deserialize().unwrap();
        assert_eq!((path.as_str(), reason), (&*path_one, 1));
        let connect = client.object(&path_other, CONNECT);
        let all: Vec<OwnedObjectPath> = connect.call("ListDomains", &(0_u32,)).await.unwrap();
        assert_eq!(all.len(), 2);
        let path = OwnedObjectPath::try_from(path_other).unwrap();
        manager
            .call::<_, ()>("CloseConnection", &(path,))
            .await
            .unwrap();
        let told = closed.next().await.unwrap().unwrap();
        let (_, reason): (OwnedObjectPath, i32) = told.body().deserialize().unwrap();
        assert_eq!(reason, 3);
        assert!(connections.all().is_empty());
        drop(other);
    }
}

#[tokio::test]
async fn rows_of_the_wire_protocol_make_the_calls_that_the_bus_makes() {
    let caller = Caller::Process {
        client: virtbus_api::access::Client::new("socket 1"),
        pid: 1,
        start_time: 0,
        uid: 0,
        interactive: false,
    };
    let guarded = async |verdict| {
        let test: Arc<dyn Connection> = virtbus_test::Test::open("test:///default").await.unwrap();
        Connections::new(Guard::new(Arc::new(All(verdict))), Arc::default()).serve(test)
    };
    let guarded_by = guarded(Verdict::Granted).await;
    let ask =
        async |procedure, args: &[u8]| rpc::answer(&guarded_by, &caller, procedure, args).await;
    let name = b"\0\0\0\x04test".as_slice();
    let domain = ask(23, name).await.unwrap();
    assert_eq!(&domain[..8], name);
    let with_flags = |flags: u32| [&domain[..], &flags.to_be_bytes()].concat();
    let state = ask(212, &with_flags(0)).await.unwrap();
    assert_eq!(state[..4], [0, 0, 0, 1]);
    let refused = ask(234, &with_flags(2)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidArg);
    assert!(
        refused.message.contains("VIR_DOMAIN_DESTROY_REMOVE_LOGS"),
        "{refused}"
    );
    ask(234, &with_flags(0)).await.unwrap();
    assert_eq!(ask(212, &with_flags(0)).await.unwrap()[..4], [0, 0, 0, 5]);
    for (procedure, args) in [
        (23, &name[..7]),
        (23, b"\xff\xff\xff\xff".as_slice()),
        (212, b""),
        (9999, b""),
    ] {
        let refused = ask(procedure, args).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidArg);
    }
    assert_eq!(ask(9, b"").await.unwrap_err().code, ErrorCode::NoSupport);
    // Whoever may do nothing is told nothing.
    let closed = guarded(Verdict::Denied).await;
    let refused = rpc::answer(&closed, &caller, 23, name).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::AccessDenied);
}
