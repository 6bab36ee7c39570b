//! Text as roff takes it, in ASCII: so a page looks the same whatever the reader's man makes of other bytes.

use std::fmt::Write;

/// Plain text, with `words` in backquotes set in bold.
pub(super) fn text(text: &str) -> String {
    let mut roff = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            roff.push_str(&bold(part));
        } else {
            roff.push_str(&plain(part));
        }
    }
    guarded(&roff)
}

/// A word in bold.
pub(super) fn bold(word: &str) -> String {
    format!("\\fB{}\\fR", plain(word))
}

/// A word in italics.
pub(super) fn italic(word: &str) -> String {
    format!("\\fI{}\\fR", plain(word))
}

/// Characters that mean something to roff, or are not ASCII.
pub(super) fn plain(text: &str) -> String {
    let mut roff = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => roff.push_str("\\e"),
            // A minus stays one when it is copied from the page.
            '-' => roff.push_str("\\-"),
            '\'' => roff.push_str("\\(aq"),
            '^' => roff.push_str("\\(ha"),
            '~' => roff.push_str("\\(ti"),
            '\u{2212}' => roff.push_str("\\-"),
            '\n' => roff.push('\n'),
            letter if letter.is_ascii() => roff.push(letter),
            letter => {
                let _ = write!(roff, "\\[u{:04X}]", u32::from(letter));
            }
        }
    }
    roff
}

/// No line of text may look like a request.
fn guarded(roff: &str) -> String {
    let lines = roff.lines().map(|line| {
        if line.starts_with('.') {
            format!("\\&{line}")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_roff_is_escaped() {
        assert_eq!(text("a-b \\n it's"), "a\\-b \\en it\\(aqs");
        assert_eq!(text(".TH is no request"), "\\&.TH is no request");
        assert_eq!(
            text("from `startCell` (−1)"),
            "from \\fBstartCell\\fR (\\-1)"
        );
        assert_eq!(text("ä…"), "\\[u00E4]\\[u2026]");
    }
}
