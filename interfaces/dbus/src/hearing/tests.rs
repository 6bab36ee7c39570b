//! How much waits for clients while the authorizer does not answer, and what becomes of it.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use virtbus_api::Uuid;
use virtbus_api::access::{Authorizer, Guard, Object, ObjectClass, Permission, Verdict};
use virtbus_api::connections::{Connections, ManagerConnection};
use virtbus_api::domain::DomainId;
use virtbus_api::session::Guarded;
use zbus::Guid;
use zbus::connection::Builder;

use super::*;
use crate::dispatch::Service;
use crate::limits::{Limits, Share};
use crate::peers::Clients;
use crate::socket::Arrivals;

/// Answers when it is let to, and counts what it is asked.
struct Slow {
    asked: AtomicUsize,
    gate: Semaphore,
}

#[async_trait]
impl Authorizer for Slow {
    async fn check(&self, _: &Caller, _: Permission, _: &dyn Object) -> Verdict {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let _passed = self.gate.acquire().await;
        Verdict::Granted
    }

    fn tells_apart(&self, _: ObjectClass) -> bool {
        true
    }
}

/// A service whose bus is the other end, which reads nothing.
async fn service(guard: &Guard, limits: Limits) -> (Service, zbus::Connection) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).unwrap();
    }
    let guid = Guid::generate();
    let ours = Builder::unix_stream(ours).server(guid).p2p();
    let theirs = Builder::unix_stream(theirs).p2p();
    let (ours, theirs) = tokio::join!(ours.build(), theirs.build());
    let connections = Connections::new(guard.clone(), Arc::default());
    let arrivals = Arrivals::new(0);
    let clients = Clients::new(&arrivals);
    let service = Service::new(ours.unwrap(), arrivals, &clients, &connections, limits);
    (service, theirs.unwrap())
}

/// Gives others their turns until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("not so: {what}");
}

#[tokio::test]
async fn what_waits_has_limits_and_is_asked_about_once_and_not_for_those_who_left() {
    let slow = Arc::new(Slow {
        asked: AtomicUsize::new(0),
        gate: Semaphore::new(0),
    });
    let asked = || slow.asked.load(Ordering::Relaxed);
    let guard = Guard::new(slow.clone());
    let mut limits = Limits::new(8, 256);
    limits.events = Share {
        connection: 8,
        user: 12,
        all: 13,
    };
    let (service, _other_end) = service(&guard, limits).await;
    let shared = &service.shared;
    tokio::spawn(Arc::clone(&shared.turns).give());
    let connection = ManagerConnection::new(Connections::new(guard.clone(), Arc::default()));
    let node = Arc::new(Node::new(Arc::new(Guarded::new("Test", connection, guard))));
    let target = Target::named(
        DomainId {
            uuid: Uuid::from_u128(7),
            name: "web".into(),
            id: None,
        }
        .into(),
    );
    let signal = Message::signal("/", "org.libvirt.Test", "Told").build(&());
    let signals: Arc<[Message]> = Arc::new([signal.unwrap()]);

    let known = |name, uid| {
        let peer = shared.peers.get(name);
        shared.peers.know(&peer, Some(uid));
        peer
    };
    let (one, two) = (known(":1.1", 1000), known(":1.2", 1000));
    let (bob, root) = (known(":1.3", 1001), known(":1.4", 0));
    for peer in [&one, &two, &bob, &root] {
        for _ in 0..20 {
            assert!(tell(shared, peer, &node, &target, &signals));
        }
    }
    let waiting = |peer: &Arc<Peer>| peer.hearing.lock().events.len();
    assert_eq!([&one, &two, &bob, &root].map(waiting), [8, 4, 1, 8]);
    let events = |peer: &Arc<Peer>| peer.known_user().unwrap().events.load(Ordering::Relaxed);
    assert_eq!([&one, &bob, &root].map(events), [12, 1, 0]);
    assert_eq!(shared.events.load(Ordering::Relaxed), 13);

    // One of alice's connections ends: the other's are left, and nothing comes to it any more.
    until("they are asked about", || asked() == 4).await;
    shared.peers.gone(":1.1");
    until("nothing waits for it", || events(&two) == 4).await;
    assert!(tell(shared, &one, &node, &target, &signals));
    assert_eq!((events(&two), asked()), (4, 4));

    slow.gate.add_permits(1000);
    until("all is heard", || {
        shared.events.load(Ordering::Relaxed) == 0 && waiting(&root) == 0
    })
    .await;
    // One question for what happened to the same object.
    assert_eq!(asked(), 4);
}
