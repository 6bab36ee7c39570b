//! What is served, and what becomes of a connection that ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt;

use super::*;
use crate::access::{
    Arguments, Authorizer, Call, Caller, Client, Object, ObjectClass, Permission, Verdict,
};
use crate::connection::Host;
use crate::event::EventHub;
use crate::flags::KnownFlags;
use crate::providers::Providers;
use crate::session::Target;

struct Everybody;

#[async_trait]
impl Authorizer for Everybody {
    async fn check(&self, _: &Caller, _: Permission, _: &dyn Object) -> Verdict {
        Verdict::Granted
    }

    fn tells_apart(&self, _: ObjectClass) -> bool {
        false
    }
}

/// A driver that opens a new connection each time.
#[derive(Default)]
struct Fresh {
    opened: AtomicUsize,
    last: Mutex<Weak<Plain>>,
}

#[async_trait]
impl Driver for Fresh {
    fn name(&self) -> &str {
        "Fresh"
    }

    fn schemes(&self) -> &[&str] {
        &["fresh"]
    }

    async fn open(&self, opening: Opening<'_>) -> Result<Arc<dyn Connection>> {
        if opening.uri.contains("nowhere") {
            return Err(Error::internal("nobody is there"));
        }
        self.opened.fetch_add(1, Ordering::Relaxed);
        let plain = Arc::new(Plain(EventHub::default()));
        *self.last.lock().unwrap() = Arc::downgrade(&plain);
        Ok(plain)
    }
}

struct Plain(EventHub);

struct NoHost;

#[async_trait]
impl Host for NoHost {
    async fn version(&self) -> Result<u64> {
        Ok(1)
    }
}

#[async_trait]
impl Connection for Plain {
    fn driver(&self) -> &str {
        "Fresh"
    }

    fn flags(&self) -> &'static [KnownFlags] {
        &[]
    }

    fn uri(&self) -> &str {
        "fresh:///"
    }

    fn events(&self) -> &EventHub {
        &self.0
    }

    fn host(&self) -> &dyn Host {
        &NoHost
    }

    fn is_idle(&self) -> bool {
        false
    }
}

/// Writes down what it hears.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Follower for Diary {
    fn served(&self, guarded: &Arc<Guarded>) {
        self.note(format!("served {}", guarded.name()));
    }

    fn opened(&self, guarded: &Arc<Guarded>, _: &Arc<dyn Connection>) {
        self.note(format!("opened {}", guarded.name()));
    }

    fn gone(&self, guarded: &Arc<Guarded>, reason: CloseReason) {
        self.note(format!("gone {} {reason:?}", guarded.name()));
    }
}

fn connections() -> (Arc<Connections>, Arc<Fresh>, Arc<Diary>) {
    let (driver, diary) = (Arc::new(Fresh::default()), Arc::new(Diary::default()));
    let drivers = Drivers::new(Providers::default());
    drivers.add(driver.clone());
    let connections = Connections::new(Guard::new(Arc::new(Everybody)), drivers);
    let follower: Arc<dyn Follower> = diary.clone();
    connections.follow(Arc::downgrade(&follower));
    (connections, driver, diary)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing is waited for")
}

fn caller() -> Caller {
    Caller::Remote {
        client: Client::new("test"),
        identity: "test".into(),
    }
}

fn version(guarded: &Guarded) -> Result<u64> {
    let caller = caller();
    let target = Target::connection();
    let granted = now(guarded.session(&caller).grant(
        Call::ConnectGetVersion,
        Arguments::default(),
        &target,
    ))?;
    now(granted.host().version())
}

#[test]
fn one_that_is_closed_is_dropped_and_lets_nobody_in() {
    let (connections, driver, diary) = connections();
    let none = TypedParameters::new();
    for round in 0..2 {
        let one = now(connections.open("fresh://a/", &none, &caller())).unwrap();
        let other = now(connections.open("fresh+tls://b/", &none, &caller())).unwrap();
        assert_eq!((one.name(), other.name()), ("Fresh1", "Fresh2"));
        assert_eq!(version(&other).unwrap(), 1);
        let last = driver.last.lock().unwrap().clone();
        assert!(last.upgrade().is_some());
        for name in ["Fresh1", "Fresh2"] {
            now(connections.close(name)).unwrap();
        }
        assert_eq!(version(&other).unwrap_err().code, ErrorCode::InvalidConn);
        drop((one, other));
        assert!(last.upgrade().is_none(), "round {round}: nothing keeps it");
        let told = diary.take();
        assert_eq!(told[..2], ["served Fresh1", "opened Fresh1"]);
        assert_eq!(told[4..], ["gone Fresh1 Client", "gone Fresh2 Client"]);
    }
    let missing = now(connections.close("Fresh1")).unwrap_err();
    assert_eq!(missing.code, ErrorCode::NoConnect);
}

#[test]
fn one_that_dies_is_given_up_while_it_tells_of_that() {
    let (connections, driver, diary) = connections();
    let one = now(connections.open("fresh://a/", &TypedParameters::new(), &caller())).unwrap();
    let plain = driver.last.lock().unwrap().upgrade().unwrap();
    plain.0.publish(&Event::Closed(CloseReason::Eof));
    assert!(connections.all().is_empty());
    assert_eq!(diary.take()[2..], ["gone Fresh1 Eof"]);
    // Only once.
    plain.0.publish(&Event::Closed(CloseReason::Eof));
    assert!(diary.take().is_empty());
    assert_eq!(version(&one).unwrap_err().code, ErrorCode::InvalidConn);
}

#[test]
fn one_of_the_settings_is_opened_at_its_first_use_and_again_after_its_end() {
    let (connections, driver, diary) = connections();
    let one = connections.serve_later("lab", "fresh://lab/").unwrap();
    assert_eq!(driver.opened.load(Ordering::Relaxed), 0);
    assert!(connections.are_idle());
    version(&one).unwrap();
    version(&one).unwrap();
    assert_eq!(driver.opened.load(Ordering::Relaxed), 1);
    assert!(!connections.are_idle());
    now(connections.close("lab")).unwrap();
    version(&one).unwrap_err();
    version(&connections.get("lab").unwrap()).unwrap();
    assert_eq!(driver.opened.load(Ordering::Relaxed), 2);
    let told = diary.take();
    assert_eq!(
        told,
        [
            "served lab",
            "opened lab",
            "gone lab Client",
            "served lab",
            "opened lab"
        ]
    );
    // One that cannot be reached says so each time, and may come back.
    let away = connections.serve_later("away", "fresh://nowhere/").unwrap();
    for _ in 0..2 {
        assert!(version(&away).unwrap_err().message.contains("nobody"));
    }
    for (name, uri) in [
        ("lab", "fresh:///"),
        ("a/b", "fresh:///"),
        ("x", "other:///"),
        ("x", "/"),
    ] {
        assert!(connections.serve_later(name, uri).is_err(), "{name} {uri}");
    }
}

#[test]
fn what_the_daemon_was_started_with_is_not_closed() {
    let (connections, ..) = connections();
    let plain: Arc<dyn Connection> = Arc::new(Plain(EventHub::default()));
    connections.serve(plain);
    let refused = now(connections.close("Fresh")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::OperationDenied);
    assert_eq!(connections.all().len(), 1);
}

#[test]
fn clients_open_only_so_many() {
    let (connections, ..) = connections();
    let none = TypedParameters::new();
    for _ in 0..MOST {
        now(connections.open("fresh:///", &none, &caller())).unwrap();
    }
    let refused = now(connections.open("fresh:///", &none, &caller())).unwrap_err();
    assert_eq!(refused.code, ErrorCode::ResourceBusy);
    now(connections.close("Fresh7")).unwrap();
    assert_eq!(
        now(connections.open("fresh:///", &none, &caller()))
            .unwrap()
            .name(),
        "Fresh7"
    );
}
