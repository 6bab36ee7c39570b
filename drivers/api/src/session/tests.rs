//! What is asked of the authorizer, and when.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::access::{Authorizer, Client, Guard, Object, ObjectClass, Permission, Verdict};
use crate::connection::Host;
use crate::domain::DomainId;
use crate::event::EventHub;
use crate::flags::KnownFlags;
use crate::{Connection, ErrorCode, Uuid};

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

fn domain(name: &str) -> DomainId {
    DomainId {
        uuid: Uuid::nil(),
        name: name.into(),
        id: None,
    }
}

#[async_trait]
impl Directory for Bare {
    async fn identify(&self, kind: Kind, key: Key<'_>, _: Option<&Id>) -> Result<Option<Id>> {
        Ok(match (kind, key) {
            (Kind::Domain | Kind::Network, Key::Name(name)) => Some(domain(name).into()),
            _ => None,
        })
    }
}

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

    fn directory(&self) -> Option<&dyn Directory> {
        Some(self)
    }

    fn is_idle(&self) -> bool {
        true
    }
}

#[test]
fn a_driver_is_asked_for_no_more_of_an_object_than_is_needed() {
    let guard = Guard::new(Arc::new(Asked::default()));
    let guarded = Guarded::new("QEMU", Arc::new(Bare(EventHub::default())), guard);
    let caller = Caller::Remote {
        client: Client::new("far"),
        identity: "somebody".into(),
    };
    let find = |kind, key, need| {
        let found = guarded.session(&caller).find(kind, key, need);
        futures_util::FutureExt::now_or_never(found).unwrap()
    };
    let found = find(Kind::Domain, Key::Name("web"), Need::Id).unwrap();
    assert_eq!(found.id().unwrap(), &Id::from(domain("web")));
    assert!(found.view().is_err());
    // The driver has no views at all.
    for (key, need) in [
        (Key::Name("web"), Need::View),
        (Key::Uuid(Uuid::nil()), Need::Id),
    ] {
        let error = find(Kind::Domain, key, need).unwrap_err();
        assert_eq!(error.code, ErrorCode::NoSupport);
    }
    // What it gives must be what it was asked for.
    let error = find(Kind::Network, Key::Name("web"), Need::Id).unwrap_err();
    assert_eq!(error.code, ErrorCode::InternalError);
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
        let waited = futures_util::FutureExt::now_or_never(session.take_as_long(&error));
        waited.unwrap().unwrap();
    }
    let asked = asked.0.lock().unwrap();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (permission, details) = &asked[0];
    assert_eq!(*permission, Permission::DomainGetattr);
    assert!(details[1].1.contains("nobody"), "{details:?}");
}
