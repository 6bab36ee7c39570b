//! Values on the wire: those of properties and of typed parameters.
//!
//! Properties are serialized straight from the objects' views, so that one message with ten thousand objects needs no
//! tree of owned variants first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use virtbus_api::numbers::{Field, Fields};
use virtbus_api::typed::{TypedParameter, TypedParameters, TypedValue};
use zbus::{Message, OwnedVariant, Signature, Type, Variant};

/// The message, if it is one that a bus takes: it ends the connection, and with it the service, over a text with a zero byte or a path that
/// is none. What is in a message comes from drivers and guests, who may say anything.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn sendable(message: Message) -> zbus::Result<Message> {
    message.body().validate()?;
    Ok(message)
}

/// A text as D-Bus can carry it: where many objects are told of in one message, what one is called must not keep all of them back.
fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The value of a property; serializes as a variant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Bool(bool),
    U32(u32),
    U64(u64),
    Str(Cow<'a, str>),
    I32(i32),
    I32U32(i32, u32),
    StrI32(Cow<'a, str>, i32),
    Strs(Vec<Cow<'a, str>>),
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::U32(value)
    }
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::U64(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Str(Cow::Borrowed(value))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Str(Cow::Owned(value))
    }
}

impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<(i32, u32)> for Value<'_> {
    fn from((first, second): (i32, u32)) -> Self {
        Self::I32U32(first, second)
    }
}

impl<'a> From<(&'a str, i32)> for Value<'a> {
    fn from((text, number): (&'a str, i32)) -> Self {
        Self::StrI32(Cow::Borrowed(text), number)
    }
}

impl<'a> FromIterator<&'a str> for Value<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        Self::Strs(texts.into_iter().map(Cow::Borrowed).collect())
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => variant(serializer, value),
            Self::U32(value) => variant(serializer, value),
            Self::U64(value) => variant(serializer, value),
            Self::Str(value) => variant(serializer, &&*text(value)),
            Self::I32(value) => variant(serializer, value),
            Self::I32U32(first, second) => variant(serializer, &(*first, *second)),
            Self::StrI32(name, number) => variant(serializer, &(&*text(name), *number)),
            Self::Strs(texts) => {
                let texts: Vec<Cow<'_, str>> = texts.iter().map(|value| text(value)).collect();
                variant(serializer, &texts)
            }
        }
    }
}

impl Type for Value<'_> {
    const SIGNATURE: &'static Signature = &Signature::Variant;
}

fn variant<S: Serializer, T: Serialize + Type>(
    serializer: S,
    value: &T,
) -> Result<S::Ok, S::Error> {
    let mut structure = serializer.serialize_struct("Variant", 2)?;
    structure.serialize_field("signature", T::SIGNATURE)?;
    structure.serialize_field("value", value)?;
    structure.end()
}

/// How deep values are wrapped: once as the specification asks, or twice as libvirt-dbus does in some replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    Once,
    Twice,
}

/// A value in its wrapping.
pub(crate) struct Wrapped<T>(pub(crate) T, pub(crate) Wrapping);

impl<T: Serialize + Type> Serialize for Wrapped<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Wrapping::Once => self.0.serialize(serializer),
            Wrapping::Twice => variant(serializer, &self.0),
        }
    }
}

impl<T> Type for Wrapped<T> {
    const SIGNATURE: &'static Signature = &Signature::Variant;
}

impl Serialize for TypedWire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            TypedValue::Int(value) => variant(serializer, value),
            TypedValue::UInt(value) => variant(serializer, value),
            TypedValue::LLong(value) => variant(serializer, value),
            TypedValue::ULLong(value) => variant(serializer, value),
            TypedValue::Double(value) => variant(serializer, value),
            TypedValue::Boolean(value) => variant(serializer, value),
            TypedValue::String(value) => variant(serializer, &&*text(value)),
        }
    }
}

/// A typed parameter's value; serializes as a variant.
struct TypedWire<'a>(&'a TypedValue);

impl Type for TypedWire<'_> {
    const SIGNATURE: &'static Signature = &Signature::Variant;
}

/// A list of pairs as a dictionary.
#[derive(Debug, Clone)]
pub(crate) struct Dict<K, V>(pub(crate) Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Dict<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<K: Type, V: Type> Type for Dict<K, V> {
    const SIGNATURE: &'static Signature = &Signature::static_dict(K::SIGNATURE, V::SIGNATURE);
}

/// Typed parameters that a client sent, `a{sv}`: the variants' types are the parameters'.
#[derive(Debug)]
pub(crate) struct Given(pub(crate) TypedParameters);

impl Type for Given {
    const SIGNATURE: &'static Signature = Value::DICT;
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = BTreeMap::<String, OwnedVariant>::deserialize(deserializer)?;
        let parameters = given.into_iter().map(|(field, value)| {
            let value = typed(&value).ok_or_else(|| {
                D::Error::custom(format_args!(
                    "the parameter '{field}' is of none of the types i, u, x, t, d, b, s"
                ))
            })?;
            Ok(TypedParameter { field, value })
        });
        Ok(Self(parameters.collect::<Result<_, D::Error>>()?))
    }
}

/// The value in a variant, however often it is wrapped, if it is of a type that typed parameters have.
fn typed(value: &Variant<'_>) -> Option<TypedValue> {
    Some(match value {
        Variant::I32(value) => (*value).into(),
        Variant::U32(value) => (*value).into(),
        Variant::I64(value) => (*value).into(),
        Variant::U64(value) => (*value).into(),
        Variant::F64(value) => (*value).into(),
        Variant::Bool(value) => (*value).into(),
        Variant::Str(value) => value.as_str().into(),
        Variant::Variant(inner) => return typed(inner),
        _ => return None,
    })
}

/// A list of typed parameters as `a{sv}`. `F` says which of them are numbers of sets.
pub(crate) struct Parameters<F = Free> {
    list: TypedParameters,
    wrapping: Wrapping,
    fields: PhantomData<F>,
}

/// Typed parameters of which none is a number of a set.
#[derive(Debug)]
pub(crate) enum Free {}

impl Fields for Free {
    const FIELDS: &'static [Field] = &[];
}

impl<F> Parameters<F> {
    pub(crate) const fn new(list: TypedParameters, wrapping: Wrapping) -> Self {
        Self {
            list,
            wrapping,
            fields: PhantomData,
        }
    }
}

impl<F> Serialize for Parameters<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.list.len()))?;
        for parameter in &self.list {
            map.serialize_entry(
                &*text(&parameter.field),
                &Wrapped(TypedWire(&parameter.value), self.wrapping),
            )?;
        }
        map.end()
    }
}

impl<F> Type for Parameters<F> {
    const SIGNATURE: &'static Signature = Value::DICT;
}

impl Value<'_> {
    /// `a{sv}`.
    pub(crate) const DICT: &'static Signature =
        &Signature::static_dict(&Signature::Str, &Signature::Variant);
}
