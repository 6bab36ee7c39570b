//! QEMU's tree of objects and their properties.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Nothing;
use crate::command::{Command, commands};

use super::replies;

commands! {
    /// Reads a property, as JSON.
    QomGet(
        /// The object's path.
        path: String,
        /// The property.
        property: String,
    ) = "qom-get" -> Box<RawValue>;
    /// The properties of an object.
    QomList(
        /// The object's path.
        path: String,
    ) = "qom-list" -> Vec<ObjectProperty>;
    /// The properties that objects of a type have.
    QomListProperties(
        /// The type.
        typename: String,
    ) = "qom-list-properties" -> Vec<ObjectProperty>;
    /// The types.
    QomListTypes[
        /// Only those that have this for an ancestor.
        implements: String,
        /// Also those of which there can be no objects.
        #[serde(rename = "abstract")]
        also_abstract: bool,
    ] = "qom-list-types" -> Vec<ObjectType>;
    /// Removes an object.
    ObjectDel(
        /// Its id.
        id: String,
    ) = "object-del" -> Nothing;
}

/// Sets a property.
#[derive(Debug, Clone, Serialize)]
pub struct QomSet {
    /// The object's path.
    pub path: String,
    /// The property.
    pub property: String,
    /// The value as JSON.
    pub value: Box<RawValue>,
}

impl Command for QomSet {
    const NAME: &'static str = "qom-set";
    type Reply = Nothing;
}

/// Adds an object. Options as for `-object` in JSON, with `qom-type` and `id`. QEMU before 6.0
/// wants all others within `props`.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct ObjectAdd(pub Box<RawValue>);

impl Command for ObjectAdd {
    const NAME: &'static str = "object-add";
    type Reply = Nothing;
}

replies! {
    /// A property.
    ObjectProperty {
        /// Its name.
        name: String,
        /// Its type; `child<…>` for an object within.
        #[serde(rename = "type")]
        kind: String,
        /// What it is good for.
        description: Option<String>,
        /// What it is unless set, as JSON.
        default_value: Option<Present>,
    }
    /// A type.
    ObjectType {
        /// Its name.
        name: String,
        /// Whether there can be no objects of it.
        #[serde(rename = "abstract", default)]
        is_abstract: bool,
        /// The type that it derives from.
        parent: Option<String>,
    }
}

/// JSON of any form, compared as text.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(transparent)]
pub struct Present(pub Box<RawValue>);

impl PartialEq for Present {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}
