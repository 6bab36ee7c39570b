//! World wide names, and names of objects.

use std::borrow::Cow;

use virtbus_xml::{Text, Value};

/// A world wide name: sixteen hexadecimal digits, kept as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wwn(pub Text);

impl Value for Wwn {
    fn from_text(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        (digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| Self(text.into()))
    }

    fn write_to(&self, out: &mut String) {
        out.push_str(&self.0);
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("a world wide name of 16 hexadecimal digits")
    }
}

/// Whether `name` may be the name of an object: not empty, not blank, no line break, no `/`.
pub fn is_valid_name(name: &str) -> bool {
    !name.trim().is_empty() && !name.contains(['/', '\n']) && name != "." && name != ".."
}
