//! From text to [`Document`]: quick-xml's events, checked for what that reader lets pass.
//!
//! Refused: DTDs, references to anything but the five entities and characters, duplicate attributes,
//! malformed names, and whatever exceeds the [`Limits`]. An encoding declaration is ignored, since
//! the text is UTF-8 already.
//!
//! [`skim`] goes through a text by the same rules and keeps next to nothing, so that both agree on what a document says.

use std::cell::Cell;
use std::fmt;

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

/// Bytes of a name or of a name space's URI. What is open at a place is remembered by them.
const LONGEST_NAME: usize = 1024;

/// Bytes that [`skim`] keeps of one text, and of one attribute.
const LONGEST_SKIMMED: usize = 64 << 10;

const XML_URI: &str = "http://www.w3.org/XML/1998/namespace";

pub(crate) fn build<'t>(text: &'t str, limits: &Limits) -> Result<Document<'t>> {
    let text = checked(text, limits)?;
    // Most documents have a node or two for every line of some thirty bytes.
    let nodes = (text.len() / 12).min(limits.nodes) + 4;
    Builder::new(text, limits, nodes, None).run()
}

/// Reads of a document the root's attributes and its first children of the names `wanted` that are in no name space, with
/// their own text. Ends as soon as all are there. Takes time for what it goes through, and some kilobytes of memory.
pub(crate) fn skim<'t>(text: &'t str, limits: &Limits, wanted: &[&str]) -> Result<Document<'t>> {
    let text = checked(text, limits)?;
    Builder::new(text, limits, 8, Some(wanted)).run()
}

/// The text without a byte order mark, if it is not too long and has only what XML allows.
fn checked<'t>(text: &'t str, limits: &Limits) -> Result<&'t str> {
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
    Ok(text)
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
struct Open<'t> {
    /// None if it is not kept.
    id: u32,
    name: &'t str,
    /// Name spaces that are declared around it, and known so far.
    scopes: usize,
    spaces: usize,
    /// Its last child so far, and its last child element.
    last: u32,
    last_element: u32,
}

struct Builder<'t, 'l> {
    doc: Document<'t>,
    limits: &'l Limits,
    /// Which children of the root are kept; all if none are named.
    wanted: Option<&'l [&'l str]>,
    /// Those of them that were found.
    found: Vec<&'t str>,
    /// Whether the element that begins here may be kept, unless it is in a name space.
    is_sought: bool,
    /// Nodes so far, kept or not.
    count: usize,
    open: Vec<Open<'t>>,
    scopes: Vec<Scope>,
    run: Option<Run>,
}

/// Takes what is written for the sake of its errors.
struct Nowhere;

impl fmt::Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

impl<'t, 'l> Builder<'t, 'l> {
    fn new(text: &'t str, limits: &'l Limits, nodes: usize, wanted: Option<&'l [&'l str]>) -> Self {
        let doc = Document {
            text,
            pool: String::new(),
            nodes: Vec::with_capacity(nodes),
            attrs: Vec::with_capacity(nodes / 2),
            spaces: Vec::new(),
            root: NONE,
            stored: false,
        };
        Self {
            doc,
            limits,
            wanted,
            found: Vec::new(),
            is_sought: true,
            count: 0,
            open: Vec::new(),
            scopes: Vec::new(),
            run: None,
        }
    }

    fn run(mut self) -> Result<Document<'t>> {
        let text = self.doc.text;
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let at = offset(reader.buffer_position());
            self.check_name_length(at)?;
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
                    if self.keeps_text() {
                        self.check_kept(data.len(), at)?;
                        let span = self.pooled(&data, at)?;
                        self.add(Kind::CData, span, at)?;
                    } else {
                        self.count(at)?;
                    }
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
            if self.has_all() {
                return Ok(self.doc);
            }
        }
        if let Some(open) = self.open.last() {
            let message = format!("the document ends inside of <{}>", open.name);
            return Err(self.syntax(&message, text.len()));
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

    /// Refuses the tag at `at` if its name is long, before the reader takes a copy of it.
    fn check_name_length(&self, at: usize) -> Result<()> {
        let bytes = &self.doc.text.as_bytes()[at.min(self.doc.text.len())..];
        let is_tag =
            bytes.len() > LONGEST_NAME && bytes[0] == b'<' && !matches!(bytes[1], b'!' | b'?');
        // The name begins behind '<' or '</'.
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'>');
        if is_tag && !bytes[..=LONGEST_NAME].iter().any(ends) {
            let message = format!("a name is longer than {LONGEST_NAME} bytes");
            return Err(self.limit(message, at));
        }
        Ok(())
    }

    /// Whether all that was wanted is there, and ended.
    fn has_all(&self) -> bool {
        self.open.len() == 1
            && self
                .wanted
                .is_some_and(|wanted| self.found.len() == wanted.len())
    }

    /// Whether the element `name`, which begins here, is kept unless it is in a name space.
    fn seeks(&self, name: &str) -> bool {
        self.wanted.is_none_or(|wanted| match self.open.len() {
            0 => true,
            1 => wanted.contains(&name) && !self.found.contains(&name),
            _ => false,
        })
    }

    /// Whether text that stands here is kept.
    fn keeps_text(&self) -> bool {
        match (self.wanted, self.open.as_slice()) {
            (None, _) => true,
            (Some(_), [_, child]) => child.id != NONE,
            (Some(_), _) => false,
        }
    }

    /// Refuses a text of so many bytes if only little of the document is kept.
    fn check_kept(&self, bytes: usize, at: usize) -> Result<()> {
        let kept = bytes + self.doc.pool.len() + self.doc.nodes.len() * size_of::<NodeData>();
        if self.wanted.is_some() && kept > LONGEST_SKIMMED {
            let message =
                format!("what the document is about takes more than {LONGEST_SKIMMED} bytes");
            return Err(self.limit(message, at));
        }
        Ok(())
    }

    /// Counts one more node.
    fn count(&mut self, at: usize) -> Result<()> {
        if self.count >= self.limits.nodes {
            return Err(self.limit(
                format!("the document has more than {} nodes", self.limits.nodes),
                at,
            ));
        }
        self.count += 1;
        Ok(())
    }

    fn add(&mut self, kind: Kind, name: Span, at: usize) -> Result<u32> {
        self.count(at)?;
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
            return Err(self.syntax(&format!("invalid element name '{name}'"), at));
        }
        let (scopes, spaces) = (self.scopes.len(), self.doc.spaces.len());
        let (attrs, pool) = (self.doc.attrs.len(), self.doc.pool.len());
        self.is_sought = self.seeks(name);
        let attributes = at + 1 + name.len();
        self.attributes(attributes, attributes + tag.attributes_raw().len())?;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let space = self.resolve_prefix(prefix);
        let name = &self.doc.text[at + 1..at + 1 + name.len()];
        let is_child = self.wanted.is_some() && !self.open.is_empty();
        let id = if self.is_sought && (space == NONE || !is_child) {
            if is_child {
                self.found.push(name);
            }
            self.add(Kind::Element, span(at + 1, at + 1 + name.len()), at)?
        } else {
            self.count(at)?;
            self.doc.attrs.truncate(attrs);
            self.doc.pool.truncate(pool);
            NONE
        };
        if let Some(node) = self.doc.nodes.get_mut(id as usize) {
            node.attrs = index(attrs);
            node.attr_count = index(self.doc.attrs.len() - attrs);
            // An undeclared prefix is part of the name.
            if space != NONE || prefix.is_empty() {
                node.space = space;
                node.prefix = index(name.len() - local.len());
            }
        }
        if self.doc.root == NONE {
            self.doc.root = id;
        }
        self.open.push(Open {
            id,
            name,
            scopes,
            spaces,
            last: NONE,
            last_element: NONE,
        });
        Ok(())
    }

    fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.scopes.truncate(open.scopes);
            if open.id == NONE {
                self.doc.spaces.truncate(open.spaces);
            }
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
    fn attributes(&mut self, mut at: usize, end: usize) -> Result<()> {
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
        Ok(())
    }

    /// Reads the attribute at `at` of `bytes`, which end with the tag, and says where it ends. Those of the same element are
    /// from `first` on.
    fn attribute(&mut self, bytes: &[u8], at: usize, first: usize) -> Result<usize> {
        let text = self.doc.text;
        let Some(name_end) = name_end(&text[..bytes.len()], at) else {
            let (end, _) = skip(bytes, at, NAME);
            let name = text.get(at..end).unwrap_or_default();
            return Err(self.syntax(&format!("invalid attribute name '{name}'"), at));
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
        } else if self.wanted.is_some() && end - start > LONGEST_SKIMMED {
            if self.is_sought {
                self.check_kept(end - start, at)?;
            }
            push_attribute(&mut Nowhere, &text[start..end])
                .map_err(|(i, e)| e.at(text, start + i))?;
            // Of an element that is not kept.
            span(start, start)
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
            if value.len as usize > LONGEST_NAME {
                let message =
                    format!("the URI of a name space is longer than {LONGEST_NAME} bytes");
                return Err(self.limit(message, start));
            }
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
        if self.wanted.is_some() {
            return self.count(at);
        }
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
        if !self.keeps_text() {
            return self.skip_text(start);
        }
        self.check_kept(
            end - start + self.run.as_ref().map_or(0, |run| run.text.len()),
            start,
        )?;
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

    /// Counts a piece of text that is not kept, together with those that it follows.
    fn skip_text(&mut self, at: usize) -> Result<()> {
        if self.run.is_none() {
            self.count(at)?;
        }
        self.run = Some(Run {
            start: at,
            plain: None,
            text: String::new(),
        });
        Ok(())
    }

    fn reference(&mut self, name: &str, at: usize) -> Result<()> {
        self.inside(at)?;
        let c = resolve(name).map_err(|e| e.at(self.doc.text, at))?;
        if !self.keeps_text() {
            return self.skip_text(at);
        }
        self.check_kept(self.run.as_ref().map_or(0, |run| run.text.len()), at)?;
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
        if !self.keeps_text() {
            return Ok(());
        }
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
