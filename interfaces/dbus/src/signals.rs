//! What happens on a connection, as signals: libvirt-dbus's own, `PropertiesChanged`, and the object managers'.
//!
//! Here they are only made; [`Announcer`](crate::announcer::Announcer) sends them. Where rules tell objects apart, none tells more of an
//! object than that something happened to which of its devices: no value of a property or parameter, no file, address or
//! person, as knowing of an object is one permission and reading it others. Who may read the object asks.

#[cfg(test)]
mod tests;

use std::cell::RefCell;

use serde::Serialize;
use virtbus_api::domain::{AgentState, DomainEvent, DomainId, GraphicsAddress, TrayChangeReason};
use virtbus_api::event::{CloseReason, Event};
use virtbus_api::network::{NetworkEvent, NetworkId};
use virtbus_api::node_device::{NodeDeviceEvent, NodeDeviceId};
use virtbus_api::object::{self, Id, Kind};
use virtbus_api::secret::{SecretEvent, SecretId};
use virtbus_api::storage::{StoragePoolEvent, StoragePoolId};
use virtbus_api::typed::TypedParameters;
use zbus::wire::DynamicType;
use zbus::{Message, ObjectPath};

use crate::declare::{Emits, Property};
use crate::interfaces::connect::CONNECT;
use crate::interfaces::domain::DOMAIN;
use crate::interfaces::manager::MANAGER;
use crate::interfaces::network::NETWORK;
use crate::interfaces::node_device::NODE_DEVICE;
use crate::interfaces::secret::SECRET;
use crate::interfaces::storage::STORAGE_POOL;
use crate::quirks::SIGNALLED;
use crate::standard::objects::{self, Interfaces};
use crate::standard::properties::{self, Properties};
use crate::tree::{self, Node, ROOT, View};
use crate::value::{Parameters, Wrapping, sendable};

/// The signals of one event.
pub(crate) struct Signals<'a> {
    node: &'a Node,
    made: RefCell<Vec<Message>>,
}

/// The object that an event is about.
pub(crate) fn about(event: &Event) -> Option<Id> {
    match event {
        Event::Changed { before, after } => {
            let view = after.as_ref().or(before.as_ref());
            view.map(object::View::id)
        }
        Event::Domain(id, _) => Some(id.clone().into()),
        Event::Network(id, _) => Some(id.clone().into()),
        Event::NodeDevice(id, _) => Some(id.clone().into()),
        Event::Secret(id, _) => Some(id.clone().into()),
        Event::StoragePool(id, _) => Some(id.clone().into()),
        Event::Closed(_) => None,
    }
}

/// That a connection is there. Its properties are not told: some of them ask the hypervisor.
pub(crate) fn connection_added(node: &Node) -> Vec<Message> {
    let signals = Signals::on(node);
    if let Ok(object) = ObjectPath::try_from(node.path.as_str()) {
        let none = Properties {
            properties: &[],
            view: None,
            wrapping: Wrapping::Once,
        };
        let body = (&object, Interfaces(CONNECT.name, none));
        signals.send(ROOT, objects::NAME, "InterfacesAdded", &body);
    }
    signals.made.into_inner()
}

/// That a connection is gone, and why.
pub(crate) fn connection_removed(node: &Node, reason: CloseReason) -> Vec<Message> {
    let signals = Signals::on(node);
    if let Ok(object) = ObjectPath::try_from(node.path.as_str()) {
        let interfaces = [CONNECT.name];
        let body = (&object, interfaces.as_slice());
        signals.send(ROOT, objects::NAME, "InterfacesRemoved", &body);
        let body = (&object, reason.number());
        signals.send(ROOT, MANAGER.name, "ConnectionClosed", &body);
    }
    signals.made.into_inner()
}

impl<'a> Signals<'a> {
    fn on(node: &'a Node) -> Self {
        Self {
            node,
            made: RefCell::default(),
        }
    }
}

impl Signals<'_> {
    /// Makes the signals of an event on the node's connection.
    pub(crate) fn of(event: &Event, node: &Node) -> Vec<Message> {
        let signals = Signals::on(node);
        if let Some(id) = about(event)
            && !id.borrowed().can_be_named()
        {
            tracing::error!(
                connection = node.name(),
                object = ?id,
                "an object of {} cannot be named on the bus, and is left out: {id:?}",
                node.name()
            );
            return Vec::new();
        }
        match event {
            Event::Changed { before, after } => signals.changed(before.as_ref(), after.as_ref()),
            Event::Domain(id, event) => signals.domain_event(id, event),
            Event::Network(id, event) => signals.network_event(id, event),
            Event::NodeDevice(id, event) => signals.node_device_event(id, event),
            Event::Secret(id, event) => signals.secret_event(id, event),
            Event::StoragePool(id, event) => signals.storage_pool_event(id, event),
            Event::Closed(_) => {}
        }
        signals.made.into_inner()
    }

    fn send<B: Serialize + DynamicType>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) {
        let signal = Message::signal(path, interface, member).build(body);
        match signal.and_then(sendable) {
            Ok(message) => self.made.borrow_mut().push(message),
            Err(error) => {
                tracing::error!(member, path, %error, "signal {member} of {path} cannot be sent: {error}");
            }
        }
    }

    fn changed(&self, before: Option<&object::View>, after: Option<&object::View>) {
        match (before, after) {
            (None, Some(after)) => self.object_added(after),
            (Some(before), None) => self.object_removed(before),
            // One that is named by something else now is another object to clients.
            (Some(before), Some(after))
                if self.node.path_of(&before.id()) != self.node.path_of(&after.id()) =>
            {
                if before.borrowed_id().can_be_named() {
                    self.object_removed(before);
                }
                self.object_added(after);
            }
            (Some(before), Some(after)) => self.object_changed(before, after),
            (None, None) => {}
        }
    }

    /// Whether values may go out to everybody.
    fn in_public(&self, kind: Kind) -> bool {
        !self.node.guarded.tells_apart(kind.class())
    }

    /// A text that names a file or says who or where somebody is: empty where not everybody may read it.
    fn discreet<'a>(&self, kind: Kind, text: &'a str) -> &'a str {
        if self.in_public(kind) { text } else { "" }
    }

    /// The same for the values of parameters.
    fn discreet_parameters(&self, kind: Kind, parameters: &TypedParameters) -> Parameters {
        let shown = if self.in_public(kind) {
            parameters.clone()
        } else {
            TypedParameters::new()
        };
        Parameters::new(shown, SIGNALLED)
    }

    fn address<'a>(&self, address: &'a GraphicsAddress) -> (i32, &'a str, &'a str) {
        let text = |text| self.discreet(Kind::Domain, text);
        (
            address.family.number(),
            text(&address.node),
            text(&address.service),
        )
    }

    fn object_added(&self, after: &object::View) {
        let path = self.node.path_of(&after.id());
        let Ok(object) = ObjectPath::try_from(path.as_str()) else {
            return;
        };
        let interface = tree::interface(after.kind());
        let properties: Vec<&'static Property> = if self.in_public(after.kind()) {
            interface.properties.iter().collect()
        } else {
            Vec::new()
        };
        let view = View::Object(after.clone());
        for manager in [self.node.path.as_str(), ROOT] {
            let values = Properties {
                properties: &properties,
                view: Some(&view),
                wrapping: Wrapping::Once,
            };
            self.send(
                manager,
                objects::NAME,
                "InterfacesAdded",
                &(&object, Interfaces(interface.name, values)),
            );
        }
    }

    fn object_removed(&self, before: &object::View) {
        let path = self.node.path_of(&before.id());
        let Ok(object) = ObjectPath::try_from(path.as_str()) else {
            return;
        };
        let interface = tree::interface(before.kind()).name;
        for manager in [self.node.path.as_str(), ROOT] {
            self.send(
                manager,
                objects::NAME,
                "InterfacesRemoved",
                &(&object, [interface].as_slice()),
            );
        }
    }

    fn object_changed(&self, before: &object::View, after: &object::View) {
        let interface = tree::interface(after.kind());
        let path = self.node.path_of(&after.id());
        let (old, new) = (View::Object(before.clone()), View::Object(after.clone()));
        let differs = |property: &&'static Property| {
            property.emits == Emits::Value
                && match ((property.get)(&old), (property.get)(&new)) {
                    (Ok(old), Ok(new)) => old != new,
                    (old, new) => old.is_ok() != new.is_ok(),
                }
        };
        let changed: Vec<&'static Property> = interface.properties.iter().filter(differs).collect();
        if changed.is_empty() {
            return;
        }
        let (shown, hidden): (&[_], Vec<&str>) = if self.in_public(after.kind()) {
            (&changed, Vec::new())
        } else {
            (&[], changed.iter().map(|property| property.name).collect())
        };
        let values = Properties {
            properties: shown,
            view: Some(&new),
            wrapping: Wrapping::Once,
        };
        self.send(
            &path,
            properties::NAME,
            "PropertiesChanged",
            &(interface.name, values, hidden),
        );
    }

    fn domain_event(&self, id: &DomainId, event: &DomainEvent) {
        let path = self.node.path_of(&Id::Domain(id.clone()));
        let discreet = |text| self.discreet(Kind::Domain, text);
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
                self.send(&path, DOMAIN.name, "Watchdog", &(action.number(),));
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
                    &(discreet(source), device, action.number(), reason),
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
                    .map(|identity| (identity.kind.as_str(), discreet(&identity.name)))
                    .collect();
                let body = (
                    phase.number(),
                    self.address(local),
                    self.address(remote),
                    auth_scheme,
                    identities,
                );
                self.send(&path, DOMAIN.name, "Graphics", &body);
            }
            DomainEvent::BalloonChange { actual } => {
                self.send(&path, DOMAIN.name, "BalloonChange", &(*actual,));
            }
            DomainEvent::TrayChange { device, open } => {
                let tray = if *open {
                    TrayChangeReason::Open
                } else {
                    TrayChangeReason::Close
                };
                self.send(&path, DOMAIN.name, "TrayChange", &(device, tray.number()));
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
                let state = if *connected {
                    AgentState::Connected
                } else {
                    AgentState::Disconnected
                };
                let body = (state.number(), reason.number());
                self.send(&path, DOMAIN.name, "AgentEvent", &body);
            }
            DomainEvent::BlockJob { disk, kind, status } => {
                self.send(
                    &path,
                    DOMAIN.name,
                    "BlockJob",
                    &(disk, kind.number(), status.number()),
                );
            }
            DomainEvent::ControlError => self.send(&path, DOMAIN.name, "ControlError", &()),
            DomainEvent::DiskChange {
                old,
                new,
                device,
                reason,
            } => {
                self.send(
                    &path,
                    DOMAIN.name,
                    "DiskChange",
                    &(discreet(old), discreet(new), device, reason.number()),
                );
            }
            DomainEvent::JobCompleted(parameters) => {
                let parameters = self.discreet_parameters(Kind::Domain, parameters);
                self.send(&path, DOMAIN.name, "JobCompleted", &(parameters,));
            }
            DomainEvent::MetadataChange { kind, namespace } => {
                let namespace = discreet(namespace.as_deref().unwrap_or_default());
                self.send(
                    &path,
                    DOMAIN.name,
                    "MetadataChange",
                    &(kind.number(), namespace),
                );
            }
            DomainEvent::MigrationIteration { iteration } => {
                self.send(&path, DOMAIN.name, "MigrationIteration", &(*iteration,));
            }
            DomainEvent::Tunable(parameters) => {
                let parameters = self.discreet_parameters(Kind::Domain, parameters);
                self.send(&path, DOMAIN.name, "Tunable", &(parameters,));
            }
            DomainEvent::BlockThreshold {
                device,
                path: image,
                threshold,
                excess,
            } => {
                let body = (device, discreet(image), *threshold, *excess);
                self.send(&path, DOMAIN.name, "BlockThreshold", &body);
            }
            DomainEvent::MemoryDeviceSizeChange { device, size } => {
                self.send(
                    &path,
                    DOMAIN.name,
                    "MemoryDeviceSizeChange",
                    &(device, *size),
                );
            }
            DomainEvent::PmSuspend => self.send(&path, DOMAIN.name, "PMSuspend", &(0,)),
            DomainEvent::PmSuspendDisk => self.send(&path, DOMAIN.name, "PMSuspendDisk", &(0,)),
            DomainEvent::PmWakeup => self.send(&path, DOMAIN.name, "PMWakeup", &(0,)),
        }
    }

    fn network_event(&self, id: &NetworkId, event: &NetworkEvent) {
        let id = Id::Network(id.clone());
        match event {
            NetworkEvent::Lifecycle(lifecycle) => {
                if let Ok(object) = ObjectPath::try_from(self.node.path_of(&id)) {
                    let body = (object, lifecycle.number());
                    self.send(&self.node.path, CONNECT.name, "NetworkEvent", &body);
                }
            }
            NetworkEvent::MetadataChange { kind, namespace } => {
                let namespace = namespace.as_deref().unwrap_or_default();
                let body = (kind.number(), self.discreet(Kind::Network, namespace));
                self.send(
                    &self.node.path_of(&id),
                    NETWORK.name,
                    "MetadataChange",
                    &body,
                );
            }
        }
    }

    fn storage_pool_event(&self, id: &StoragePoolId, event: &StoragePoolEvent) {
        let id = Id::StoragePool(id.clone());
        match event {
            StoragePoolEvent::Lifecycle(lifecycle) => {
                self.send_lifecycle(&id, "StoragePoolEvent", lifecycle.number());
            }
            StoragePoolEvent::Refresh => {
                self.send(&self.node.path_of(&id), STORAGE_POOL.name, "Refresh", &());
            }
        }
    }

    fn node_device_event(&self, id: &NodeDeviceId, event: &NodeDeviceEvent) {
        let id = Id::NodeDevice(id.clone());
        match event {
            NodeDeviceEvent::Lifecycle(lifecycle) => {
                self.send_lifecycle(&id, "NodeDeviceEvent", lifecycle.number());
            }
            NodeDeviceEvent::Update => {
                self.send(&self.node.path_of(&id), NODE_DEVICE.name, "Update", &());
            }
        }
    }

    fn secret_event(&self, id: &SecretId, event: &SecretEvent) {
        let id = Id::Secret(id.clone());
        match event {
            SecretEvent::Lifecycle(lifecycle) => {
                self.send_lifecycle(&id, "SecretEvent", lifecycle.number());
            }
            SecretEvent::ValueChanged => {
                self.send(&self.node.path_of(&id), SECRET.name, "ValueChanged", &());
            }
        }
    }

    /// The lifecycle events of these kinds have no detail; libvirt sends 0.
    fn send_lifecycle(&self, id: &Id, member: &str, event: i32) {
        if let Ok(object) = ObjectPath::try_from(self.node.path_of(id)) {
            self.send(&self.node.path, CONNECT.name, member, &(object, event, 0));
        }
    }
}
