//! The arena DOM: nodes in one vector, names and values as spans of the text.
//!
//! Looking something up by name marks it as taken; [`Document::leftovers`] lists what nobody took.
//! The tree is read-only, and is not meant to outlive the conversion into a model.

use std::borrow::Cow;
use std::cell::Cell;

use crate::build::{self, Limits};
use crate::content::Content;
use crate::error::{ErrorKind, Result, XmlError, line_and_column};
use crate::text::is_blank;
use crate::value::Value;

/// Index of a node, attribute or name space that is not there.
pub(crate) const NONE: u32 = u32::MAX;

/// A piece of the text, or of the pool behind it where references had to be resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Element,
    Text,
    CData,
    Comment,
    Instruction,
}

#[derive(Debug)]
pub(crate) struct NodeData {
    pub(crate) kind: Kind,
    pub(crate) taken: Cell<bool>,
    pub(crate) text_taken: Cell<bool>,
    /// The qualified name of an element, the contents of anything else.
    pub(crate) name: Span,
    /// Length of the prefix with its colon.
    pub(crate) prefix: u32,
    pub(crate) space: u32,
    pub(crate) parent: u32,
    pub(crate) first: u32,
    pub(crate) next: u32,
    /// The first child that is an element, and the next such sibling: most children are white space.
    pub(crate) first_element: u32,
    pub(crate) next_element: u32,
    pub(crate) attrs: u32,
    pub(crate) attr_count: u32,
    /// Byte offset in the text.
    pub(crate) start: u32,
}

#[derive(Debug)]
pub(crate) struct AttrData {
    pub(crate) name: Span,
    pub(crate) value: Span,
    pub(crate) start: u32,
    /// A name space declaration, not an attribute.
    pub(crate) declares: bool,
    pub(crate) taken: Cell<bool>,
}

/// A parsed document.
#[derive(Debug)]
pub struct Document<'t> {
    pub(crate) text: &'t str,
    pub(crate) pool: String,
    pub(crate) nodes: Vec<NodeData>,
    pub(crate) attrs: Vec<AttrData>,
    pub(crate) spaces: Vec<String>,
    pub(crate) root: u32,
    pub(crate) stored: bool,
}

/// An element of a [`Document`]. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Node<'d> {
    pub(crate) doc: &'d Document<'d>,
    pub(crate) id: u32,
    /// Stands for an element that is absent: no attributes, no children. The place is its parent's.
    absent: Option<&'d str>,
}

/// An attribute of a [`Node`]: its name as written and its normalised value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'d> {
    /// The qualified name.
    pub name: &'d str,
    /// The value, references resolved.
    pub value: &'d str,
}

/// Something in a document that no type took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The unknown element, or the one that has the unknown attribute or text.
    pub element: String,
    /// The unknown attribute.
    pub attribute: Option<String>,
    /// Whether it is text that is unknown.
    pub text: bool,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl<'t> Document<'t> {
    /// Parses `text` within the usual [`Limits`].
    ///
    /// # Errors
    /// [`ErrorKind::Syntax`] or [`ErrorKind::Limit`].
    pub fn parse(text: &'t str) -> Result<Self> {
        build::build(text, &Limits::default())
    }

    /// Parses `text` within `limits`.
    ///
    /// # Errors
    /// [`ErrorKind::Syntax`] or [`ErrorKind::Limit`].
    pub fn parse_within(text: &'t str, limits: &Limits) -> Result<Self> {
        build::build(text, limits)
    }

    /// Reads of `text` only the root with its attributes, and the first child of each name in `wanted` that is in no name space,
    /// with attributes and text: what the whole document would give for them. It ends when all were found, so what is wrong
    /// farther on is not told. It takes some kilobytes, however long the text is.
    ///
    /// # Errors
    /// [`ErrorKind::Syntax`] or [`ErrorKind::Limit`], the latter also for names that no document needs.
    pub fn skim(text: &'t str, wanted: &[&str]) -> Result<Self> {
        build::skim(text, &Limits::default(), wanted)
    }

    /// The same as what a driver has stored: parts that only drivers may write are read, too.
    #[must_use]
    pub fn stored(mut self) -> Self {
        self.stored = true;
        self
    }

    /// The root element, whatever its name.
    pub fn root(&self) -> Node<'_> {
        self.nodes[self.root as usize].taken.set(true);
        Node {
            doc: self,
            id: self.root,
            absent: None,
        }
    }

    /// The root element, which must be called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is not.
    pub fn expect_root(&self, name: &str) -> Result<Node<'_>> {
        let root = self.root();
        if root.name() == name {
            Ok(root)
        } else {
            Err(root.error(
                ErrorKind::Invalid,
                format!("the root element must be <{name}>"),
            ))
        }
    }

    /// Reads the root element `name` as `T`; what `T` does not know is ignored.
    ///
    /// # Errors
    /// Any [`XmlError`] of `T`.
    pub fn read<T: Content>(&self, name: &str) -> Result<T> {
        T::parse(self.expect_root(name)?)
    }

    /// An error for the first thing nobody took.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`].
    pub fn check_no_leftovers(&self) -> Result<()> {
        let Some(first) = self.leftovers(1).into_iter().next() else {
            return Ok(());
        };
        let message = match (&first.attribute, first.text) {
            (Some(_), _) => "this attribute is not known here",
            (None, true) => "text is not allowed here",
            (None, false) => "this element is not known here",
        };
        let mut error = XmlError::new(ErrorKind::Unknown, message).in_element(&first.element);
        if let Some(attribute) = &first.attribute {
            error = error.in_attribute(attribute);
        }
        Err(error.at(self.text, self.offset_of(first.line, first.column)))
    }

    fn offset_of(&self, line: u32, column: u32) -> usize {
        let mut start = 0;
        for _ in 1..line {
            start = self.text[start..]
                .find('\n')
                .map_or(self.text.len(), |i| start + i + 1);
        }
        self.text[start..]
            .char_indices()
            .nth(column as usize - 1)
            .map_or(self.text.len(), |(i, _)| start + i)
    }

    /// The first `most` unknown elements, attributes and texts, in document order.
    pub fn leftovers(&self, most: usize) -> Vec<Leftover> {
        let mut found = Vec::new();
        let mut at = self.root;
        while found.len() < most {
            let data = &self.nodes[at as usize];
            let mut descend = NONE;
            if data.kind == Kind::Element {
                if data.taken.get() {
                    self.leftover_attributes(at, most, &mut found);
                    descend = data.first;
                } else {
                    found.push(self.leftover(at, data.start, None, false));
                }
            } else if matches!(data.kind, Kind::Text | Kind::CData)
                && !self.nodes[data.parent as usize].text_taken.get()
                && !is_blank(self.str(data.name))
            {
                found.push(self.leftover(data.parent, data.start, None, true));
            }
            // Next in document order.
            let mut next = descend;
            let mut up = at;
            while next == NONE {
                if up == self.root {
                    return found;
                }
                next = self.nodes[up as usize].next;
                up = self.nodes[up as usize].parent;
            }
            at = next;
        }
        found.truncate(most);
        found
    }

    fn leftover_attributes(&self, id: u32, most: usize, found: &mut Vec<Leftover>) {
        for attr in self.attrs_of(id) {
            if !attr.taken.get() && !attr.declares && found.len() < most {
                found.push(self.leftover(
                    id,
                    attr.start,
                    Some(self.str(attr.name).to_owned()),
                    false,
                ));
            }
        }
    }

    fn leftover(
        &self,
        element: u32,
        start: u32,
        attribute: Option<String>,
        text: bool,
    ) -> Leftover {
        let (line, column) = line_and_column(self.text, start as usize);
        let element = self.str(self.nodes[element as usize].name).to_owned();
        Leftover {
            element,
            attribute,
            text,
            line,
            column,
        }
    }

    pub(crate) fn str(&self, span: Span) -> &str {
        let (start, len) = (span.start as usize, span.len as usize);
        match start.checked_sub(self.text.len()) {
            None => &self.text[start..start + len],
            Some(start) => &self.pool[start..start + len],
        }
    }

    /// Whether the name at `span` is `name`. Names are never in the pool.
    pub(crate) fn is_named(&self, span: Span, name: &str) -> bool {
        let (start, len) = (span.start as usize, span.len as usize);
        // The length alone tells most names apart.
        len == name.len() && self.text.as_bytes().get(start..start + len) == Some(name.as_bytes())
    }

    pub(crate) fn attrs_of(&self, id: u32) -> &[AttrData] {
        let node = &self.nodes[id as usize];
        &self.attrs[node.attrs as usize..(node.attrs + node.attr_count) as usize]
    }
}

impl<'d> Node<'d> {
    fn data(&self) -> &'d NodeData {
        &self.doc.nodes[self.id as usize]
    }

    /// The local name, without a prefix.
    pub fn name(&self) -> &'d str {
        match self.absent {
            Some(name) => name,
            None => &self.qualified_name()[self.data().prefix as usize..],
        }
    }

    /// The name as written, with its prefix.
    pub fn qualified_name(&self) -> &'d str {
        self.absent
            .unwrap_or_else(|| self.doc.str(self.data().name))
    }

    /// The URI of the name space the element is in.
    pub fn namespace(&self) -> Option<&'d str> {
        match self.data().space {
            NONE => None,
            space => Some(&self.doc.spaces[space as usize]),
        }
    }

    /// Whether a driver has stored the document, so that it has what no client may say.
    pub fn is_stored(&self) -> bool {
        self.doc.stored
    }

    /// Whether this stands for an element that is not in the document.
    pub fn is_absent(&self) -> bool {
        self.absent.is_some()
    }

    /// Stands for a child `name` that is not there; reading it finds nothing.
    #[must_use]
    pub fn absent_child(&self, name: &'d str) -> Self {
        Self {
            absent: Some(name),
            ..*self
        }
    }

    fn attrs(&self) -> &'d [AttrData] {
        if self.absent.is_some() {
            &[]
        } else {
            self.doc.attrs_of(self.id)
        }
    }

    /// The attribute `name`.
    pub fn attr(&self, name: &str) -> Option<&'d str> {
        let attr = self
            .attrs()
            .iter()
            .find(|a| self.doc.is_named(a.name, name) && !a.declares)?;
        attr.taken.set(true);
        Some(self.doc.str(attr.value))
    }

    /// Marks the attribute as not taken after all: whoever has read it has no use for it here.
    pub fn leave_attr(&self, name: &str) {
        for attr in self
            .attrs()
            .iter()
            .filter(|attr| self.doc.is_named(attr.name, name))
        {
            attr.taken.set(false);
        }
    }

    /// All attributes, none of them marked as taken. Name space declarations are not among them.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'d>> + use<'d> {
        let doc = self.doc;
        self.attrs()
            .iter()
            .filter(|a| !a.declares)
            .map(move |a| Attribute {
                name: doc.str(a.name),
                value: doc.str(a.value),
            })
    }

    /// All child elements, none of them marked as taken.
    pub fn elements(&self) -> impl Iterator<Item = Self> + use<'d> {
        let node = *self;
        self.element_ids().map(move |id| node.sibling(id))
    }

    pub(crate) fn child_ids(&self) -> impl Iterator<Item = u32> + use<'d> {
        let doc = self.doc;
        let mut at = if self.absent.is_some() {
            NONE
        } else {
            self.data().first
        };
        std::iter::from_fn(move || {
            let id = at;
            at = doc.nodes.get(id as usize)?.next;
            Some(id)
        })
    }

    fn element_ids(&self) -> impl Iterator<Item = u32> + Clone + use<'d> {
        let doc = self.doc;
        let mut at = if self.absent.is_some() {
            NONE
        } else {
            self.data().first_element
        };
        std::iter::from_fn(move || {
            let id = at;
            at = doc.nodes.get(id as usize)?.next_element;
            Some(id)
        })
    }

    pub(crate) fn sibling(&self, id: u32) -> Self {
        Self {
            id,
            absent: None,
            ..*self
        }
    }

    /// The name spaces that the elements around this one declare, innermost first: prefix and URI.
    pub(crate) fn outer_declarations(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut at = self.data().parent;
        while at != NONE {
            for attr in self.doc.attrs_of(at).iter().filter(|a| a.declares) {
                let name = self.doc.str(attr.name);
                let prefix = name.strip_prefix("xmlns:").unwrap_or_default();
                found.push((prefix.to_owned(), self.doc.str(attr.value).to_owned()));
            }
            at = self.doc.nodes[at as usize].parent;
        }
        found
    }

    /// Marks the element as known.
    pub fn take(&self) {
        if self.absent.is_none() {
            self.data().taken.set(true);
        }
    }

    /// Marks the element, its attributes, and everything below as known.
    pub fn take_all(&self) {
        if self.absent.is_some() {
            return;
        }
        let mut stack = vec![self.id];
        while let Some(id) = stack.pop() {
            let node = &self.doc.nodes[id as usize];
            node.taken.set(true);
            node.text_taken.set(true);
            self.doc.attrs_of(id).iter().for_each(|a| a.taken.set(true));
            stack.extend(Self { id, ..*self }.child_ids());
        }
    }

    /// The first child element `name` that is in no name space.
    pub fn child(&self, name: &str) -> Option<Self> {
        self.children(name).next()
    }

    /// The child elements `name` that are in no name space; each is marked as taken when reached.
    pub fn children<'n>(&self, name: &'n str) -> impl Iterator<Item = Self> + Clone + use<'d, 'n> {
        let node = *self;
        self.element_ids().filter_map(move |id| {
            let data = &node.doc.nodes[id as usize];
            let wanted = node.doc.is_named(data.name, name) && data.space == NONE;
            wanted.then(|| {
                data.taken.set(true);
                node.sibling(id)
            })
        })
    }

    /// The child elements `name` in the name space `uri`.
    pub fn children_in<'n>(
        &self,
        uri: &'n str,
        name: &'n str,
    ) -> impl Iterator<Item = Self> + use<'d, 'n> {
        self.elements()
            .filter(move |n| n.name() == name && n.namespace() == Some(uri))
            .inspect(Self::take)
    }

    /// The element's own text, pieces joined, as it stands.
    pub fn text(&self) -> Cow<'d, str> {
        if self.absent.is_some() {
            return Cow::Borrowed("");
        }
        self.data().text_taken.set(true);
        let mut pieces = self
            .child_ids()
            .filter(|id| matches!(self.doc.nodes[*id as usize].kind, Kind::Text | Kind::CData));
        let Some(first) = pieces.next() else {
            return Cow::Borrowed("");
        };
        let mut text = Cow::Borrowed(self.doc.str(self.doc.nodes[first as usize].name));
        for id in pieces {
            text.to_mut()
                .push_str(self.doc.str(self.doc.nodes[id as usize].name));
        }
        text
    }

    /// An error at this element.
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> XmlError {
        XmlError::new(kind, message)
            .in_element(self.qualified_name())
            .at(self.doc.text, self.data().start as usize)
    }

    /// An error at the attribute `name` of this element.
    pub fn attr_error(&self, name: &str, kind: ErrorKind, message: impl Into<String>) -> XmlError {
        let start = self
            .attrs()
            .iter()
            .find(|a| self.doc.str(a.name) == name)
            .map_or(self.data().start, |a| a.start);
        XmlError::new(kind, message)
            .in_element(self.qualified_name())
            .in_attribute(name)
            .at(self.doc.text, start as usize)
    }

    /// The error for an attribute that has to be there.
    pub fn missing_attr(&self, name: &str) -> XmlError {
        self.attr_error(name, ErrorKind::Missing, "must be given")
    }

    /// The error for a child element that has to be there.
    pub fn missing_child(&self, name: &str) -> XmlError {
        self.error(
            ErrorKind::Missing,
            format!("child element <{name}> must be given"),
        )
    }

    /// The error for an attribute with a wrong value.
    pub fn bad_attr(&self, name: &str, value: &str, expected: &str) -> XmlError {
        self.attr_error(name, ErrorKind::Invalid, wrong_value(value, expected))
    }

    /// The error for wrong text.
    pub fn bad_text(&self, value: &str, expected: &str) -> XmlError {
        self.error(ErrorKind::Invalid, wrong_value(value, expected))
    }

    /// Reads the attribute `name`, if it is there.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub fn attr_opt<T: Value>(&self, name: &str) -> Result<Option<T>> {
        match self.attr(name) {
            None => Ok(None),
            Some(text) => match T::from_text(text) {
                Some(value) => Ok(Some(value)),
                None => Err(self.bad_attr(name, text, &T::expected())),
            },
        }
    }

    /// Reads the attribute `name`, which has to be there.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] or [`ErrorKind::Invalid`].
    pub fn attr_req<T: Value>(&self, name: &str) -> Result<T> {
        self.attr_opt(name)?.ok_or_else(|| self.missing_attr(name))
    }

    /// Reads the child `name`, if it is there.
    ///
    /// # Errors
    /// Those of `T`.
    pub fn child_opt<T: Content>(&self, name: &str) -> Result<Option<T>> {
        self.child(name).map(T::parse).transpose()
    }

    /// The contents of the children `name`, without those that would be written as empty elements.
    ///
    /// # Errors
    /// Whatever is wrong with a child.
    pub fn children_filled<T: Content>(&self, name: &str) -> Result<Vec<T>> {
        let mut contents = self.child_vec::<T>(name)?;
        contents.retain(|content| !crate::Writer::is_empty(content));
        contents.shrink_to_fit();
        Ok(contents)
    }

    /// The contents of the child `name`, unless it is absent or would be written as an empty element.
    ///
    /// # Errors
    /// Whatever is wrong with the child.
    pub fn child_filled<T: Content>(&self, name: &str) -> Result<Option<T>> {
        let content = self.child_opt::<T>(name)?;
        Ok(content.filter(|content| !crate::Writer::is_empty(content)))
    }

    /// A part of the contents of this element, unless it would write nothing.
    ///
    /// # Errors
    /// Whatever is wrong with the part.
    pub fn part_filled<T: Content>(&self) -> Result<Option<T>> {
        let content = T::parse(*self)?;
        Ok(Some(content).filter(|content| !crate::Writer::is_empty(content)))
    }

    /// Reads the child `name`, which has to be there.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`], or those of `T`.
    pub fn child_req<T: Content>(&self, name: &str) -> Result<T> {
        T::parse(self.child(name).ok_or_else(|| self.missing_child(name))?)
    }

    /// Reads all children `name`.
    ///
    /// # Errors
    /// Those of `T`.
    pub fn child_vec<T: Content>(&self, name: &str) -> Result<Vec<T>> {
        all(self.children(name), T::parse)
    }

    /// The child `name`, or one that stands for its absence.
    #[must_use]
    pub fn child_or_absent(&self, name: &'static str) -> Self {
        self.child(name).unwrap_or_else(|| self.absent_child(name))
    }

    /// Reads the text of the child `name`; empty text counts as absent.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub fn text_child_opt<T: Value>(&self, name: &str) -> Result<Option<T>> {
        self.child(name).map_or(Ok(None), |n| n.text_opt())
    }

    /// Reads the text of the child `name`, which has to be there.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] or [`ErrorKind::Invalid`].
    pub fn text_child_req<T: Value>(&self, name: &str) -> Result<T> {
        self.child(name)
            .ok_or_else(|| self.missing_child(name))?
            .text_req()
    }

    /// Reads the texts of all children `name`, none of which may be empty.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] or [`ErrorKind::Invalid`].
    pub fn text_child_vec<T: Value>(&self, name: &str) -> Result<Vec<T>> {
        all(self.children(name), |n| n.text_req())
    }

    /// Reads `attr` of the child `name`, if that child is there.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] if the child lacks the attribute, or [`ErrorKind::Invalid`].
    pub fn child_attr_opt<T: Value>(&self, name: &str, attr: &str) -> Result<Option<T>> {
        self.child(name).map(|n| n.attr_req(attr)).transpose()
    }

    /// Reads `attr` of the child `name`, which has to be there.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] or [`ErrorKind::Invalid`].
    pub fn child_attr_req<T: Value>(&self, name: &str, attr: &str) -> Result<T> {
        self.child(name)
            .ok_or_else(|| self.missing_child(name))?
            .attr_req(attr)
    }

    /// Reads `attr` of all children `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] or [`ErrorKind::Invalid`].
    pub fn child_attr_vec<T: Value>(&self, name: &str, attr: &str) -> Result<Vec<T>> {
        all(self.children(name), |n| n.attr_req(attr))
    }

    /// Reads the element's text; empty text counts as absent.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub fn text_opt<T: Value>(&self) -> Result<Option<T>> {
        let text = self.text();
        if text.is_empty() {
            return Ok(None);
        }
        match T::from_text(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.bad_text(&text, &T::expected())),
        }
    }

    /// Reads the element's text, which has to be there.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] or [`ErrorKind::Invalid`].
    pub fn text_req<T: Value>(&self) -> Result<T> {
        self.text_opt()?
            .ok_or_else(|| self.error(ErrorKind::Missing, "must not be empty"))
    }
}

/// All of them or the first error, in no more memory than they take: documents are kept by the thousand. They are counted first, since
/// what a list gives back when it shrinks is a hole in the heap.
fn all<'d, T>(
    mut nodes: impl Iterator<Item = Node<'d>> + Clone,
    read: impl Fn(Node<'d>) -> Result<T>,
) -> Result<Vec<T>> {
    let Some(first) = nodes.next() else {
        return Ok(Vec::new());
    };
    let mut all = Vec::with_capacity(1 + nodes.clone().count());
    all.push(read(first)?);
    for node in nodes {
        all.push(read(node)?);
    }
    Ok(all)
}

fn wrong_value(value: &str, expected: &str) -> String {
    const MOST: usize = 100;
    let shown: String = value.chars().take(MOST).collect();
    let more = if shown.len() < value.len() { "…" } else { "" };
    format!("'{shown}{more}' is not {expected}")
}
