//! What is asked of the authorizer, and when.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::Connection;
use crate::access::{Authorizer, Client, Guard, Object, ObjectClass, Permission, Verdict};
use crate::connection::Host;
use crate::event::EventHub;
use crate::flags::KnownFlags;

type Details = Vec<(&'static str, String)>;

/// Writes down what it is asked, and lets nobody do anything.
#[derive(Default)]
struct Asked(Mutex<Vec<(Permission, Details)>>);

#[async_trait]
impl Authorizer for Asked {
    async fn check(&self, _: &Caller, permission: Permission, object: &dyn Object) -> Verdict {
        self.0.lock().unwrap().push((permission, object.details()));
        Verdict::Denied
    }

    fn tells_apart(&self, class: ObjectClass) -> bool {
        class == ObjectClass::Domain
    }
}

/// A connection without anything.
struct Bare(EventHub);

struct NoHost;

impl Host for NoHost {}

impl Connection for Bare {
    fn driver(&self) -> &str {
        "QEMU"
    }

    fn flags(&self) -> &'static [KnownFlags] {
        &[]
    }

    fn uri(&self) -> &str {
        "qemu:///system"
    }

    fn events(&self) -> &EventHub {
        &self.0
    }

    fn host(&self) -> &dyn Host {
        &NoHost
    }

    fn is_idle(&self) -> bool {
        true
    }
}

#[test]
fn an_absent_object_is_asked_about_as_a_hidden_one_would_be() {
    let asked = Arc::new(Asked::default());
    let guard = Guard::new(asked.clone());
    let guarded = Guarded::new("QEMU", Arc::new(Bare(EventHub::default())), guard);
    let caller = Caller::Bus {
        client: Client::new(":1.1"),
        uid: Some(1000),
        interactive: true,
    };
    let session = guarded.session(&caller);
    for error in [
        Error::no_domain_named("nobody"),
        Error::not_found(Kind::Network, "name", "nobody"),
        Error::internal("nobody"),
    ] {
        futures_util::FutureExt::now_or_never(session.take_as_long(&error)).unwrap();
    }
    let asked = asked.0.lock().unwrap();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (permission, details) = &asked[0];
    assert_eq!(*permission, Permission::DomainGetattr);
    assert!(details[1].1.contains("nobody"), "{details:?}");
}
