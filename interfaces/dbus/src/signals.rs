//! What happens on a connection, as signals: libvirt-dbus's own, `PropertiesChanged`, and the object managers'.
//!
//! Called by the driver in the order in which things happened, and only queues. A signal reaches everybody who listens, so
//! where rules tell objects apart, no value goes out with one: who may see the object asks.

use std::sync::{Arc, Weak};

use serde::Serialize;
use virtbus_api::access::ObjectClass;
use virtbus_api::domain::{DomainEvent, DomainId, DomainView, GraphicsAddress};
use virtbus_api::event::{Event, EventListener};
use zbus::wire::DynamicType;
use zbus::{Message, ObjectPath};

use crate::declare::{Emits, Property};
use crate::dispatch::Shared;
use crate::interfaces::connect::CONNECT;
use crate::interfaces::domain::DOMAIN;
use crate::outbox::Outbox;
use crate::standard::objects::{self, Interfaces};
use crate::standard::properties::{self, Properties};
use crate::tree::{Node, ROOT, View};
use crate::value::Wrapping;

/// Turns one connection's events into signals.
pub(crate) struct Announcer {
    outbox: Weak<Outbox>,
    guard: virtbus_api::access::Guard,
    node: Arc<Node>,
    domain_properties: Arc<[&'static Property]>,
}

impl Announcer {
    pub(crate) fn new(shared: &Shared, node: Arc<Node>) -> Self {
        Self {
            outbox: Arc::downgrade(&shared.outbox),
            guard: shared.guard.clone(),
            node,
            domain_properties: properties::all(&DOMAIN),
        }
    }

    fn send<B: Serialize + DynamicType>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) {
        let Some(outbox) = self.outbox.upgrade() else {
            return;
        };
        match Message::signal(path, interface, member).build(body) {
            Ok(message) => outbox.signal(message),
            Err(error) => tracing::error!(member, %error, "a signal cannot be built"),
        }
    }

    fn domain_changed(&self, before: Option<&Arc<DomainView>>, after: Option<&Arc<DomainView>>) {
        match (before, after) {
            (None, Some(after)) => self.added(after),
            (Some(before), None) => self.removed(before),
            (Some(before), Some(after)) => self.changed(before, after),
            (None, None) => {}
        }
    }

    /// Whether values may go out to everybody.
    fn in_public(&self) -> bool {
        !self.guard.tells_apart(ObjectClass::Domain)
    }

    fn added(&self, after: &Arc<DomainView>) {
        let path = self.node.domain_path(after.id.uuid);
        let Ok(object) = ObjectPath::try_from(path.as_str()) else {
            return;
        };
        let view = View::Domain(Arc::clone(after));
        let shown: &[_] = if self.in_public() {
            &self.domain_properties
        } else {
            &[]
        };
        for manager in [self.node.path.as_str(), ROOT] {
            let values = Properties {
                properties: shown,
                view: Some(&view),
                wrapping: Wrapping::Once,
            };
            self.send(
                manager,
                objects::NAME,
                "InterfacesAdded",
                &(&object, Interfaces(DOMAIN.name, values)),
            );
        }
    }

    fn removed(&self, before: &DomainView) {
        let path = self.node.domain_path(before.id.uuid);
        let Ok(object) = ObjectPath::try_from(path.as_str()) else {
            return;
        };
        for manager in [self.node.path.as_str(), ROOT] {
            self.send(
                manager,
                objects::NAME,
                "InterfacesRemoved",
                &(&object, [DOMAIN.name].as_slice()),
            );
        }
    }

    fn changed(&self, before: &Arc<DomainView>, after: &Arc<DomainView>) {
        let (old, new) = (
            View::Domain(Arc::clone(before)),
            View::Domain(Arc::clone(after)),
        );
        let differs = |property: &&&'static Property| {
            property.emits == Emits::Value
                && match ((property.get)(&old), (property.get)(&new)) {
                    (Ok(old), Ok(new)) => old != new,
                    (old, new) => old.is_ok() != new.is_ok(),
                }
        };
        let changed: Vec<&'static Property> = self
            .domain_properties
            .iter()
            .filter(differs)
            .copied()
            .collect();
        if changed.is_empty() {
            return;
        }
        let (shown, hidden): (&[_], Vec<&str>) = if self.in_public() {
            (&changed, Vec::new())
        } else {
            (&[], changed.iter().map(|property| property.name).collect())
        };
        let values = Properties {
            properties: shown,
            view: Some(&new),
            wrapping: Wrapping::Once,
        };
        let path = self.node.domain_path(after.id.uuid);
        self.send(
            &path,
            properties::NAME,
            "PropertiesChanged",
            &(DOMAIN.name, values, hidden),
        );
    }

    fn domain_event(&self, id: &DomainId, event: &DomainEvent) {
        let path = self.node.domain_path(id.uuid);
        match event {
            DomainEvent::Lifecycle(lifecycle) => {
                let Ok(object) = ObjectPath::try_from(path.as_str()) else {
                    return;
                };
                let (event, detail) = lifecycle.numbers();
                self.send(
                    &self.node.path,
                    CONNECT.name,
                    "DomainEvent",
                    &(object, event, detail),
                );
            }
            DomainEvent::Reboot => self.send(&path, DOMAIN.name, "Reboot", &()),
            DomainEvent::RtcChange { offset } => {
                self.send(&path, DOMAIN.name, "RTCChange", &(*offset,));
            }
            DomainEvent::Watchdog { action } => {
                self.send(&path, DOMAIN.name, "Watchdog", &(*action as i32,));
            }
            DomainEvent::IoError {
                source,
                device,
                action,
                reason,
            } => {
                self.send(
                    &path,
                    DOMAIN.name,
                    "IOError",
                    &(source, device, *action as i32, reason),
                );
            }
            DomainEvent::Graphics {
                phase,
                remote,
                local,
                auth_scheme,
                identities,
            } => {
                let identities: Vec<(&str, &str)> = identities
                    .iter()
                    .map(|identity| (identity.kind.as_str(), identity.name.as_str()))
                    .collect();
                let body = (
                    *phase as i32,
                    address(local),
                    address(remote),
                    auth_scheme,
                    identities,
                );
                self.send(&path, DOMAIN.name, "Graphics", &body);
            }
            DomainEvent::BalloonChange { actual } => {
                self.send(&path, DOMAIN.name, "BalloonChange", &(*actual,));
            }
            DomainEvent::TrayChange { device, open } => {
                self.send(
                    &path,
                    DOMAIN.name,
                    "TrayChange",
                    &(device, i32::from(!open)),
                );
            }
            DomainEvent::DeviceAdded { device } => {
                self.send(&path, DOMAIN.name, "DeviceAdded", &(device,));
            }
            DomainEvent::DeviceRemoved { device } => {
                self.send(&path, DOMAIN.name, "DeviceRemoved", &(device,));
            }
            DomainEvent::DeviceRemovalFailed { device } => {
                self.send(&path, DOMAIN.name, "DeviceRemovalFailed", &(device,));
            }
            DomainEvent::AgentLifecycle { connected, reason } => {
                let state = if *connected { 1 } else { 2 };
                self.send(&path, DOMAIN.name, "AgentEvent", &(state, *reason));
            }
            DomainEvent::PmSuspend => self.send(&path, DOMAIN.name, "PMSuspend", &(0,)),
            DomainEvent::PmSuspendDisk => self.send(&path, DOMAIN.name, "PMSuspendDisk", &(0,)),
            DomainEvent::PmWakeup => self.send(&path, DOMAIN.name, "PMWakeup", &(0,)),
        }
    }
}

fn address(address: &GraphicsAddress) -> (i32, &str, &str) {
    (address.family, &address.node, &address.service)
}

impl EventListener for Announcer {
    fn event(&self, event: &Event) {
        match event {
            Event::DomainChanged { before, after } => {
                self.domain_changed(before.as_ref(), after.as_ref());
            }
            Event::Domain(id, event) => self.domain_event(id, event),
        }
    }
}
