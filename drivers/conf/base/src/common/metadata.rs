//! `<metadata>`: what other programs note in a definition.

use virtbus_xml::{Content, Describe, Fragment, FragmentNode, Node, Result, Writer};

/// `<metadata>`: data of other programs, each in an element with an XML name space of its own; kept as it is.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(#[xml(child = "metadata", foreign)] pub Option<Box<Fragment>>);

impl Content for Metadata {
    fn parse(node: Node<'_>) -> Result<Self> {
        node.child_opt("metadata").map(Self)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(metadata) = &self.0 {
            w.fragment(metadata);
        }
    }
}

impl Metadata {
    /// The element of a name space, as a document of its own and without the prefix: whoever asks has named the name space.
    #[must_use]
    pub fn element(&self, uri: &str) -> Option<String> {
        let all = self.0.as_ref()?;
        let found = all
            .elements()
            .find(|child| child.namespace.as_deref() == Some(uri))?;
        Some(all.lift(found).without_namespace().to_text())
    }

    /// Puts an element in place of the one that its name space has. It takes the prefix `key` in the name space `uri`, whatever it was
    /// written with.
    ///
    /// # Errors
    /// Malformed XML, and then nothing has changed.
    pub fn set_element(&mut self, xml: &str, key: &str, uri: &str) -> Result<()> {
        let mut new = Fragment::parse_document(xml)?;
        let name = new.name.rsplit(':').next().unwrap_or_default();
        new.name = format!("{key}:{name}");
        new.namespace = Some(uri.to_owned());
        new.declarations.retain(|(prefix, _)| prefix != key);
        new.declarations.push((key.to_owned(), uri.to_owned()));
        self.remove_element(uri);
        let all = self.0.get_or_insert_with(|| {
            Box::new(Fragment {
                name: "metadata".to_owned(),
                ..Fragment::default()
            })
        });
        all.children.push(FragmentNode::Element(new));
        Ok(())
    }

    /// Keeps the first element of each name space, since only one can be asked for; one without a name space cannot at all.
    pub fn keep_one_of_each(&mut self) {
        let Some(all) = &mut self.0 else { return };
        let mut seen: Vec<String> = Vec::new();
        all.children.retain(|child| match child {
            FragmentNode::Element(child) => match &child.namespace {
                Some(uri) if !seen.contains(uri) => {
                    seen.push(uri.clone());
                    true
                }
                _ => false,
            },
            _ => true,
        });
        if seen.is_empty() {
            self.0 = None;
        }
    }

    /// Removes the element of a name space, if there is one.
    pub fn remove_element(&mut self, uri: &str) {
        let Some(all) = &mut self.0 else { return };
        all.children.retain(|child| match child {
            FragmentNode::Element(child) => child.namespace.as_deref() != Some(uri),
            _ => true,
        });
        if all.elements().next().is_none() {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_put_found_replaced_and_removed() {
        let mut metadata = Metadata::default();
        metadata
            .set_element("<a x='1'/>", "app", "urn:app")
            .unwrap();
        metadata
            .set_element("<o:b xmlns:o='urn:o'/>", "other", "urn:other")
            .unwrap();
        metadata
            .set_element("<c>text</c>", "app", "urn:app")
            .unwrap();
        assert_eq!(metadata.element("urn:app").as_deref(), Some("<c>text</c>"));
        assert!(metadata.element("urn:other").is_some());
        let before = metadata.clone();
        assert!(metadata.set_element("<a>", "app", "urn:app").is_err());
        assert_eq!(metadata, before);
        metadata.remove_element("urn:app");
        metadata.remove_element("urn:other");
        assert_eq!(metadata, Metadata::default());
    }

    #[test]
    fn one_element_of_each_name_space_is_kept() {
        let text = "<metadata><a/><x:b xmlns:x='urn:1' n='1'/><y:c xmlns:y='urn:1'/></metadata>";
        let mut metadata = Metadata(Some(Box::new(Fragment::parse_document(text).unwrap())));
        metadata.keep_one_of_each();
        let all = metadata.0.as_ref().unwrap();
        assert_eq!(all.elements().count(), 1);
        assert_eq!(metadata.element("urn:1").as_deref(), Some("<b n=\"1\"/>"));
    }

    #[test]
    fn what_is_inside_an_element_keeps_its_name_space() {
        let mut metadata = Metadata::default();
        let mut set = |xml: &str| {
            metadata.set_element(xml, "app", "urn:app").unwrap();
            let text = metadata.element("urn:app").unwrap();
            text.replace("\n", "").replace("  ", "")
        };
        assert_eq!(set("<a><b/></a>"), "<a><b/></a>");
        assert_eq!(
            set("<app:a xmlns:app='urn:app'><app:b><app:c/></app:b></app:a>"),
            "<a><app:b xmlns:app=\"urn:app\"><app:c/></app:b></a>"
        );
        let other = set("<a xmlns:o='urn:o' o:x='1'><o:b/></a>");
        assert_eq!(other, "<a xmlns:o=\"urn:o\" o:x=\"1\"><o:b/></a>");
        // An attribute in the same name space needs the prefix where it is.
        let own = set("<app:a xmlns:app='urn:app' app:x='1'/>");
        assert_eq!(own, "<a xmlns:app=\"urn:app\" app:x=\"1\"/>");
    }
}
