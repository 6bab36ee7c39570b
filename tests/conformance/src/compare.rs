//! When two results are the same.
//!
//! Texts are, byte by byte, but for a newline at the end. JSON documents are compared as values; the order of their keys counts.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use crate::outcome::{Held, Problem};

/// Lines of the difference that are shown.
const SHOWN: usize = 200;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// A file's text where a backslash at the end of a line joins the next one.
pub(crate) fn joined(text: &str) -> String {
    text.replace("\\\n", "")
}

/// Whether a text is the expected one.
pub(crate) fn text(expected: &str, produced: &str) -> Held<()> {
    let mut ended = produced.to_owned();
    if !ended.ends_with('\n') {
        ended.push('\n');
    }
    if expected == ended || expected == produced {
        return Ok(());
    }
    Err(Problem::differs(expected, &ended))
}

/// Whether a value of one field is the expected one.
pub(crate) fn value<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: T,
    produced: T,
) -> Held<()> {
    if expected == produced {
        return Ok(());
    }
    Err(Problem::failed(format!(
        "{what} is {produced:?}, not {expected:?}"
    )))
}

/// The difference of two texts, for people.
pub(crate) fn difference(expected: &str, produced: &str) -> String {
    let diff = TextDiff::from_lines(expected, produced);
    let mut out = String::new();
    let mut lines = 0;
    for group in diff.grouped_ops(CONTEXT) {
        if let Some(first) = group.first() {
            let line = first.old_range().start + 1;
            writeln!(out, "  @@ line {line}").expect("writing to a String cannot fail");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            lines += 1;
            if lines > SHOWN {
                out.push_str("  … and more\n");
                return out;
            }
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = change.value().trim_end_matches('\n');
            writeln!(out, "  {sign}{line}").expect("writing to a String cannot fail");
            if change.missing_newline() {
                out.push_str("   (no newline here)\n");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newline_at_the_end_is_free() {
        assert!(text("a\n", "a").is_ok());
        assert!(text("a\n", "a\n").is_ok());
        assert!(text("a", "a").is_ok());
        assert!(text("a\n", "a\n\n").is_err());
        assert!(text("a\n", "a ").is_err());
    }

    #[test]
    fn a_difference_shows_what_was_expected_and_what_came() {
        let shown = difference("a\nb\nc\n", "a\nx\nc\n");
        assert_eq!(shown, "  @@ line 1\n   a\n  -b\n  +x\n   c\n");
    }

    #[test]
    fn lines_are_joined_by_a_backslash() {
        assert_eq!(joined("a\\\nb\n"), "ab\n");
    }
}
