//! Arguments without a meaning: the emptiest value of each type that goes into a member, and one at its end.

use std::collections::HashMap;

use zbus::{Array, ObjectPath, OwnedVariant, Signature, Variant};

/// A number as flags are.
#[must_use]
pub fn number(value: u32) -> Variant<'static> {
    value.into()
}

fn path(path: &'static str) -> ObjectPath<'static> {
    ObjectPath::try_from(path).expect("it is written here")
}

/// The emptiest value of a type.
///
/// # Panics
/// When no member has had an argument of this type so far.
#[must_use]
pub fn nothing(signature: &str) -> Variant<'static> {
    match signature {
        "a{sv}" => HashMap::<String, OwnedVariant>::new().into(),
        "a(ut)" => Vec::<(u32, u64)>::new().into(),
        "as" => Vec::<String>::new().into(),
        "ab" => vec![true].into(),
        "au" => vec![1_u32].into(),
        "ay" => vec![1_u8].into(),
        "ah" => Array::new(&Signature::Fd).into(),
        "b" => true.into(),
        "u" => 0_u32.into(),
        "i" => 0_i32.into(),
        "t" => 0_u64.into(),
        "x" => 0_i64.into(),
        "s" => String::new().into(),
        "o" => path("/").into(),
        other => panic!("no value of the type '{other}' is known"),
    }
}

/// A value at the end of what a type can hold, or of which nobody has heard.
///
/// # Panics
/// As [`nothing`].
#[must_use]
pub fn extreme(signature: &str) -> Variant<'static> {
    const UNKNOWN: &str = "no-such-thing";
    match signature {
        "a{sv}" => HashMap::from([(UNKNOWN.to_owned(), Variant::from(u64::MAX))]).into(),
        "a(ut)" => vec![(u32::MAX, u64::MAX)].into(),
        "as" => vec![UNKNOWN.to_owned()].into(),
        "ab" => vec![true; 100].into(),
        "au" => vec![u32::MAX; 100].into(),
        "ay" => vec![u8::MAX; 100].into(),
        "u" => u32::MAX.into(),
        "i" => i32::MIN.into(),
        "t" => u64::MAX.into(),
        "x" => i64::MIN.into(),
        "s" => UNKNOWN.into(),
        "o" => path("/org/libvirt/Nobody").into(),
        other => nothing(other),
    }
}
