//! A smaller text that does the same: elements and attributes are taken out first, then bytes.

use virtbus_xml::{Fragment, FragmentNode};

use crate::campaign::caught;
use crate::tree::{count, with_element};

/// Tries after which what is left is small enough.
const TRIES: usize = 4000;

/// The smallest text found for which `same` still holds; `same` holds for `text`.
pub fn minimise(text: &[u8], mut same: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut tries = 0;
    let mut attempt = |text: &[u8]| {
        tries += 1;
        tries <= TRIES && same(text)
    };
    let tree = std::str::from_utf8(text)
        .ok()
        // It may be the reader itself that panics.
        .and_then(|text| caught(|| Fragment::parse_document(text).ok()).ok()?)
        .filter(|tree| attempt(tree.to_text().as_bytes()));
    let text = match tree {
        Some(tree) => smaller_tree(tree, &mut attempt).to_text().into_bytes(),
        None => text.to_owned(),
    };
    smaller_bytes(text, &mut attempt)
}

fn smaller_tree(mut tree: Fragment, same: &mut impl FnMut(&[u8]) -> bool) -> Fragment {
    loop {
        let before = tree.to_text().len();
        let mut at = 0;
        while at < count(&tree) {
            without_each(
                &mut tree,
                at,
                same,
                |e| e.children.len(),
                |e, i| {
                    e.children.remove(i);
                },
            );
            without_each(
                &mut tree,
                at,
                same,
                |e| e.attributes.len(),
                |e, i| {
                    e.attributes.remove(i);
                },
            );
            without_each(
                &mut tree,
                at,
                same,
                |e| e.declarations.len(),
                |e, i| {
                    e.declarations.remove(i);
                },
            );
            at += 1;
        }
        if let [FragmentNode::Element(only)] = tree.children.as_slice()
            && same(only.to_text().as_bytes())
        {
            tree = only.clone();
        }
        if tree.to_text().len() >= before {
            return tree;
        }
    }
}

/// Takes out of the element number `at` what can be taken out, the last part first.
fn without_each(
    tree: &mut Fragment,
    at: usize,
    same: &mut impl FnMut(&[u8]) -> bool,
    parts: fn(&Fragment) -> usize,
    remove: fn(&mut Fragment, usize),
) {
    let Some(count) = with_element(tree, at, |e| parts(e)) else {
        return;
    };
    for part in (0..count).rev() {
        let mut smaller = tree.clone();
        with_element(&mut smaller, at, |e| remove(e, part));
        if same(smaller.to_text().as_bytes()) {
            *tree = smaller;
        }
    }
}

fn smaller_bytes(mut text: Vec<u8>, same: &mut impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut piece = text.len().next_power_of_two() / 2;
    while piece > 0 {
        let mut start = 0;
        while start < text.len() {
            let end = (start + piece).min(text.len());
            let smaller = [&text[..start], &text[end..]].concat();
            if same(&smaller) {
                text = smaller;
            } else {
                start = end;
            }
        }
        piece /= 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_stays() {
        let text = b"<a x='1' y='2'><b/><c z='3'><d>hello world</d></c></a>";
        let same = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.contains("z=") && text.contains("wor")
        };
        assert_eq!(minimise(text, same), b"z=wor");
        let broken = b"<a><b>";
        assert_eq!(minimise(broken, |t| t.contains(&b'b')), b"b");
    }
}
