//! Sizes with a unit: `<memory unit='MiB'>512</memory>`.
//!
//! Units are those of libvirt: `b`, `byte(s)`, and `k m g t p e` alone or with `iB` for powers of 1024, with
//! `B` for powers of 1000, in any case.

use std::fmt;

use crate::Describe;
use crate::content::Content;
use crate::dom::Node;
use crate::error::Result;
use crate::writer::Writer;

/// A size in units of `UNIT` bytes (KiB for memory, bytes for storage), which is read in any unit and written in this one.
///
/// A size without a unit counts in `UNIT`s; one that is not a whole number of them is rounded up.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[xml(more(attr = "unit", value = String, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the size: powers of 1000 with `B`, of 1024 with `iB` or the letter alone."))]
pub struct Scaled<const UNIT: u64>(
    /// The size, in the unit given.
    #[xml(text)]
    pub u64,
);

/// A size in KiB.
pub type Kib = Scaled<1024>;
/// A size in bytes.
pub type Bytes = Scaled<1>;

/// Why a size was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseUnitError {
    /// There is no such unit.
    Unknown,
    /// The size does not fit into 64 bits of bytes.
    Overflow,
}

impl fmt::Display for ParseUnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "a unit such as bytes, KB, KiB, MiB or GiB",
            Self::Overflow => "a size below 16 EiB",
        })
    }
}

impl std::error::Error for ParseUnitError {}

/// Bytes in one `unit`.
///
/// # Errors
/// [`ParseUnitError::Unknown`].
pub fn scale_factor(unit: &str) -> Result<u64, ParseUnitError> {
    let lower = unit.trim().to_ascii_lowercase();
    if matches!(lower.as_str(), "b" | "byte" | "bytes") {
        return Ok(1);
    }
    let mut chars = lower.chars();
    let power = chars
        .next()
        .and_then(|c| "kmgtpe".find(c))
        .ok_or(ParseUnitError::Unknown)?;
    let base: u64 = match chars.as_str() {
        "" | "ib" => 1024,
        "b" => 1000,
        _ => return Err(ParseUnitError::Unknown),
    };
    let power = u32::try_from(power + 1).expect("there are six powers");
    Ok(base.pow(power))
}

impl<const UNIT: u64> Scaled<UNIT> {
    /// A size of `count` units.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The size as `number` of `unit`s; without a unit, of `default` bytes each.
    ///
    /// # Errors
    /// An unknown unit, or a size beyond 64 bits of bytes.
    pub fn from_parts(
        number: u64,
        unit: Option<&str>,
        default: u64,
    ) -> Result<Self, ParseUnitError> {
        let factor = match unit {
            None | Some("") => default,
            Some(unit) => scale_factor(unit)?,
        };
        let bytes = number.checked_mul(factor).ok_or(ParseUnitError::Overflow)?;
        let rounded = bytes.div_ceil(UNIT);
        // What is rounded up has to be a size that is read again.
        let fits = rounded.checked_mul(UNIT).is_some();
        fits.then_some(Self(rounded))
            .ok_or(ParseUnitError::Overflow)
    }

    /// The size in bytes, at most [`u64::MAX`].
    pub fn bytes(self) -> u64 {
        self.0.saturating_mul(UNIT)
    }

    /// The name of the unit when written.
    pub const fn unit() -> &'static str {
        match UNIT {
            1 => "bytes",
            1024 => "KiB",
            1_048_576 => "MiB",
            _ => "GiB",
        }
    }

    /// Reads the element's text, with `default` bytes to a unit if no `unit` is given.
    ///
    /// # Errors
    /// Text that is no number, an unknown unit, a size too large.
    pub fn parse_with_default(node: Node<'_>, default: u64) -> Result<Self> {
        let unit = node.attr("unit");
        let number = node.text_req::<u64>()?;
        Self::from_parts(number, unit, default).map_err(|e| match e {
            ParseUnitError::Unknown => {
                node.bad_attr("unit", unit.unwrap_or_default(), &e.to_string())
            }
            ParseUnitError::Overflow => node.bad_text(&node.text(), &e.to_string()),
        })
    }
}

impl<const UNIT: u64> Content for Scaled<UNIT> {
    fn parse(node: Node<'_>) -> Result<Self> {
        Self::parse_with_default(node, UNIT)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("unit", Self::unit());
    }

    fn children(&self, w: &mut Writer) {
        w.text(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    fn kib(xml: &str) -> Result<u64> {
        let doc = Document::parse(xml)?;
        Ok(Kib::parse(doc.root())?.0)
    }

    #[test]
    fn units() {
        assert_eq!(kib("<m>5</m>").unwrap(), 5);
        assert_eq!(kib("<m unit='b'>1025</m>").unwrap(), 2);
        assert_eq!(kib("<m unit='bytes'>1</m>").unwrap(), 1);
        assert_eq!(kib("<m unit='KB'>1024</m>").unwrap(), 1000);
        assert_eq!(kib("<m unit='gib'>1</m>").unwrap(), 1 << 20);
        assert_eq!(kib("<m unit='E'>15</m>").unwrap(), 15 << 50);
    }

    #[test]
    fn wrong_units_name_their_place() {
        let e = kib("<m unit='XiB'>1</m>").unwrap_err();
        assert_eq!((e.attribute(), e.column()), (Some("unit"), Some(4)));
        assert!(kib("<m unit='E'>16</m>").is_err());
        assert!(kib("<m unit='b'>18446744073709551615</m>").is_err());
        assert!(kib("<m unit='b'>18446744073709550592</m>").is_ok());
        assert!(kib("<m unit='KiBs'>1</m>").is_err());
        assert!(kib("<m/>").is_err());
    }
}
