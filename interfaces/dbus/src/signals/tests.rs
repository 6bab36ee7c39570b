//! Whatever a driver yields, nothing that a bus would refuse becomes of it: for every kind of objects, and for names from which no path
//! can be made or no text.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::access::{Authorizer, Caller, Guard, Object, ObjectClass, Permission, Verdict};
use virtbus_api::connection::Host;
use virtbus_api::domain::{
    CheckpointId, CheckpointView, DomainState, DomainView, ShutoffReason, SnapshotId, SnapshotKind,
    SnapshotView,
};
use virtbus_api::event::EventHub;
use virtbus_api::interface::{InterfaceId, InterfaceView};
use virtbus_api::network::{NetworkPortId, NetworkPortView, NetworkView};
use virtbus_api::node_device::NodeDeviceView;
use virtbus_api::nwfilter::{NwfilterBindingId, NwfilterBindingView, NwfilterId, NwfilterView};
use virtbus_api::object::View as Seen;
use virtbus_api::secret::{SecretUsageType, SecretView};
use virtbus_api::session::Guarded;
use virtbus_api::storage::{StoragePoolView, StorageVolId, StorageVolView};
use virtbus_api::typed::TypedParameter;
use virtbus_api::{Connection, Result, Uuid};

use super::*;
use crate::paths::Paths;
use crate::value::{Free, Value};

/// A driver that has nothing; what is told of it is made up here.
struct Nothing(EventHub);

#[async_trait]
impl Host for Nothing {
    async fn version(&self) -> Result<u64> {
        Ok(0)
    }

    async fn hostname(&self) -> Result<String> {
        Ok(String::new())
    }

    async fn capabilities(&self) -> Result<String> {
        Ok(String::new())
    }
}

impl Connection for Nothing {
    fn driver(&self) -> &str {
        "Nothing"
    }

    fn flags(&self) -> &'static [virtbus_api::flags::KnownFlags] {
        &[]
    }

    fn uri(&self) -> &'static str {
        "nothing:///"
    }

    fn events(&self) -> &EventHub {
        &self.0
    }

    fn host(&self) -> &dyn Host {
        self
    }

    fn is_idle(&self) -> bool {
        true
    }
}

/// Everybody may do everything.
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

fn node() -> Node {
    let connection: Arc<dyn Connection> = Arc::new(Nothing(EventHub::default()));
    let guard = Guard::new(Arc::new(Everybody));
    Node::new(Arc::new(Guarded::new("Nothing", connection, guard)))
}

/// An object of this kind that is called so wherever it can be.
fn called(kind: Kind, name: &str) -> Seen {
    let uuid = Uuid::from_u128(7);
    let domain = DomainId {
        uuid,
        name: name.into(),
        id: None,
    };
    let network = NetworkId {
        uuid,
        name: name.into(),
    };
    let pool = StoragePoolId {
        uuid,
        name: name.into(),
    };
    match kind {
        Kind::Domain => Seen::Domain(Arc::new(DomainView {
            id: domain,
            state: DomainState::Shutoff(ShutoffReason::Unknown),
            os_type: "hvm".into(),
            persistent: true,
            autostart: false,
            updated: false,
            managed_save: false,
            scheduler: Some(("a\0b".into(), 1)),
            snapshots: 0,
            checkpoints: 0,
            job: None,
        })),
        Kind::DomainSnapshot => Seen::DomainSnapshot(Arc::new(SnapshotView {
            id: SnapshotId {
                domain,
                name: name.into(),
            },
            parent: Some(name.into()),
            current: true,
            children: 0,
            kind: SnapshotKind::Active,
            external: false,
            metadata: true,
        })),
        Kind::DomainCheckpoint => Seen::DomainCheckpoint(Arc::new(CheckpointView {
            id: CheckpointId {
                domain,
                name: name.into(),
            },
            parent: Some(name.into()),
            current: true,
            children: 0,
        })),
        Kind::Interface => Seen::Interface(Arc::new(InterfaceView {
            id: InterfaceId {
                name: name.into(),
                mac: name.into(),
            },
            active: true,
        })),
        Kind::Network => Seen::Network(Arc::new(NetworkView {
            id: network,
            active: true,
            persistent: true,
            autostart: true,
            bridge: Some(name.into()),
            problems: Arc::from([String::from(name)]),
        })),
        Kind::NetworkPort => Seen::NetworkPort(Arc::new(NetworkPortView {
            id: NetworkPortId { network, uuid },
        })),
        Kind::NodeDevice => Seen::NodeDevice(Arc::new(NodeDeviceView {
            id: NodeDeviceId { name: name.into() },
            parent: Some(name.into()),
            capabilities: vec![name.into()],
            active: true,
            persistent: true,
            autostart: true,
        })),
        Kind::Nwfilter => Seen::Nwfilter(Arc::new(NwfilterView {
            id: NwfilterId {
                uuid,
                name: name.into(),
            },
        })),
        Kind::NwfilterBinding => Seen::NwfilterBinding(Arc::new(NwfilterBindingView {
            id: NwfilterBindingId {
                port_dev: name.into(),
                filter: name.into(),
            },
        })),
        Kind::Secret => Seen::Secret(Arc::new(SecretView {
            id: SecretId {
                uuid,
                usage_type: SecretUsageType::Volume,
                usage_id: name.into(),
            },
            ephemeral: true,
            private: true,
        })),
        Kind::StoragePool => Seen::StoragePool(Arc::new(StoragePoolView {
            id: pool,
            active: true,
            persistent: true,
            autostart: true,
            pool_type: name.into(),
        })),
        Kind::StorageVol => Seen::StorageVol(Arc::new(StorageVolView {
            id: StorageVolId {
                pool,
                name: name.into(),
                key: name.into(),
            },
            path: name.into(),
        })),
    }
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        "\0",
        "a\0b",
        "/",
        "//",
        "_",
        "ä",
        "\u{10ffff}",
        "a",
        "-",
        " ",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(5000));
    names.extend((0..=0x7f_u8).map(|byte| char::from(byte).to_string()));
    names
}

fn is_whole(message: &Message) {
    message.body().validate().unwrap();
    let path = message.header().path().unwrap().to_string();
    ObjectPath::try_from(path).unwrap();
}

#[test]
fn no_signal_is_one_that_a_bus_refuses() {
    let node = node();
    for kind in Kind::ALL {
        let good = called(*kind, "good");
        for name in names() {
            let view = called(*kind, &name);
            for (before, after) in [
                (None, Some(view.clone())),
                (Some(view.clone()), None),
                (Some(good.clone()), Some(view.clone())),
                (Some(view.clone()), Some(good.clone())),
            ] {
                let event = Event::Changed { before, after };
                Signals::of(&event, &node).iter().for_each(is_whole);
            }
            let told = Event::Changed {
                before: None,
                after: Some(view.clone()),
            };
            // At the connection and at the root, or nowhere.
            let count = if view.borrowed_id().can_be_named() {
                2
            } else {
                0
            };
            let told = Signals::of(&told, &node).len();
            assert_eq!(told, count, "{kind:?} {name:?}");
        }
    }
}

#[test]
fn an_object_with_another_path_is_another_object() {
    let node = node();
    let event = Event::Changed {
        before: Some(called(Kind::Interface, "02:00:00:00:00:01")),
        after: Some(called(Kind::Interface, "02:00:00:00:00:02")),
    };
    let members: Vec<String> = Signals::of(&event, &node)
        .iter()
        .map(|signal| signal.header().member().unwrap().to_string())
        .collect();
    let (removed, added) = ("InterfacesRemoved", "InterfacesAdded");
    assert_eq!(members, [removed, removed, added, added]);
}

#[test]
fn no_list_has_a_path_that_is_none() {
    let node = node();
    let call = Message::method_call("/", "List").build(&()).unwrap();
    for kind in Kind::ALL {
        let views: Vec<Seen> = names().iter().map(|name| called(*kind, name)).collect();
        let all = || views.iter().map(Seen::borrowed_id);
        let paths = Paths::of(&node, *kind, all());
        let reply = Message::method_return(&call.header())
            .build(&(paths,))
            .unwrap();
        reply.body().validate().unwrap();
        let (listed,): (Vec<zbus::OwnedObjectPath>,) = reply.body().deserialize().unwrap();
        assert_eq!(listed.len(), all().filter(|id| id.can_be_named()).count());
    }
}

#[test]
fn texts_of_guests_keep_no_message_back() {
    let parameters = vec![TypedParameter::new("a\0b", "c\0d")];
    let texts = Value::Strs(vec!["a\0b".into(), "".into()]);
    let signal = Message::signal("/a", "a.b", "C")
        .build(&(
            Parameters::<Free>::new(parameters, Wrapping::Twice),
            texts,
            Value::from("\0"),
        ))
        .unwrap();
    sendable(signal).unwrap();
    // What is not said of many objects at once is an error of the one call.
    let signal = Message::signal("/a", "a.b", "C").build(&("a\0b",));
    sendable(signal.unwrap()).unwrap_err();
}

#[test]
fn parameters_in_signals_are_wrapped_as_libvirt_dbus_wraps_them() {
    let node = node();
    let id = DomainId {
        uuid: Uuid::from_u128(7),
        name: "web".into(),
        id: None,
    };
    let parameters = || vec![TypedParameter::new("cputune.vcpupin0", "0-1")];
    for event in [
        DomainEvent::Tunable(parameters()),
        DomainEvent::JobCompleted(parameters()),
    ] {
        let event = Event::Domain(id.clone(), event);
        let signals = Signals::of(&event, &node);
        let body = signals[0].body();
        let (told,): (std::collections::HashMap<String, zbus::OwnedVariant>,) =
            body.deserialize().unwrap();
        let zbus::Variant::Variant(inner) = &*told["cputune.vcpupin0"] else {
            panic!("{told:?}");
        };
        assert_eq!(**inner, zbus::Variant::from("0-1"));
    }
}
