//! The two trees in the file, hard disks and snapshots: finding an element of one by its UUID.

use uuid::Uuid;

use crate::element::Element;

/// What one of the trees is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree {
    /// The elements that have a UUID.
    pub(crate) item: &'static str,
    /// The element in each of them that has its children; `None` if they are in it directly.
    pub(crate) list: Option<&'static str>,
}

pub(crate) const HARD_DISKS: Tree = Tree {
    item: "HardDisk",
    list: None,
};

pub(crate) const SNAPSHOTS: Tree = Tree {
    item: "Snapshot",
    list: Some("Snapshots"),
};

impl Tree {
    /// The items in `parent`, which is an item itself or what the tree is in; each with the way to it.
    fn indexed(self, parent: &Element) -> impl Iterator<Item = (Vec<usize>, &Element)> {
        let list = self.list.filter(|_| parent.is(self.item));
        let (way, holder) = match list.map(|name| parent.index_of(name)) {
            None => (None, Some(parent)),
            Some(None) => (None, None),
            Some(Some(index)) => (Some(index), parent.nodes()[index].as_element()),
        };
        let nodes = holder.into_iter().flat_map(Element::nodes).enumerate();
        nodes.filter_map(move |(index, node)| {
            let element = node.as_element().filter(|element| element.is(self.item))?;
            Some((way.into_iter().chain([index]).collect(), element))
        })
    }

    /// The items in `parent`, which is an item itself or what the tree is in.
    pub(crate) fn items(self, parent: &Element) -> impl Iterator<Item = &Element> {
        self.indexed(parent).map(|(_, element)| element)
    }

    /// All items below `parent`, each before those that are in it.
    pub(crate) fn all(self, parent: &Element) -> Vec<&Element> {
        let mut found = Vec::new();
        let mut todo: Vec<&Element> = self.items(parent).collect();
        todo.reverse();
        while let Some(element) = todo.pop() {
            found.push(element);
            let children = todo.len();
            todo.extend(self.items(element));
            todo[children..].reverse();
        }
        found
    }

    /// The way from `parent` down to the item `uuid`: an index of a node at each level, and the items that are passed, the last
    /// of which is the one.
    pub(crate) fn find(self, parent: &Element, uuid: Uuid) -> Option<(Vec<usize>, Vec<&Element>)> {
        for (way, element) in self.indexed(parent) {
            if element.uuid() == Some(uuid) {
                return Some((way, vec![element]));
            }
            if let Some((more, mut passed)) = self.find(element, uuid) {
                passed.insert(0, element);
                return Some(([way, more].concat(), passed));
            }
        }
        None
    }
}

impl Element {
    /// The attribute `uuid`, if it is one.
    pub(crate) fn uuid(&self) -> Option<Uuid> {
        self.attribute("uuid").and_then(parse_uuid)
    }
}

/// A UUID, which is in braces mostly.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    const LENGTH: usize = 36;
    let bare = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    if bare.len() != LENGTH {
        return None;
    }
    Uuid::try_parse(bare).ok()
}

/// A UUID as the file has it.
pub(crate) fn format_uuid(uuid: Uuid) -> String {
    uuid.braced().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_in_braces_or_bare() {
        let bare = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
        let uuid = parse_uuid(bare).unwrap();
        let braced = format_uuid(uuid);
        assert_eq!(braced, format!("{{{bare}}}"));
        assert_eq!(parse_uuid(&braced), Some(uuid));
        assert_eq!(parse_uuid(&bare.to_uppercase()), Some(uuid));
        for bad in [
            "",
            "{}",
            "1b4e28ba2fa111d2883f0016d3cca427",
            "{1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "{{1b4e28ba-2fa1-11d2-883f-0016d3cca4}}",
            "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        ] {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }
}
