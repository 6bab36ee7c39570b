//! `<cookie>`: what a driver keeps with a snapshot, in elements that only it knows.

use virtbus_xml::{Content, Describe, Fragment, FragmentNode, Node, Result, Writer};

/// `<cookie>`: data that the driver keeps. Its elements are written in normal form; text beside elements is dropped.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Cookie(
    /// Elements that only the driver knows.
    #[xml(flat, foreign)]
    pub Fragment,
);

impl Content for Cookie {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut fragment = Fragment::parse(node)?;
        keep_written(&mut fragment);
        Ok(Self(fragment))
    }

    fn attrs(&self, w: &mut Writer) {
        write_attrs(&self.0, w);
    }

    fn children(&self, w: &mut Writer) {
        write_children(&self.0, w);
    }
}

/// Drops what is not written: all but elements, or text where there are none.
fn keep_written(fragment: &mut Fragment) {
    let mut text = String::new();
    for child in &mut fragment.children {
        match child {
            FragmentNode::Element(element) => keep_written(element),
            FragmentNode::Text(more) | FragmentNode::CData(more) => text.push_str(more),
            FragmentNode::Comment(_) | FragmentNode::Instruction(_) => {}
        }
    }
    let is_element = |child: &FragmentNode| matches!(child, FragmentNode::Element(_));
    fragment.children.retain(is_element);
    if fragment.children.is_empty() && !text.trim_ascii().is_empty() {
        fragment.children.push(FragmentNode::Text(text));
    }
    fragment.children.shrink_to_fit();
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
    for child in &fragment.children {
        match child {
            FragmentNode::Element(child) => {
                w.begin(&child.name);
                write_attrs(child, w);
                write_children(child, w);
                w.end(&child.name);
            }
            FragmentNode::Text(text) | FragmentNode::CData(text) => w.text_str(text),
            FragmentNode::Comment(_) | FragmentNode::Instruction(_) => {}
        }
    }
}
