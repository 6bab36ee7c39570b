//! T3, T6, T8: clients that ask for more than they may have: calls, documents, answers they do not read, descriptors. Others' calls
//! are answered meanwhile, memory comes back, and the daemon lives.
//!
//! How long others wait is printed; what is asserted is only that nobody waits as long as a flood lasts.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::task::JoinHandle;
use virtbus_tests::campaign::rounds;
use virtbus_tests::client::{CONNECT, DOMAIN, SERVICE};
use virtbus_tests::process::memory;
use virtbus_tests::wait::{LIMIT, patient, wait_for_async};
use virtbus_tests::{Client, RawClient, Testbed, Waits, need, or_skip};
use zbus::message::Type;
use zbus::{Message, MessageStream, OwnedObjectPath, OwnedVariant};

const TEST: &str = "/org/libvirt/Test";

/// A daemon with the driver that has everything in memory.
async fn testbed() -> Result<Testbed, String> {
    Testbed::start(&["--drivers", "test"]).await
}

/// The domain that the driver begins with.
async fn some_domain(client: &Client) -> String {
    let connect = client.object(TEST, CONNECT);
    wait_for_async("the bus to hand a call on", LIMIT, async || {
        let path = connect
            .call::<_, OwnedObjectPath>("DomainLookupByName", &("test",))
            .await;
        match path {
            Err(error) if error.is_of_a_full_bus() => None,
            path => Some(path.expect("the driver has a domain").to_string()),
        }
    })
    .await
}

/// The document of a guest of which nothing matters.
fn guest(name: &str) -> String {
    format!(
        "<domain type='test'><name>{name}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    )
}

/// Reads a state again and again until the flood is over, and prints how long that took.
async fn reads_beside(testbed: &Testbed, flood: &JoinHandle<()>) {
    let client = Client::connect(testbed.bus.address())
        .await
        .expect("the bus takes connections");
    let domain = client.domain(&some_domain(&client).await);
    let mut waits = Waits::default();
    while !flood.is_finished() || waits.count() < 100 {
        let read = waits.read(&client, &domain).await;
        read.expect("a state is told during a flood");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("{}", waits.told().expect("nobody waits for a flood"));
}

/// Checks what must be so after a flood.
async fn survived(testbed: &mut Testbed, what: &str, before: u64, more: u64) {
    let ended = testbed.daemon.exited();
    assert!(ended.is_none(), "{what}: the daemon ended: {ended:?}");
    let after = memory(testbed.daemon.pid(), "VmRSS");
    println!("{what}: memory {before} -> {after} KiB");
    assert!(after < before + more, "{what}: {before} -> {after} KiB");
    some_domain(&testbed.client).await;
}

fn call<'a>(path: &'a str, interface: &'a str, member: &'a str) -> zbus::message::Builder<'a> {
    Message::method_call(path, member)
        .destination(SERVICE)
        .interface(interface)
}

/// A call, made anew each time: a bus lets none be sent twice while it is unanswered.
type Make = dyn Fn() -> Message + Send + Sync;

/// Sends each call so many times, each on its connection, and keeps the connections open.
async fn send(address: &str, calls: Vec<Arc<Make>>, times: u64) -> io::Result<Vec<RawClient>> {
    let each = calls.into_iter().map(|make| {
        let address = address.to_owned();
        tokio::task::spawn_blocking(move || {
            let mut client = RawClient::connect(&address)?;
            for _ in 0..times {
                client.send(&make())?;
            }
            Ok(client)
        })
    });
    let sent = join_all(each).await;
    sent.into_iter()
        .map(|sent| sent.map_err(io::Error::other)?)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_of_one_client_hold_up_nobody() {
    let mut testbed = or_skip!(testbed().await);
    let before = memory(testbed.daemon.pid(), "VmRSS");
    let path = some_domain(&testbed.client).await;
    let address = testbed.bus.address().to_owned();
    let calls = rounds(10_000, 200_000);
    let flood = tokio::spawn(async move {
        let reads = move || call(&path, DOMAIN, "GetXMLDesc").build(&(0_u32,)).unwrap();
        let writes = || {
            call(TEST, CONNECT, "DomainDefineXML")
                .build(&("<domain/>",))
                .unwrap()
        };
        let calls_of_each = calls / 2;
        send(
            &address,
            vec![Arc::new(reads), Arc::new(writes)],
            calls_of_each,
        )
        .await
        .unwrap();
    });
    reads_beside(&testbed, &flood).await;
    flood.await.unwrap();
    survived(&mut testbed, "calls", before, 64 << 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_forty_connections_hold_up_nobody() {
    let mut testbed = or_skip!(testbed().await);
    let before = memory(testbed.daemon.pid(), "VmRSS");
    let address = testbed.bus.address().to_owned();
    let flood = tokio::spawn(async move {
        // As many elements as fit, none of which belongs there.
        let document = format!(
            "<domain type='test'><name>x</name>{}</domain>",
            "<a b='c'/>".repeat(100_000)
        );
        let define = move || {
            call(TEST, CONNECT, "DomainDefineXML")
                .build(&(&document,))
                .unwrap()
        };
        let define: Arc<Make> = Arc::new(define);
        drop(
            send(&address, vec![define; 40], rounds(2, 50))
                .await
                .unwrap(),
        );
    });
    reads_beside(&testbed, &flood).await;
    flood.await.unwrap();
    survived(&mut testbed, "documents", before, 256 << 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_large_answers_that_nobody_reads_hold_up_nobody() {
    let mut testbed = or_skip!(testbed().await);
    let connect = testbed.client.object(TEST, CONNECT);
    let domains = rounds(1_000, 4_000);
    let define = async |number: u64| {
        let xml = guest(&format!("many-{number}"));
        connect
            .call::<_, OwnedObjectPath>("DomainDefineXML", &(&xml,))
            .await
    };
    for number in 0..domains {
        define(number).await.unwrap();
    }
    let before = memory(testbed.daemon.pid(), "VmRSS");
    let address = testbed.bus.address().to_owned();
    let flood = tokio::spawn(async move {
        let ask = || {
            call(
                TEST,
                "org.freedesktop.DBus.ObjectManager",
                "GetManagedObjects",
            )
            .build(&())
            .unwrap()
        };
        let unread = send(&address, vec![Arc::new(ask)], 1_000).await.unwrap();
        // The answers are made while they stay unread.
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(unread);
    });
    reads_beside(&testbed, &flood).await;
    flood.await.unwrap();
    survived(&mut testbed, "unread answers", before, 64 << 10).await;
    // Whoever reads is given all of it, as often as it asks.
    let reader = Client::connect(testbed.bus.address()).await.unwrap();
    for _ in 0..rounds(20, 200) {
        let manager = reader.object(TEST, "org.freedesktop.DBus.ObjectManager");
        let reply: Result<HashMap<OwnedObjectPath, Interfaces>, _> =
            manager.call("GetManagedObjects", &()).await;
        assert!(reply.unwrap().len() as u64 > domains);
    }
}

/// An object's interfaces with their properties.
type Interfaces = HashMap<String, HashMap<String, OwnedVariant>>;

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_of_calls_leave_some_for_the_daemon() {
    or_skip!(need::program("prlimit"));
    let mut testbed = or_skip!(Testbed::prepare(&["--drivers", "test"]).await);
    // Fewer than what comes with the calls that are sent at once.
    testbed.daemon.limit_open_files(Some(256));
    testbed.daemon.start(&testbed.client).await;
    let before = memory(testbed.daemon.pid(), "VmRSS");
    // No more at once than the kernel lets be under way between processes; a bus drops messages beyond that.
    let calls = usize::try_from(rounds(100, 100)).unwrap();
    let clients = 8;
    let mut floods = Vec::new();
    for _ in 0..clients {
        let client = Client::connect(testbed.bus.address()).await.unwrap();
        floods.push(tokio::spawn(async move {
            answers_to_descriptors(&client, calls).await
        }));
    }
    let flood = tokio::spawn(async move {
        for answers in join_all(floods).await {
            let answers = answers.unwrap();
            println!("{answers:?}");
            assert_eq!(answers.values().sum::<usize>(), calls);
            let known = [
                "done",
                "org.freedesktop.DBus.Error.LimitsExceeded",
                "org.libvirt.Error.OperationFailed",
            ];
            assert!(
                answers.keys().all(|name| known.contains(&name.as_str())),
                "{answers:?}"
            );
        }
    });
    reads_beside(&testbed, &flood).await;
    flood.await.unwrap();
    survived(&mut testbed, "descriptors", before, 64 << 10).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", testbed.daemon.pid()))
        .unwrap()
        .count();
    assert!(open < 64, "{open} descriptors are open");
}

/// Sends calls with descriptors, and counts the errors they are answered with.
async fn answers_to_descriptors(client: &Client, calls: usize) -> HashMap<String, usize> {
    let bus = client.connection();
    let mut messages = MessageStream::from(bus);
    let file = || OwnedFd::from(File::open("/dev/null").expect("it can be opened"));
    let xml = guest("with-files");
    let create = || {
        let files: Vec<zbus::OwnedFd> = (0..16).map(|_| file().into()).collect();
        call(TEST, CONNECT, "DomainCreateXMLWithFiles")
            .build(&(&xml, files, 0_u32))
            .expect("it is a message")
    };
    let sending = async {
        for _ in 0..calls {
            bus.send(&create()).await.expect("the bus takes it");
        }
    };
    let counting = async {
        let mut answers = HashMap::new();
        while answers.values().sum::<usize>() < calls {
            let message = tokio::time::timeout(patient(LIMIT), messages.next()).await;
            let Ok(message) = message else {
                panic!("of {calls} calls were answered: {answers:?}");
            };
            let message = message.expect("the bus is there").expect("it can be read");
            let header = message.header();
            let name = match (message.message_type(), header.error_name()) {
                (_, Some(name)) => name.to_string(),
                (Type::MethodReturn, None) => "done".to_owned(),
                _ => continue,
            };
            *answers.entry(name).or_default() += 1;
        }
        answers
    };
    futures_util::future::join(sending, counting).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_long_paths_take_no_memory() {
    let mut testbed = or_skip!(testbed().await);
    let before = memory(testbed.daemon.pid(), "VmRSS");
    // One after the other, each answered before the next: what is measured is what stays of them.
    let clients = rounds(4, 32);
    let mut connected = Vec::new();
    for _ in 0..clients {
        let client = Client::connect(testbed.bus.address()).await.unwrap();
        for number in 0..24 {
            let path = format!("{TEST}/domain/_{number}{}", "A".repeat(900_000));
            let domain = client.object(&path, DOMAIN);
            let error = domain.call::<_, ()>("Create", &(0_u32,)).await.unwrap_err();
            assert_eq!(error.name(), "org.freedesktop.DBus.Error.UnknownObject");
            assert!(error.to_string().len() < 4096, "the whole path is repeated");
        }
        connected.push(client);
    }
    survived(&mut testbed, "long paths", before, 32 << 10).await;
    drop(connected);
}
