//! Elements of a parsed document, counted and reached by their number in document order.

use virtbus_xml::{Fragment, FragmentNode};

/// How many elements there are, the root among them.
pub(crate) fn count(root: &Fragment) -> usize {
    1 + root.elements().map(count).sum::<usize>()
}

/// The element number `at` in document order; the root if there are not so many.
/// Calls `change` with the element number `at` in document order, if there is one.
pub(crate) fn with_element<T>(
    root: &mut Fragment,
    at: usize,
    change: impl FnOnce(&mut Fragment) -> T,
) -> Option<T> {
    if at == 0 {
        return Some(change(root));
    }
    let mut rest = at - 1;
    let below = root.children.iter_mut().find_map(|node| match node {
        FragmentNode::Element(child) => match count(child) {
            elements if rest < elements => Some(child),
            elements => {
                rest -= elements;
                None
            }
        },
        _ => None,
    })?;
    with_element(below, rest, change)
}

/// Calls `visit` with every element, in document order.
pub(crate) fn each<'f>(root: &'f Fragment, visit: &mut impl FnMut(&'f Fragment)) {
    visit(root);
    for child in root.elements() {
        each(child, visit);
    }
}

/// The element's own text, if there is any.
pub(crate) fn text(element: &Fragment) -> Option<&str> {
    element.children.iter().find_map(|node| match node {
        FragmentNode::Text(text) | FragmentNode::CData(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Replaces the element's own text.
pub(crate) fn set_text(element: &mut Fragment, text: &str) {
    element
        .children
        .retain(|node| !matches!(node, FragmentNode::Text(_) | FragmentNode::CData(_)));
    if !text.is_empty() {
        let node = FragmentNode::Text(text.to_owned());
        element.children.insert(0, node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_numbered_in_document_order() {
        let mut root = Fragment::parse_document("<a><b><c/></b>text<d/></a>").unwrap();
        assert_eq!(count(&root), 4);
        let names = [0, 1, 2, 3].map(|at| with_element(&mut root, at, |e| e.name.clone()));
        assert_eq!(names.map(Option::unwrap), ["a", "b", "c", "d"]);
        assert_eq!(with_element(&mut root, 4, |_| ()), None);
        let mut seen = String::new();
        each(&root, &mut |e| seen.push_str(&e.name));
        assert_eq!(seen, "abcd");
    }

    #[test]
    fn texts_are_replaced() {
        let mut root = Fragment::parse_document("<a>one<b/>two</a>").unwrap();
        assert_eq!(text(&root), Some("one"));
        set_text(&mut root, "three");
        assert_eq!(root.to_text(), "<a>three<b/></a>");
    }
}
