//! Makes documents from what their types declare: what has to be there, what is wanted, and what the dice say.

use virtbus_conf_base::reference::DocumentKind;
use virtbus_conf_base::{Fragment, FragmentNode};
use virtbus_xml::{Choice, Description, Kind, Occurs, Part, Step, Values, Variant, Way};

use crate::dice::Dice;
use crate::samples::sample;
use crate::walk::{Met, NAMESPACES, met};

/// Something that a document was refused for the lack of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    /// The element that it has to be in; none for any.
    pub(crate) within: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

/// A document of this kind with the last part of the path `wanted`, and with what is `needed`.
pub(crate) fn document(
    kind: &DocumentKind,
    wanted: &[Met],
    needed: &[Needed],
    mut dice: Dice,
) -> String {
    let mut root = element(kind.root);
    let depth = 0;
    let density = dice.pick(&[30, 80, 200, 500]);
    let mut maker = Maker {
        dice,
        depth,
        density,
        needed,
    };
    maker.describe(&mut root, &mut element(""), (kind.describe)(), wanted);
    for (prefix, uri) in NAMESPACES {
        if uses(&root, prefix) {
            root.declarations
                .push(((*prefix).to_owned(), (*uri).to_owned()));
        }
    }
    root.to_text()
}

fn uses(element: &Fragment, prefix: &str) -> bool {
    let own = element
        .name
        .split_once(':')
        .is_some_and(|(p, _)| p == prefix);
    own || element.elements().any(|child| uses(child, prefix))
}

struct Maker<'n> {
    dice: Dice,
    depth: u32,
    /// How many parts are put in that need not be there, in hundredths.
    density: u64,
    needed: &'n [Needed],
}

impl Maker<'_> {
    fn describe(
        &mut self,
        element: &mut Fragment,
        beside: &mut Fragment,
        description: &'static Description,
        wanted: &[Met],
    ) {
        if !description.alternatives {
            self.parts(element, beside, description.parts, wanted);
            return;
        }
        let parts: Vec<&'static Part> = description.parts.iter().collect();
        let here = wanted.first();
        match parts
            .iter()
            .find(|p| here.is_some_and(|w| w.0 == met(p, "").0))
        {
            Some(part) => self.part(element, beside, part, &wanted[1..], here),
            None => {
                let needed = parts
                    .iter()
                    .find(|part| self.is_needed(&element.name, part));
                let needed = needed.copied();
                let part = needed.unwrap_or_else(|| self.dice.pick(&parts));
                self.part(element, beside, part, &[], None);
            }
        }
    }

    fn parts(
        &mut self,
        element: &mut Fragment,
        beside: &mut Fragment,
        parts: &'static [Part],
        wanted: &[Met],
    ) {
        let chance = self.chance(parts.len());
        for part in parts {
            let here = wanted.first().filter(|w| w.0 == met(part, "").0);
            if here.is_some() {
                self.part(element, beside, part, &wanted[1..], here);
            } else if part.occurs == Occurs::Required
                || self.is_needed(&element.name, part)
                || part.way == Way::Both && self.dice.percent(chance)
            {
                self.part(element, beside, part, &[], None);
            }
            while part.occurs == Occurs::Many && self.dice.percent(chance.min(60)) {
                self.part(element, beside, part, &[], None);
            }
        }
    }

    /// Whether a document was refused for lack of something of this name.
    fn is_needed(&self, within: &str, part: &'static Part) -> bool {
        if self.depth > 8 {
            return false;
        }
        let names = part.within.iter().map(|step| step.name);
        let names: Vec<&str> = std::iter::once(within)
            .chain(names)
            .chain([part.name])
            .collect();
        let is_it = |needed: &Needed| {
            let within = needed.within.as_deref();
            let is_pair = |pair: &[&str]| {
                pair[1] == needed.name && within.is_none_or(|within| within == pair[0])
            };
            names.windows(2).any(is_pair)
        };
        let is_in = |part| self.is_needed(within, part);
        self.needed.iter().any(is_it)
            || match &part.kind {
                Kind::Flat(describe) => describe().parts.iter().any(is_in),
                _ => false,
            }
    }

    /// How likely a part is that need not be there, in percent, if there are so many: one or two of them, fewer farther in.
    fn chance(&self, parts: usize) -> u64 {
        let wanted = self.density / (1 + u64::from(self.depth / 2));
        (wanted / u64::try_from(parts.max(1)).unwrap_or(1)).min(60)
    }

    /// Adds `part`; `here` has the word that is wanted of it, and `rest` what is wanted in it.
    fn part(
        &mut self,
        element: &mut Fragment,
        beside: &mut Fragment,
        part: &'static Part,
        rest: &[Met],
        here: Option<&Met>,
    ) {
        let word = here.map_or("", |w| w.1);
        if let (Kind::Flat(describe), []) = (&part.kind, part.within) {
            // It has no element of its own, so what stands beside this one may come from it.
            self.describe(element, beside, describe(), rest);
            return;
        }
        let (host, steps) = match part.within {
            [Step { name: "..", .. }, steps @ ..] => (beside, steps),
            steps => (element, steps),
        };
        let host = descend(host, steps);
        self.depth += 1;
        match &part.kind {
            Kind::Attribute(values) => {
                let value = self.value(part, values, word);
                set(host, part.name, &value);
            }
            Kind::Text(values) => {
                let value = self.value(part, values, word);
                host.children.push(FragmentNode::Text(value));
            }
            Kind::TextElement(values) => {
                let value = self.value(part, values, word);
                let mut child = fixed(part.name, part.fixed);
                child.children.push(FragmentNode::Text(value));
                host.children.push(FragmentNode::Element(child));
            }
            Kind::AttributeElement(attribute, values) => {
                let value = self.value(part, values, word);
                let child = child_without(host, part, attribute);
                set(child, attribute, &value);
            }
            Kind::Flag => host
                .children
                .push(FragmentNode::Element(fixed(part.name, part.fixed))),
            Kind::Foreign => {
                let mut inside = self::element("x:y");
                inside
                    .declarations
                    .push(("x".to_owned(), "urn:x".to_owned()));
                let inside = FragmentNode::Element(inside);
                if part.name.is_empty() {
                    host.children.push(inside);
                } else {
                    let mut child = fixed(part.name, part.fixed);
                    child.children.push(inside);
                    host.children.push(FragmentNode::Element(child));
                }
            }
            Kind::Element(describe) => {
                let mut child = fixed(part.name, part.fixed);
                self.describe(&mut child, host, describe(), rest);
                host.children.push(FragmentNode::Element(child));
            }
            Kind::Inline(parts) => {
                let mut child = fixed(part.name, part.fixed);
                self.parts(&mut child, host, parts, rest);
                host.children.push(FragmentNode::Element(child));
            }
            Kind::Flat(describe) => self.describe(host, &mut self::element(""), describe(), rest),
            Kind::Choice(choice) => self.choose(host, part, choice, rest, word),
            Kind::Named(values, attribute) => {
                let name = self.value(part, values, word);
                let mut child = self::element(&name);
                if let Some(attribute) = attribute {
                    let value = self.dice.pick(&["on", "off"]);
                    set(&mut child, attribute, value);
                }
                host.children.push(FragmentNode::Element(child));
            }
        }
        self.depth -= 1;
    }

    fn choose(
        &mut self,
        host: &mut Fragment,
        part: &'static Part,
        choice: &'static Choice,
        rest: &[Met],
        word: &str,
    ) {
        let variants: Vec<&'static Variant> = choice.variants.iter().collect();
        let variant = match variants.iter().find(|v| v.name == word) {
            Some(variant) => variant,
            None => self.dice.pick(&variants),
        };
        set(host, part.name, variant.name);
        match choice.body {
            None => self.parts(host, &mut element(""), variant.parts, rest),
            Some(body) => {
                let mut child = element(body);
                self.parts(&mut child, host, variant.parts, rest);
                host.children.push(FragmentNode::Element(child));
            }
        }
    }

    /// The word, or a value that says something: not what holds anyway.
    fn value(&mut self, part: &Part, values: &Values, word: &str) -> String {
        if !word.is_empty() {
            return word.to_owned();
        }
        loop {
            let value = sample(values, &mut self.dice);
            let says_something = says_something(part, &value);
            // What is always the first has no other.
            if says_something || matches!(self.dice, Dice::Plain) {
                return value;
            }
        }
    }
}

/// Whether `value` is another than what holds if the part is absent, and need not be written then.
pub(crate) fn says_something(part: &Part, value: &str) -> bool {
    let absent = part
        .absent
        .split_once(' ')
        .map_or(part.absent, |(word, _)| word);
    value.is_empty() || !part.conditional || value != absent
}

fn element(name: &str) -> Fragment {
    Fragment {
        name: name.to_owned(),
        ..Fragment::default()
    }
}

fn fixed(name: &str, attributes: &[(&str, &str)]) -> Fragment {
    let mut child = element(name);
    for (name, value) in attributes {
        set(&mut child, name, value);
    }
    child
}

fn set(element: &mut Fragment, name: &str, value: &str) {
    match element.attributes.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => value.clone_into(old),
        None => element.attributes.push((name.to_owned(), value.to_owned())),
    }
}

/// The element inside of `steps`, made if it is not there.
fn descend<'e>(mut host: &'e mut Fragment, steps: &[Step]) -> &'e mut Fragment {
    for step in steps {
        let is_it = |child: &Fragment| {
            let has =
                |(n, v): &(&str, &str)| child.attributes.iter().any(|(m, w)| m == n && w == v);
            child.name == step.name && step.fixed.iter().all(has)
        };
        host = child_where(host, is_it, || fixed(step.name, step.fixed));
    }
    host
}

/// A child of this name that lacks the attribute: one that is there for another attribute, or a new one.
fn child_without<'e>(host: &'e mut Fragment, part: &Part, attribute: &str) -> &'e mut Fragment {
    let lacks = |child: &Fragment| {
        part.occurs != Occurs::Many
            && child.name == part.name
            && !child.attributes.iter().any(|(n, _)| n == attribute)
    };
    child_where(host, lacks, || fixed(part.name, part.fixed))
}

fn child_where(
    host: &mut Fragment,
    is_it: impl Fn(&Fragment) -> bool,
    new: impl FnOnce() -> Fragment,
) -> &mut Fragment {
    let found = host
        .children
        .iter()
        .rposition(|node| matches!(node, FragmentNode::Element(child) if is_it(child)));
    let index = found.unwrap_or_else(|| {
        host.children.push(FragmentNode::Element(new()));
        host.children.len() - 1
    });
    let FragmentNode::Element(child) = &mut host.children[index] else {
        unreachable!("an element was looked for")
    };
    child
}
