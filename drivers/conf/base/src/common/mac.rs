//! Ethernet addresses, and who keeps a bridge's table of them.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use virtbus_xml::{Value, xml_names};

/// An Ethernet address.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it names a group of stations.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether no byte is set.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }

    /// Reads six hexadecimal numbers of one or two digits, separated by colons.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.trim_ascii().split(':');
        for byte in &mut bytes {
            let part = parts.next()?;
            if part.is_empty() || part.len() > 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

impl Value for Mac {
    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "{self}").expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("an Ethernet address such as 52:54:00:12:34:56")
    }
}

xml_names! {
    /// Who keeps a bridge's table of Ethernet addresses.
    pub enum MacTableManager {
        Kernel = "kernel",
        Libvirt = "libvirt",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        assert_eq!(
            Mac::parse("0:1:A:ff:10:0f").unwrap().to_string(),
            "00:01:0a:ff:10:0f"
        );
        for bad in [
            "",
            "1:2:3:4:5",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:g",
            "001:2:3:4:5:6",
            "1-2-3-4-5-6",
            "1:2:3:4:5:+6",
        ] {
            assert_eq!(Mac::parse(bad), None, "{bad}");
        }
        assert!(Mac([1, 0, 0, 0, 0, 0]).is_multicast());
    }
}
