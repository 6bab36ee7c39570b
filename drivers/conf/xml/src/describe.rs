//! What a type declares of its element: names, kinds, how often, and what it is for.
//!
//! Descriptions are made by the derive from the same attributes that reading and writing follow, and from the comments of
//! fields. Reference pages, generators of documents and tests are built on them; reading and writing do not look at them.

use std::borrow::Cow;

use crate::value::Value;

/// A type that can say what it declares.
///
/// Derived together with [`crate::Content`] by `#[derive(Xml)]`, or by `#[derive(Describe)]` for a type that is read and
/// written by hand.
pub trait Describe {
    /// The attributes, texts and children that the type declares.
    fn describe() -> &'static Description;
}

/// What a type declares.
#[derive(Debug)]
pub struct Description {
    /// Path of the type, which no other description has.
    pub type_name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Whether the parts exclude each other: one of them is there.
    pub alternatives: bool,
    /// Its parts, in the order in which they are declared.
    pub parts: &'static [Part],
}

/// One thing that is declared.
#[derive(Debug)]
pub struct Part {
    /// Name of the attribute or element; empty if it is neither.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// How often it is there.
    pub occurs: Occurs,
    /// Attributes of the element that have one value only, by which it is told from others of its name.
    pub fixed: &'static [(&'static str, &'static str)],
    /// Elements that stand around it, outermost first.
    pub within: &'static [Step],
    /// Whether it depends on the rest, or on what the document is written for, that it is written.
    pub conditional: bool,
    /// What holds if it is absent, where something always does; else empty.
    pub absent: &'static str,
    /// Whether it is read, written, or both.
    pub way: Way,
    /// What it is.
    pub kind: Kind,
}

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is read and written.
    Both,
    /// It is read, and then written as something else or not at all.
    In,
    /// It is written, and ignored when it is read.
    Out,
}

/// An element around a part.
#[derive(Debug)]
pub struct Step {
    /// Its name. `..` means that the part stands beside the element that holds the parts around it, not in it.
    pub name: &'static str,
    /// Its attributes that have one value only.
    pub fixed: &'static [(&'static str, &'static str)],
}

/// How often something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurs {
    /// Once.
    Required,
    /// Once or not at all.
    Optional,
    /// Any number of times.
    Many,
}

/// What a part is.
#[derive(Debug)]
pub enum Kind {
    /// An attribute.
    Attribute(Values),
    /// The element's own text.
    Text(Values),
    /// A child element that is there or not, and says nothing else.
    Flag,
    /// A child element with text only.
    TextElement(Values),
    /// A child element with one attribute only.
    AttributeElement(&'static str, Values),
    /// A child element.
    Element(fn() -> &'static Description),
    /// A child element that has no type of its own.
    Inline(&'static [Part]),
    /// More parts of the same element.
    Flat(fn() -> &'static Description),
    /// An attribute, the part's name, that chooses what else there is.
    Choice(Choice),
    /// Child elements named by the values, each with this attribute or without any.
    Named(Values, Option<&'static str>),
    /// A child element that belongs to others, or without a name all of this element: anything may be in it.
    Foreign,
}

/// What one attribute chooses from.
#[derive(Debug)]
pub struct Choice {
    /// The child element that holds the parts of the variants; none if they stand beside the attribute.
    pub body: Option<&'static str>,
    /// The variants.
    pub variants: &'static [Variant],
}

/// One thing to choose.
#[derive(Debug)]
pub struct Variant {
    /// The attribute's value.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Whether it is meant if the attribute is absent.
    pub default: bool,
    /// What it has.
    pub parts: &'static [Part],
}

/// The values of an attribute or text.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// Those of a type: what should be written, and all of them if they are words.
    Typed(fn() -> Cow<'static, str>, fn() -> &'static [&'static str]),
    /// Those that this tells.
    Told(&'static str),
}

impl Values {
    /// The values of a type.
    pub const fn of<T: Value>() -> Self {
        Self::Typed(T::expected, T::words)
    }

    /// What should be written, to complete "it has to be …".
    pub fn expected(&self) -> Cow<'static, str> {
        match self {
            Self::Typed(expected, _) => expected(),
            Self::Told(expected) => Cow::Borrowed(expected),
        }
    }

    /// All values, if they are words; else empty.
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Self::Typed(_, words) => words().to_vec(),
            Self::Told(told) => quoted(told),
        }
    }
}

/// The words of `'a'` or `one of 'a', 'b'`; none of any other text.
fn quoted(told: &'static str) -> Vec<&'static str> {
    let list = told.strip_prefix("one of ").unwrap_or(told);
    let inner = list.strip_prefix('\'').and_then(|l| l.strip_suffix('\''));
    let words: Vec<&str> = inner.map_or_else(Vec::new, |inner| inner.split("', '").collect());
    if words.iter().any(|word| word.contains('\'')) {
        return Vec::new();
    }
    words
}

impl<T: Describe> Describe for Box<T> {
    fn describe() -> &'static Description {
        T::describe()
    }
}

impl Describe for () {
    fn describe() -> &'static Description {
        static NOTHING: Description = Description {
            type_name: "()",
            doc: "",
            alternatives: false,
            parts: &[],
        };
        &NOTHING
    }
}
