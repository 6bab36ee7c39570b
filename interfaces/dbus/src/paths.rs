//! Many object paths, as one answer.
//!
//! Ten thousand paths are one text and the places where they end: no path is a value of its own until it is on the wire.

use serde::ser::{Serialize, SerializeSeq, Serializer};
use virtbus_api::object::IdRef;
use zbus::{Signature, Type};

use crate::tree::Node;

/// Paths of objects; `ao` on the wire.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    text: String,
    ends: Vec<usize>,
}

impl Paths {
    /// With room for `count` paths of domains.
    pub(crate) fn with_capacity(count: usize) -> Self {
        const DOMAIN: usize =
            "/org/libvirt/QEMU/domain/_8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11".len();
        Self {
            text: String::with_capacity(count * DOMAIN),
            ends: Vec::with_capacity(count),
        }
    }

    /// Adds the path of one of the connection's objects.
    pub(crate) fn push(&mut self, node: &Node, id: IdRef<'_>) {
        node.write_path(id, &mut self.text);
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins
            .zip(&self.ends)
            .map(|(begin, end)| &self.text[begin..*end])
    }
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut paths = serializer.serialize_seq(Some(self.ends.len()))?;
        for path in self.iter() {
            paths.serialize_element(path)?;
        }
        paths.end()
    }
}

impl Type for Paths {
    const SIGNATURE: &'static Signature = &Signature::static_array(&Signature::ObjectPath);
}
