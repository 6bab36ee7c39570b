//! Goes through a document along what its type declares, and tells what it met.
//!
//! Attributes and elements that nothing declares are errors: descriptions by hand are held to the documents by that.

use std::collections::BTreeMap;

use virtbus_conf_base::{Fragment, FragmentNode};
use virtbus_xml::{Choice, Kind, Part, Values, Variant, Way};

/// Something that is declared: where its declaration is, and which of its words or variants is meant.
pub(crate) type Met = (usize, &'static str);

/// What `part` is known by, or one word or variant of it.
pub(crate) fn met(part: &'static Part, word: &'static str) -> Met {
    (std::ptr::from_ref(part).addr(), word)
}

/// The prefixes that descriptions use, and what they stand for.
pub(crate) const NAMESPACES: &[(&str, &str)] = &[
    ("qemu", "http://libvirt.org/schemas/domain/qemu/1.0"),
    ("lxc", "http://libvirt.org/schemas/domain/lxc/1.0"),
    ("bhyve", "http://libvirt.org/schemas/domain/bhyve/1.0"),
    ("xen", "http://libvirt.org/schemas/domain/xen/1.0"),
    ("vmware", "http://libvirt.org/schemas/domain/vmware/1.0"),
    ("dnsmasq", "http://libvirt.org/schemas/network/dnsmasq/1.0"),
    ("fs", "http://libvirt.org/schemas/storagepool/fs/1.0"),
    ("rbd", "http://libvirt.org/schemas/storagepool/rbd/1.0"),
];

/// What there is in documents.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// What was met, and how often, less what is in elements that are not read; elements that hold others are in `around`.
    pub(crate) met: BTreeMap<Met, usize>,
    /// Elements that hold others, and how often they were met.
    pub(crate) around: BTreeMap<Met, usize>,
    /// What is not declared.
    pub(crate) unknown: Vec<String>,
}

/// A part that may be met in an element, as far as the elements around it are passed.
#[derive(Clone, Copy)]
enum Open {
    Part(&'static Part, usize),
    /// The parts of a variant, in the child of this name.
    Body(&'static str, &'static Variant),
}

impl Walk {
    /// Goes through `element`, which holds `parts`.
    pub(crate) fn element(&mut self, path: &str, element: &Fragment, parts: &'static [Part]) {
        let mut open = Vec::new();
        for part in parts {
            self.open(path, element, part, 0, &mut open);
        }
        self.visit(path, element, &open, &[]);
    }

    /// Adds `part` to what is open in `element`, with what is flat in it.
    fn open(
        &mut self,
        path: &str,
        element: &Fragment,
        part: &'static Part,
        passed: usize,
        open: &mut Vec<Open>,
    ) {
        if passed < part.within.len() {
            open.push(Open::Part(part, passed));
            return;
        }
        match &part.kind {
            Kind::Flat(describe) => {
                for part in describe().parts {
                    self.open(path, element, part, 0, open);
                }
            }
            Kind::Choice(choice) => {
                open.push(Open::Part(part, passed));
                self.choose(path, element, part, choice, open);
            }
            _ => open.push(Open::Part(part, passed)),
        }
    }

    fn choose(
        &mut self,
        path: &str,
        element: &Fragment,
        part: &'static Part,
        choice: &'static Choice,
        open: &mut Vec<Open>,
    ) {
        let value = attribute(element, part.name);
        let chosen = |v: &&Variant| value.map_or(v.default, |value| v.name == value);
        let Some(variant) = choice.variants.iter().find(chosen) else {
            self.unknown
                .push(format!("{path}: {}={value:?}", part.name));
            return;
        };
        self.meet(part, variant.name);
        match choice.body {
            None => {
                for part in variant.parts {
                    self.open(path, element, part, 0, open);
                }
            }
            Some(body) => {
                open.push(Open::Body(body, variant));
                let mut beside = Vec::new();
                lift(variant.parts, &mut beside);
                for part in beside {
                    self.open(path, element, part, 1, open);
                }
            }
        }
    }

    fn visit(&mut self, path: &str, element: &Fragment, open: &[Open], accounted: &[&str]) {
        let here: Vec<&'static Part> = open
            .iter()
            .filter_map(|open| match open {
                Open::Part(part, passed) if *passed == part.within.len() => Some(*part),
                _ => None,
            })
            .collect();
        let anything = |p: &&&Part| matches!(p.kind, Kind::Foreign) && p.name.is_empty();
        if let Some(part) = here.iter().find(anything) {
            self.meet(part, "");
            return;
        }
        for (name, value) in &element.attributes {
            let mut known = accounted.contains(&name.as_str());
            for part in here.iter().filter(|part| part.name == name) {
                match &part.kind {
                    Kind::Attribute(values) => self.value(part, values, value),
                    Kind::Choice(_) => {}
                    _ => continue,
                }
                known = true;
            }
            if !known {
                self.unknown.push(format!("{path}: attribute {name}"));
            }
        }
        let text = text(element);
        if !text.trim().is_empty() {
            for part in &here {
                if let Kind::Text(values) = &part.kind {
                    self.value(part, values, &text);
                }
            }
        }
        for child in element.elements() {
            let name = qualified(child);
            self.child(&format!("{path}/{name}"), &name, child, open);
        }
    }

    fn meet(&mut self, part: &'static Part, word: &'static str) {
        *self.met.entry(met(part, word)).or_default() += 1;
    }

    /// Notes the value of a part, and which word it is.
    fn value(&mut self, part: &'static Part, values: &Values, text: &str) {
        self.meet(part, "");
        if let Some(word) = values.words().into_iter().find(|word| *word == text) {
            self.meet(part, word);
        }
    }

    fn child(&mut self, path: &str, name: &str, child: &Fragment, open: &[Open]) {
        let (mut inner, mut accounted, mut known) = (Vec::new(), Vec::new(), false);
        let mut is_read = true;
        for open in open {
            let (part, passed) = match open {
                Open::Body(body, variant) => {
                    if name == *body {
                        known = true;
                        for part in variant.parts.iter().filter(|part| !is_beside(part)) {
                            self.open(path, child, part, 0, &mut inner);
                        }
                    }
                    continue;
                }
                Open::Part(part, passed) => (*part, *passed),
            };
            if let Some(step) = part.within.get(passed) {
                if name == step.name && has_all(child, step.fixed) {
                    known = true;
                    accounted.extend(step.fixed.iter().map(|(name, _)| *name));
                    self.open(path, child, part, passed + 1, &mut inner);
                }
                continue;
            }
            if let Kind::Named(values, attribute) = &part.kind {
                if let Some(word) = values.words().into_iter().find(|word| *word == name) {
                    known = true;
                    accounted.extend(attribute);
                    self.meet(part, word);
                }
                continue;
            }
            if name != part.name || !has_all(child, part.fixed) {
                continue;
            }
            accounted.extend(part.fixed.iter().map(|(name, _)| *name));
            match &part.kind {
                Kind::Attribute(_) | Kind::Text(_) | Kind::Choice(_) | Kind::Flat(_) => continue,
                Kind::Foreign => {
                    self.meet(part, "");
                    return;
                }
                Kind::Flag | Kind::Named(..) => {}
                Kind::TextElement(values) => self.value(part, values, &text(child)),
                Kind::AttributeElement(name, values) => {
                    known = true;
                    let Some(value) = attribute(child, name) else {
                        continue;
                    };
                    accounted.push(name);
                    self.value(part, values, value);
                }
                Kind::Inline(parts) => {
                    for part in *parts {
                        self.open(path, child, part, 0, &mut inner);
                    }
                }
                Kind::Element(describe) => {
                    for part in describe().parts {
                        self.open(path, child, part, 0, &mut inner);
                    }
                }
            }
            known = true;
            is_read &= part.way != Way::Out;
            if matches!(part.kind, Kind::Element(_) | Kind::Inline(_)) {
                *self.around.entry(met(part, "")).or_default() += 1;
            } else {
                self.meet(part, "");
            }
        }
        if known && is_read {
            self.visit(path, child, &inner, &accounted);
        } else if known {
            let mut unread = Self::default();
            unread.visit(path, child, &inner, &accounted);
            self.unknown.extend(unread.unknown);
        } else {
            self.unknown.push(format!("{path}: element"));
        }
    }
}

/// Whether the part of a body stands beside it.
pub(crate) fn is_beside(part: &Part) -> bool {
    part.within.first().is_some_and(|step| step.name == "..")
}

/// The parts of a body that stand beside it.
pub(crate) fn lift(parts: &'static [Part], beside: &mut Vec<&'static Part>) {
    for part in parts {
        if is_beside(part) {
            beside.push(part);
        } else if let (Kind::Flat(describe), []) = (&part.kind, part.within) {
            lift(describe().parts, beside);
        }
    }
}

fn attribute<'e>(element: &'e Fragment, name: &str) -> Option<&'e str> {
    let mut attributes = element.attributes.iter();
    let (_, value) = attributes.find(|(n, _)| n == name)?;
    Some(value)
}

fn text(element: &Fragment) -> String {
    let text = |node: &FragmentNode| match node {
        FragmentNode::Text(text) | FragmentNode::CData(text) => Some(text.clone()),
        _ => None,
    };
    element.children.iter().filter_map(text).collect()
}

fn has_all(element: &Fragment, fixed: &[(&str, &str)]) -> bool {
    fixed
        .iter()
        .all(|(name, value)| attribute(element, name) == Some(value))
}

/// The name of an element, with the prefix that descriptions use, whichever the document does.
fn qualified(element: &Fragment) -> String {
    let uri = element.namespace.as_deref().unwrap_or_default();
    let local = element.name.rsplit(':').next().unwrap_or_default();
    let known = NAMESPACES.iter().find(|(_, known)| *known == uri);
    known.map_or_else(
        || element.name.clone(),
        |(prefix, _)| format!("{prefix}:{local}"),
    )
}
