//! `org.freedesktop.DBus.Properties`: reading is answered from the object's view, each property under its own permission.

use serde::ser::{Serialize, SerializeMap, Serializer};
use virtbus_api::access::{Arguments, Call};
use virtbus_api::session::{Granted, Need, Session, Target};
use virtbus_api::{Error, ErrorCode};
use zbus::{Message, Signature, Type};

use super::arguments;
use crate::answer::{Order, Received, find_object, interface_at, unknown_object};
use crate::declare::{Interface, Property};
use crate::error::{Failure, Protocol};
use crate::invocation::reply;
use crate::tree::{Place, View};
use crate::value::{Value, Wrapped, Wrapping};

pub(crate) const NAME: &str = "org.freedesktop.DBus.Properties";

pub(crate) async fn get(
    received: &Received,
    place: Place<'_>,
    path: &str,
) -> Result<Message, Failure> {
    let body = received.message.body();
    let (interface, name): (&str, &str) = arguments(&received.message, &body)?;
    let property = find(place, interface, name, path)?;
    let caller = received.caller();
    let found = find_object(&received.shared, &caller, place, path, Need::View);
    let (node, target) = found.await?;
    let session = node.guarded.session(&caller);
    let asked = session.grant(property.call, Arguments::default(), &target);
    let view = View::of(&asked.await?, &[property]).await?;
    let value = (property.get)(&view)?;
    Ok(reply(&received.message, &(value,))?)
}

pub(crate) async fn get_all(
    received: &Received,
    place: Place<'_>,
    path: &str,
) -> Result<Message, Failure> {
    let body = received.message.body();
    let (name,): (&str,) = arguments(&received.message, &body)?;
    let Some(interface) = interface_at(place).filter(|interface| interface.name == name) else {
        if is_standard(name) && Place::of(path).is_some() {
            let none = Properties {
                properties: &[],
                view: None,
                wrapping: Wrapping::Once,
            };
            return Ok(reply(&received.message, &(none,))?);
        }
        return Err(Failure::protocol(
            Protocol::UnknownInterface,
            format!("{path} has no interface {name}"),
        ));
    };
    let caller = received.caller();
    if interface.properties.is_empty() {
        let none = Properties {
            properties: &[],
            view: None,
            wrapping: Wrapping::Once,
        };
        return Ok(reply(&received.message, &(none,))?);
    }
    let found = find_object(&received.shared, &caller, place, path, Need::View);
    let (node, target) = found.await?;
    // Showing all is no reason for a dialog.
    let caller = caller.without_dialogs();
    let (granted, properties) = readable(node.guarded.session(&caller), interface, &target).await?;
    let view = View::of(&granted, &properties).await?;
    let all = Properties {
        properties: &properties,
        view: Some(&view),
        wrapping: received.dialect.wrapping(),
    };
    Ok(reply(&received.message, &(all,))?)
}

pub(crate) async fn set(
    received: Received,
    place: Place<'_>,
    path: &str,
    order: Order,
) -> Result<Message, Failure> {
    let message = received.message.clone();
    let body = message.body();
    let (interface, name, _): (&str, &str, zbus::Variant<'_>) = arguments(&message, &body)?;
    let property = find(place, interface, name, path)?;
    let setter = property.set.as_ref().ok_or_else(|| {
        Failure::protocol(
            Protocol::PropertyReadOnly,
            format!("{interface}.{name} can only be read"),
        )
    })?;
    let order = order.come().await;
    let invocation = received.invocation(place, path, order, Need::Id).await?;
    (setter.run)(invocation).await.map_err(Failure::Api)
}

fn find(
    place: Place<'_>,
    interface: &str,
    name: &str,
    path: &str,
) -> Result<&'static Property, Failure> {
    let table = interface_at(place).ok_or_else(|| unknown_object(path))?;
    if table.name != interface {
        return Err(Failure::protocol(
            Protocol::UnknownInterface,
            format!("{path} has no interface {interface}"),
        ));
    }
    table.property(name).ok_or_else(|| {
        Failure::protocol(
            Protocol::UnknownProperty,
            format!("{interface} has no property {name}"),
        )
    })
}

/// Whether it is one of the interfaces that all objects have, which have no properties.
pub(crate) fn is_standard(name: &str) -> bool {
    [
        NAME,
        super::peer::NAME,
        super::introspect::NAME,
        super::objects::NAME,
    ]
    .contains(&name)
}

/// The properties that the caller may read, and the grant of reading one of them; an error if there is none at all.
async fn readable<'a>(
    session: Session<'a>,
    interface: &'static Interface,
    target: &'a Target,
) -> Result<(Granted<'a>, Vec<&'static Property>), Failure> {
    let mut asked: Vec<(Call, Result<Granted<'a>, Error>)> = Vec::new();
    let mut properties = Vec::with_capacity(interface.properties.len());
    for property in interface.properties {
        if !asked.iter().any(|(call, _)| *call == property.call) {
            let answer = session.grant(property.call, Arguments::default(), target);
            asked.push((property.call, answer.await));
        }
        if asked
            .iter()
            .any(|(call, answer)| *call == property.call && answer.is_ok())
        {
            properties.push(property);
        }
    }
    let granted = asked.iter().find_map(|(_, answer)| answer.as_ref().ok());
    match (granted, &asked[..]) {
        (Some(granted), _) => Ok((*granted, properties)),
        (None, [(_, Err(denial)), ..]) => Err(denial.clone().into()),
        (None, _) => Err(Error::internal("an interface has no properties").into()),
    }
}

/// Properties with their values as `a{sv}`. One whose getter fails is left out, as libvirt-dbus does.
pub(crate) struct Properties<'a> {
    pub(crate) properties: &'a [&'static Property],
    pub(crate) view: Option<&'a View>,
    pub(crate) wrapping: Wrapping,
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for property in self.properties {
            let Some(view) = self.view else { break };
            match (property.get)(view) {
                Ok(value) => map.serialize_entry(property.name, &Wrapped(value, self.wrapping))?,
                Err(error) if error.code == ErrorCode::NoSupport => {}
                Err(error) => {
                    tracing::debug!(property = property.name, %error, "a property cannot be read, ignoring");
                }
            }
        }
        map.end()
    }
}

impl Type for Properties<'_> {
    const SIGNATURE: &'static Signature = Value::DICT;
}
