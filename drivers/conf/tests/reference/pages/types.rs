//! Which types documents declare, which of them have a section of their own, and on which page that stands.

use std::collections::{BTreeMap, BTreeSet};

use virtbus_conf_base::reference::DocumentKind;
use virtbus_xml::{Description, Kind, Part};

use crate::kinds::DOCUMENTS;

/// Name of the page of what several documents have.
pub(super) const SHARED: &str = "shared";

/// What a type has without an element of its own stands where it is, unless several have it and it is more than this.
const FEW_PARTS: usize = 3;

/// A type with a section of its own.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) description: &'static Description,
    /// Name of its page.
    pub(super) page: &'static str,
    /// Where it is first met: path of an element.
    pub(super) path: String,
    /// What its elements are called.
    pub(super) names: BTreeSet<String>,
    /// Whether it is an element, not only part of one.
    pub(super) is_element: bool,
    /// Types that have it.
    pub(super) users: Vec<&'static str>,
}

#[derive(Default)]
struct Use {
    description: Option<&'static Description>,
    kinds: BTreeSet<&'static str>,
    path: Option<String>,
    names: BTreeSet<String>,
    is_element: bool,
    flat: BTreeSet<&'static str>,
    users: Vec<&'static str>,
}

/// All that have a section, by the names of their types, and these names in the order in which they are met.
pub(super) struct Sections {
    pub(super) by_type: BTreeMap<&'static str, Section>,
    pub(super) order: Vec<&'static str>,
    /// The types that have each type, section or not.
    users: BTreeMap<&'static str, Vec<&'static str>>,
}

#[derive(Default)]
struct Search {
    uses: BTreeMap<&'static str, Use>,
    order: Vec<&'static str>,
}

impl Sections {
    pub(super) fn new() -> Self {
        let mut search = Search::default();
        for kind in DOCUMENTS.iter() {
            search.description(kind, kind.root, (kind.describe)(), None, true);
        }
        let uses = search.uses.iter();
        let users = uses.map(|(name, of)| (*name, of.users.clone())).collect();
        let mut by_type = BTreeMap::new();
        for (name, of) in search.uses {
            let description = of.description.expect("what is used is described");
            let page = match (root(name), of.kinds.first()) {
                (Some(kind), _) => kind.name,
                (None, Some(only)) if of.kinds.len() == 1 => only,
                _ => SHARED,
            };
            let is_repeated = of.flat.len() > 1 && count(description) > FEW_PARTS;
            if of.is_element || is_repeated {
                let section = Section {
                    description,
                    page,
                    path: match root(name) {
                        Some(kind) => kind.root.to_owned(),
                        None => of.path.unwrap_or_default(),
                    },
                    names: of.names,
                    is_element: of.is_element,
                    users: of.users,
                };
                by_type.insert(name, section);
            }
        }
        Self {
            by_type,
            order: search.order,
            users,
        }
    }

    /// The types that have this one.
    pub(super) fn users(&self, name: &str) -> &[&'static str] {
        self.users.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The document whose root is of this type.
fn root(type_name: &str) -> Option<&'static DocumentKind> {
    DOCUMENTS
        .iter()
        .find(|kind| (kind.describe)().type_name == type_name)
}

fn count(description: &Description) -> usize {
    let parts = description.parts.iter();
    parts
        .map(|part| match &part.kind {
            Kind::Flat(describe) => count(describe()),
            Kind::Choice(choice) => choice.variants.len(),
            _ => 1,
        })
        .sum()
}

impl Search {
    fn description(
        &mut self,
        kind: &'static DocumentKind,
        path: &str,
        description: &'static Description,
        user: Option<&'static str>,
        is_element: bool,
    ) {
        let name = description.type_name;
        if description.parts.is_empty() {
            return;
        }
        let of = self.uses.entry(name).or_default();
        if of.description.is_none() {
            self.order.push(name);
        }
        of.description = Some(description);
        of.is_element |= is_element;
        if is_element {
            of.path.get_or_insert_with(|| path.to_owned());
            let own = path.rsplit('/').next().unwrap_or_default();
            of.names.insert(own.to_owned());
        }
        if let Some(user) = user {
            if !is_element {
                of.flat.insert(user);
            }
            if !of.users.contains(&user) {
                of.users.push(user);
            }
        }
        let elsewhere = root(name).is_some_and(|other| other.name != kind.name);
        if !elsewhere && of.kinds.insert(kind.name) {
            self.parts(kind, path, description.parts, name);
        }
    }

    fn parts(
        &mut self,
        kind: &'static DocumentKind,
        path: &str,
        parts: &'static [Part],
        user: &'static str,
    ) {
        for part in parts {
            let around: String = part.within.iter().map(|s| format!("/{}", s.name)).collect();
            let path = format!("{path}{around}");
            match &part.kind {
                Kind::Element(describe) => {
                    let inner = format!("{path}/{}", part.name);
                    self.description(kind, &inner, describe(), Some(user), true);
                }
                Kind::Flat(describe) => {
                    self.description(kind, &path, describe(), Some(user), false);
                }
                Kind::Inline(parts) => {
                    self.parts(kind, &format!("{path}/{}", part.name), parts, user);
                }
                Kind::Choice(choice) => {
                    let body = choice.body.map(|body| format!("/{body}"));
                    let inner = format!("{path}{}", body.unwrap_or_default());
                    for variant in choice.variants {
                        self.parts(kind, &inner, variant.parts, user);
                    }
                }
                Kind::Attribute(_)
                | Kind::Text(_)
                | Kind::Flag
                | Kind::TextElement(_)
                | Kind::AttributeElement(..)
                | Kind::Named(..)
                | Kind::Foreign => {}
            }
        }
    }
}
