//! Many object paths, as one answer.
//!
//! What tells ten thousand objects apart is gathered in one short loop, which lets the processor fetch many of them from memory at
//! once, and can be kept; a path is spelt when it is put on the wire.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeSeq, Serializer};
use virtbus_api::Uuid;
use virtbus_api::object::{IdRef, Kind};
use zbus::{Signature, Type};

use crate::tree::{Element, Node};

/// Paths of objects of one kind; `ao` on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Paths(Arc<Listed>);

#[derive(Debug)]
struct Listed {
    /// What all begin with.
    folder: String,
    last: Vec<Last>,
}

/// The last element of a path.
#[derive(Debug)]
enum Last {
    Uuid(Uuid),
    Spelt(Box<str>),
}

impl From<IdRef<'_>> for Last {
    fn from(id: IdRef<'_>) -> Self {
        match Element::of(id) {
            Element::Uuid(uuid) => Self::Uuid(uuid),
            element => {
                let mut spelt = String::new();
                element.write(&mut spelt);
                Self::Spelt(spelt.into())
            }
        }
    }
}

impl Paths {
    /// Those of the connection's objects of this kind, but for such as have no name.
    pub(crate) fn of<'a>(node: &Node, kind: Kind, ids: impl Iterator<Item = IdRef<'a>>) -> Self {
        let mut folder = String::new();
        node.write_folder(kind, &mut folder);
        let nameable = ids.filter(|id| id.can_be_named());
        let last = nameable.map(Last::from).collect();
        Self(Arc::new(Listed { folder, last }))
    }
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Listed { folder, last } = &*self.0;
        let mut paths = serializer.serialize_seq(Some(last.len()))?;
        let mut path = folder.clone();
        for last in last {
            path.truncate(folder.len());
            match last {
                Last::Uuid(uuid) => Element::Uuid(*uuid).write(&mut path),
                Last::Spelt(spelt) => path.push_str(spelt),
            }
            paths.serialize_element(path.as_str())?;
        }
        paths.end()
    }
}

impl Type for Paths {
    const SIGNATURE: &'static Signature = &Signature::static_array(&Signature::ObjectPath);
}
