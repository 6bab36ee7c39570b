//! Everything that documents declare, and the ways to it from their roots.

use std::collections::{BTreeMap, VecDeque};

use virtbus_conf_base::reference::DocumentKind;
use virtbus_xml::{Description, Kind, Part, Values, Way as Direction};

use crate::kinds::DOCUMENTS;
use crate::make::says_something;
use crate::walk::{Met, met};

/// A way to something that is declared: through which parts of which document.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) kind: &'static DocumentKind,
    pub(crate) through: Vec<Met>,
    /// The same for people.
    pub(crate) text: String,
    /// What holds without the last element.
    absent: &'static str,
    /// Whether it is right that it is not written: it only says what holds without it, or goes in or out only.
    pub(crate) is_lost: bool,
}

impl Way {
    /// The root of a document.
    pub(crate) fn root(kind: &'static DocumentKind) -> Self {
        Self {
            kind,
            through: Vec::new(),
            text: format!("{}: {}", kind.name, kind.root),
            absent: "",
            is_lost: false,
        }
    }

    fn to(&self, step: Met, text: &str) -> Self {
        let mut through = self.through.clone();
        through.push(step);
        Self {
            kind: self.kind,
            through,
            text: format!("{}{text}", self.text),
            absent: "",
            is_lost: self.is_lost,
        }
    }

    /// The same, if `part` does not go both ways with this word.
    fn lost(mut self, part: &Part, word: &str) -> Self {
        self.is_lost |= part.way != Direction::Both || !says_something(part, word);
        self
    }
}

/// In how many places a type is looked at: what it needs around it may not be in the first.
const PLACES: usize = 5;

#[derive(Default)]
struct Search {
    found: BTreeMap<Met, Vec<Way>>,
    places: BTreeMap<&'static str, usize>,
    open: VecDeque<(Way, &'static Description)>,
}

/// What is declared, with the ways to it, the shortest first.
pub(crate) fn declared() -> BTreeMap<Met, Vec<Way>> {
    let mut search = Search::default();
    for kind in DOCUMENTS.iter() {
        let way = Way::root(kind);
        search.open.push_back((way, (kind.describe)()));
    }
    while let Some((way, description)) = search.open.pop_front() {
        let places = search.places.entry(description.type_name).or_default();
        if *places < PLACES {
            *places += 1;
            search.parts(&way, description.parts);
        }
    }
    search.found
}

impl Search {
    fn add(&mut self, way: Way) {
        let met = *way.through.last().expect("there is a last step");
        self.found.entry(met).or_default().push(way);
    }

    fn values(&mut self, way: &Way, part: &'static Part, text: &str, values: &Values) {
        self.add(way.to(met(part, ""), text).lost(part, ""));
        for word in values.words() {
            let text = format!("{text}='{word}'");
            self.add(way.to(met(part, word), &text).lost(part, word));
        }
    }

    fn parts(&mut self, way: &Way, parts: &'static [Part]) {
        for part in parts {
            let around: String = part.within.iter().map(|s| format!("/{}", s.name)).collect();
            let element = format!("{around}/{}", part.name);
            match &part.kind {
                Kind::Attribute(values) => {
                    self.values(way, part, &format!("{around}/@{}", part.name), values);
                }
                Kind::Text(values) => self.values(way, part, &format!("{around}/text()"), values),
                Kind::TextElement(values) => self.values(way, part, &element, values),
                Kind::AttributeElement(attribute, values) => {
                    self.values(way, part, &format!("{element}/@{attribute}"), values);
                }
                Kind::Flag | Kind::Foreign => {
                    self.add(way.to(met(part, ""), &element).lost(part, ""));
                }
                Kind::Element(describe) => {
                    let mut inner = way.to(met(part, ""), &element).lost(part, "");
                    inner.absent = part.absent;
                    self.add(inner.clone());
                    self.open.push_back((inner, describe()));
                }
                Kind::Inline(parts) => {
                    let inner = way.to(met(part, ""), &element).lost(part, "");
                    self.add(inner.clone());
                    self.parts(&inner, parts);
                }
                Kind::Named(values, _) => {
                    for word in values.words() {
                        let text = format!("{around}/{word}");
                        self.add(way.to(met(part, word), &text).lost(part, word));
                    }
                }
                Kind::Flat(describe) => {
                    let inner = way.to(met(part, ""), &around).lost(part, "");
                    self.open.push_back((inner, describe()));
                }
                Kind::Choice(choice) => {
                    for variant in choice.variants {
                        let text = format!("{around}/@{}='{}'", part.name, variant.name);
                        let mut chosen = way.to(met(part, variant.name), &text).lost(part, "");
                        chosen.is_lost |= way.absent == variant.name;
                        self.add(chosen.clone());
                        self.parts(&chosen, variant.parts);
                    }
                }
            }
        }
    }
}
