//! From text to [`Document`]: quick-xml's events, checked for what that reader lets pass.
//!
//! Refused: DTDs, references to anything but the five entities and characters, duplicate attributes,
//! malformed names, and whatever exceeds the [`Limits`]. An encoding declaration is ignored, since
//! the text is UTF-8 already.

use std::cell::Cell;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::dom::{AttrData, Document, Kind, NONE, NodeData, Span};
use crate::error::{ErrorKind, Result, XmlError};
use crate::scan::{BLANK, IN_TEXT, IN_VALUE, NAME, SOLID, name_end, seen, skip, until};
use crate::text::{forbidden_char, push_attribute, push_text, resolve};

/// How large a document may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text; never more than 1 GiB.
    pub bytes: usize,
    /// Nested elements.
    pub depth: usize,
    /// Elements, texts and comments together.
    pub nodes: usize,
    /// Attributes of one element.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 256,
            nodes: 1_000_000,
            attributes: 256,
        }
    }
}

/// Name spaces that may be in scope at once, and in the document: each element looks for its own among the former.
const SCOPES: usize = 256;
const SPACES: usize = 4096;

const XML_URI: &str = "http://www.w3.org/XML/1998/namespace";

pub(crate) fn build<'t>(text: &'t str, limits: &Limits) -> Result<Document<'t>> {
    let bytes = limits.bytes.min(1 << 30);
    if text.len() > bytes {
        return Err(XmlError::new(
            ErrorKind::Limit,
            format!(
                "the document has {} bytes, more than {bytes} are not read",
                text.len()
            ),
        ));
    }
    // Offsets are those in the text without it, which is how the reader counts.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.starts_with('\u{feff}') {
        let error = XmlError::new(ErrorKind::Syntax, "a document has only one byte order mark");
        return Err(error.at(text, 0));
    }
    if let Some(offset) = forbidden_char(text) {
        return Err(
            XmlError::new(ErrorKind::Syntax, "this character is not allowed in XML")
                .at(text, offset),
        );
    }
    // Most documents have a node or two for every line of some thirty bytes.
    let nodes = (text.len() / 12).min(limits.nodes) + 4;
    let doc = Document {
        text,
        pool: String::new(),
        nodes: Vec::with_capacity(nodes),
        attrs: Vec::with_capacity(nodes / 2),
        spaces: Vec::new(),
        root: NONE,
        stored: false,
    };
    Builder {
        doc,
        limits,
        open: Vec::new(),
        scopes: Vec::new(),
        run: None,
    }
    .run()
}

/// A text node being put together.
struct Run {
    start: usize,
    /// The raw text, while there is only one piece of it that needs no change.
    plain: Option<(usize, usize)>,
    text: String,
}

/// A prefix in scope; empty for the default name space.
struct Scope {
    prefix: Span,
    space: u32,
}

/// An element whose end is still to come.
struct Open {
    id: u32,
    /// Name spaces that are declared around it.
    scopes: usize,
    /// Its last child so far, and its last child element.
    last: u32,
    last_element: u32,
}

struct Builder<'t, 'l> {
    doc: Document<'t>,
    limits: &'l Limits,
    open: Vec<Open>,
    scopes: Vec<Scope>,
    run: Option<Run>,
}

impl<'t> Builder<'t, '_> {
    fn run(mut self) -> Result<Document<'t>> {
        let text = self.doc.text;
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let at = offset(reader.buffer_position());
            let event = reader.read_event().map_err(|e| {
                XmlError::new(ErrorKind::Syntax, e.to_string())
                    .at(text, offset(reader.error_position()))
            })?;
            match event {
                Event::Start(tag) => self.start(&tag, at)?,
                Event::Empty(tag) => {
                    self.start(&tag, at)?;
                    self.end();
                }
                Event::End(_) => {
                    self.flush()?;
                    self.end();
                }
                Event::Text(_) => self.piece(at, offset(reader.buffer_position()))?,
                Event::GeneralRef(name) => self.reference(&name, at)?,
                Event::CData(data) => {
                    self.inside(at)?;
                    self.flush()?;
                    let span = self.pooled(&data, at)?;
                    self.add(Kind::CData, span, at)?;
                }
                Event::Comment(data) => self.aside(Kind::Comment, &data, at)?,
                Event::PI(data) => self.aside(Kind::Instruction, &data, at)?,
                Event::Decl(_) if at == 0 => {}
                Event::Decl(_) => {
                    return Err(self.syntax(
                        "an XML declaration may only stand at the very beginning",
                        at,
                    ));
                }
                Event::DocType(_) => {
                    return Err(self.syntax("a document type declaration is not accepted", at));
                }
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            let name = self
                .doc
                .str(self.doc.nodes[self.open[self.open.len() - 1].id as usize].name);
            return Err(self.syntax(&format!("the document ends inside of <{name}>"), text.len()));
        }
        if self.doc.root == NONE {
            return Err(self.syntax("the document has no element", text.len()));
        }
        Ok(self.doc)
    }

    fn syntax(&self, message: &str, at: usize) -> XmlError {
        XmlError::new(ErrorKind::Syntax, message).at(self.doc.text, at)
    }

    fn limit(&self, message: String, at: usize) -> XmlError {
        XmlError::new(ErrorKind::Limit, message).at(self.doc.text, at)
    }

    fn inside(&self, at: usize) -> Result<()> {
        if self.open.is_empty() {
            return Err(self.syntax("text may not stand outside of the root element", at));
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, name: Span, at: usize) -> Result<u32> {
        if self.doc.nodes.len() >= self.limits.nodes {
            return Err(self.limit(
                format!("the document has more than {} nodes", self.limits.nodes),
                at,
            ));
        }
        let id = index(self.doc.nodes.len());
        let parent = self.open.last().map_or(NONE, |o| o.id);
        self.doc.nodes.push(NodeData {
            kind,
            taken: Cell::new(false),
            text_taken: Cell::new(false),
            name,
            prefix: 0,
            space: NONE,
            parent,
            first: NONE,
            next: NONE,
            first_element: NONE,
            next_element: NONE,
            attrs: index(self.doc.attrs.len()),
            attr_count: 0,
            start: index(at),
        });
        let Some(open) = self.open.last_mut() else {
            return Ok(id);
        };
        let nodes = &mut self.doc.nodes;
        match std::mem::replace(&mut open.last, id) {
            NONE => nodes[parent as usize].first = id,
            last => nodes[last as usize].next = id,
        }
        if kind == Kind::Element {
            match std::mem::replace(&mut open.last_element, id) {
                NONE => nodes[parent as usize].first_element = id,
                last => nodes[last as usize].next_element = id,
            }
        }
        Ok(id)
    }

    fn start(&mut self, tag: &BytesStart<'_>, at: usize) -> Result<()> {
        self.flush()?;
        if self.open.is_empty() && self.doc.root != NONE {
            return Err(self.syntax("a document has only one root element", at));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self.limit(
                format!(
                    "elements are nested deeper than {} levels",
                    self.limits.depth
                ),
                at,
            ));
        }
        let name = tag.name().into_inner();
        if name_end(name, 0) != Some(name.len()) {
            return Err(self.syntax(&format!("'{name}' is no name for an element"), at));
        }
        let id = self.add(Kind::Element, span(at + 1, at + 1 + name.len()), at)?;
        if self.doc.root == NONE {
            self.doc.root = id;
        }
        let scopes = self.scopes.len();
        let attributes = at + 1 + name.len();
        self.attributes(attributes, attributes + tag.attributes_raw().len(), id)?;
        self.open.push(Open {
            id,
            scopes,
            last: NONE,
            last_element: NONE,
        });
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        match self.resolve_prefix(prefix) {
            // An undeclared prefix is part of the name.
            NONE if !prefix.is_empty() => {}
            space => {
                let node = &mut self.doc.nodes[id as usize];
                node.space = space;
                node.prefix = index(name.len() - local.len());
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.scopes.truncate(open.scopes);
        }
    }

    fn resolve_prefix(&mut self, prefix: &str) -> u32 {
        if prefix == "xml" {
            return self.intern(XML_URI);
        }
        let found = self
            .scopes
            .iter()
            .rev()
            .find(|s| self.doc.str(s.prefix) == prefix);
        found.map_or(NONE, |s| s.space)
    }

    fn intern(&mut self, uri: &str) -> u32 {
        let at = self
            .doc
            .spaces
            .iter()
            .position(|s| s == uri)
            .unwrap_or_else(|| {
                self.doc.spaces.push(uri.to_owned());
                self.doc.spaces.len() - 1
            });
        index(at)
    }

    /// Reads the `name = "value"` pairs from the byte `at` of the text to `end`.
    fn attributes(&mut self, mut at: usize, end: usize, id: u32) -> Result<()> {
        let bytes = &self.doc.text.as_bytes()[..end];
        let first = self.doc.attrs.len();
        loop {
            let (name, blank) = skip(bytes, at, BLANK);
            if name == end {
                break;
            }
            if blank == 0 {
                return Err(self.syntax("white space is expected before an attribute", name));
            }
            at = self.attribute(bytes, name, first)?;
        }
        self.doc.nodes[id as usize].attr_count = index(self.doc.attrs.len() - first);
        Ok(())
    }

    /// Reads the attribute at `at` of `bytes`, which end with the tag, and says where it ends. Those of the same element are
    /// from `first` on.
    fn attribute(&mut self, bytes: &[u8], at: usize, first: usize) -> Result<usize> {
        let text = self.doc.text;
        let Some(name_end) = name_end(&text[..bytes.len()], at) else {
            let (end, _) = skip(bytes, at, NAME);
            let name = text.get(at..end).unwrap_or_default();
            return Err(self.syntax(&format!("'{name}' is no name for an attribute"), at));
        };
        let name = &text[at..name_end];
        let (equals, _) = skip(bytes, name_end, BLANK);
        if bytes.get(equals) != Some(&b'=') {
            return Err(self.syntax(&format!("attribute '{name}' has no value"), at));
        }
        let (open, _) = skip(bytes, equals + 1, BLANK);
        let Some(quote @ (b'"' | b'\'')) = bytes.get(open) else {
            return Err(self.syntax(
                &format!("the value of attribute '{name}' must stand in quotes"),
                at,
            ));
        };
        let start = open + 1;
        let (end, seen) = until(bytes, start, *quote);
        if end == bytes.len() {
            return Err(self.syntax(
                &format!("the value of attribute '{name}' has no closing quote"),
                at,
            ));
        }
        let value = if seen & IN_VALUE == 0 {
            span(start, end)
        } else {
            let from = self.doc.pool.len();
            push_attribute(&mut self.doc.pool, &text[start..end])
                .map_err(|(i, e)| e.at(text, start + i))?;
            self.pool_span(from, at)?
        };
        self.keep_attribute(span(at, name_end), value, first)?;
        Ok(end + 1)
    }

    fn keep_attribute(&mut self, name: Span, value: Span, first: usize) -> Result<()> {
        let start = name.start as usize;
        let others = &self.doc.attrs[first..];
        if others.len() >= self.limits.attributes {
            return Err(self.limit(
                format!(
                    "an element has more than {} attributes",
                    self.limits.attributes
                ),
                start,
            ));
        }
        let text = self.doc.str(name);
        if others.iter().any(|a| self.doc.is_named(a.name, text)) {
            return Err(self.syntax(&format!("attribute '{text}' is given twice"), start));
        }
        let prefix = match text {
            "xmlns" => Some(span(start, start)),
            _ => text
                .strip_prefix("xmlns:")
                .map(|p| span(start + text.len() - p.len(), start + text.len())),
        };
        if let Some(prefix) = prefix {
            let uri = self.doc.str(value).to_owned();
            let space = if uri.is_empty() {
                NONE
            } else {
                self.intern(&uri)
            };
            if self.scopes.len() >= SCOPES || self.doc.spaces.len() > SPACES {
                return Err(self.limit(
                    "the document declares too many name spaces".to_owned(),
                    start,
                ));
            }
            self.scopes.push(Scope { prefix, space });
        }
        self.doc.attrs.push(AttrData {
            name,
            value,
            start: name.start,
            declares: prefix.is_some(),
            taken: Cell::new(false),
        });
        Ok(())
    }

    /// The span of what was put into the pool since `from`.
    fn pool_span(&self, from: usize, at: usize) -> Result<Span> {
        // Resolved text is never longer than its source, CDATA aside, so this holds for 1 GiB of text.
        if self.doc.text.len() + self.doc.pool.len() >= NONE as usize {
            return Err(self.limit("the document is too large".to_owned(), at));
        }
        Ok(Span {
            start: index(self.doc.text.len() + from),
            len: index(self.doc.pool.len() - from),
        })
    }

    fn pooled(&mut self, data: &str, at: usize) -> Result<Span> {
        let from = self.doc.pool.len();
        push_text(&mut self.doc.pool, data);
        self.pool_span(from, at)
    }

    /// A comment or processing instruction. Those outside of the root are dropped.
    fn aside(&mut self, kind: Kind, data: &str, at: usize) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        self.flush()?;
        let span = self.pooled(data, at)?;
        self.add(kind, span, at)?;
        Ok(())
    }

    fn piece(&mut self, start: usize, end: usize) -> Result<()> {
        let raw = &self.doc.text[start..end];
        let seen = seen(raw.as_bytes());
        if self.open.is_empty() {
            return if seen & SOLID == 0 {
                Ok(())
            } else {
                self.inside(start)
            };
        }
        if seen & IN_TEXT != 0
            && let Some(i) = raw.find("]]>")
        {
            return Err(self.syntax("']]>' may not stand in text", start + i));
        }
        match &mut self.run {
            None if seen & IN_TEXT == 0 || !raw.contains('\r') => {
                self.run = Some(Run {
                    start,
                    plain: Some((start, end)),
                    text: String::new(),
                });
            }
            None => {
                let mut text = String::new();
                push_text(&mut text, raw);
                self.run = Some(Run {
                    start,
                    plain: None,
                    text,
                });
            }
            Some(run) => {
                own(run, self.doc.text);
                push_text(&mut run.text, raw);
            }
        }
        Ok(())
    }

    fn reference(&mut self, name: &str, at: usize) -> Result<()> {
        self.inside(at)?;
        let c = resolve(name).map_err(|e| e.at(self.doc.text, at))?;
        let run = self.run.get_or_insert_with(|| Run {
            start: at,
            plain: None,
            text: String::new(),
        });
        own(run, self.doc.text);
        run.text.push(c);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        let span = match run.plain {
            Some((start, end)) => span(start, end),
            None => {
                let from = self.doc.pool.len();
                self.doc.pool.push_str(&run.text);
                self.pool_span(from, run.start)?
            }
        };
        self.add(Kind::Text, span, run.start)?;
        Ok(())
    }
}

/// Moves a run's only piece into its buffer, so that more can be added.
fn own(run: &mut Run, text: &str) {
    if let Some((start, end)) = run.plain.take() {
        run.text.push_str(&text[start..end]);
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn span(start: usize, end: usize) -> Span {
    Span {
        start: index(start),
        len: index(end - start),
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("the limits keep every offset below 2^32")
}
