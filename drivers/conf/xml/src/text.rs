//! Characters, names, references and white space as XML 1.0 has them, and as libxml2 normalises them.
//!
//! Only the five predefined entities and character references exist here: nothing is ever expanded
//! into markup.

use std::fmt::Write;

use crate::error::{ErrorKind, XmlError};

/// The first byte at which `text` holds a character that XML forbids.
pub(crate) fn forbidden_char(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // One pass without early exit per block, so that the compiler can vectorise it.
    for (block, chunk) in bytes.chunks(256).enumerate() {
        let suspicious = chunk.iter().fold(false, |bad, b| {
            bad | (*b < 0x20 && !matches!(*b, b'\t' | b'\n' | b'\r')) | (*b == 0xef)
        });
        if suspicious {
            let from = block * 256;
            for i in from..from + chunk.len() {
                if bytes[i] < 0x20 && !matches!(bytes[i], b'\t' | b'\n' | b'\r') {
                    return Some(i);
                }
                // U+FFFE and U+FFFF.
                if bytes[i] == 0xef
                    && bytes.get(i + 1) == Some(&0xbf)
                    && matches!(bytes.get(i + 2), Some(0xbe | 0xbf))
                {
                    return Some(i);
                }
            }
        }
    }
    None
}

/// Whether XML allows `c` at all.
pub(crate) fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether `s` is white space as XML counts it, or empty.
pub(crate) fn is_blank(s: &str) -> bool {
    s.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
}

fn is_name_start(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '_' | ':'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
        | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}'
        | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Whether `s` is an XML name.
pub(crate) fn is_name(s: &str) -> bool {
    let mut chars = s.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// The character that the reference `&name;` stands for.
pub(crate) fn resolve(name: &str) -> Result<char, XmlError> {
    let c = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let Some(number) = name.strip_prefix('#') else {
                return Err(XmlError::new(
                    ErrorKind::Syntax,
                    format!("entity '&{name};' is not defined"),
                ));
            };
            let (digits, radix) = number
                .strip_prefix('x')
                .map_or((number, 10), |hex| (hex, 16));
            // `from_str_radix` would also take a sign.
            let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
            plain
                .then(|| u32::from_str_radix(digits, radix).ok())
                .flatten()
                .and_then(char::from_u32)
                .filter(|c| is_xml_char(*c))
                .ok_or_else(|| {
                    XmlError::new(ErrorKind::Syntax, format!("unknown entity '&{name};'"))
                })?
        }
    };
    Ok(c)
}

/// Appends character data with line ends normalised: `\r\n` and `\r` become `\n`.
pub(crate) fn push_text(out: &mut String, raw: &str) {
    let mut rest = raw;
    while let Some(i) = rest.find('\r') {
        out.push_str(&rest[..i]);
        out.push('\n');
        rest = rest[i + 1..].strip_prefix('\n').unwrap_or(&rest[i + 1..]);
    }
    out.push_str(rest);
}

/// Appends an attribute's value: references resolved, literal white space turned into spaces.
///
/// The error carries the byte offset in `raw`.
pub(crate) fn push_attribute<W: Write>(out: &mut W, raw: &str) -> Result<(), (usize, XmlError)> {
    let full = |at| {
        move |_| {
            let message = "the document is too large for another attribute";
            (at, XmlError::new(ErrorKind::Limit, message))
        }
    };
    let mut i = 0;
    while let Some(step) = raw[i..].find(['&', '<', '\t', '\n', '\r']) {
        out.write_str(&raw[i..i + step]).map_err(full(i))?;
        i += step;
        match raw.as_bytes()[i] {
            b'&' => {
                let end = raw[i..].find(';').ok_or_else(|| {
                    (
                        i,
                        XmlError::new(ErrorKind::Syntax, "'&' begins a reference that no ';' ends"),
                    )
                })?;
                let c = resolve(&raw[i + 1..i + end]).map_err(|e| (i, e))?;
                out.write_char(c).map_err(full(i))?;
                i += end + 1;
            }
            b'<' => {
                return Err((
                    i,
                    XmlError::new(
                        ErrorKind::Syntax,
                        "'<' in an attribute's value must be written '&lt;'",
                    ),
                ));
            }
            b'\r' if raw.as_bytes().get(i + 1) == Some(&b'\n') => {
                out.write_char(' ').map_err(full(i))?;
                i += 2;
            }
            _ => {
                out.write_char(' ').map_err(full(i))?;
                i += 1;
            }
        }
    }
    out.write_str(&raw[i..]).map_err(full(i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        assert_eq!(resolve("lt").unwrap(), '<');
        assert_eq!(resolve("#65").unwrap(), 'A');
        assert_eq!(resolve("#x1F600").unwrap(), '\u{1f600}');
        for bad in [
            "",
            "nbsp",
            "#",
            "#x",
            "#+65",
            "#xd800",
            "#0",
            "#x110000",
            "#99999999999",
            "#xfffe",
            "#X41",
        ] {
            assert!(resolve(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn attribute_white_space_becomes_spaces_but_references_stay() {
        let mut out = String::new();
        push_attribute(&mut out, "a\r\nb\rc\td&#10;e&amp;").unwrap();
        assert_eq!(out, "a b c d\ne&");
        assert_eq!(push_attribute(&mut out, "ab<").unwrap_err().0, 2);
        assert_eq!(push_attribute(&mut out, "a&b").unwrap_err().0, 1);
    }

    #[test]
    fn line_ends_become_newlines() {
        let mut out = String::new();
        push_text(&mut out, "a\r\nb\rc\n\r\r\n");
        assert_eq!(out, "a\nb\nc\n\n\n");
    }

    #[test]
    fn names() {
        for good in ["a", "_x", "qemu:arg", "a-b.c1", "élan"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a b", "a=", "a\u{2028}"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn forbidden_characters_are_found() {
        assert_eq!(forbidden_char("ok\t\r\n\u{fffd}\u{ffee}"), None);
        assert_eq!(forbidden_char("a\u{1}"), Some(1));
        assert_eq!(
            forbidden_char(&format!("{}\u{ffff}", "x".repeat(300))),
            Some(300)
        );
    }
}
