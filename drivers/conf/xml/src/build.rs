//! From text to [`Document`], in one pass.
//!
//! Refused: DTDs, references to anything but the five entities and characters, duplicate attributes,
//! malformed names, and whatever exceeds the [`Limits`]. An encoding declaration is ignored, since
//! the text is UTF-8 already.

use std::cell::Cell;

use crate::dom::{AttrData, Document, Kind, NONE, NodeData, Span};
use crate::error::{ErrorKind, Result, XmlError};
use crate::scan::{BLANK, IN_TEXT, IN_VALUE, NAME, SOLID, name_end, skip, until};
use crate::text::{forbidden_char, push_attribute, push_references, push_text};

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

/// Name spaces that may be declared around an element, and in a document: each element looks for its own among them.
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
    let nodes = (text.len() / 12).min(limits.nodes) + 4;
    let doc = Document {
        text,
        pool: String::new(),
        nodes: Vec::with_capacity(nodes),
        attrs: Vec::with_capacity(nodes / 2),
        spaces: Vec::new(),
        root: NONE,
    };
    let mut builder = Builder {
        doc,
        limits,
        at: 0,
        open: Vec::new(),
        scopes: Vec::new(),
    };
    builder.document()?;
    Ok(builder.doc)
}

/// A prefix in scope; empty for the default name space.
struct Scope {
    prefix: Span,
    space: u32,
}

struct Open {
    id: u32,
    scopes: usize,
}

struct Builder<'t, 'l> {
    doc: Document<'t>,
    limits: &'l Limits,
    /// How far the text has been read.
    at: usize,
    open: Vec<Open>,
    scopes: Vec<Scope>,
}

impl Builder<'_, '_> {
    fn document(&mut self) -> Result<()> {
        let text = self.doc.text;
        while let Some(byte) = text.as_bytes().get(self.at) {
            if *byte == b'<' {
                self.markup()?;
            } else {
                self.text()?;
            }
        }
        if let Some(open) = self.open.last() {
            let name = self.doc.str(self.doc.nodes[open.id as usize].name);
            return Err(self.syntax(&format!("the document ends inside of <{name}>"), text.len()));
        }
        if self.doc.root == NONE {
            return Err(self.syntax("the document has no element", text.len()));
        }
        Ok(())
    }

    fn markup(&mut self) -> Result<()> {
        let after = &self.doc.text.as_bytes()[self.at + 1..];
        match after.first() {
            Some(b'/') => self.end_tag(),
            Some(b'?') => self.instruction(),
            Some(b'!') if after.starts_with(b"!--") => self.comment(),
            Some(b'!') if after.starts_with(b"![CDATA[") => self.section(),
            Some(b'!') if after.starts_with(b"!DOCTYPE") => {
                Err(self.syntax("a document type declaration is not accepted", self.at))
            }
            _ => self.start_tag(),
        }
    }

    fn syntax(&self, message: &str, at: usize) -> XmlError {
        XmlError::new(ErrorKind::Syntax, message).at(self.doc.text, at)
    }

    fn limit(&self, message: String, at: usize) -> XmlError {
        XmlError::new(ErrorKind::Limit, message).at(self.doc.text, at)
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
            last: NONE,
            next: NONE,
            attrs: index(self.doc.attrs.len()),
            attr_count: 0,
            start: index(at),
        });
        if parent != NONE {
            match std::mem::replace(&mut self.doc.nodes[parent as usize].last, id) {
                NONE => self.doc.nodes[parent as usize].first = id,
                last => self.doc.nodes[last as usize].next = id,
            }
        }
        Ok(id)
    }

    fn start_tag(&mut self) -> Result<()> {
        let (text, at) = (self.doc.text, self.at);
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
        let name = self.name(at + 1, "element")?;
        let id = self.add(Kind::Element, name, at)?;
        if self.doc.root == NONE {
            self.doc.root = id;
        }
        let scopes = self.scopes.len();
        let empty = self.attributes(id)?;
        let qualified = &text[at + 1..at + 1 + name.len as usize];
        let (prefix, local) = qualified.split_once(':').unwrap_or(("", qualified));
        match self.resolve_prefix(prefix) {
            // An undeclared prefix is part of the name.
            NONE if !prefix.is_empty() => {}
            space => {
                let node = &mut self.doc.nodes[id as usize];
                node.space = space;
                node.prefix = index(qualified.len() - local.len());
            }
        }
        if empty {
            self.scopes.truncate(scopes);
        } else {
            self.open.push(Open { id, scopes });
        }
        Ok(())
    }

    /// The name at `at`, which is then read up to its end.
    fn name(&mut self, at: usize, what: &str) -> Result<Span> {
        let text = self.doc.text;
        let Some(end) = name_end(text, at) else {
            let (end, _) = skip(text.as_bytes(), at, NAME);
            let name = text.get(at..end).unwrap_or_default();
            return Err(self.syntax(&format!("'{name}' is no name for an {what}"), at));
        };
        self.at = end;
        Ok(Span {
            start: index(at),
            len: index(end - at),
        })
    }

    fn end_tag(&mut self) -> Result<()> {
        let (text, at) = (self.doc.text, self.at);
        let Some(open) = self.open.pop() else {
            return Err(self.syntax("an end tag has no start tag", at));
        };
        let span = self.doc.nodes[open.id as usize].name;
        let name = self.doc.str(span);
        let after = text[at + 2..].strip_prefix(name);
        let after = after.map(|after| after.trim_start_matches([' ', '\t', '\n', '\r']));
        let Some(after) = after.and_then(|after| after.strip_prefix('>')) else {
            return Err(self.syntax(&format!("the end tag of <{name}> is expected here"), at));
        };
        self.at = text.len() - after.len();
        self.scopes.truncate(open.scopes);
        Ok(())
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

    /// Reads `name = "value"` pairs up to the end of the tag. Whether that is `/>`.
    fn attributes(&mut self, id: u32) -> Result<bool> {
        let bytes = self.doc.text.as_bytes();
        let first = self.doc.attrs.len();
        let empty = loop {
            let (at, blank) = skip(bytes, self.at, BLANK);
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'>'), _) => {
                    self.at = at + 1;
                    break false;
                }
                (Some(b'/'), Some(b'>')) => {
                    self.at = at + 2;
                    break true;
                }
                (None, _) => {
                    let name = self.doc.str(self.doc.nodes[id as usize].name);
                    return Err(
                        self.syntax(&format!("the document ends in the tag of <{name}>"), at)
                    );
                }
                _ if blank == 0 => {
                    return Err(self.syntax("white space is expected before an attribute", at));
                }
                _ => self.attribute(at, first)?,
            }
        };
        self.doc.nodes[id as usize].attr_count = index(self.doc.attrs.len() - first);
        Ok(empty)
    }

    /// Reads the attribute at `at`; those of its element are from `first` on.
    fn attribute(&mut self, at: usize, first: usize) -> Result<()> {
        let text = self.doc.text;
        let bytes = text.as_bytes();
        let name = self.name(at, "attribute")?;
        let shown = &text[at..self.at];
        let (equals, _) = skip(bytes, self.at, BLANK);
        if bytes.get(equals) != Some(&b'=') {
            return Err(self.syntax(&format!("attribute '{shown}' has no value"), at));
        }
        let (open, _) = skip(bytes, equals + 1, BLANK);
        let Some(quote @ (b'"' | b'\'')) = bytes.get(open) else {
            return Err(self.syntax(
                &format!("the value of attribute '{shown}' must stand in quotes"),
                at,
            ));
        };
        let start = open + 1;
        let (end, seen) = until(bytes, start, *quote);
        if end == bytes.len() {
            return Err(self.syntax(
                &format!("the value of attribute '{shown}' has no closing quote"),
                at,
            ));
        }
        self.at = end + 1;
        let value = if seen & IN_VALUE == 0 {
            Span {
                start: index(start),
                len: index(end - start),
            }
        } else {
            let from = self.doc.pool.len();
            push_attribute(&mut self.doc.pool, &text[start..end])
                .map_err(|(i, e)| e.at(text, start + i))?;
            self.pool_span(from, at)?
        };
        self.keep_attribute(name, value, first)
    }

    fn keep_attribute(&mut self, name: Span, value: Span, first: usize) -> Result<()> {
        let start = name.start as usize;
        if self.doc.attrs.len() - first >= self.limits.attributes {
            return Err(self.limit(
                format!(
                    "an element has more than {} attributes",
                    self.limits.attributes
                ),
                start,
            ));
        }
        let text = self.doc.str(name);
        let others = &self.doc.attrs[first..];
        if others.iter().any(|a| self.doc.is_named(a.name, text)) {
            return Err(self.syntax(&format!("attribute '{text}' is given twice"), start));
        }
        let prefix = match text {
            "xmlns" => Some(Span {
                start: name.start,
                len: 0,
            }),
            _ => text.strip_prefix("xmlns:").map(|p| Span {
                start: name.start + 6,
                len: index(p.len()),
            }),
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
                    format!("more than {SCOPES} name spaces are declared here, or {SPACES} in all"),
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

    /// The piece of text from `start` to `end`, with its line ends normalised.
    fn piece(&mut self, start: usize, end: usize) -> Result<Span> {
        let raw = &self.doc.text[start..end];
        if !raw.contains('\r') {
            return Ok(Span {
                start: index(start),
                len: index(end - start),
            });
        }
        let from = self.doc.pool.len();
        push_text(&mut self.doc.pool, raw);
        self.pool_span(from, start)
    }

    /// Character data up to the next markup.
    fn text(&mut self) -> Result<()> {
        let (text, start) = (self.doc.text, self.at);
        let (end, seen) = until(text.as_bytes(), start, b'<');
        self.at = end;
        if self.open.is_empty() {
            return if seen & SOLID == 0 {
                Ok(())
            } else {
                Err(self.syntax("text may not stand outside of the root element", start))
            };
        }
        let span = if seen & IN_TEXT == 0 {
            Span {
                start: index(start),
                len: index(end - start),
            }
        } else {
            let raw = &text[start..end];
            if let Some(i) = raw.find("]]>") {
                return Err(self.syntax("']]>' may not stand in text", start + i));
            }
            let from = self.doc.pool.len();
            push_references(&mut self.doc.pool, raw).map_err(|(i, e)| e.at(text, start + i))?;
            self.pool_span(from, start)?
        };
        self.add(Kind::Text, span, start)?;
        Ok(())
    }

    /// Where `close` begins, looked for from `from` on.
    fn close(&self, from: usize, close: &str, what: &str) -> Result<usize> {
        let found = self.doc.text[from..].find(close);
        found
            .map(|i| from + i)
            .ok_or_else(|| self.syntax(&format!("{what} is not closed by '{close}'"), self.at))
    }

    fn section(&mut self) -> Result<()> {
        let at = self.at;
        if self.open.is_empty() {
            return Err(self.syntax("text may not stand outside of the root element", at));
        }
        let start = at + "<![CDATA[".len();
        let end = self.close(start, "]]>", "a CDATA section")?;
        let span = self.piece(start, end)?;
        self.add(Kind::CData, span, at)?;
        self.at = end + "]]>".len();
        Ok(())
    }

    fn comment(&mut self) -> Result<()> {
        let start = self.at + "<!--".len();
        let end = self.close(start, "--", "a comment")?;
        if self.doc.text.as_bytes().get(end + 2) != Some(&b'>') {
            return Err(self.syntax("'--' may not stand in a comment", end));
        }
        self.aside(Kind::Comment, start, end)?;
        self.at = end + "-->".len();
        Ok(())
    }

    fn instruction(&mut self) -> Result<()> {
        let at = self.at;
        let start = at + "<?".len();
        let target = self.name(start, "instruction")?;
        let (start, end) = (start, self.close(self.at, "?>", "an instruction")?);
        if self.at != end && skip(self.doc.text.as_bytes(), self.at, BLANK).0 == self.at {
            return Err(self.syntax("white space is expected in the instruction", self.at));
        }
        if !self.doc.str(target).eq_ignore_ascii_case("xml") {
            self.aside(Kind::Instruction, start, end)?;
        } else if at != 0 {
            return Err(self.syntax(
                "an XML declaration may only stand at the very beginning",
                at,
            ));
        }
        self.at = end + "?>".len();
        Ok(())
    }

    /// Keeps a comment or processing instruction, unless it is outside of the root.
    fn aside(&mut self, kind: Kind, start: usize, end: usize) -> Result<()> {
        if !self.open.is_empty() {
            let span = self.piece(start, end)?;
            self.add(kind, span, self.at)?;
        }
        Ok(())
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("the limits keep every offset below 2^32")
}
