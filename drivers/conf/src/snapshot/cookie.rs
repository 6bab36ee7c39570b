//! `<cookie>`: what a driver keeps with a snapshot, in elements that only it knows.

use virtbus_xml::{Content, Describe, Fragment, FragmentNode, Node, Result, Writer};

/// `<cookie>`. Its elements are written anew, not as they were; text beside elements is dropped.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Cookie(#[xml(flat, foreign)] pub Fragment);

impl Content for Cookie {
    fn parse(node: Node<'_>) -> Result<Self> {
        Fragment::parse(node).map(Self)
    }

    fn attrs(&self, w: &mut Writer) {
        write_attrs(&self.0, w);
    }

    fn children(&self, w: &mut Writer) {
        write_children(&self.0, w);
    }
}

fn write_attrs(fragment: &Fragment, w: &mut Writer) {
    for (prefix, uri) in &fragment.declarations {
        if prefix.is_empty() {
            w.attr_str("xmlns", uri);
        } else {
            w.attr_str(&format!("xmlns:{prefix}"), uri);
        }
    }
    for (name, value) in &fragment.attributes {
        w.attr_str(name, value);
    }
}

fn write_children(fragment: &Fragment, w: &mut Writer) {
    let mut has_elements = false;
    for child in fragment.elements() {
        has_elements = true;
        w.begin(&child.name);
        write_attrs(child, w);
        write_children(child, w);
        w.end(&child.name);
    }
    if !has_elements {
        let text: String = fragment.children.iter().filter_map(text_of).collect();
        if !text.trim_ascii().is_empty() {
            w.text_str(&text);
        }
    }
}

fn text_of(node: &FragmentNode) -> Option<&str> {
    match node {
        FragmentNode::Text(text) | FragmentNode::CData(text) => Some(text),
        _ => None,
    }
}
