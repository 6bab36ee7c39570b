//! Where children are put and taken away, so that the file keeps the look it had.
//!
//! A file that is indented at all is indented by the same at each level, by VirtualBox and by libvirt; new elements follow that.

use crate::element::{Body, Element, Node};

/// How a file is indented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The end of a line; `None` if there are no lines.
    line: Option<&'static str>,
    step: String,
}

impl Layout {
    /// That of a file with this root element.
    pub(crate) fn of(root: &Element) -> Self {
        let first = root.nodes().first().filter(|node| node.is_blank());
        let lines = match first {
            Some(Node::Text(text)) => text.rsplit_once('\n'),
            Some(Node::Element(_) | Node::CData(_) | Node::Aside(_)) | None => None,
        };
        let line = lines.map(|(before, _)| if before.ends_with('\r') { "\r\n" } else { "\n" });
        Self {
            line,
            step: lines.map_or_else(String::new, |(_, step)| step.to_owned()),
        }
    }

    /// What is before an element at `level`, or before the end tag of one.
    fn lead(&self, level: usize) -> Option<Node> {
        let line = self.line?;
        Some(Node::Text(format!("{line}{}", self.step.repeat(level))))
    }

    /// Adds `child` behind everything else in `parent`, which is at `level`.
    pub(crate) fn append(&self, parent: &mut Element, level: usize, child: Element) {
        let nodes = &mut parent.body.get_or_insert_with(Body::default).nodes;
        let child = Node::Element(Box::new(child));
        if nodes
            .last()
            .is_some_and(|node| matches!(node, Node::Text(_)) && !node.is_blank())
        {
            // White space would be part of that text.
            nodes.push(child);
            return;
        }
        let tail = nodes.pop_if(|node| node.is_blank());
        nodes.extend(self.lead(level + 1));
        nodes.push(child);
        nodes.extend(tail.or_else(|| self.lead(level)));
    }

    /// Indents what is in `element`, which was at another level, for its place at `level`.
    pub(crate) fn indent(&self, element: &mut Element, level: usize) {
        let (Some(_), Some(Node::Text(last))) = (self.line, element.nodes().last()) else {
            return;
        };
        let Some((_, old)) = last.rsplit_once('\n') else {
            return;
        };
        let (old, new) = (old.to_owned(), self.step.repeat(level));
        if old != new {
            shift(element, &old, &new);
        }
    }
}

fn shift(element: &mut Element, old: &str, new: &str) {
    let is_text = |node: &Node| match node {
        Node::Text(_) => !node.is_blank(),
        Node::CData(_) => true,
        Node::Element(_) | Node::Aside(_) => false,
    };
    // Beside text, white space means something.
    if element.nodes().iter().any(is_text) {
        return;
    }
    for node in element.body.iter_mut().flat_map(|body| &mut body.nodes) {
        match node {
            Node::Element(child) => shift(child, old, new),
            Node::Text(text) => {
                if let Some((lines, indent)) = text.rsplit_once('\n')
                    && let Some(more) = indent.strip_prefix(old)
                {
                    *text = format!("{lines}\n{new}{more}");
                }
            }
            Node::CData(_) | Node::Aside(_) => {}
        }
    }
}

/// Takes the node at `index` out of `parent`, with the white space before it. Without anything else in it, the parent becomes an
/// empty-element tag.
pub(crate) fn remove(parent: &mut Element, index: usize) {
    let Some(body) = &mut parent.body else { return };
    let nodes = &mut body.nodes;
    if index >= nodes.len() {
        return;
    }
    nodes.remove(index);
    if index > 0 && nodes[index - 1].is_blank() {
        nodes.remove(index - 1);
    } else if index > 0
        && index < nodes.len()
        && let (before, [Node::Text(next), ..]) = nodes.split_at_mut(index)
        && let Some(Node::Text(text)) = before.last_mut()
    {
        text.push_str(next);
        nodes.remove(index);
    }
    if nodes.iter().all(Node::is_blank) {
        parent.body = None;
    }
}

#[cfg(test)]
mod tests {
    use virtbus_xml::Document;

    use super::*;
    use crate::scan::scan;

    fn read(text: &str) -> Element {
        let document = Document::parse(text).unwrap();
        scan(text, &document).unwrap().1
    }

    fn appended(text: &str) -> String {
        let mut root = read(text);
        let layout = Layout::of(&root);
        layout.append(&mut root, 0, read("<n/>"));
        root.to_text()
    }

    #[test]
    fn children_are_added_as_the_file_is_indented() {
        for (before, after) in [
            ("<a>\n  <b/>\n</a>", "<a>\n  <b/>\n  <n/>\n</a>"),
            ("<a>\r\n\t<b/>\r\n</a>", "<a>\r\n\t<b/>\r\n\t<n/>\r\n</a>"),
            ("<a><b/></a>", "<a><b/><n/></a>"),
            ("<a/>", "<a><n/></a>"),
            ("<a>text</a>", "<a>text<n/></a>"),
            ("<a>\n  <!--c-->\n</a>", "<a>\n  <!--c-->\n  <n/>\n</a>"),
        ] {
            assert_eq!(appended(before), after);
        }
    }

    #[test]
    fn a_first_child_and_its_parents_end_get_lines_of_their_own() {
        let mut root = read("<a>\n <b/>\n</a>");
        let layout = Layout::of(&root);
        let b = root.at_mut(&[1]).unwrap();
        layout.append(b, 1, read("<n/>"));
        assert_eq!(root.to_text(), "<a>\n <b>\n  <n/>\n </b>\n</a>");
        remove(root.at_mut(&[1]).unwrap(), 1);
        assert_eq!(root.to_text(), "<a>\n <b/>\n</a>");
    }

    #[test]
    fn what_is_removed_takes_its_line_along() {
        let removed = |text: &str, index| {
            let mut root = read(text);
            remove(&mut root, index);
            assert_eq!(read(&root.to_text()), root);
            root.to_text()
        };
        assert_eq!(removed("<a>\n  <b/>\n  <c/>\n</a>", 1), "<a>\n  <c/>\n</a>");
        assert_eq!(removed("<a>\n  <b/>\n  <c/>\n</a>", 3), "<a>\n  <b/>\n</a>");
        assert_eq!(removed("<a>\n  <b/>\n</a>", 1), "<a/>");
        assert_eq!(removed("<a>x<b/>y</a>", 1), "<a>xy</a>");
        assert_eq!(removed("<a>x<b/></a>", 1), "<a>x</a>");
        assert_eq!(removed("<a><b/> </a>", 0), "<a/>");
        assert_eq!(removed("<a/>", 0), "<a/>");
    }

    #[test]
    fn elements_from_another_level_are_shifted() {
        let root = read("<r>\n  <m/>\n</r>");
        let mut moved =
            read("<h>\n      <x>\n        <y/>\n      </x>\n      <t>a\n      b</t>\n    </h>");
        Layout::of(&root).indent(&mut moved, 3);
        let wanted =
            "<h>\n        <x>\n          <y/>\n        </x>\n        <t>a\n      b</t>\n      </h>";
        assert_eq!(moved.to_text(), wanted);
        let mut flat = read("<h><x/></h>");
        Layout::of(&root).indent(&mut flat, 3);
        assert_eq!(flat.to_text(), "<h><x/></h>");
    }
}
