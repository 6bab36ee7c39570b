//! T3: a lock, a job or a turn that is kept after a refusal. After each call that was refused, whatever it was refused for, another
//! client is answered the same, reads, and changes something. That holds for callers without rights too: `walk.sh` has them call
//! everything, and root look at everything after that.

use std::collections::BTreeMap;

use virtbus_tests::client::{CONNECT, CallError, DOMAIN};
use virtbus_tests::domain::{PAUSED, RUNNING};
use virtbus_tests::walk::introspection::{Members, Method, Way};
use virtbus_tests::walk::objects::{self, TEST};
use virtbus_tests::{Client, Domain, DomainXml, Testbed, booted, or_skip};
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

/// Refusals of somebody who has to wait for another, which nobody has to here.
const WAITED: [&str; 2] = [
    "org.libvirt.Error.OperationTimeout",
    "org.libvirt.Error.ResourceBusy",
];

/// Members that may take the object away: they are tried last.
const LAST: [&str; 4] = ["Delete", "Destroy", "Shutdown", "Undefine"];

fn documents() -> BTreeMap<String, Members> {
    objects::documents(&booted::repository().join("data/dbus/interfaces"))
}

/// All that a method is called with.
fn arguments(method: &Method) -> Vec<Vec<Variant<'static>>> {
    let ways = method.ways();
    let mut all: Vec<_> = ways.iter().map(|way| method.arguments(way)).collect();
    all.push(method.arguments(&Way {
        flags: u32::MAX,
        named: None,
    }));
    all.push(method.extremes(Some(0)));
    all.push(method.extremes(None));
    all
}

/// Two clients and an object that both know.
struct Tried<'a> {
    one: &'a Client,
    other: &'a Client,
    path: &'a str,
    interface: &'a str,
}

impl Tried<'_> {
    /// Makes a call, and if it is refused, looks whether the next caller is answered. Tells whether it was refused.
    async fn call(&self, method: &Method, arguments: Vec<Variant<'static>>) -> bool {
        let what = format!("{} {}.{}", self.path, self.interface, method.name);
        let object = self.one.object(self.path, self.interface);
        let answer = object.call_values(&method.name, arguments.clone()).await;
        let Err(first) = answer else {
            return false;
        };
        assert!(answered(&first), "{what}: {first}");
        let object = self.other.object(self.path, self.interface);
        let again = object.call_values(&method.name, arguments).await;
        match again {
            Ok(()) => {}
            Err(error) => assert_eq!(error.name(), first.name(), "{what}: {first}, then {error}"),
        }
        true
    }

    /// Sets each property that can be set to what it is.
    async fn change(&self, what: &str, members: &Members) {
        let object = self.other.object(self.path, self.interface);
        let writable = members.properties.iter().filter(|one| one.writable);
        for property in writable {
            let name = &property.name;
            let value: Result<OwnedVariant, CallError> = object.get(name).await;
            let value = value.unwrap_or_else(|error| panic!("after {what}: {name}: {error}"));
            let value = match Variant::from(value) {
                Variant::Variant(inner) => *inner,
                plain => plain,
            };
            if let Err(error) = object.set(name, value).await {
                // What cannot be set of a thing that is not kept, or not yet, can be refused, and at once.
                assert!(answered(&error), "after {what}: {name}: {error}");
            }
        }
    }
}

/// Whether an error is one of a call that was looked at, and not one of somebody else's turn.
fn answered(error: &CallError) -> bool {
    error.is_refusal() && !WAITED.contains(&error.name())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_answers_the_next_caller_after_a_refusal() {
    let testbed = or_skip!(Testbed::start(&["--drivers", "test"]).await);
    let one = &testbed.client;
    let other = Client::connect(testbed.bus.address()).await.unwrap();
    objects::make(one).await.unwrap();
    let documents = documents();
    let all = objects::all(one).await.unwrap();
    let (chosen, _) = objects::one_of_each(&all, &documents);
    let mut refused = 0;
    for (interface, path) in &chosen {
        let members = &documents[interface];
        let tried = Tried {
            one,
            other: &other,
            path,
            interface,
        };
        let (last, first): (Vec<_>, Vec<_>) = members
            .methods
            .iter()
            .partition(|method| LAST.contains(&method.name.as_str()));
        'object: for method in first.into_iter().chain(last) {
            for arguments in arguments(method) {
                if !tried.call(method, arguments).await {
                    continue;
                }
                if !is_there(&other, path).await {
                    break 'object;
                }
                refused += 1;
                let what = format!("{interface}.{}", method.name);
                tried.change(&what, members).await;
                let all = other.object(path, interface).get_all().await;
                all.unwrap_or_else(|error| panic!("after {what}: {error}"));
                changes(&other, &what).await;
            }
        }
    }
    println!("{refused} calls were refused");
    assert!(refused > 600, "{refused} calls were refused");
}

/// Whether an object is served.
async fn is_there(client: &Client, path: &str) -> bool {
    let all = objects::all(client).await.expect("objects are listed");
    all.iter().any(|(_, there)| there == path)
}

/// Something new is defined and goes away, which takes what the driver keeps about all.
async fn changes(client: &Client, what: &str) {
    let connection = client.object(TEST, CONNECT);
    let xml = "<domain type='test'><name>passing</name><memory>1024</memory><os><type>hvm</type></os></domain>";
    let defined: Result<OwnedObjectPath, _> = connection.call("DomainDefineXML", &(xml,)).await;
    let defined = defined.unwrap_or_else(|error| panic!("after {what}: {error}"));
    let gone = client.domain(defined.as_str()).act("Undefine", 0).await;
    gone.unwrap_or_else(|error| panic!("after {what}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_obeys_the_next_caller_after_a_refusal() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let other = Client::connect(testbed.bus.address()).await.unwrap();
    let guest = DomainXml::small("obedient");
    let document = &documents()[DOMAIN];
    let mut domain = testbed.run(&guest).await;
    let mut refused = 0;
    for method in &document.methods {
        for arguments in arguments(method) {
            let path = domain.path().to_owned();
            let tried = Tried {
                one: &testbed.client,
                other: &other,
                path: &path,
                interface: DOMAIN,
            };
            if tried.call(method, arguments).await {
                refused += 1;
                tried.change(&method.name, document).await;
            }
            domain = obeys(&testbed, &guest, &other.domain(&path), &method.name).await;
        }
    }
    println!("{refused} calls were refused");
    assert!(refused > 200, "{refused} calls were refused");
    testbed.end().await;
}

/// The guest is suspended and goes on, after it was started if the call before has ended it.
async fn obeys(testbed: &Testbed, guest: &DomainXml, domain: &Domain, what: &str) -> Domain {
    let state = domain.state().await.map(|(state, _)| state);
    let domain = match state {
        Err(_) => testbed.run(guest).await,
        Ok(RUNNING) => domain.clone(),
        Ok(PAUSED) => {
            let resumed = domain.tell("Resume").await;
            resumed.unwrap_or_else(|error| panic!("after {what}: {error}"));
            domain.clone()
        }
        Ok(_) => {
            let started = domain.act("Create", 0).await;
            started.unwrap_or_else(|error| panic!("after {what}: {error}"));
            domain.clone()
        }
    };
    for (order, state) in [("Suspend", PAUSED), ("Resume", RUNNING)] {
        let done = domain.tell(order).await;
        done.unwrap_or_else(|error| panic!("after {what}: {order}: {error}"));
        let now = domain.state().await.map(|(state, _)| state);
        assert_eq!(now.expect("it is there"), state, "after {what}: {order}");
    }
    domain
}
