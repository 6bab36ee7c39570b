//! Documents made out of others: elements, attributes and values first, then bytes.

use virtbus_xml::{Fragment, FragmentNode};

use crate::dictionary::Dictionary;
use crate::oddities::{odd_value, tweaked};
use crate::rng::Rng;
use crate::tree::{count, set_text, text, with_element};

/// A document does not grow beyond this many bytes, but for what one mutation adds.
const LARGEST: usize = 256 << 10;

/// Makes documents out of seeds and a dictionary.
#[derive(Debug, Clone)]
pub struct Mutator<'d> {
    seeds: Vec<Fragment>,
    dictionary: &'d Dictionary,
}

/// One change of one element.
type Change = fn(&mut Fragment, &Mutator<'_>, &mut Rng);

/// The changes, each as often as it stands here.
const CHANGES: &[Change] = &[
    known_attribute,
    known_attribute,
    known_attribute,
    odd_attribute,
    odd_attribute,
    tweak_attribute,
    tweak_attribute,
    rename_attribute,
    drop_attribute,
    drop_attribute,
    known_text,
    known_text,
    odd_text,
    tweak_text,
    rename,
    drop_child,
    drop_child,
    drop_child,
    known_child,
    known_child,
    known_child,
    known_child,
    any_child,
    double_child,
    double_child,
    many_children,
    swap_children,
    nest,
    foreign,
    aside,
];

impl<'d> Mutator<'d> {
    /// Documents out of `seeds`, with the words of `dictionary`.
    #[must_use]
    pub fn new(mut seeds: Vec<Fragment>, dictionary: &'d Dictionary) -> Self {
        seeds.sort_by_cached_key(count);
        Self { seeds, dictionary }
    }

    /// The document that `rng` makes.
    #[must_use]
    pub fn document(&self, rng: &mut Rng) -> Vec<u8> {
        // Small ones are faster, and their parts are changed more often.
        let place = rng.below(self.seeds.len()).min(rng.below(self.seeds.len()));
        let mut document = self.seeds.get(place).cloned().unwrap_or_default();
        let mut elements = count(&document);
        for _ in 0..1 + rng.below(6) {
            let change = rng.pick(CHANGES).copied().unwrap_or(odd_attribute);
            let at = rng.below(elements);
            with_element(&mut document, at, |element| change(element, self, rng));
            elements = count(&document);
            if elements > LARGEST / 16 {
                break;
            }
        }
        let mut bytes = document.to_text().into_bytes();
        if rng.once_in(5) {
            for _ in 0..1 + rng.below(4) {
                change_bytes(&mut bytes, rng);
            }
        }
        bytes
    }
}

fn value_for(element: &str, attribute: &str, m: &Mutator<'_>, rng: &mut Rng) -> String {
    let words = m.dictionary.words(element);
    let known = words.and_then(|w| rng.pick(w.values(attribute)));
    match known {
        Some(value) if !rng.once_in(3) => value.clone(),
        _ => rng.pick(&m.dictionary.values).cloned().unwrap_or_default(),
    }
}

fn known_attribute(element: &mut Fragment, m: &Mutator<'_>, rng: &mut Rng) {
    let words = m.dictionary.words(&element.name);
    let name = match words.and_then(|w| rng.pick(&w.attributes)) {
        Some((name, _)) if !rng.once_in(10) => name.clone(),
        _ => rng
            .pick(&m.dictionary.attributes)
            .cloned()
            .unwrap_or_default(),
    };
    if name.is_empty() {
        return;
    }
    let value = value_for(&element.name, &name, m, rng);
    match element.attributes.iter_mut().find(|(n, _)| *n == name) {
        Some((_, old)) => *old = value,
        None => element.attributes.push((name, value)),
    }
}

/// Changes the value of one of the attributes there are.
fn change_attribute(element: &mut Fragment, rng: &mut Rng, new: impl Fn(&str, &mut Rng) -> String) {
    let at = rng.below(element.attributes.len());
    if let Some((_, value)) = element.attributes.get_mut(at) {
        *value = new(value, rng);
    }
}

fn odd_attribute(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    change_attribute(element, rng, |_, rng| odd_value(rng));
}

fn tweak_attribute(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    change_attribute(element, rng, tweaked);
}

fn rename_attribute(element: &mut Fragment, m: &Mutator<'_>, rng: &mut Rng) {
    let at = rng.below(element.attributes.len());
    let Some(new) = rng.pick(&m.dictionary.attributes) else {
        return;
    };
    if element.attributes.iter().all(|(name, _)| name != new)
        && let Some((name, _)) = element.attributes.get_mut(at)
    {
        name.clone_from(new);
    }
}

fn drop_attribute(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    let at = rng.below(element.attributes.len());
    if at < element.attributes.len() {
        element.attributes.remove(at);
    }
}

fn known_text(element: &mut Fragment, m: &Mutator<'_>, rng: &mut Rng) {
    let words = m.dictionary.words(&element.name);
    let known = words.and_then(|w| rng.pick(&w.texts));
    // Text where there are elements is refused, mostly.
    let any = || element.children.is_empty().then_some(&m.dictionary.values);
    if let Some(text) = known.or_else(|| any().and_then(|values| rng.pick(values))) {
        set_text(element, text);
    }
}

fn odd_text(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    if text(element).is_some() || rng.once_in(20) {
        set_text(element, &odd_value(rng));
    }
}

fn tweak_text(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    if let Some(new) = text(element).map(|old| tweaked(old, rng)) {
        set_text(element, &new);
    }
}

fn rename(element: &mut Fragment, m: &Mutator<'_>, rng: &mut Rng) {
    if element.namespace.is_none()
        && let Some(name) = rng.pick(&m.dictionary.elements)
    {
        element.name.clone_from(name);
    }
}

fn drop_child(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    let at = rng.below(element.children.len());
    if at < element.children.len() {
        element.children.remove(at);
    }
}

fn insert(element: &mut Fragment, child: Fragment, rng: &mut Rng) {
    let at = rng.below(element.children.len() + 1);
    element.children.insert(at, FragmentNode::Element(child));
}

fn known_child(element: &mut Fragment, m: &Mutator<'_>, rng: &mut Rng) {
    let words = m.dictionary.words(&element.name);
    if let Some(child) = words.and_then(|w| rng.pick(&w.children)) {
        insert(element, child.clone(), rng);
    }
}

fn any_child(element: &mut Fragment, m: &Mutator<'_>, rng: &mut Rng) {
    let parent = rng.pick(&m.dictionary.elements);
    let words = parent.and_then(|name| m.dictionary.words(name));
    if let Some(child) = words.and_then(|w| rng.pick(&w.children)) {
        insert(element, child.clone(), rng);
    }
}

fn double_child(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    if let Some(child) = rng.pick(&element.children).cloned() {
        let at = rng.below(element.children.len() + 1);
        element.children.insert(at, child);
    }
}

fn many_children(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    let Some(child) = rng.pick(&element.children).cloned() else {
        return;
    };
    let FragmentNode::Element(part) = &child else {
        return;
    };
    let times = (1 << rng.below(10)).min(2000 / count(part).max(1));
    element
        .children
        .extend(std::iter::repeat_n(child.clone(), times));
}

fn swap_children(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    let children = element.children.len();
    if children > 1 {
        element
            .children
            .swap(rng.below(children), rng.below(children));
    }
}

/// Puts the element into copies of itself.
fn nest(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    if count(element) > 20 {
        return;
    }
    let layers = 1 << rng.below(9);
    let mut around = element.clone();
    around
        .children
        .retain(|node| !matches!(node, FragmentNode::Element(_)));
    for _ in 0..layers {
        let inside = std::mem::replace(element, around.clone());
        element.children.push(FragmentNode::Element(inside));
    }
}

/// Declares a name space, puts the element into one, or takes it out.
fn foreign(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    let uri = rng
        .pick(&[
            "",
            "urn:example:a",
            "http://libvirt.org/schemas/domain/qemu/1.0",
        ])
        .copied()
        .unwrap_or_default();
    let prefix = rng
        .pick(&["", "a", "qemu", "xml", "xmlns"])
        .copied()
        .unwrap_or_default();
    let declaration = (prefix.to_owned(), uri.to_owned());
    match rng.below(4) {
        0 if element.declarations.iter().all(|(p, _)| p != prefix) => {
            element.declarations.push(declaration);
        }
        1 => element.declarations.clear(),
        2 if !prefix.is_empty() => element.name = format!("{prefix}:{}", element.name),
        _ => {
            if let Some((_, local)) = element.name.clone().split_once(':') {
                element.name = local.to_owned();
            }
        }
    }
}

/// A comment, an instruction, a section, or white space.
fn aside(element: &mut Fragment, _: &Mutator<'_>, rng: &mut Rng) {
    let node = match rng.below(4) {
        0 => FragmentNode::Comment(" aside ".to_owned()),
        1 => FragmentNode::Instruction("aside now".to_owned()),
        2 => FragmentNode::CData(text(element).unwrap_or("<aside/>").to_owned()),
        _ => FragmentNode::Text("\r\n \t".to_owned()),
    };
    let at = rng.below(element.children.len() + 1);
    element.children.insert(at, node);
}

/// Bytes that mean something to a reader of XML.
const TOKENS: &[&[u8]] = &[
    b"<",
    b">",
    b"/>",
    b"</",
    b"'",
    b"\"",
    b"=",
    b"&",
    b"&amp;",
    b"&lt;",
    b"&#0;",
    b"&#10;",
    b"&#xD;",
    b"&#x10FFFF;",
    b"&x;",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?xml version='1.0'?>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"xmlns='urn:x'",
    b" xmlns:a=''",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\xc3",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xef\xbf\xbf",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\xa6\x80",
    b"\r",
    b"\n",
    b"\xe2\x80\xa8",
];

fn change_bytes(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let start = rng.below(bytes.len() + 1);
    let longest = 1 << rng.below(10);
    let length = rng.below(longest).min(bytes.len() - start);
    let end = start + length;
    match rng.below(7) {
        0 => {
            let token = rng.pick(TOKENS).copied().unwrap_or_default();
            bytes.splice(start..start, token.iter().copied());
        }
        1 => bytes.truncate(start),
        2 => {
            bytes.drain(start..end);
        }
        3 if bytes.len() < LARGEST => {
            let piece = bytes[start..end].to_vec();
            let at = rng.below(bytes.len() + 1);
            bytes.splice(at..at, piece);
        }
        4 => {
            if let Some(byte) = bytes.get_mut(start) {
                *byte ^= 1 << rng.below(8);
            }
        }
        5 => {
            let layers = 1 << rng.below(12);
            bytes.splice(start..start, b"<a>".repeat(layers));
        }
        _ => {
            if let Some(byte) = bytes.get_mut(start) {
                *byte = rng.number().to_le_bytes()[0];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn documents_differ_and_can_be_had_again() {
        let seed = Fragment::parse_document("<a x='1'><b>2</b><c/></a>").unwrap();
        let dictionary = Dictionary::new(std::slice::from_ref(&seed), BTreeSet::new());
        let mutator = Mutator::new(vec![seed], &dictionary);
        let document = |n| mutator.document(&mut Rng::new(7, n));
        let different: BTreeSet<Vec<u8>> = (0..500).map(document).collect();
        assert!(different.len() > 300, "{}", different.len());
        assert_eq!(document(3), document(3));
        let whole = |text: &Vec<u8>| {
            let text = String::from_utf8_lossy(text);
            Fragment::parse_document(&text).is_ok()
        };
        assert!(different.iter().filter(|d| whole(d)).count() > 200);
        assert!(different.iter().any(|d| !whole(d)));
    }
}
