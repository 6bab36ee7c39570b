//! What a type must do to be an element, or a part of one.

use crate::dom::Node;
use crate::error::Result;
use crate::writer::{Flags, Writer};

/// The attributes and children of an element, not its name.
///
/// Usually derived with `#[derive(Xml)]`. Writing goes twice over the same fields: attributes first,
/// then children, so that parts flattened into one element can take part in both.
pub trait Content {
    /// Reads the contents of `node`, and takes what it knows.
    ///
    /// # Errors
    /// Anything that is missing or malformed.
    fn parse(node: Node<'_>) -> Result<Self>
    where
        Self: Sized;

    /// Writes the attributes.
    fn attrs(&self, w: &mut Writer);

    /// Writes the text and child elements.
    fn children(&self, w: &mut Writer);

    /// The element `name` with these contents, as a document.
    fn to_xml(&self, name: &str, flags: Flags) -> String
    where
        Self: Sized,
    {
        let mut w = Writer::new(flags);
        w.element(name, self);
        w.finish()
    }
}

impl<T: Content> Content for Box<T> {
    fn parse(node: Node<'_>) -> Result<Self> {
        T::parse(node).map(Self::new)
    }

    fn attrs(&self, w: &mut Writer) {
        (**self).attrs(w);
    }

    fn children(&self, w: &mut Writer) {
        (**self).children(w);
    }
}

/// An element that only is there or not.
impl Content for () {
    fn parse(_: Node<'_>) -> Result<Self> {
        Ok(())
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, _: &mut Writer) {}
}
