//! Looking at the bytes of attributes and texts once: their classes, and names.
//!
//! Works on bytes of UTF-8: all that means something to XML is ASCII, and bytes of other characters are told apart only
//! where a name may have them.

use crate::text::is_name;

/// White space.
pub(crate) const BLANK: u8 = 1 << 0;
/// Part of a name, perhaps.
pub(crate) const NAME: u8 = 1 << 1;
/// What a name may begin with, perhaps.
const START: u8 = 1 << 2;
/// Text with it cannot be taken as it stands, or has to be looked at.
pub(crate) const IN_TEXT: u8 = 1 << 3;
/// An attribute's value with it cannot be taken as it stands.
pub(crate) const IN_VALUE: u8 = 1 << 4;
/// Part of a character that is not ASCII.
const HIGH: u8 = 1 << 5;
/// Something else than white space.
pub(crate) const SOLID: u8 = 1 << 6;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [SOLID; 256];
    let mut byte = 0_u8;
    loop {
        let mut class = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => BLANK,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' => SOLID | NAME | START,
            b'0'..=b'9' | b'-' | b'.' => SOLID | NAME,
            0x80.. => SOLID | NAME | START | HIGH,
            _ => SOLID,
        };
        if matches!(byte, b'\r' | b']') {
            class |= IN_TEXT;
        }
        if matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r') {
            class |= IN_VALUE;
        }
        classes[byte as usize] = class;
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

/// The first place from `at` on whose byte is not of `class`, and the classes that were seen.
pub(crate) fn skip(bytes: &[u8], at: usize, class: u8) -> (usize, u8) {
    let mut seen = 0;
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        let this = CLASSES[usize::from(*byte)];
        if this & class == 0 {
            break;
        }
        seen |= this;
        end += 1;
    }
    (end, seen)
}

/// The first place from `at` on where `stop` or the end is, and the classes that were seen.
pub(crate) fn until(bytes: &[u8], at: usize, stop: u8) -> (usize, u8) {
    let mut seen = 0;
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        if *byte == stop {
            break;
        }
        seen |= CLASSES[usize::from(*byte)];
        end += 1;
    }
    (end, seen)
}

/// The classes of all of `bytes`.
pub(crate) fn seen(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |seen, byte| seen | CLASSES[usize::from(*byte)])
}

/// Where the name that begins at `at` ends, if it is one.
pub(crate) fn name_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let first = CLASSES[usize::from(*bytes.get(at)?)];
    let (end, seen) = skip(bytes, at, NAME);
    let whole = if seen & HIGH == 0 {
        first & START != 0
    } else {
        is_name(&text[at..end])
    };
    whole.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_they_should() {
        assert_eq!(name_end("<a:b-1.c='", 1), Some(8));
        assert_eq!(name_end("é1/", 0), Some(3));
        assert_eq!(name_end("ab", 0), Some(2));
        for bad in ["", "1a", "-a", " a", "=", "\u{d7}a", "a\u{d7}"] {
            assert_eq!(name_end(bad, 0), None, "{bad}");
        }
    }

    #[test]
    fn what_was_seen_is_told() {
        assert_eq!(until(b"ab <", 0, b'<').0, 3);
        assert_eq!(until(b" \t<", 0, b'<'), (2, BLANK | IN_VALUE));
        assert_eq!(seen(b"a]b") & IN_TEXT, IN_TEXT);
        assert_eq!(skip(b"  a", 0, BLANK).0, 2);
    }
}
