//! Foreign elements kept as they are, for `<metadata>`.
//!
//! Held as an owned tree, so that a part can be replaced. Written as libxml2 writes a parsed document
//! whose insignificant white space was dropped: that is what clients of libvirt get to see. Name
//! space declarations that were made further out come along when an element is lifted out.

use crate::content::Content;
use crate::dom::{Document, Kind, NONE, Node};
use crate::error::Result;
use crate::text::is_blank;
use crate::writer::Writer;

/// An element with everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The name as written, with its prefix.
    pub name: String,
    /// The URI of its name space.
    pub namespace: Option<String>,
    /// Name spaces declared here: prefix (empty for the default one) and URI.
    pub declarations: Vec<(String, String)>,
    /// Attributes: qualified name and value.
    pub attributes: Vec<(String, String)>,
    /// Everything inside, in order.
    pub children: Vec<FragmentNode>,
}

/// Something inside a [`Fragment`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FragmentNode {
    /// An element.
    Element(Fragment),
    /// Character data.
    Text(String),
    /// Character data in a CDATA section.
    CData(String),
    /// A comment.
    Comment(String),
    /// A processing instruction: target and data.
    Instruction(String),
}

impl Fragment {
    /// Parses a document and keeps its root element.
    ///
    /// # Errors
    /// Malformed XML, or too much of it.
    pub fn parse_document(text: &str) -> Result<Self> {
        let doc = Document::parse(text)?;
        Self::parse(doc.root())
    }

    /// The element as a document of its own, without a newline at the end.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.push(&mut out, 0);
        out
    }

    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|c| match c {
            FragmentNode::Element(element) => Some(element),
            _ => None,
        })
    }

    /// A copy of `child` that declares the name spaces which this element declares for it.
    #[must_use]
    pub fn lift(&self, child: &Self) -> Self {
        let mut lifted = child.clone();
        let mut wanted = Vec::new();
        lifted.undeclared(&mut Vec::new(), &mut wanted);
        for (prefix, uri) in &self.declarations {
            if wanted.contains(prefix) {
                lifted.declarations.push((prefix.clone(), uri.clone()));
            }
        }
        lifted
    }

    /// A copy of the element itself in no name space. What is inside keeps its own, and declares it where this element did.
    #[must_use]
    pub fn without_namespace(&self) -> Self {
        let mut plain = self.clone();
        let Some(uri) = plain.namespace.take() else {
            return plain;
        };
        let (prefix, local) = match self.name.split_once(':') {
            Some((prefix, local)) => (prefix, local),
            None => ("", self.name.as_str()),
        };
        local.clone_into(&mut plain.name);
        let is_used = |(name, _): &(String, String)| {
            !prefix.is_empty() && name.split_once(':').is_some_and(|(used, _)| used == prefix)
        };
        if plain.attributes.iter().any(is_used) {
            return plain;
        }
        plain
            .declarations
            .retain(|(declared, _)| declared != prefix);
        for child in &mut plain.children {
            let FragmentNode::Element(child) = child else {
                continue;
            };
            let mut wanted = Vec::new();
            child.undeclared(&mut Vec::new(), &mut wanted);
            if wanted.iter().any(|wanted| wanted == prefix) {
                child.declarations.push((prefix.to_owned(), uri.clone()));
            }
        }
        plain
    }

    /// The prefixes in use that neither this element nor one inside declares.
    fn undeclared(&self, scope: &mut Vec<String>, wanted: &mut Vec<String>) {
        let outer = scope.len();
        scope.extend(self.declarations.iter().map(|(prefix, _)| prefix.clone()));
        let own = if self.namespace.is_some() {
            Some(prefix_of(&self.name))
        } else {
            None
        };
        let others = self
            .attributes
            .iter()
            .map(|(name, _)| prefix_of(name))
            .filter(|p| !p.is_empty());
        for prefix in own.into_iter().chain(others) {
            if prefix != "xml"
                && !scope.iter().any(|s| s == prefix)
                && !wanted.iter().any(|w| w == prefix)
            {
                wanted.push(prefix.to_owned());
            }
        }
        for child in self.elements() {
            child.undeclared(scope, wanted);
        }
        scope.truncate(outer);
    }

    fn from_node(node: Node<'_>) -> Self {
        let doc = node.doc;
        let (declarations, attributes) = doc
            .attrs_of(node.id)
            .iter()
            .partition::<Vec<_>, _>(|a| a.declares);
        let owned =
            |a: &crate::dom::AttrData| (doc.str(a.name).to_owned(), doc.str(a.value).to_owned());
        Self {
            name: node.qualified_name().to_owned(),
            namespace: node.namespace().map(str::to_owned),
            declarations: declarations
                .into_iter()
                .map(owned)
                .map(|(name, uri)| {
                    (
                        name.strip_prefix("xmlns:").unwrap_or_default().to_owned(),
                        uri,
                    )
                })
                .collect(),
            attributes: attributes.into_iter().map(owned).collect(),
            children: Self::children_of(node),
        }
    }

    fn children_of(node: Node<'_>) -> Vec<FragmentNode> {
        let doc = node.doc;
        let mut kept: Vec<FragmentNode> = Vec::new();
        for id in node.child_ids() {
            let data = &doc.nodes[id as usize];
            let text = doc.str(data.name);
            let child = match data.kind {
                Kind::Element => FragmentNode::Element(Self::from_node(node.sibling(id))),
                Kind::CData => FragmentNode::CData(text.to_owned()),
                Kind::Comment => FragmentNode::Comment(text.to_owned()),
                Kind::Instruction => FragmentNode::Instruction(text.to_owned()),
                Kind::Text => {
                    // White space between elements means nothing, unless there is text too.
                    let only = kept.is_empty() && data.next == NONE;
                    let beside = [kept.first(), kept.last()]
                        .into_iter()
                        .flatten()
                        .any(is_text);
                    if is_blank(text) && !only && !beside {
                        continue;
                    }
                    FragmentNode::Text(text.to_owned())
                }
            };
            kept.push(child);
        }
        kept
    }

    /// Appends the element as it stands at `depth` levels of indentation; the first line is not indented.
    pub(crate) fn push(&self, out: &mut String, depth: usize) {
        self.push_formatted(out, depth, true);
    }

    fn push_formatted(&self, out: &mut String, depth: usize, format: bool) {
        let format = format && !self.children.iter().any(is_text);
        out.push('<');
        out.push_str(&self.name);
        for (prefix, uri) in &self.declarations {
            let name = if prefix.is_empty() {
                "xmlns".to_owned()
            } else {
                format!("xmlns:{prefix}")
            };
            push_attribute(out, &name, uri);
        }
        for (name, value) in &self.attributes {
            push_attribute(out, name, value);
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            if format {
                new_line(out, depth + 1);
            }
            match child {
                FragmentNode::Element(element) => element.push_formatted(out, depth + 1, format),
                FragmentNode::Text(text) => push_escaped(out, text, false),
                FragmentNode::CData(text) => push_wrapped(out, "<![CDATA[", text, "]]>"),
                FragmentNode::Comment(text) => push_wrapped(out, "<!--", text, "-->"),
                FragmentNode::Instruction(text) => push_wrapped(out, "<?", text, "?>"),
            }
        }
        if format {
            new_line(out, depth);
        }
        push_wrapped(out, "</", &self.name, ">");
    }
}

fn is_text(node: &FragmentNode) -> bool {
    matches!(node, FragmentNode::Text(_) | FragmentNode::CData(_))
}

fn prefix_of(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn push_wrapped(out: &mut String, before: &str, text: &str, after: &str) {
    out.push_str(before);
    out.push_str(text);
    out.push_str(after);
}

fn push_attribute(out: &mut String, name: &str, value: &str) {
    push_wrapped(out, " ", name, "=\"");
    push_escaped(out, value, true);
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str, attribute: bool) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            '"' if attribute => out.push_str("&quot;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#9;"),
            c => out.push(c),
        }
    }
}

impl Content for Fragment {
    fn parse(node: Node<'_>) -> Result<Self> {
        node.take_all();
        let mut fragment = Self::from_node(node);
        // What was declared further out has to be declared here now.
        let mut wanted = Vec::new();
        fragment.undeclared(&mut Vec::new(), &mut wanted);
        let outer = node.outer_declarations();
        for prefix in wanted {
            if let Some((_, uri)) = outer.iter().find(|(p, _)| *p == prefix) {
                fragment.declarations.push((prefix, uri.clone()));
            }
        }
        Ok(fragment)
    }

    /// Nothing: a fragment brings its own name and attributes, and is written by [`Writer::fragment`].
    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.fragment(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Flags;

    fn again(text: &str) -> String {
        Fragment::parse_document(text).unwrap().to_text()
    }

    #[test]
    fn is_indented_unless_there_is_text() {
        assert_eq!(
            again("<m><a  x='1'><b/> </a>\n\n<c>t <d/>\n</c></m>"),
            "<m>\n  <a x=\"1\">\n    <b/>\n  </a>\n  <c>t <d/>\n</c>\n</m>"
        );
        assert_eq!(again("<m> </m>"), "<m> </m>");
        assert_eq!(
            again("<m><!-- c --><?p d?><![CDATA[<]]></m>"),
            "<m><!-- c --><?p d?><![CDATA[<]]></m>"
        );
        assert_eq!(
            again("<m a='&quot;&lt;'>&amp;</m>"),
            "<m a=\"&quot;&lt;\">&amp;</m>"
        );
    }

    #[test]
    fn declarations_come_along() {
        let doc = Document::parse(
            "<d xmlns:a='urn:a' xmlns:b='urn:b'><metadata><a:x a:y='1'/></metadata></d>",
        )
        .unwrap();
        let metadata = Fragment::parse(doc.root().child("metadata").unwrap()).unwrap();
        assert_eq!(
            metadata.to_text(),
            "<metadata xmlns:a=\"urn:a\">\n  <a:x a:y=\"1\"/>\n</metadata>"
        );
        let x = metadata.lift(metadata.elements().next().unwrap());
        assert_eq!(x.namespace.as_deref(), Some("urn:a"));
        assert_eq!(x.to_text(), "<a:x xmlns:a=\"urn:a\" a:y=\"1\"/>");
        assert!(doc.leftovers(9).is_empty());
    }

    #[test]
    fn stands_indented_in_a_document() {
        let mut w = Writer::new(Flags::empty());
        w.begin("d");
        w.fragment(&Fragment::parse_document("<m><x/></m>").unwrap());
        w.end("d");
        assert_eq!(w.finish(), "<d>\n  <m>\n    <x/>\n  </m>\n</d>\n");
    }
}
