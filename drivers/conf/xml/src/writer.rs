//! Writing in libvirt's style: single quotes, two spaces, `<x/>` for what is empty.
//!
//! A start tag stays open until its first child or text comes, so nobody needs to know beforehand
//! whether an element is empty.

use crate::content::Content;
use crate::fragment::Fragment;
use crate::value::Value;

bitflags::bitflags! {
    /// What a document is written for. Which flags mean something depends on the document.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u32 {
        /// The definition for the next start: without what only a running object has.
        const INACTIVE = 1 << 0;
        /// With passwords and other secrets.
        const SECURE = 1 << 1;
        /// Such that older releases can read it.
        const MIGRATABLE = 1 << 2;
        /// For the daemon's own state files.
        const STATUS = 1 << 3;
        /// With the connection an interface really got, rather than the network it asked for.
        const ACTUAL_NET = 1 << 4;
        /// With what a host device was before it was attached.
        const PCI_ORIG_STATES = 1 << 5;
        /// With the clock's adjustment that the guest made.
        const CLOCK_ADJUST = 1 << 6;
        /// With what a storage volume was translated into.
        const VOLUME_TRANSLATED = 1 << 7;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The start tag still lacks its `>`.
    Open,
    /// Elements were written inside.
    Children,
    /// Text was written inside.
    Text,
    /// Nothing is written at all; the question is only whether something would be.
    Silent { written: bool },
}

/// Writes one document.
pub struct Writer {
    out: String,
    flags: Flags,
    depth: usize,
    state: State,
}

impl Writer {
    /// A writer for an empty document.
    pub fn new(flags: Flags) -> Self {
        Self {
            out: String::with_capacity(4096),
            flags,
            depth: 0,
            state: State::Children,
        }
    }

    /// Whether nothing is ever written for `content`.
    pub(crate) fn is_empty(content: &dyn Content) -> bool {
        let mut w = Self {
            out: String::new(),
            flags: !(Flags::INACTIVE | Flags::MIGRATABLE),
            depth: 0,
            state: State::Silent { written: false },
        };
        content.attrs(&mut w);
        if w.state == (State::Silent { written: false }) {
            content.children(&mut w);
        }
        w.state == State::Silent { written: false }
    }

    /// Whether nothing is to be written; notes that something would have been.
    fn is_silent(&mut self) -> bool {
        let silent = matches!(self.state, State::Silent { .. });
        if silent {
            self.state = State::Silent { written: true };
        }
        silent
    }

    /// What the document is written for.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// Changes what is written from here on.
    pub fn set_flags(&mut self, flags: Flags) {
        self.flags = flags;
    }

    /// The text.
    pub fn finish(self) -> String {
        self.out
    }

    fn indent(&mut self) {
        const SPACES: &str = "                                                                ";
        let mut width = 2 * self.depth;
        while width > 0 {
            let step = width.min(SPACES.len());
            self.out.push_str(&SPACES[..step]);
            width -= step;
        }
    }

    /// Ends the start tag that is still open, because a child follows.
    fn open_body(&mut self) {
        if self.state == State::Open {
            self.out.push_str(">\n");
        }
        self.state = State::Children;
    }

    /// Begins the element `name`; [`Writer::end`] ends it.
    pub fn begin(&mut self, name: &str) {
        if self.is_silent() {
            return;
        }
        self.open_body();
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        self.depth += 1;
        self.state = State::Open;
    }

    /// Ends the element `name`, which is the one that was begun last.
    pub fn end(&mut self, name: &str) {
        if self.is_silent() {
            return;
        }
        self.depth = self.depth.saturating_sub(1);
        match self.state {
            State::Open => self.out.push_str("/>\n"),
            State::Children => {
                self.indent();
                self.close_tag(name);
            }
            State::Text => self.close_tag(name),
            State::Silent { .. } => {}
        }
        self.state = State::Children;
    }

    fn close_tag(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
    }

    /// Writes an empty line, where a document has one for the reader.
    pub fn blank_line(&mut self) {
        if self.is_silent() {
            return;
        }
        self.open_body();
        self.out.push('\n');
    }

    /// Writes an attribute of the element just begun.
    pub fn attr_str(&mut self, name: &str, value: &str) {
        if self.is_silent() {
            return;
        }
        self.begin_attr(name);
        let from = self.out.len();
        self.out.push_str(value);
        self.escape_from(from);
        self.out.push('\'');
    }

    /// Writes an attribute of the element just begun.
    pub fn attr<T: Value>(&mut self, name: &str, value: &T) {
        if self.is_silent() {
            return;
        }
        self.begin_attr(name);
        let from = self.out.len();
        value.write_to(&mut self.out);
        self.escape_from(from);
        self.out.push('\'');
    }

    /// Writes an attribute, if there is a value.
    pub fn attr_opt<T: Value>(&mut self, name: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.attr(name, value);
        }
    }

    fn begin_attr(&mut self, name: &str) {
        debug_assert!(self.state == State::Open, "attributes come before children");
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("='");
    }

    /// Writes the text of the element just begun.
    pub fn text<T: Value>(&mut self, value: &T) {
        if self.is_silent() {
            return;
        }
        let from = self.begin_text();
        value.write_to(&mut self.out);
        self.escape_from(from);
    }

    /// Writes the text of the element just begun.
    pub fn text_str(&mut self, value: &str) {
        if self.is_silent() {
            return;
        }
        let from = self.begin_text();
        self.out.push_str(value);
        self.escape_from(from);
    }

    fn begin_text(&mut self) -> usize {
        if self.state == State::Open {
            self.out.push('>');
        }
        self.state = State::Text;
        self.out.len()
    }

    /// Replaces what may not stand in a document in everything written since `from`.
    fn escape_from(&mut self, from: usize) {
        let special = |b: u8| b < 0x20 || matches!(b, b'<' | b'>' | b'&' | b'\'' | b'"');
        if !self.out.as_bytes()[from..].iter().any(|b| special(*b)) {
            return;
        }
        let raw = self.out.split_off(from);
        let attribute = self.state == State::Open;
        for c in raw.chars() {
            match c {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                '\'' => self.out.push_str("&apos;"),
                '"' => self.out.push_str("&quot;"),
                // Reading would turn these into spaces or newlines.
                '\n' if attribute => self.out.push_str("&#10;"),
                '\t' if attribute => self.out.push_str("&#9;"),
                '\r' => self.out.push_str("&#13;"),
                '\n' | '\t' => self.out.push(c),
                // No document can hold these.
                '\0'..='\u{1f}' => {}
                c => self.out.push(c),
            }
        }
    }

    /// Writes the element `name`, even if it is empty.
    pub fn element(&mut self, name: &str, content: &dyn Content) {
        if self.is_silent() {
            return;
        }
        self.begin(name);
        content.attrs(self);
        content.children(self);
        self.end(name);
    }

    /// Writes the element `name`, with an end tag even if it is empty.
    pub fn element_open(&mut self, name: &str, content: &dyn Content) {
        if self.is_silent() {
            return;
        }
        self.begin(name);
        content.attrs(self);
        content.children(self);
        if self.state == State::Open {
            self.open_body();
        }
        self.end(name);
    }

    /// Writes the element `name` unless it would be empty.
    pub fn element_unless_empty(&mut self, name: &str, content: &dyn Content) {
        if matches!(self.state, State::Silent { .. }) {
            content.attrs(self);
            content.children(self);
            return;
        }
        let (start, state) = (self.out.len(), self.state);
        self.begin(name);
        let begun = self.out.len();
        content.attrs(self);
        content.children(self);
        if self.out.len() == begun {
            self.out.truncate(start);
            self.state = state;
            self.depth -= 1;
        } else {
            self.end(name);
        }
    }

    /// Writes the empty element `name`.
    pub fn flag(&mut self, name: &str) {
        self.begin(name);
        self.end(name);
    }

    /// Writes an element that has only text.
    pub fn text_element<T: Value>(&mut self, name: &str, value: &T) {
        self.begin(name);
        self.text(value);
        self.end(name);
    }

    /// Writes an element that has only one attribute.
    pub fn attr_element<T: Value>(&mut self, name: &str, attribute: &str, value: &T) {
        self.begin(name);
        self.attr(attribute, value);
        self.end(name);
    }

    /// Writes a foreign element as libxml2 would.
    pub fn fragment(&mut self, fragment: &Fragment) {
        if self.is_silent() {
            return;
        }
        self.open_body();
        self.indent();
        fragment.push(&mut self.out, self.depth);
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Text;

    #[test]
    fn elements_texts_and_escapes() {
        let mut w = Writer::new(Flags::empty());
        w.begin("a");
        w.attr_str("x", "<'\"&>\n");
        w.flag("b");
        w.text_element("c", &Text::from("1 < 2\n\u{1}\r"));
        w.begin("d");
        w.attr("n", &7_u32);
        w.end("d");
        w.end("a");
        assert_eq!(
            w.finish(),
            "<a x='&lt;&apos;&quot;&amp;&gt;&#10;'>\n  <b/>\n  <c>1 &lt; 2\n&#13;</c>\n  <d n='7'/>\n</a>\n"
        );
    }

    #[test]
    fn empty_elements_vanish_without_a_trace() {
        let mut w = Writer::new(Flags::empty());
        w.begin("a");
        w.element_unless_empty("b", &());
        w.end("a");
        w.element_open("c", &());
        assert_eq!(w.finish(), "<a/>\n<c>\n</c>\n");
    }
}
