//! The test driver through the API, as an interface drives it: what calls do, which events come in which order, and which
//! errors wrong states give. Here is what the tests have in common.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

mod arguments;
mod domains;
mod host;
mod identity;
mod likeness;
mod moments;
mod naming;
mod transfers;

use std::sync::{Arc, Mutex};

use virtbus_api::access::Client;
use virtbus_api::connection::Connection;
use virtbus_api::domain::{DomainDefineFlags, DomainEvent, DomainId};
use virtbus_api::event::{Event, EventListener};
use virtbus_api::{ErrorCode, Result};
use virtbus_test::Test;

/// Somebody for whom domains are started.
fn client() -> Client {
    Client::new("test")
}

/// Writes every event down as a line.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl EventListener for Diary {
    fn event(&self, event: &Event) {
        let line = match event {
            Event::Changed { before, after } => {
                let view = after.as_ref().or(before.as_ref()).expect("one of them");
                let what = match (before, after) {
                    (None, _) => "added",
                    (_, None) => "removed",
                    _ => "changed",
                };
                format!("{:?} {what}", view.kind())
            }
            Event::Domain(_, event) => match event {
                DomainEvent::Lifecycle(lifecycle) => format!("{lifecycle:?}"),
                other => format!("{other:?}"),
            },
            Event::Network(_, event) => format!("{event:?}"),
            Event::NodeDevice(_, event) => format!("{event:?}"),
            Event::Secret(_, event) => format!("{event:?}"),
            Event::StoragePool(_, event) => format!("{event:?}"),
            Event::Closed(reason) => format!("closed: {reason:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Diary {
    /// What came since the last look.
    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn open() -> (Arc<Test>, Arc<Diary>) {
    let test = Test::open("test:///default").await.unwrap();
    let diary = Arc::new(Diary::default());
    test.events()
        .subscribe(Arc::clone(&diary) as Arc<dyn EventListener>)
        .keep();
    (test, diary)
}

async fn first_domain(test: &Test) -> DomainId {
    test.domains()
        .unwrap()
        .view_by_name("test")
        .await
        .unwrap()
        .id
        .clone()
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> ErrorCode {
    result.unwrap_err().code
}

const GUEST: &str = "<domain type='test'><name>guest</name><memory unit='KiB'>4096</memory><vcpu>4</vcpu>\
    <os><type>hvm</type></os><devices>\
    <disk type='file' device='disk'><source file='/guest.img'/><target dev='vda' bus='virtio'/></disk>\
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><target dev='tap0'/></interface>\
    <memballoon model='virtio'/></devices></domain>";

async fn guest(test: &Test) -> DomainId {
    let domains = test.domains().unwrap();
    domains
        .define_xml(GUEST, DomainDefineFlags::empty())
        .await
        .unwrap()
        .id
        .clone()
}
