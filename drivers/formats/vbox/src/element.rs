//! An element as it is written: nothing of its text is lost, not even the white space within tags.
//!
//! Knows no element by name. Where a child goes is [`crate::layout`]'s affair.

use virtbus_xml::Document;

use crate::encoding::Encoding;

/// An element with everything in it, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The name as written, with its prefix.
    pub(crate) name: String,
    /// Whether it is in the name space of the settings.
    pub(crate) ours: bool,
    /// Name space declarations are among them.
    pub(crate) attributes: Vec<Attribute>,
    /// White space before the start tag's end.
    pub(crate) tail: String,
    /// `None` for an empty-element tag.
    pub(crate) body: Option<Body>,
}

/// What is between an element's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) nodes: Vec<Node>,
    /// White space in the end tag.
    pub(crate) tail: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    /// From the end of what is before it to its opening quote.
    pub(crate) lead: String,
    /// What is between the quotes.
    pub(crate) raw: String,
    pub(crate) quote: char,
    /// What that means.
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Element(Box<Element>),
    /// Character data; two of them are never neighbours.
    Text(String),
    /// A CDATA section.
    CData(String),
    /// A comment or processing instruction.
    Aside(String),
}

impl Node {
    pub(crate) fn as_element(&self) -> Option<&Element> {
        match self {
            Self::Element(element) => Some(element),
            Self::Text(_) | Self::CData(_) | Self::Aside(_) => None,
        }
    }

    pub(crate) fn as_element_mut(&mut self) -> Option<&mut Element> {
        match self {
            Self::Element(element) => Some(element),
            Self::Text(_) | Self::CData(_) | Self::Aside(_) => None,
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim_ascii().is_empty())
    }
}

impl Attribute {
    fn new(name: &str, value: &str, encoding: Encoding) -> Self {
        Self {
            name: name.to_owned(),
            lead: format!(" {name}=\""),
            raw: encoding.attribute(value),
            quote: '"',
            value: value.to_owned(),
        }
    }
}

impl Element {
    /// A new element `name` with these attributes, in the name space that `like` is in.
    pub(crate) fn new(
        like: &Self,
        name: &str,
        attributes: &[(&str, &str)],
        encoding: Encoding,
    ) -> Self {
        let prefix = &like.name[..like.name.len() - like.name().len()];
        let attribute = |(name, value): &(&str, &str)| Attribute::new(name, value, encoding);
        Self {
            name: format!("{prefix}{name}"),
            ours: like.ours,
            attributes: attributes.iter().map(attribute).collect(),
            tail: String::new(),
            body: None,
        }
    }

    /// The name, without a prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
            .split_once(':')
            .map_or(&self.name, |(_, name)| name)
    }

    /// The value of the attribute `name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|a| a.name == name)?;
        Some(&attribute.value)
    }

    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.nodes().iter().filter_map(Node::as_element)
    }

    /// The text that is directly in the element.
    #[must_use]
    pub fn text(&self) -> String {
        let mut raw = "<t>".to_owned();
        for node in self.nodes() {
            match node {
                Node::Text(text) | Node::CData(text) => raw.push_str(text),
                Node::Element(_) | Node::Aside(_) => {}
            }
        }
        raw.push_str("</t>");
        // It was read once, or made here, so it is well-formed.
        Document::parse(&raw).map_or_else(|_| String::new(), |t| t.root().text().into_owned())
    }

    /// The element as it stands in the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        self.body.as_ref().map_or(&[], |body| &body.nodes)
    }

    /// Whether it is the settings' element `name`.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.ours && self.name() == name
    }

    /// The first child element `name` of the settings.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children(name).next()
    }

    /// All child elements `name` of the settings.
    pub(crate) fn children(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.elements().filter(move |element| element.is(name))
    }

    /// Where among the nodes the first child element `name` of the settings is.
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        let is = |node: &Node| node.as_element().is_some_and(|element| element.is(name));
        self.nodes().iter().position(is)
    }

    /// The element that is reached by an index of a node at each level.
    pub(crate) fn at_mut(&mut self, path: &[usize]) -> Option<&mut Self> {
        let mut at = self;
        for index in path {
            let body = at.body.as_mut()?;
            at = body.nodes.get_mut(*index)?.as_element_mut()?;
        }
        Some(at)
    }

    /// Gives an attribute a value. One that is new is put behind the nearest of those that come before it in `order`.
    pub(crate) fn set_attribute(
        &mut self,
        name: &str,
        value: &str,
        order: &[&str],
        encoding: Encoding,
    ) {
        if let Some(there) = self.attributes.iter_mut().find(|a| a.name == name) {
            if there.value != value {
                there.raw = encoding.attribute(value);
                if there.quote == '\'' {
                    there.raw = there.raw.replace('\'', "&apos;");
                }
                there.value = value.to_owned();
            }
            return;
        }
        let place = order.iter().position(|n| *n == name).unwrap_or(0);
        let mut before = order[..place].iter().rev();
        let at = before
            .find_map(|n| self.attributes.iter().position(|a| a.name == *n))
            .map_or(self.attributes.len(), |at| at + 1);
        self.attributes
            .insert(at, Attribute::new(name, value, encoding));
    }

    /// Takes an attribute away.
    pub(crate) fn remove_attribute(&mut self, name: &str) {
        self.attributes.retain(|a| a.name != name);
    }

    pub(crate) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for attribute in &self.attributes {
            out.push_str(&attribute.lead);
            out.push_str(&attribute.raw);
            out.push(attribute.quote);
        }
        out.push_str(&self.tail);
        let Some(body) = &self.body else {
            out.push_str("/>");
            return;
        };
        out.push('>');
        for node in &body.nodes {
            match node {
                Node::Element(element) => element.write(out),
                Node::Text(raw) | Node::CData(raw) | Node::Aside(raw) => out.push_str(raw),
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push_str(&body.tail);
        out.push('>');
    }
}
