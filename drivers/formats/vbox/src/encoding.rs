//! From the file's bytes to text and back.
//!
//! VirtualBox writes UTF-8. libvirt writes ISO-8859-1, with character references for what that lacks.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::Error;

/// How the characters of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Latin1,
    Ascii,
}

impl Encoding {
    /// The encoding that the file declares.
    fn of(bytes: &[u8]) -> Result<Self, Error> {
        let Some(name) = declared(bytes) else {
            return Ok(Self::Utf8);
        };
        let named = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(&name));
        if named(&["UTF-8", "UTF8"]) {
            Ok(Self::Utf8)
        } else if named(&["ISO-8859-1", "ISO_8859-1", "latin1"]) {
            Ok(Self::Latin1)
        } else if named(&["US-ASCII", "ASCII"]) {
            Ok(Self::Ascii)
        } else {
            Err(Error::Encoding(virtbus_xml::shortened(
                name.into_owned(),
                100,
            )))
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Ascii => "US-ASCII",
        }
    }

    /// Whether it has a place for `c`; all others are written as references.
    fn has(self, c: char) -> bool {
        match self {
            Self::Utf8 => true,
            Self::Latin1 => u32::from(c) <= 0xff,
            Self::Ascii => c.is_ascii(),
        }
    }

    /// The text that `bytes` are.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, String), Error> {
        let encoding = Self::of(bytes)?;
        let undecodable = |at: usize| Error::Undecodable {
            encoding: encoding.name(),
            line: bytes[..at].iter().filter(|b| **b == b'\n').count() + 1,
        };
        let text = match encoding {
            Self::Utf8 => std::str::from_utf8(bytes)
                .map_err(|e| undecodable(e.valid_up_to()))?
                .to_owned(),
            Self::Latin1 => bytes.iter().copied().map(char::from).collect(),
            Self::Ascii => match bytes.iter().position(|b| !b.is_ascii()) {
                Some(at) => return Err(undecodable(at)),
                None => bytes.iter().copied().map(char::from).collect(),
            },
        };
        Ok((encoding, text))
    }

    /// The bytes that `text` is.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Latin1 | Self::Ascii => {
                let mut out = Vec::with_capacity(text.len());
                for c in text.chars() {
                    match u8::try_from(c) {
                        Ok(byte) if self.has(c) => out.push(byte),
                        _ => out.extend_from_slice(reference(c).as_bytes()),
                    }
                }
                out
            }
        }
    }

    /// `value` as it stands in an attribute between double quotes.
    pub(crate) fn attribute(self, value: &str) -> String {
        self.escaped(value, &['&', '<', '>', '"', '\t', '\n', '\r'])
    }

    /// `text` as it stands between tags.
    pub(crate) fn text(self, text: &str) -> String {
        self.escaped(text, &['&', '<', '>', '\r'])
    }

    fn escaped(self, text: &str, special: &[char]) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                c if !special.contains(&c) && self.has(c) => out.push(c),
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                c => out.push_str(&reference(c)),
            }
        }
        out
    }
}

fn reference(c: char) -> String {
    let mut out = String::new();
    write!(out, "&#{};", u32::from(c)).expect("writing to a String cannot fail");
    out
}

/// The value of `encoding` in the XML declaration.
fn declared(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let rest = bytes.strip_prefix(b"<?xml")?;
    let end = rest.windows(2).position(|pair| pair == b"?>")?;
    let declaration = &rest[..end];
    let word = b"encoding";
    let at = declaration
        .windows(word.len())
        .position(|part| part == word)?;
    let value = declaration[at + word.len()..].trim_ascii_start();
    let value = value.strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    let end = value.iter().position(|b| b == quote)?;
    Some(String::from_utf8_lossy(&value[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_says_what_the_bytes_are() {
        let latin = b"<?xml version='1.0' encoding = \"iso-8859-1\"?><a b='\xe9'/>";
        let (encoding, text) = Encoding::decode(latin).unwrap();
        assert_eq!(encoding, Encoding::Latin1);
        assert!(text.ends_with("<a b='é'/>"));
        assert_eq!(encoding.encode(&text), latin);
        let (encoding, text) = Encoding::decode("<a>é</a>".as_bytes()).unwrap();
        assert_eq!((encoding, text.as_str()), (Encoding::Utf8, "<a>é</a>"));
    }

    #[test]
    fn what_is_not_in_the_encoding_is_refused_with_its_line() {
        let error = Encoding::decode(b"<a>\n\xe9</a>").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: the file is not in the encoding UTF-8"
        );
        let error = Encoding::decode(b"<?xml encoding='US-ASCII'?><a>\xe9</a>").unwrap_err();
        assert!(matches!(error, Error::Undecodable { line: 1, .. }));
        let error = Encoding::decode(b"<?xml encoding='UTF-16'?><a/>").unwrap_err();
        assert_eq!(error, Error::Encoding("UTF-16".to_owned()));
    }

    #[test]
    fn what_the_encoding_lacks_becomes_a_reference() {
        assert_eq!(Encoding::Latin1.attribute("é€\"\n"), "é&#8364;&quot;&#10;");
        assert_eq!(
            Encoding::Ascii.text("é\"<&>\r"),
            "&#233;\"&lt;&amp;&gt;&#13;"
        );
        assert_eq!(Encoding::Utf8.text("é€"), "é€");
        assert_eq!(Encoding::Latin1.encode("é€"), b"\xe9&#8364;");
    }
}
