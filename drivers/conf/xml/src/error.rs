//! The one error of reading XML: what was wrong, in which element and attribute, and where.
//!
//! It never carries libvirt's error codes: the drivers map [`ErrorKind`] to those.

use std::fmt;

/// Shorthand for everything that can fail with an [`XmlError`].
pub type Result<T, E = XmlError> = std::result::Result<T, E>;

/// The class of an [`XmlError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not well-formed XML.
    Syntax,
    /// The text is larger, deeper or busier than [`crate::Limits`] allows.
    Limit,
    /// A required element, attribute or text is absent.
    Missing,
    /// Something is there, but its value is not one of those allowed.
    Invalid,
    /// An element, attribute or text that the document type does not know.
    Unknown,
}

/// Why a document was refused, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    message: String,
    element: Option<String>,
    attribute: Option<String>,
    place: Option<(u32, u32)>,
}

impl XmlError {
    /// An error that has no place yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: shortened(message.into(), MESSAGE),
            element: None,
            attribute: None,
            place: None,
        }))
    }

    /// The same error, placed at the byte `offset` of `text`.
    #[must_use]
    pub fn at(mut self, text: &str, offset: usize) -> Self {
        self.0.place = Some(line_and_column(text, offset));
        self
    }

    /// The same error, naming the element it is about.
    #[must_use]
    pub fn in_element(mut self, name: &str) -> Self {
        self.0.element = Some(shortened(name.to_owned(), NAME));
        self
    }

    /// The same error, naming the attribute it is about.
    #[must_use]
    pub fn in_attribute(mut self, name: &str) -> Self {
        self.0.attribute = Some(shortened(name.to_owned(), NAME));
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The element concerned.
    pub fn element(&self) -> Option<&str> {
        self.0.element.as_deref()
    }

    /// The attribute concerned.
    pub fn attribute(&self) -> Option<&str> {
        self.0.attribute.as_deref()
    }

    /// The line, from 1; absent if the error has no place in a text.
    pub fn line(&self) -> Option<u32> {
        self.0.place.map(|(line, _)| line)
    }

    /// The column in characters, from 1; absent if the error has no place in a text.
    pub fn column(&self) -> Option<u32> {
        self.0.place.map(|(_, column)| column)
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &*self.0;
        if let Some((line, column)) = e.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        match (&e.element, &e.attribute) {
            (Some(element), Some(attribute)) => {
                write!(f, "attribute '{attribute}' of <{element}>: ")?;
            }
            (Some(element), None) => write!(f, "element <{element}>: ")?,
            (None, Some(attribute)) => write!(f, "attribute '{attribute}': ")?,
            (None, None) => {}
        }
        f.write_str(&e.message)
    }
}

impl std::error::Error for XmlError {}

/// Characters of a message, and of a name in it: a document must not decide how long a log's lines are.
const MESSAGE: usize = 1000;
const NAME: usize = 100;

/// `text` with no more than `most` characters, and `…` for those that are left out.
pub fn shortened(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Line and column (both from 1, columns in characters) of the byte `offset`.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let column = before[start..].chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_place_element_and_attribute() {
        let e = XmlError::new(ErrorKind::Invalid, "'x' is not a number")
            .in_element("vcpu")
            .in_attribute("current")
            .at("<a>\n <vcpu/>", 5);
        assert_eq!(
            e.to_string(),
            "line 2, column 2: attribute 'current' of <vcpu>: 'x' is not a number"
        );
    }

    #[test]
    fn long_messages_are_shortened() {
        let long = "ä".repeat(2000);
        let e = XmlError::new(ErrorKind::Syntax, &long)
            .in_element(&long)
            .in_attribute(&long);
        assert_eq!(e.message().chars().count(), MESSAGE + 1);
        assert_eq!(e.element().map(|name| name.chars().count()), Some(NAME + 1));
        assert!(e.to_string().len() < 3000);
        assert_eq!(shortened("äb".to_owned(), 2), "äb");
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("äö<", 4), (1, 3));
        assert_eq!(line_and_column("äö<", 3), (1, 2));
        assert_eq!(line_and_column("a\n", 99), (2, 1));
    }
}
