//! `org.freedesktop.DBus.ObjectManager`: every object with its properties in one message, at [`ROOT`] and at each
//! connection.
//!
//! The reply is serialized straight from the views. What the caller may not see is left out, objects and properties alike.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use virtbus_api::access::{Arguments, Caller, Permission, Seen};
use virtbus_api::object::Kind;
use virtbus_api::session::Target;
use zbus::{Message, Signature, Type};

use super::properties::Properties;
use crate::answer::{Received, unknown_object};
use crate::declare::Property;
use crate::error::{Failure, Protocol};
use crate::interfaces::connect::CONNECT;
use crate::invocation::reply;
use crate::tree::{self, Node, Place, View};
use crate::value::{Value, Wrapping};

#[expect(unused_imports, reason = "named by the module's documentation")]
use crate::tree::ROOT;

pub(crate) const NAME: &str = "org.freedesktop.DBus.ObjectManager";

/// Whether there is an object manager at a place.
pub(crate) const fn is_at(place: Place<'_>) -> bool {
    matches!(place, Place::Root | Place::Connection(_))
}

pub(crate) async fn answer(
    received: &Received,
    place: Place<'_>,
    path: &str,
) -> Result<Message, Failure> {
    let nodes = match place {
        Place::Root => received.shared.nodes.all(),
        Place::Connection(name) => vec![
            received
                .shared
                .nodes
                .get(name)
                .ok_or_else(|| unknown_object(path))?,
        ],
        Place::Above { .. } | Place::LogControl | Place::Folder(..) | Place::Object(..) => {
            return Err(Failure::protocol(
                Protocol::UnknownInterface,
                format!("{path} has no interface {NAME}"),
            ));
        }
    };
    let _turn = received.shared.turn_at_pictures(&received.peer).await?;
    let caller = received.caller().without_dialogs();
    let mut objects = Vec::new();
    for node in nodes {
        if place == Place::Root {
            objects.extend(connection_object(&caller, &node).await);
        }
        for kind in Kind::ALL {
            objects_of_kind(&caller, &node, *kind, &mut objects).await?;
        }
    }
    Ok(reply(&received.message, &(Objects(&objects),))?)
}

/// An object of the answer.
struct Managed {
    node: Arc<Node>,
    interface: &'static str,
    view: View,
    properties: Arc<[&'static Property]>,
}

async fn connection_object(caller: &Caller, node: &Arc<Node>) -> Option<Managed> {
    let session = node.guarded.session(caller);
    let target = Target::connection();
    let (mut properties, mut granted) = (Vec::new(), None);
    for property in CONNECT.properties {
        let asked = session.grant(property.call, Arguments::default(), &target);
        if let Ok(call) = asked.await {
            properties.push(property);
            granted = Some(call);
        }
    }
    let view = View::of(&granted?, &properties).await.ok()?;
    Some(Managed {
        node: Arc::clone(node),
        interface: CONNECT.name,
        view,
        properties: properties.into(),
    })
}

async fn objects_of_kind(
    caller: &Caller,
    node: &Arc<Node>,
    kind: Kind,
    objects: &mut Vec<Managed>,
) -> Result<(), Failure> {
    let shown = node.guarded.session(caller).shown(kind).await?;
    let interface = tree::interface(kind);
    let mut allowed: Vec<(Permission, Seen)> = Vec::new();
    for rule in interface
        .properties
        .iter()
        .flat_map(|property| property.call.rules())
    {
        if !allowed
            .iter()
            .any(|(permission, _)| *permission == rule.permission)
        {
            allowed.push((rule.permission, shown.may(rule.permission).await?));
        }
    }
    let mut sets: Vec<(Vec<bool>, Arc<[&'static Property]>)> = Vec::new();
    objects.reserve(shown.views().len());
    for (at, view) in shown.into_views().into_iter().enumerate() {
        if !view.borrowed_id().can_be_named() {
            continue;
        }
        let may: Vec<bool> = allowed.iter().map(|(_, seen)| seen.has(at)).collect();
        let properties = match sets.iter().find(|(set, _)| *set == may) {
            Some((_, properties)) => Arc::clone(properties),
            None => {
                let has = |property: &&'static Property| {
                    property.call.rules().iter().all(|rule| {
                        allowed.iter().any(|(permission, seen)| {
                            *permission == rule.permission && seen.has(at)
                        })
                    })
                };
                let properties: Arc<[_]> = interface.properties.iter().filter(has).collect();
                sets.push((may, Arc::clone(&properties)));
                properties
            }
        };
        objects.push(Managed {
            node: Arc::clone(node),
            interface: interface.name,
            view: View::Object(view),
            properties,
        });
    }
    Ok(())
}

/// `a{oa{sa{sv}}}`.
struct Objects<'a>(&'a [Managed]);

impl Serialize for Objects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        let mut path = String::new();
        for object in self.0 {
            path.clear();
            match &object.view {
                View::Object(view) => object.node.write_path(view.borrowed_id(), &mut path),
                View::Connect(_) => path.push_str(&object.node.path),
            }
            let properties = Properties {
                properties: &object.properties,
                view: Some(&object.view),
                wrapping: Wrapping::Once,
            };
            map.serialize_entry(&path, &Interfaces(object.interface, properties))?;
        }
        map.end()
    }
}

impl Type for Objects<'_> {
    const SIGNATURE: &'static Signature =
        &Signature::static_dict(&Signature::ObjectPath, Interfaces::SIGNATURE);
}

/// `a{sa{sv}}`: an object's one interface of ours. The standard ones have no properties and are left out.
pub(crate) struct Interfaces<'a>(pub(crate) &'static str, pub(crate) Properties<'a>);

impl Serialize for Interfaces<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

impl Type for Interfaces<'_> {
    const SIGNATURE: &'static Signature = &Signature::static_dict(&Signature::Str, Value::DICT);
}
