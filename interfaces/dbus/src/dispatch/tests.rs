//! How many streams may be under way, and that the service is not idle meanwhile.

use std::os::unix::net::UnixStream;

use async_trait::async_trait;
use virtbus_api::access::{Authorizer, Guard, Object, ObjectClass, Permission, Verdict};
use zbus::Guid;
use zbus::connection::Builder;

use super::*;
use crate::limits::Share;

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

/// A stream without an end.
async fn endless() -> virtbus_api::Result<Transfer> {
    let (near, _) = UnixStream::pair().unwrap();
    Ok(Transfer::new(near.into(), std::future::pending()))
}

fn never() -> virtbus_api::Result<Transfer> {
    panic!("nothing is begun that is refused")
}

fn number(descriptor: &OwnedFd) -> u64 {
    rustix::fs::fstat(descriptor).unwrap().st_ino
}

#[tokio::test]
async fn streams_have_limits_and_the_service_is_busy_with_them() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).unwrap();
    }
    let ours = Builder::unix_stream(ours).server(Guid::generate()).p2p();
    let theirs = Builder::unix_stream(theirs).p2p();
    let (bus, _theirs) = tokio::join!(ours.build(), theirs.build());
    let bus = bus.unwrap();
    let connections = Connections::new(Guard::new(Arc::new(Everybody)), Arc::default());
    let arrivals = Arrivals::new(0);
    let clients = Clients::new(&arrivals);
    let mut limits = Limits::new(16, 1024);
    limits.streams = Share {
        connection: 2,
        user: 3,
        all: 4,
    };
    let service = Service::new(bus, arrivals, &clients, &connections, limits);
    let shared = &service.shared;
    let open = async |peer: &Arc<Peer>| shared.stream(peer, endless()).await;
    let (one, root) = (
        Peer::known(":1.1", Some(1000)),
        Peer::known(":1.2", Some(0)),
    );
    let first = open(&one).await.unwrap();
    let second = open(&one).await.unwrap();
    let error = shared.stream(&one, async { never() }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ResourceBusy);
    // Root has the limit of a connection, and takes no place of others.
    let of_root = [open(&root).await.unwrap(), open(&root).await.unwrap()];
    assert!(open(&root).await.is_err());
    assert_eq!(service.activity(), (0, false));
    // A place is free again when a stream has ended.
    one.streams.abort(number(&first)).unwrap();
    let mut again = open(&one).await;
    while again.is_err() {
        tokio::task::yield_now().await;
        again = open(&one).await;
    }
    // What could not begin leaves its place.
    one.streams.abort(number(&again.unwrap())).unwrap();
    let failed = async { Err(Error::internal("no descriptors are left")) };
    while shared.room_for_stream(&one).is_err() {
        tokio::task::yield_now().await;
    }
    assert!(shared.stream(&one, failed).await.is_err());
    assert!(shared.room_for_stream(&one).is_ok());
    for stream in &of_root {
        root.streams.abort(number(stream)).unwrap();
    }
    one.streams.abort(number(&second)).unwrap();
    while service.activity() != (0, true) {
        tokio::task::yield_now().await;
    }
}
