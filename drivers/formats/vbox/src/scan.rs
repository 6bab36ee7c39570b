//! From a text to [`Element`]s that have all of it.
//!
//! The text was read into a [`Document`] before, so it is known to be well-formed and within limits; the document also says what
//! names and values mean. Here it is only cut into pieces, side by side with the document's nodes.

use virtbus_xml::{Document, ErrorKind, Node, XmlError};

use crate::NAMESPACE;
use crate::element::{Attribute, Body, Element, Node as Piece};

/// What is before the root element, the root element, and what is behind it.
pub(crate) fn scan(
    text: &str,
    document: &Document<'_>,
) -> Result<(String, Element, String), XmlError> {
    let mut scanner = Scanner { text, at: 0 };
    let prolog = scanner.prolog()?.to_owned();
    let root = scanner.element(document.root())?;
    Ok((prolog, root, scanner.rest().to_owned()))
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// That this reader and the document's do not see the same.
    fn lost(&self) -> XmlError {
        XmlError::new(ErrorKind::Syntax, "a tag does not end as expected").at(self.text, self.at)
    }

    fn take(&mut self, length: usize) -> &'t str {
        let taken = &self.rest()[..length];
        self.at += length;
        taken
    }

    /// What comes before any of `ends`.
    fn until(&mut self, ends: &[char]) -> Result<&'t str, XmlError> {
        let end = self.rest().find(ends).ok_or_else(|| self.lost())?;
        Ok(self.take(end))
    }

    /// What comes before `end`, and `end`.
    fn through(&mut self, end: &str) -> Result<&'t str, XmlError> {
        let at = self.rest().find(end).ok_or_else(|| self.lost())?;
        Ok(self.take(at + end.len()))
    }

    fn blank(&mut self) -> &'t str {
        let rest = self.rest();
        let solid = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.take(rest.len() - solid.len())
    }

    fn expect(&mut self, what: &str) -> Result<(), XmlError> {
        if !self.rest().starts_with(what) {
            return Err(self.lost());
        }
        self.at += what.len();
        Ok(())
    }

    fn prolog(&mut self) -> Result<&'t str, XmlError> {
        loop {
            self.until(&['<'])?;
            if !self.aside()? {
                return Ok(&self.text[..self.at]);
            }
        }
    }

    /// Goes past a comment or an instruction, if one is here.
    fn aside(&mut self) -> Result<bool, XmlError> {
        let end = if self.rest().starts_with("<!--") {
            self.at += "<!--".len();
            "-->"
        } else if self.rest().starts_with("<?") {
            "?>"
        } else {
            return Ok(false);
        };
        self.through(end)?;
        Ok(true)
    }

    fn element(&mut self, node: Node<'_>) -> Result<Element, XmlError> {
        self.expect("<")?;
        let name = self.until(&[' ', '\t', '\r', '\n', '/', '>'])?;
        let (attributes, tail) = self.attributes(node)?;
        let body = if self.rest().starts_with("/>") {
            self.at += "/>".len();
            None
        } else {
            self.expect(">")?;
            Some(self.body(node, name)?)
        };
        Ok(Element {
            name: name.to_owned(),
            ours: node.namespace() == Some(NAMESPACE),
            attributes,
            tail: tail.to_owned(),
            body,
        })
    }

    /// The attributes, and the white space behind them.
    fn attributes(&mut self, node: Node<'_>) -> Result<(Vec<Attribute>, &'t str), XmlError> {
        let mut values = node.attributes();
        let mut attributes = Vec::new();
        loop {
            let start = self.at;
            let tail = self.blank();
            if self.rest().starts_with(['/', '>']) {
                attributes.shrink_to_fit();
                return Ok((attributes, tail));
            }
            let name = self.until(&['=', ' ', '\t', '\r', '\n'])?;
            self.until(&['"', '\''])?;
            let quote = if self.rest().starts_with('"') {
                '"'
            } else {
                '\''
            };
            self.at += 1;
            let lead = &self.text[start..self.at];
            let raw = self.until(&[quote])?;
            self.at += 1;
            let value = if name == "xmlns" || name.starts_with("xmlns:") {
                raw
            } else {
                values.next().ok_or_else(|| self.lost())?.value
            };
            attributes.push(Attribute {
                name: name.to_owned(),
                lead: lead.to_owned(),
                raw: raw.to_owned(),
                quote,
                value: value.to_owned(),
            });
        }
    }

    fn body(&mut self, node: Node<'_>, name: &str) -> Result<Body, XmlError> {
        let mut elements = node.elements();
        let mut nodes = Vec::new();
        loop {
            let start = self.at;
            if self.rest().starts_with("</") {
                self.at += "</".len();
                self.expect(name)?;
                let tail = self.blank().to_owned();
                self.expect(">")?;
                nodes.shrink_to_fit();
                return Ok(Body { nodes, tail });
            }
            nodes.push(if self.rest().starts_with("<![CDATA[") {
                Piece::CData(self.through("]]>")?.to_owned())
            } else if self.aside()? {
                Piece::Aside(self.text[start..self.at].to_owned())
            } else if self.rest().starts_with('<') {
                let child = elements.next().ok_or_else(|| self.lost())?;
                Piece::Element(Box::new(self.element(child)?))
            } else {
                Piece::Text(self.until(&['<'])?.to_owned())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        let document = Document::parse(text).unwrap();
        let (prolog, root, epilog) = scan(text, &document).unwrap();
        prolog + &root.to_text() + &epilog
    }

    #[test]
    fn nothing_is_lost() {
        for text in [
            "<a/>",
            "\u{feff}<?xml version='1.0'?>\r\n<!-- <a> --><?p <b> ?>\n<a></a>\n<!--x-->\n",
            "<a  b = '\"'\n c=\"'>/\"\t/>",
            "<a xmlns='u' x:b='1' xmlns:x='v' c='&lt;&#10;'><x:d\n></x:d ></a\n>",
            "<a>t&amp;<![CDATA[<b>]]><!--<c>--><?p <d>?>u<e/> </a>",
            "<é ü='ß'>ö</é>",
        ] {
            assert_eq!(again(text), text);
        }
    }

    #[test]
    fn values_and_name_spaces_are_those_of_the_document() {
        let text = format!("<v:a xmlns:v='{NAMESPACE}' b='&amp;1\n' xmlns='x'><c/><v:c/></v:a>");
        let document = Document::parse(&text).unwrap();
        let (_, root, _) = scan(&text, &document).unwrap();
        assert!(root.is("a"));
        assert_eq!(root.attribute("b"), Some("&1 "));
        let ours: Vec<bool> = root.elements().map(|e| e.is("c")).collect();
        assert_eq!(ours, [false, true]);
    }
}
