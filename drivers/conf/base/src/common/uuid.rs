//! UUIDs, in the looser form that libvirt reads.

use std::borrow::Cow;
use std::fmt;

use virtbus_xml::Value;

/// A UUID. Read with hyphens and spaces anywhere, written in lower case with hyphens.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub uuid::Uuid);

impl Uuid {
    /// The UUID of these bytes, as they are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }

    /// A version 4 UUID made of random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// Whether all bytes are the same, which libvirt refuses for hosts.
    pub fn is_uniform(self) -> bool {
        let bytes = self.bytes();
        bytes.iter().all(|b| *b == bytes[0])
    }

    /// Reads a UUID.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let mut digits = 0;
        for c in text.trim().chars().filter(|c| !matches!(c, '-' | ' ')) {
            let digit = u8::try_from(c.to_digit(16)?).ok()?;
            let byte = bytes.get_mut(digits / 2)?;
            *byte = *byte << 4 | digit;
            digits += 1;
        }
        (digits == 32).then(|| Self::from_bytes(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl Value for Uuid {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn write_to(&self, out: &mut String) {
        out.push_str(
            self.0
                .hyphenated()
                .encode_lower(&mut uuid::Uuid::encode_buffer()),
        );
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("a UUID")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_loosely() {
        let uuid = Uuid::parse("C7A5FDBD-EDAF-9455-926A-D65C16DB1809").unwrap();
        assert_eq!(uuid.to_string(), "c7a5fdbd-edaf-9455-926a-d65c16db1809");
        assert_eq!(
            Uuid::parse(" c7a5fdbdedaf9455926ad65c16db1809\n"),
            Some(uuid)
        );
        assert_eq!(
            Uuid::parse("c7a5 fdbd-edaf9455926ad65c16d-b1809"),
            Some(uuid)
        );
        for bad in [
            "",
            "x7a5fdbdedaf9455926ad65c16db1809",
            "c7a5fdbdedaf9455926ad65c16db180",
            "c7a5fdbdedaf9455926ad65c16db18090",
        ] {
            assert_eq!(Uuid::parse(bad), None, "{bad}");
        }
    }
}
