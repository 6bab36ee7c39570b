//! Values on the wire: those of properties and of typed parameters.
//!
//! Properties are serialized straight from the objects' views, so that one message with ten thousand objects needs no
//! tree of owned variants first.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use virtbus_api::typed::{TypedParameter, TypedValue};
use zbus::{Signature, Type};

/// The value of a property; serializes as a variant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Bool(bool),
    U32(u32),
    U64(u64),
    Str(Cow<'a, str>),
    Pair(i32, i32),
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

impl From<(i32, i32)> for Value<'_> {
    fn from((first, second): (i32, i32)) -> Self {
        Self::Pair(first, second)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => variant(serializer, value),
            Self::U32(value) => variant(serializer, value),
            Self::U64(value) => variant(serializer, value),
            Self::Str(value) => variant(serializer, &&**value),
            Self::Pair(first, second) => variant(serializer, &(*first, *second)),
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
            TypedValue::String(value) => variant(serializer, &value.as_str()),
        }
    }
}

/// A typed parameter's value; serializes as a variant.
struct TypedWire<'a>(&'a TypedValue);

impl Type for TypedWire<'_> {
    const SIGNATURE: &'static Signature = &Signature::Variant;
}

/// A list of typed parameters as `a{sv}`.
pub(crate) struct Parameters(pub(crate) Vec<TypedParameter>, pub(crate) Wrapping);

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for parameter in &self.0 {
            map.serialize_entry(
                &parameter.field,
                &Wrapped(TypedWire(&parameter.value), self.1),
            )?;
        }
        map.end()
    }
}

impl Type for Parameters {
    const SIGNATURE: &'static Signature = Value::DICT;
}

impl Value<'_> {
    /// `a{sv}`.
    pub(crate) const DICT: &'static Signature =
        &Signature::static_dict(&Signature::Str, &Signature::Variant);
}
