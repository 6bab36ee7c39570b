//! The same call again and again (T16): whatever is asked for, and however often it is refused, the daemon's memory stays what it is.

use virtbus_tests::client::{DOMAIN, QEMU_PATH, SERVICE};
use virtbus_tests::process::memory;
use virtbus_tests::{CallError, Client, Domain, DomainXml, Testbed, campaign, or_skip};

/// What all repetitions of one call may add, KiB: far less than a byte for each would in the long form.
const GROWTH: u64 = 8 << 10;

/// Calls of one kind before memory is looked at first, so that what is made once is there.
const WARM: u64 = 200;

/// One call of each kind, with what it is called.
const CALLS: [&str; 12] = [
    "state",
    "xml",
    "statistics",
    "properties",
    "list",
    "objects",
    "introspection",
    "capabilities",
    "a guest that is not there",
    "a definition that is damaged",
    "a definition that is too large",
    "a start without an emulator",
];

async fn call(which: &str, client: &Client, domain: &Domain) -> Result<(), CallError> {
    let connect = client.qemu();
    let refused = |answer: Result<(), CallError>| match answer {
        Err(error) if error.is_refusal() => Ok(()),
        other => panic!("{which}: {other:?}"),
    };
    match which {
        "state" => domain.state().await.map(drop),
        "xml" => domain.xml(0).await.map(drop),
        "statistics" => domain.statistics().await.map(drop),
        "properties" => domain.0.get_all().await.map(drop),
        "list" => client.list(0).await.map(drop),
        "objects" => {
            let manager = client.object(QEMU_PATH, "org.freedesktop.DBus.ObjectManager");
            manager
                .call_values("GetManagedObjects", Vec::new())
                .await
                .map(drop)
        }
        "introspection" => {
            let object = client.object(domain.path(), "org.freedesktop.DBus.Introspectable");
            object.call::<_, String>("Introspect", &()).await.map(drop)
        }
        "capabilities" => connect
            .call::<_, String>("GetCapabilities", &())
            .await
            .map(drop),
        "a guest that is not there" => {
            let path = format!("{QEMU_PATH}/domain/_00000000_0000_0000_0000_000000000000");
            let object = client.object(&path, DOMAIN).of(SERVICE);
            let answer: Result<(i32, i32), _> = object.call("GetState", &(0_u32,)).await;
            assert!(answer.is_err(), "{which}");
            Ok(())
        }
        "a definition that is damaged" => {
            let xml = DomainXml::small("damaged").xml();
            refused(client.define(&xml[..xml.len() / 2]).await.map(drop))
        }
        "a definition that is too large" => {
            let xml = DomainXml::small("large")
                .device(&"<channel type='pty'><target type='virtio'/></channel>".repeat(1100));
            refused(client.define(&xml.xml()).await.map(drop))
        }
        "a start without an emulator" => {
            let xml = DomainXml::small("lacking").emulator(std::path::Path::new("/nonexistent"));
            refused(client.create(&xml.xml(), 0).await.map(drop))
        }
        other => panic!("there is no call '{other}'"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_takes_memory_each_time() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let domain = testbed.define(&DomainXml::small("asked")).await;
    let pid = testbed.daemon.pid();
    let rounds = campaign::rounds(400, 100_000);
    let mut grown = Vec::new();
    for which in CALLS {
        for _ in 0..WARM {
            call(which, &testbed.client, &domain)
                .await
                .unwrap_or_else(|error| panic!("{which}: {error}"));
        }
        let before = memory(pid, "RssAnon");
        for _ in 0..rounds {
            call(which, &testbed.client, &domain)
                .await
                .unwrap_or_else(|error| panic!("{which}: {error}"));
        }
        let after = memory(pid, "RssAnon");
        println!("{which}: {before} -> {after} KiB");
        if after > before + GROWTH {
            grown.push(format!("{which}: {before} -> {after} KiB"));
        }
    }
    assert_eq!(grown, Vec::<String>::new(), "after {rounds} calls each");
    assert_eq!(testbed.client.list(0).await.unwrap(), [domain.path()]);
    assert!(testbed.daemon.exited().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_that_come_and_go_take_no_memory() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let pid = testbed.daemon.pid();
    let cycle = async |number: u64| {
        let guest = DomainXml::small(&format!("passing-{number}"));
        let domain = testbed.define(&guest).await;
        let gone = domain.act("Undefine", 0).await;
        gone.unwrap_or_else(|error| panic!("{number}: {error}"));
    };
    for number in 0..WARM {
        cycle(number).await;
    }
    let before = memory(pid, "RssAnon");
    for number in 0..campaign::rounds(300, 50_000) {
        cycle(WARM + number).await;
    }
    let after = memory(pid, "RssAnon");
    println!("{before} -> {after} KiB");
    assert!(after < before + GROWTH, "{before} -> {after} KiB");
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
    assert!(testbed.daemon.exited().is_none());
}
