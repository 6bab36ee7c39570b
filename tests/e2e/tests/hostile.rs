//! Clients that send nonsense, too much, or never read: refused, and nobody else notices.

use std::io;
use std::time::{Duration, Instant};

use virtbus_tests::client::{CONNECT, DOMAIN, PROPERTIES, QEMU_PATH, SERVICE};
use virtbus_tests::process::memory;
use virtbus_tests::wait::patient;
use virtbus_tests::{CallError, Client, DomainXml, RawClient, Testbed, or_skip};
use zbus::{Message, OwnedObjectPath, Variant};

/// Calls of a client that reads no reply.
const FLOOD: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_documents_are_refused() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    for (what, document) in hostile_documents() {
        let begin = Instant::now();
        let refused = testbed.client.define(&document).await;
        println!("{what}: {:?}", begin.elapsed());
        match refused {
            Err(error) => assert!(error.is_refusal(), "{what}: {error}"),
            Ok(domain) => panic!("{what}: defined as {}", domain.path()),
        }
        assert!(
            testbed.daemon.exited().is_none(),
            "{what}: {}",
            testbed.daemon.log_tail()
        );
    }
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_cut_short_are_refused() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let whole = DomainXml::new("cut").device("<serial type='pty'/>").xml();
    let end = whole.trim_end().len();
    for length in (0..end).step_by(7) {
        let refused = testbed.client.define(&whole[..length]).await.unwrap_err();
        assert!(refused.is_refusal(), "{length} bytes: {refused}");
    }
    assert!(testbed.daemon.exited().is_none());
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_and_unknown_members_are_refused() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let client = testbed.client.clone();
    let guest = DomainXml::new("typed");
    let domain = testbed.define(&guest).await;
    let connect = client.qemu();

    let no_arguments: Result<OwnedObjectPath, _> = connect.call("DomainDefineXML", &()).await;
    let number: Result<OwnedObjectPath, _> = connect.call("DomainDefineXML", &(7_u32,)).await;
    let too_many: Result<OwnedObjectPath, _> =
        connect.call("DomainDefineXML", &(guest.xml(), 0_u32)).await;
    let text: Result<(), _> = domain.0.call("Create", &("now",)).await;
    let signed: Result<(), _> = domain.0.call("Create", &(0_i32,)).await;
    let nothing: Result<(), _> = domain.0.call("Create", &()).await;
    let refusals = [
        no_arguments.map(drop),
        number.map(drop),
        too_many.map(drop),
        text,
        signed,
        nothing,
    ];
    for (which, refused) in refusals.into_iter().enumerate() {
        let error = refused.unwrap_err();
        assert_eq!(
            error.name(),
            "org.freedesktop.DBus.Error.InvalidArgs",
            "{which}: {error}"
        );
    }

    let unknown_method: Result<(), _> = domain.0.call("Explode", &()).await;
    let error = unknown_method.unwrap_err();
    assert_eq!(
        error.name(),
        "org.freedesktop.DBus.Error.UnknownMethod",
        "{error}"
    );
    let is_unknown = |error: &CallError| {
        let name = error.name();
        name.starts_with("org.freedesktop.DBus.Error.Unknown")
    };
    let error = create_at(&client, domain.path(), "org.libvirt.Nonsense").await;
    assert!(is_unknown(&error), "{error}");
    for path in [
        "/",
        "/org/libvirt/Nonsense",
        "/org/libvirt/QEMU/domain/_7",
        "/org/libvirt/QEMU/domain",
    ] {
        let error = create_at(&client, path, DOMAIN).await;
        assert!(is_unknown(&error) || error.is_refusal(), "{path}: {error}");
    }

    // That an object is not there is told before anything that is wrong with the call besides.
    let absent = "/org/libvirt/QEMU/domain/_8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11";
    let absent = client.object(absent, DOMAIN);
    let wrong_type: Result<(), _> = absent.call("Create", &("now",)).await;
    let wrong_member: Result<(), _> = absent.call("Explode", &()).await;
    let read_only = absent.set("Name", Variant::from("other")).await;
    for refused in [wrong_type, wrong_member, read_only] {
        let error = refused.unwrap_err();
        assert_eq!(error.name(), "org.libvirt.Error.NoDomain", "{error}");
    }

    domain
        .0
        .set("Name", Variant::from("other"))
        .await
        .unwrap_err();
    domain
        .0
        .set("Autostart", Variant::from("yes"))
        .await
        .unwrap_err();
    domain
        .0
        .set("Nonsense", Variant::from(true))
        .await
        .unwrap_err();
    domain.0.get::<bool>("Nonsense").await.unwrap_err();
    let unknown_flags = domain.act("Create", 1 << 31).await.unwrap_err();
    assert!(unknown_flags.is_refusal(), "{unknown_flags}");

    assert_eq!(domain.0.get::<String>("Name").await.unwrap(), "typed");
    assert_eq!(client.list(0).await.unwrap(), [domain.path()]);
    assert!(testbed.daemon.exited().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_holds_up_nobody() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let domain = testbed.define(&DomainXml::new("flooded")).await;
    let before = memory(testbed.daemon.pid(), "VmRSS");
    let address = testbed.bus.address().to_owned();
    let path = domain.path().to_owned();
    let flood = tokio::task::spawn_blocking(move || flood(&address, &path));

    // Another client's calls are answered during the flood and after it.
    let other = Client::connect(testbed.bus.address()).await.unwrap();
    let mut slowest = Duration::ZERO;
    let mut calls = 0;
    while !flood.is_finished() || calls < 20 {
        let begin = Instant::now();
        let asked = tokio::time::timeout(patient(Duration::from_secs(6)), other.list(0)).await;
        assert_eq!(
            asked.expect("calls wait for the flood").unwrap(),
            [domain.path()]
        );
        slowest = slowest.max(begin.elapsed());
        calls += 1;
    }
    let flooder = flood.await.unwrap().unwrap();
    let after = memory(testbed.daemon.pid(), "VmRSS");
    println!(
        "{calls} calls beside the flood, the slowest {slowest:?}; memory {before} -> {after} KiB"
    );
    // The replies wait on the bus, which bounds them, and not in the daemon.
    assert!(after < before + 256 * 1024, "{before} -> {after} KiB");
    drop(flooder);
    assert_eq!(domain.0.get::<String>("Name").await.unwrap(), "flooded");
    assert!(testbed.daemon.exited().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_calls_at_once_each_is_answered() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let xml = DomainXml::new("stormed").xml();
    let domain = testbed.client.define(&xml).await.unwrap();
    let before = memory(testbed.daemon.pid(), "VmRSS");
    let storm = Client::connect(testbed.bus.address()).await.unwrap();
    // Writes wait for each other and are what the limit of a client is about; reads are answered at once.
    let calls = (0..FLOOD).map(|number| {
        let (storm, domain, xml) = (&storm, storm.domain(domain.path()), &xml);
        async move {
            match number % 4 {
                0 => domain.state().await.map(drop),
                _ => storm.define(xml).await.map(drop),
            }
        }
    });
    let storm = futures_util::future::join_all(calls);
    let others = async {
        for _ in 0..20 {
            let listed = testbed.client.list(0).await.unwrap();
            assert_eq!(listed, [domain.path()]);
        }
    };
    let (answers, ()) = futures_util::future::join(storm, others).await;
    let (mut done, mut refused) = (0, 0);
    for answer in answers {
        match answer {
            Ok(()) => done += 1,
            Err(error) => {
                // Too many of one client, or too many for one domain.
                let name = error.name();
                let limits = ["Error.LimitsExceeded", "Error.ResourceBusy"];
                assert!(limits.iter().any(|limit| name.ends_with(limit)), "{error}");
                refused += 1;
            }
        }
    }
    let after = memory(testbed.daemon.pid(), "VmRSS");
    println!("{done} calls done, {refused} refused; memory {before} -> {after} KiB");
    assert!(done > FLOOD / 4, "{done} calls were done");
    assert!(after < before + 256 * 1024, "{before} -> {after} KiB");
    // Who was refused may go on.
    let again = testbed.client.define(&xml).await.unwrap();
    assert_eq!(again.path(), domain.path());
    assert!(testbed.daemon.exited().is_none());
}

/// What the call of a method that domains have is refused with.
async fn create_at(client: &Client, path: &str, interface: &str) -> CallError {
    let object = client.object(path, interface);
    let answer: Result<(), _> = object.call("Create", &(0_u32,)).await;
    answer.expect_err("nothing can be started there")
}

/// Sends the calls; the connection is handed back still open.
fn flood(address: &str, domain: &str) -> io::Result<RawClient> {
    let mut client = RawClient::connect(address)?;
    for number in 0..FLOOD {
        let to = |path, method| Message::method_call(path, method).destination(SERVICE);
        let call = match number % 3 {
            0 => to(QEMU_PATH, "ListDomains")
                .interface(CONNECT)
                .build(&(0_u32,)),
            1 => to(domain, "GetXMLDesc").interface(DOMAIN).build(&(0_u32,)),
            _ => to(domain, "GetAll").interface(PROPERTIES).build(&(DOMAIN,)),
        };
        client.send(&call.map_err(io::Error::other)?)?;
    }
    Ok(client)
}

/// Documents that no daemon should take, and what is wrong with each.
fn hostile_documents() -> Vec<(&'static str, String)> {
    let named = |name: &str| DomainXml::new(name).xml();
    let replaced = |from: &str, to: &str| {
        let whole = DomainXml::new("hostile").xml();
        assert!(whole.contains(from), "the template has no {from}");
        whole.replacen(from, to, 1)
    };
    let mut entities = String::from("<!DOCTYPE d [<!ENTITY e0 'lol'>");
    for level in 1..12 {
        let reference = format!("&e{};", level - 1).repeat(10);
        entities.push_str(&format!("<!ENTITY e{level} '{reference}'>"));
    }
    entities.push_str("]><domain type='qemu'><name>&e11;</name></domain>");
    vec![
        ("nothing", String::new()),
        ("no XML", "define it, please".to_owned()),
        (
            "another root",
            "<network><name>n</name></network>".to_owned(),
        ),
        ("no name", "<domain type='qemu'/>".to_owned()),
        ("no type", replaced(" type='qemu'", "")),
        ("unknown type", replaced("type='qemu'", "type='abacus'")),
        ("two roots", format!("{0}{0}", named("twice"))),
        ("deep nesting", "<a>".repeat(200_000)),
        ("deep nesting inside", {
            let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
            DomainXml::new("deep").device(&deep).xml()
        }),
        ("entities that multiply", entities),
        (
            "a file by an entity",
            "<!DOCTYPE d [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>\
             <domain type='qemu'><name>&f;</name></domain>"
                .to_owned(),
        ),
        ("a name that is a path", named("../../etc/passwd")),
        ("a name of two lines", named("two\nlines")),
        ("an empty name", named("")),
        ("a name no file can have", named(&"n".repeat(100_000))),
        ("an impossible UUID", replaced("<uuid>", "<uuid>x")),
        (
            "memory that is no number",
            replaced("128</memory>", "much</memory>"),
        ),
        (
            "memory beyond all numbers",
            replaced("128</memory>", "18446744073709551615</memory>"),
        ),
        ("no processors", replaced("<vcpu>1<", "<vcpu>0<")),
        (
            "too many processors",
            replaced("<vcpu>1<", "<vcpu>4294967297<"),
        ),
        (
            "an unknown machine",
            replaced("machine='q35'", "machine='abacus-1.0'"),
        ),
        (
            "a disk without a target",
            DomainXml::new("disk").device("<disk type='file'/>").xml(),
        ),
        (
            "one target for two disks",
            DomainXml::new("disks")
                .device(
                    &"<disk type='file'><source file='/x'/><target dev='vda'/></disk>".repeat(2),
                )
                .xml(),
        ),
        ("unbalanced", replaced("</devices>", "")),
        (
            "an attribute of 16 MiB",
            replaced("type='qemu'", &format!("type='{}'", "q".repeat(16 << 20))),
        ),
        (
            "a hundred thousand attributes",
            replaced(
                "type='qemu'",
                &(0..100_000)
                    .map(|n| format!(" a{n}='1'"))
                    .collect::<String>(),
            ),
        ),
    ]
}
