//! One subsystem under several connections, and what a driver is handed.

use std::sync::Mutex;

use futures_util::FutureExt;

use super::*;
use crate::access::Call;
use crate::connection::Host;
use crate::event::{Event, EventHub, EventListener};
use crate::flags::{self, KnownFlags};
use crate::listing::Views;
use crate::secret::{SecretEvent, SecretId, SecretUsageType, SecretView, Secrets};
use crate::{Connection, ErrorCode, Uuid};

/// A keeper of one secret.
struct Keeper(EventHub);

#[async_trait]
impl Secrets for Keeper {
    async fn views(&self) -> Result<Views<SecretView>> {
        let view = SecretView {
            id: secret(),
            ephemeral: true,
            private: true,
        };
        Ok(vec![Arc::new(view)].into())
    }
}

fn secret() -> SecretId {
    SecretId {
        uuid: Uuid::from_u128(1),
        usage_type: SecretUsageType::Volume,
        usage_id: "disk".into(),
    }
}

impl Subsystem for Keeper {
    fn flags(&self) -> &'static [KnownFlags] {
        crate::known_flags! { SecretDefineXml: SecretDefineFlags = VALIDATE; }
    }

    fn events(&self) -> &EventHub {
        &self.0
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn secrets(&self) -> Option<&dyn Secrets> {
        Some(self)
    }
}

/// A connection that has nothing of its own.
struct Hypervisor {
    hub: EventHub,
    offered: Offered,
}

impl Hypervisor {
    fn open(providers: &Providers) -> Self {
        let hub = EventHub::default();
        let offered = Offered::on(&hub, providers);
        Self { hub, offered }
    }
}

struct NoHost;

impl Host for NoHost {}

impl Connection for Hypervisor {
    fn driver(&self) -> &str {
        "Some"
    }

    fn flags(&self) -> &'static [KnownFlags] {
        &[]
    }

    fn uri(&self) -> &str {
        "some:///"
    }

    fn events(&self) -> &EventHub {
        &self.hub
    }

    fn host(&self) -> &dyn Host {
        &NoHost
    }

    fn offered(&self) -> &Offered {
        &self.offered
    }

    fn is_idle(&self) -> bool {
        self.offered.is_idle()
    }
}

#[derive(Default)]
struct Heard(Mutex<usize>);

impl EventListener for Heard {
    fn event(&self, event: &Event) {
        assert!(matches!(event, Event::Secret(id, SecretEvent::ValueChanged) if *id == secret()));
        *self.0.lock().unwrap() += 1;
    }
}

#[test]
fn every_connection_offers_a_subsystem_and_tells_of_its_events() {
    let keeper = Arc::new(Keeper(EventHub::default()));
    let providers = Providers::default().with_subsystem(keeper.clone());
    let (one, other) = (Hypervisor::open(&providers), Hypervisor::open(&providers));
    let heard = Arc::new(Heard::default());
    let subscribed = [&one, &other].map(|connection| connection.hub.subscribe(heard.clone()));
    for connection in [&one, &other] {
        let secrets = connection.secrets().expect("it offers secrets");
        let views = secrets.views().now_or_never().unwrap().unwrap();
        assert_eq!(views[0].id, secret());
        flags::check(connection, Call::SecretDefineXml, 1).unwrap();
        flags::check(connection, Call::SecretDefineXml, 2).unwrap_err();
        assert!(connection.networks().is_none());
    }
    let told = Event::Secret(secret(), SecretEvent::ValueChanged);
    keeper.0.publish(&told);
    assert_eq!(*heard.0.lock().unwrap(), 2, "once by each");
    // One that is closed hears no more, and is not kept.
    drop(one);
    keeper.0.publish(&told);
    assert_eq!(*heard.0.lock().unwrap(), 3);
    drop(subscribed);
}

#[test]
fn what_a_daemon_lacks_is_named() {
    let none = Providers::default();
    let error = none.networks().err().unwrap();
    assert_eq!(error.code, ErrorCode::NoSupport);
    assert!(error.message.contains("no network driver"), "{error}");
    assert!(none.subsystems().is_empty());
}

#[test]
fn values_of_secrets_are_in_no_log() {
    let value = SecretValue::new(b"hunter2".to_vec());
    assert_eq!(format!("{value:?}"), "SecretValue(…)");
    assert_eq!(value.bytes(), b"hunter2");
}
