//! Which elements, attributes and values there are, by where they were seen.

use std::collections::{BTreeMap, BTreeSet};

use virtbus_xml::Fragment;

use crate::probe;
use crate::targets::Target;
use crate::tree::{count, each, text};

/// Parts with more elements than this are not worth being put into other documents.
const LARGEST_PART: usize = 40;

/// Most parts that are kept for one parent.
const MOST_PARTS: usize = 200;

/// What was seen in elements of one name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    /// Attributes with their values.
    pub(crate) attributes: Vec<(String, Vec<String>)>,
    /// Texts.
    pub(crate) texts: Vec<String>,
    /// Child elements.
    pub(crate) children: Vec<Fragment>,
}

/// What was seen in all documents.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    words: BTreeMap<String, Words>,
    /// Names of elements.
    pub(crate) elements: Vec<String>,
    /// Names of attributes.
    pub(crate) attributes: Vec<String>,
    /// Values of attributes, and texts.
    pub(crate) values: Vec<String>,
}

/// [`Words`] while they are collected.
#[derive(Default)]
struct Seen<'f> {
    attributes: BTreeMap<&'f str, BTreeSet<&'f str>>,
    texts: BTreeSet<&'f str>,
    children: BTreeMap<String, &'f Fragment>,
}

impl Dictionary {
    /// What is in `documents`; `words` are values to be tried anywhere.
    #[must_use]
    pub(crate) fn new(documents: &[Fragment], words: BTreeSet<String>) -> Self {
        let mut seen: BTreeMap<&str, Seen<'_>> = BTreeMap::new();
        for document in documents {
            each(document, &mut |element| {
                let here = seen.entry(&element.name).or_default();
                for (name, value) in &element.attributes {
                    here.attributes.entry(name).or_default().insert(value);
                }
                here.texts.extend(text(element).filter(|t| t.len() < 200));
                for child in element.elements().filter(|c| count(c) <= LARGEST_PART) {
                    if here.children.len() < MOST_PARTS {
                        here.children.insert(child.to_text(), child);
                    }
                }
            });
        }
        let attributes = seen.values().flat_map(|s| s.attributes.keys().copied());
        let attributes: BTreeSet<&str> = attributes.collect();
        let mut values = words;
        for seen in seen.values() {
            let of_attributes = seen.attributes.values().flatten();
            values.extend(of_attributes.chain(&seen.texts).map(|v| (*v).to_owned()));
        }
        Self {
            elements: seen.keys().map(|name| (*name).to_owned()).collect(),
            attributes: attributes.into_iter().map(str::to_owned).collect(),
            values: values.into_iter().collect(),
            words: seen
                .into_iter()
                .map(|(name, seen)| (name.to_owned(), seen.into()))
                .collect(),
        }
    }

    /// What is in `seeds`, and the words that `target` names when it refuses something.
    #[must_use]
    pub fn of(target: &Target, seeds: &[Fragment]) -> Self {
        Self::new(seeds, probe::words(target, seeds))
    }

    /// What was seen in elements `name`.
    pub(crate) fn words(&self, name: &str) -> Option<&Words> {
        self.words.get(name)
    }
}

impl From<Seen<'_>> for Words {
    fn from(seen: Seen<'_>) -> Self {
        let owned = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect();
        Self {
            attributes: seen
                .attributes
                .into_iter()
                .map(|(name, values)| (name.to_owned(), owned(values)))
                .collect(),
            texts: owned(seen.texts),
            children: seen.children.into_values().cloned().collect(),
        }
    }
}

impl Words {
    /// The values that the attribute `name` was seen with.
    pub(crate) fn values(&self, name: &str) -> &[String] {
        let attribute = self.attributes.iter().find(|(other, _)| other == name);
        attribute.map_or(&[], |(_, values)| values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_by_place() {
        let documents = ["<a x='1'><b>t</b></a>", "<a x='2' y='3'><b/></a>"]
            .map(|text| Fragment::parse_document(text).unwrap());
        let dictionary = Dictionary::new(&documents, BTreeSet::from(["w".to_owned()]));
        assert_eq!(dictionary.elements, ["a", "b"]);
        assert_eq!(dictionary.attributes, ["x", "y"]);
        assert_eq!(dictionary.values, ["1", "2", "3", "t", "w"]);
        let words = dictionary.words("a").unwrap();
        assert_eq!(words.values("x"), ["1", "2"]);
        assert!(words.values("z").is_empty());
        assert_eq!(words.children.len(), 2);
        assert_eq!(dictionary.words("b").unwrap().texts, ["t"]);
    }
}
