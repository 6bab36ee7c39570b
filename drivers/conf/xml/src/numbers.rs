//! Numbers as the documents write them: decimal, zero-padded hexadecimal, and octal.
//!
//! Decimal numbers may have white space around them and a leading `+`. Where libvirt reads a number
//! "in any base", `0x` means hexadecimal and a leading zero octal; [`Hex`] does that.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::value::Value;

/// Reads an unsigned number with its base taken from the prefix.
fn any_base(text: &str) -> Option<u64> {
    let text = text.trim_ascii();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

macro_rules! decimal {
    ($($type:ty, $signed:literal;)+) => {$(
        impl Value for $type {
            fn from_text(text: &str) -> Option<Self> {
                let text = text.trim_ascii();
                let digits = text.strip_prefix('+').unwrap_or(text);
                // The standard parser would take a second sign.
                let plain = digits.starts_with(|c: char| c.is_ascii_digit());
                (plain || $signed && digits.len() == text.len()).then(|| digits.parse().ok()).flatten()
            }

            fn write_to(&self, out: &mut String) {
                write!(out, "{self}").expect("writing to a String cannot fail");
            }

            fn expected() -> Cow<'static, str> {
                format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX).into()
            }
        }
    )+};
}

decimal! {
    u8, false;
    u16, false;
    u32, false;
    u64, false;
    i16, true;
    i32, true;
    i64, true;
}

/// A number read in any base and written as `0x` with at least `WIDTH` hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const WIDTH: usize, T = u32>(pub T);

impl<const WIDTH: usize, T: Copy + fmt::LowerHex + TryFrom<u64>> Value for Hex<WIDTH, T> {
    fn from_text(text: &str) -> Option<Self> {
        any_base(text).and_then(|n| T::try_from(n).ok()).map(Self)
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "0x{:0WIDTH$x}", self.0).expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        Hex::<1, u64>::expected_bits(8 * size_of::<T>())
    }
}

impl Hex<1, u64> {
    fn expected_bits(bits: usize) -> Cow<'static, str> {
        format!("a number of at most {bits} bits, decimal or hexadecimal with 0x").into()
    }
}

impl<const WIDTH: usize, T: fmt::LowerHex> fmt::Display for Hex<WIDTH, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:0WIDTH$x}", self.0)
    }
}

/// A number read as hexadecimal, with or without `0x`, and written with it in at least `WIDTH` digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base16<const WIDTH: usize, T = u32>(pub T);

impl<const WIDTH: usize, T: Copy + fmt::LowerHex + TryFrom<u64>> Value for Base16<WIDTH, T> {
    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let digits = text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .unwrap_or(text);
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = plain
            .then(|| u64::from_str_radix(digits, 16).ok())
            .flatten()?;
        T::try_from(number).ok().map(Self)
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "0x{:0WIDTH$x}", self.0).expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        format!(
            "a hexadecimal number of at most {} bits",
            8 * size_of::<T>()
        )
        .into()
    }
}

/// A number read in any base and written in decimal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnyBase<T = u32>(pub T);

impl<T: Copy + fmt::Display + TryFrom<u64>> Value for AnyBase<T> {
    fn from_text(text: &str) -> Option<Self> {
        any_base(text).and_then(|n| T::try_from(n).ok()).map(Self)
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "{}", self.0).expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        Hex::<1, u64>::expected_bits(8 * size_of::<T>())
    }
}

/// Permission bits of a file, read and written in octal: `0750`, at most `0777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OctalMode(pub u32);

impl Value for OctalMode {
    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        if text.is_empty() || !text.bytes().all(|b| matches!(b, b'0'..=b'7')) {
            return None;
        }
        u32::from_str_radix(text, 8)
            .ok()
            .filter(|m| *m <= 0o777)
            .map(Self)
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "{:04o}", self.0).expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("an octal file mode up to 0777")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals() {
        assert_eq!(u32::from_text(" 7\n"), Some(7));
        assert_eq!(u32::from_text("+7"), Some(7));
        assert_eq!(i32::from_text("-7"), Some(-7));
        assert_eq!(i64::from_text("+7"), Some(7));
        for bad in [
            "",
            " ",
            "-1",
            "0x1",
            "1.5",
            "++1",
            "+-1",
            "4294967296",
            "1 2",
        ] {
            assert_eq!(u32::from_text(bad), None, "{bad}");
        }
        for bad in ["--1", "+-1", "-", "-+1"] {
            assert_eq!(i32::from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn hexadecimals_take_any_base() {
        assert_eq!(Hex::<4>::from_text("0x1F"), Some(Hex(31)));
        assert_eq!(Hex::<4>::from_text("31"), Some(Hex(31)));
        assert_eq!(Hex::<4>::from_text("017"), Some(Hex(15)));
        assert_eq!(Hex::<4>::from_text("0"), Some(Hex(0)));
        for bad in ["", "0x", "0x+1", "1f", "08", "0x100000000", "-1"] {
            assert_eq!(Hex::<4>::from_text(bad), None, "{bad}");
        }
        assert_eq!(Hex::<4>(31).to_string(), "0x001f");
        assert_eq!(Hex::<1, u64>(u64::MAX).to_string(), "0xffffffffffffffff");
        assert_eq!(Hex::<2, u8>::from_text("256"), None);
    }

    #[test]
    fn modes() {
        assert_eq!(OctalMode::from_text("750"), Some(OctalMode(0o750)));
        assert_eq!(OctalMode::from_text("0777"), Some(OctalMode(0o777)));
        assert_eq!(OctalMode::from_text("1000"), None);
        assert_eq!(OctalMode::from_text("8"), None);
    }
}
