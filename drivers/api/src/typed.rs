//! Typed parameters: named values whose type travels with them (`virTypedParameter`).
//!
//! Statistics and tuning calls carry them. A parameter's name is libvirt's, and a list keeps its order.

use crate::declare::flags;

flags! {
    /// What a client understands of typed parameters.
    TypedParameterFlags: virTypedParameterFlags, VIR_TYPED_PARAM_ {
        /// Texts may be among them. Here they always may, with or without this flag.
        STRING_OKAY = 4;
    }
}

/// A value and its type, as libvirt's wire tells them apart.
#[derive(Debug, Clone, PartialEq)]
pub enum TypedValue {
    /// `VIR_TYPED_PARAM_INT`.
    Int(i32),
    /// `VIR_TYPED_PARAM_UINT`.
    UInt(u32),
    /// `VIR_TYPED_PARAM_LLONG`.
    LLong(i64),
    /// `VIR_TYPED_PARAM_ULLONG`.
    ULLong(u64),
    /// `VIR_TYPED_PARAM_DOUBLE`.
    Double(f64),
    /// `VIR_TYPED_PARAM_BOOLEAN`.
    Boolean(bool),
    /// `VIR_TYPED_PARAM_STRING`.
    String(String),
}

/// One named value.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedParameter {
    /// libvirt's name of the field, such as `state.state`.
    pub field: String,
    /// The value.
    pub value: TypedValue,
}

impl TypedParameter {
    /// A parameter of the given name and value.
    pub fn new(field: impl Into<String>, value: impl Into<TypedValue>) -> Self {
        Self {
            field: field.into(),
            value: value.into(),
        }
    }
}

/// A list of parameters in the order in which the driver gives them.
pub type TypedParameters = Vec<TypedParameter>;

macro_rules! from {
    ($($type:ty => $variant:ident),*) => {
        $(impl From<$type> for TypedValue {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        })*
    };
}

from!(i32 => Int, u32 => UInt, i64 => LLong, u64 => ULLong, f64 => Double, bool => Boolean, String => String);

impl From<&str> for TypedValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}
