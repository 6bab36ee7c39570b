//! T9: secrets of a definition in descriptions, snapshots, saved images, signals, logs, command lines and environments. Whoever does not
//! ask for them by the flag is told none, whatever is asked; and no file has one that others than its owner may read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use virtbus_tests::client::{CONNECT, SERVICE};
use virtbus_tests::walk::introspection::{Members, Way};
use virtbus_tests::walk::objects::{self, TEST};
use virtbus_tests::{Client, DomainXml, Testbed, booted, need, or_skip};
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, OwnedObjectPath, Structure};

/// What all secrets have in common, and nothing else has.
const MARK: &str = "zqx-";

/// The flag of descriptions that asks for secrets.
const SECURE: u32 = 1;

/// Devices with every secret that a definition can have.
const DEVICES: &str = "<graphics type='vnc' port='5990' passwd='zqx-vnc1'/>\
    <graphics type='spice' port='5991' passwd='zqx-spice2'/>\
    <graphics type='rdp' port='5992' username='u' passwd='zqx-rdp3'/>\
    <disk type='network'><source protocol='https' name='disk.img'><host name='example.org' port='443'/>\
    <cookies><cookie name='session'>zqx-cookie4</cookie></cookies></source><target dev='vdz' bus='virtio'/></disk>";
const SECRETS: [&str; 4] = ["zqx-vnc1", "zqx-spice2", "zqx-rdp3", "zqx-cookie4"];

fn has_secret(bytes: &[u8]) -> bool {
    bytes
        .windows(MARK.len())
        .any(|window| window == MARK.as_bytes())
}

/// What was signalled with a secret in it, by everything on the bus.
async fn listen(testbed: &Testbed) -> Arc<Mutex<Vec<String>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Client::connect(testbed.bus.address())
        .await
        .expect("the bus takes connections");
    let rule = MatchRule::builder().msg_type(Type::Signal);
    let rule = rule.build().expect("it is a rule");
    let mut signals = MessageStream::for_match_rule(rule, ear.connection(), None)
        .await
        .expect("the bus takes a rule");
    let into = Arc::clone(&heard);
    tokio::spawn(async move {
        let _ear = ear;
        while let Some(Ok(message)) = signals.next().await {
            if has_secret(message.data()) {
                let mut heard = into.lock().expect("nobody panics with it");
                heard.push(format!("{:?}", message.header()));
            }
        }
    });
    heard
}

/// Asks every object everything that takes no more than the right to read, and tells which answers have a secret.
async fn told(client: &Client, documents: &BTreeMap<String, Members>) -> (usize, Vec<String>) {
    let (mut asked, mut told) = (0, Vec::new());
    for (interface, path) in objects::all(client).await.expect("objects are listed") {
        let members = &documents[&interface];
        let reading = members.methods.iter().filter(|method| {
            let mut needs = method.needs.iter();
            needs.all(|need| {
                !Way::default().needs(need)
                    || need.action.ends_with(".read")
                    || need.action.ends_with(".getattr")
            })
        });
        for method in reading {
            let call = client.connection();
            let (path, on) = (path.as_str(), Some(interface.as_str()));
            let arguments = method.arguments(&Way::default());
            let answer = if arguments.is_empty() {
                call.call_method(Some(SERVICE), path, on, method.name.as_str(), &())
                    .await
            } else {
                let mut body = Structure::builder();
                for argument in arguments {
                    body.push_value(argument);
                }
                let body = body.build().expect("there are arguments");
                call.call_method(Some(SERVICE), path, on, method.name.as_str(), &body)
                    .await
            };
            asked += 1;
            let has = match &answer {
                Ok(message) | Err(zbus::Error::MethodError(_, _, message)) => {
                    has_secret(message.data())
                }
                Err(error) => panic!("{path} {interface}.{}: {error}", method.name),
            };
            if has {
                told.push(format!("{path} {interface}.{}", method.name));
            }
        }
        let all = client.object(&path, &interface).get_all().await;
        if has_secret(format!("{all:?}").as_bytes()) {
            told.push(format!("{path} {interface}: properties"));
        }
    }
    (asked, told)
}

fn documents() -> BTreeMap<String, Members> {
    objects::documents(&booted::repository().join("data/dbus/interfaces"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_a_secret_without_asking_for_it() {
    let testbed = or_skip!(Testbed::start(&["--drivers", "test"]).await);
    let client = &testbed.client;
    let heard = listen(&testbed).await;
    objects::make(client).await.unwrap();
    let connection = client.object(TEST, CONNECT);
    let document = |name: &str| {
        DomainXml::small(name)
            .device(DEVICES)
            .xml()
            .replace("<domain type='qemu'>", "<domain type='test'>")
    };
    let mut guests = Vec::new();
    for name in ["kept", "dotted", "stored"] {
        let path: OwnedObjectPath = connection
            .call("DomainDefineXML", &(document(name),))
            .await
            .unwrap();
        let domain = client.domain(path.as_str());
        domain.act("Create", 0).await.unwrap();
        guests.push(domain);
    }
    let [kept, dotted, stored] = &guests[..] else {
        panic!("three were made");
    };
    let of = |path: OwnedObjectPath, interface: &str| client.object(path.as_str(), interface);
    let xml = "<domainsnapshot><name>s</name></domainsnapshot>";
    let snapshot = kept.0.call("SnapshotCreateXML", &(xml, 0_u32)).await;
    let snapshot = of(snapshot.unwrap(), "org.libvirt.DomainSnapshot");
    let xml = "<domaincheckpoint><name>c</name></domaincheckpoint>";
    let checkpoint = dotted.0.call("CheckpointCreateXML", &(xml, 0_u32)).await;
    let checkpoint = of(checkpoint.unwrap(), "org.libvirt.DomainCheckpoint");
    stored.act("ManagedSave", 0).await.unwrap();

    let (asked, told) = told(client, &documents()).await;
    assert!(asked > 250, "{asked} calls were made");
    assert_eq!(told, Vec::<String>::new());
    let image = async |flags: u32| -> String {
        let xml = stored.0.call("ManagedSaveGetXMLDesc", &(flags,)).await;
        xml.unwrap()
    };
    assert!(!has_secret(image(0).await.as_bytes()));

    // Whoever asks is told all of them.
    let texts = [
        kept.xml(SECURE).await.unwrap(),
        kept.xml(SECURE | 2).await.unwrap(),
        snapshot.call("GetXMLDesc", &(SECURE,)).await.unwrap(),
        checkpoint.call("GetXMLDesc", &(SECURE,)).await.unwrap(),
        image(SECURE).await,
    ];
    for text in texts {
        for secret in SECRETS {
            assert!(text.contains(secret), "no {secret}: {text}");
        }
    }

    for domain in &guests {
        let _ = domain.act("Destroy", 0).await;
    }
    kept.act("Create", 0).await.unwrap();
    let log = fs::read(testbed.daemon.log_path()).unwrap();
    assert!(!has_secret(&log), "a secret is in the daemon's log");
    let heard = heard.lock().unwrap();
    assert_eq!(*heard, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_guest_is_where_others_can_read_it() {
    or_skip!(need::qemu());
    let mut testbed = or_skip!(Testbed::prepare(&[]).await);
    // All that the daemon does is told there, with what it says to emulators.
    testbed.daemon.variable("VIRTBUS_LOG", "trace");
    testbed.daemon.start(&testbed.client).await;
    let heard = listen(&testbed).await;
    let device = "<graphics type='vnc' passwd='zqx-vnc1'><listen type='socket'/></graphics>";
    let guest = DomainXml::small("discreet").device(device);
    let documents = documents();
    let domain = testbed.run(&guest).await;
    let pid = testbed.daemon.emulator("discreet").unwrap();
    for file in ["cmdline", "environ"] {
        let text = fs::read(format!("/proc/{}/{file}", pid.as_raw_nonzero())).unwrap();
        assert!(!text.is_empty() && !has_secret(&text), "{file}");
    }
    // While it runs; taken in by the next daemon; saved, and on from there.
    for round in ["", "again", "saved", "restored"] {
        match round {
            "again" => testbed.crash_and_restart().await,
            "saved" => domain.act("ManagedSave", 0).await.unwrap(),
            "restored" => domain.act("Create", 0).await.unwrap(),
            _ => {}
        }
        let (asked, told) = told(&testbed.client, &documents).await;
        assert!(asked > 60, "{asked} calls were made");
        assert_eq!(told, Vec::<String>::new(), "{round}");
        assert_eq!(open_files(testbed.daemon.state_dir()), Vec::<String>::new());
        let xml = domain.xml(SECURE).await.unwrap();
        assert!(xml.contains("zqx-vnc1"), "{round}: {xml}");
    }
    let log = fs::read(testbed.daemon.log_path()).unwrap();
    let says = |words: &str| {
        log.windows(words.len())
            .any(|window| window == words.as_bytes())
    };
    assert!(says("set_password"), "the log does not tell what was said");
    assert!(!has_secret(&log), "a secret is in the daemon's log");
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new());
    testbed.end().await;
}

/// Files with a secret that others than their owner may read.
fn open_files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the directory can be read") {
        let path = entry.expect("an entry can be read").path();
        let Ok(facts) = fs::symlink_metadata(&path) else {
            continue;
        };
        if facts.is_dir() {
            found.extend(open_files(&path));
        } else if facts.is_file()
            && facts.mode() & 0o077 != 0
            && fs::read(&path).is_ok_and(|text| has_secret(&text))
        {
            found.push(format!("{:o} {}", facts.mode(), path.display()));
        }
    }
    found
}
