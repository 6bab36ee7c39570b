//! Whether the frame carries: a driver for another host behind a slow server, and rows of another protocol.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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
use virtbus_mirror::Pace;
use virtbus_prototypes::stateless::Plain;
use virtbus_prototypes::{remote, rpc};
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

/// A guest of the server: UUID, name, state, autostart.
type Guest = [String; 4];

/// What a server has, and how often it was asked.
struct Far {
    name: &'static str,
    guests: Mutex<Vec<Guest>>,
    asked: AtomicUsize,
}

impl Far {
    fn answer(&self, question: &str) -> String {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut guests = self.guests.lock().unwrap();
        let words: Vec<&str> = question.split(' ').collect();
        let meant =
            |guest: &&mut Guest| guest[..2].iter().any(|name| Some(&&**name) == words.get(1));
        let meant = guests.iter_mut().find(meant);
        match (&words[..], meant) {
            (["list"], _) => {
                let guests: Vec<String> = guests.iter().map(|guest| guest.join(" ")).collect();
                guests.join(";")
            }
            (["find", _], Some(guest)) => guest[..2].join(" "),
            (["state", _], Some(guest)) => guest[2].clone(),
            (["autostart", _], Some(guest)) => guest[3].clone(),
            (["autostart", _, word], Some(guest)) => {
                guest[3] = (*word).to_owned();
                guest.join(" ")
            }
            (["host"], _) => self.name.to_owned(),
            _ => String::new(),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// A server that takes its time. Ended, with all connections to it, when it is dropped.
struct Server(Arc<Far>, JoinHandle<()>);

impl Server {
    fn start(path: &Path, name: &'static str) -> Self {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        let guest = |uuid: &str, guest: &str, state: &str| {
            [uuid, &format!("{name}-{guest}"), state, "off"].map(str::to_owned)
        };
        let guests = Mutex::new(vec![
            guest("11111111-1111-4111-8111-111111111111", "web", "running"),
            guest("22222222-2222-4222-8222-222222222222", "db", "off"),
        ]);
        let asked = AtomicUsize::new(0);
        let far = Arc::new(Far {
            name,
            guests,
            asked,
        });
        let answering = Arc::clone(&far);
        let accepting = tokio::spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let far = Arc::clone(&answering);
                clients.spawn(async move {
                    let (read, mut write) = stream.into_split();
                    let mut lines = BufReader::new(read).lines();
                    while let Ok(Some(question)) = lines.next_line().await {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        let answer = format!("{}\n", far.answer(&question));
                        let _ = write.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        Self(far, accepting)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.1.abort();
    }
}

/// So rarely that a test does not see it.
const SELDOM: Pace = Pace {
    period: Duration::from_secs(3600),
    deadline: Duration::from_secs(60),
    longest: Duration::from_secs(3600),
    tries: 3,
};

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
    let connections = serve(&bus, Arc::new(remote::Far(SELDOM))).await;
    let client = Client::connect(bus.address()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let socket = |name: &str| -> PathBuf { dir.path().join(name) };
    let manager = client.object("/org/libvirt", MANAGER);
    let open = async |name: &str| -> String {
        let uri = format!("far://{}", socket(name).display());
        open(&client, &uri).await
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

/// Opens a connection to a server; its path.
async fn open(client: &Client, uri: &str) -> String {
    let none: HashMap<&str, Variant<'_>> = HashMap::new();
    let manager = client.object("/org/libvirt", MANAGER);
    let path: OwnedObjectPath = manager.call("OpenConnection", &(uri, none)).await.unwrap();
    path.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_mirrored_the_other_host_is_not_asked() {
    let bus = or_skip!(PrivateBus::start());
    let _connections = serve(&bus, Arc::new(remote::Far(SELDOM))).await;
    let client = Client::connect(bus.address()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("far");
    let server = Server::start(&socket, "far");
    let path = open(&client, &format!("far://{}", socket.display())).await;
    assert_eq!(server.0.asked(), 1);
    let connect = client.object(&path, CONNECT);
    let web: OwnedObjectPath = connect
        .call("DomainLookupByName", &("far-web",))
        .await
        .unwrap();
    let domain = client.object(web.as_str(), DOMAIN);
    let state: (i32, i32) = domain.call("GetState", &(0_u32,)).await.unwrap();
    assert_eq!(state, (1, 1));
    assert_eq!(domain.get_all().await.unwrap().len(), 9);
    let all: Vec<OwnedObjectPath> = connect.call("ListDomains", &(0_u32,)).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(server.0.asked(), 1, "for what is known");
    // What is done is asked for once, and known when the reply is there.
    domain.set("Autostart", true.into()).await.unwrap();
    assert!(domain.get::<bool>("Autostart").await.unwrap());
    assert_eq!(server.0.asked(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_on_the_other_host_is_announced() {
    let bus = or_skip!(PrivateBus::start());
    let pace = Pace {
        period: Duration::from_millis(20),
        ..SELDOM
    };
    let _connections = serve(&bus, Arc::new(remote::Far(pace))).await;
    let client = Client::connect(bus.address()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("far");
    let server = Server::start(&socket, "far");
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .interface(CONNECT)
        .build()
        .unwrap();
    let mut events = MessageStream::for_match_rule(rule, client.connection(), None)
        .await
        .unwrap();
    let path = open(&client, &format!("far://{}", socket.display())).await;
    server.0.guests.lock().unwrap()[1][2] = "running".to_owned();
    let mut told = async || {
        let limit = patient(Duration::from_secs(10));
        let event = tokio::time::timeout(limit, events.next()).await;
        let event = event.unwrap().unwrap().unwrap();
        let body: (OwnedObjectPath, i32, i32) = event.body().deserialize().unwrap();
        (body.0.to_string(), body.1)
    };
    let db = format!("{path}/domain/_22222222_2222_4222_8222_222222222222");
    assert_eq!(told().await, (db.clone(), 2), "started");
    server.0.guests.lock().unwrap()[1][1] = "far-other".to_owned();
    assert_eq!(
        told().await,
        (db.clone(), 1),
        "undefined under the old name"
    );
    assert_eq!(told().await, (db.clone(), 0), "defined under the new one");
    server.0.guests.lock().unwrap().remove(1);
    assert_eq!(told().await, (db.clone(), 5), "stopped");
    assert_eq!(told().await, (db, 1), "undefined");
}

#[tokio::test(flavor = "multi_thread")]
async fn to_act_on_an_object_no_more_is_asked_than_what_names_it() {
    let bus = or_skip!(PrivateBus::start());
    let _connections = serve(&bus, Arc::new(Plain)).await;
    let client = Client::connect(bus.address()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("plain");
    let server = Server::start(&socket, "plain");
    let path = open(&client, &format!("plain://{}", socket.display())).await;
    let connect = client.object(&path, CONNECT);
    let asked = std::cell::Cell::new(0);
    let since = || {
        let all = server.0.asked();
        all - asked.replace(all)
    };
    let web: OwnedObjectPath = connect
        .call("DomainLookupByName", &("plain-web",))
        .await
        .unwrap();
    assert_eq!(since(), 1, "to find it");
    let domain = client.object(web.as_str(), DOMAIN);
    domain.set("Autostart", true.into()).await.unwrap();
    assert_eq!(since(), 2, "to find it, and to act");
    let _: String = domain.call("GetXMLDesc", &(0_u32,)).await.unwrap();
    assert_eq!(since(), 2, "to find it, and to be answered");
    // All that is known of it takes three.
    assert!(domain.get::<bool>("Autostart").await.unwrap());
    assert_eq!(since(), 3);
    let state: (i32, i32) = domain.call("GetState", &(0_u32,)).await.unwrap();
    assert_eq!((state, since()), ((1, 1), 3));
    let missing = client.object(
        &format!("{path}/domain/_{}", "33333333_3333_4333_8333_333333333333"),
        DOMAIN,
    );
    let refused = missing
        .call::<_, String>("GetXMLDesc", &(0_u32,))
        .await
        .unwrap_err();
    assert!(refused.name().ends_with(".NoDomain"));
    assert_eq!(since(), 1);
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
