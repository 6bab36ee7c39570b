//! Sets of small numbers: processors, memory nodes, I/O threads. Written like `0-3,8,^2`, handed
//! around as bytes with the lowest number in the lowest bit of the first byte.
//!
//! Whether a number makes sense on this host is the caller's business.

use std::fmt;

/// The largest number that a set may hold; no kernel counts that far, and it bounds what hostile
/// text can make us allocate to 8 KiB.
pub const MAX_NUMBER: u32 = 65_535;

const WORD: u32 = u64::BITS;

/// A set of numbers up to [`MAX_NUMBER`].
#[derive(Debug, Clone, Default)]
pub struct Bitmap {
    words: Vec<u64>,
}

/// Why a text is no set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BitmapError {
    /// A part is neither a number, a range nor an exclusion.
    #[error("'{part}' is not a number, a range such as 0-3 or an exclusion such as ^2")]
    Part {
        /// The part.
        part: String,
    },
    /// A number is beyond what the caller or [`MAX_NUMBER`] allows.
    #[error("{number} is larger than {max}")]
    TooLarge {
        /// The number.
        number: u64,
        /// The largest allowed.
        max: u32,
    },
    /// A range that ends before it begins.
    #[error("range '{part}' ends before it begins")]
    Backwards {
        /// The range.
        part: String,
    },
}

impl Bitmap {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The numbers from 0 to `count - 1`, at most up to [`MAX_NUMBER`].
    pub fn full(count: u32) -> Self {
        (0..count.min(MAX_NUMBER + 1)).collect()
    }

    /// Reads a list of numbers, ranges and exclusions. They take effect from left to right, so an
    /// exclusion takes away only what stands before it. Blanks around parts are fine; an empty
    /// text is the empty set.
    pub fn parse(text: &str, max: u32) -> Result<Self, BitmapError> {
        let max = max.min(MAX_NUMBER);
        let mut set = Self::new();
        if text.trim().is_empty() {
            return Ok(set);
        }
        for part in text.split(',').map(str::trim) {
            if let Some(excluded) = part.strip_prefix('^') {
                set.remove(parse_number(excluded, part, max)?);
            } else if let Some((first, last)) = part.split_once('-') {
                let first = parse_number(first, part, max)?;
                let last = parse_number(last, part, max)?;
                if last < first {
                    return Err(BitmapError::Backwards {
                        part: part.to_owned(),
                    });
                }
                for number in first..=last {
                    set.insert(number);
                }
            } else {
                set.insert(parse_number(part, part, max)?);
            }
        }
        Ok(set)
    }

    /// Adds a number. One beyond [`MAX_NUMBER`] is not added, which the answer tells.
    pub fn insert(&mut self, number: u32) -> bool {
        if number > MAX_NUMBER {
            return false;
        }
        let (index, bit) = place(number);
        if self.words.len() <= index {
            self.words.resize(index + 1, 0);
        }
        if let Some(word) = self.words.get_mut(index) {
            *word |= bit;
        }
        true
    }

    /// Takes a number away.
    pub fn remove(&mut self, number: u32) {
        let (index, bit) = place(number);
        if let Some(word) = self.words.get_mut(index) {
            *word &= !bit;
        }
    }

    /// Whether a number is in the set.
    pub fn contains(&self, number: u32) -> bool {
        let (index, bit) = place(number);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).zip(&self.words).flat_map(|(index, word)| {
            (0..WORD)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| index * WORD + bit)
        })
    }

    /// How many numbers there are.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The largest number.
    pub fn last(&self) -> Option<u32> {
        self.iter().last()
    }

    /// Whether all numbers are in `other` too.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|number| other.contains(number))
    }

    /// Whether a number is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.iter().any(|number| other.contains(number))
    }

    /// The numbers that are in both.
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter()
            .filter(|number| other.contains(*number))
            .collect()
    }

    /// As `length` bytes, number 0 in the lowest bit of the first; larger numbers are left out.
    pub fn to_bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = self
            .words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        bytes.resize(length, 0);
        bytes
    }

    /// From bytes as [`Bitmap::to_bytes`] makes them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BitmapError> {
        let mut set = Self::new();
        for (index, byte) in (0_u64..).zip(bytes) {
            for bit in (0..8_u64).filter(|bit| byte & (1 << bit) != 0) {
                let number = index * 8 + bit;
                if !u32::try_from(number).is_ok_and(|number| set.insert(number)) {
                    return Err(BitmapError::TooLarge {
                        number,
                        max: MAX_NUMBER,
                    });
                }
            }
        }
        Ok(set)
    }
}

/// Equal if they hold the same numbers, whatever was in them before.
impl PartialEq for Bitmap {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Bitmap {}

impl FromIterator<u32> for Bitmap {
    /// Numbers beyond [`MAX_NUMBER`] are left out.
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::new();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

impl fmt::Display for Bitmap {
    /// The shortest list of numbers and ranges; nothing for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if_eq(&(last + 1)) {
                last = next;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

fn place(number: u32) -> (usize, u64) {
    ((number / WORD) as usize, 1 << (number % WORD))
}

fn parse_number(text: &str, part: &str, max: u32) -> Result<u32, BitmapError> {
    let malformed = || BitmapError::Part {
        part: part.to_owned(),
    };
    let text = text.trim();
    // `parse` would take a plus sign.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let number: u64 = text.parse().map_err(|_| malformed())?;
    match u32::try_from(number) {
        Ok(small) if small <= max => Ok(small),
        _ => Err(BitmapError::TooLarge { number, max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> String {
        match Bitmap::parse(text, 1000) {
            Ok(set) => set.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn lists_ranges_exclusions() {
        for (text, normal) in [
            ("", ""),
            (" ", ""),
            ("0", "0"),
            ("0-3,^2", "0-1,3"),
            ("^2,0-3", "0-3"),
            (" 3 , 1 - 2 , 0 ", "0-3"),
            ("5,7,6,63-65", "5-7,63-65"),
            ("1000", "1000"),
            ("4,^4", ""),
            ("2-2", "2"),
        ] {
            assert_eq!(parse(text), normal, "{text}");
        }
    }

    #[test]
    fn malformed_lists() {
        for text in [
            ",",
            "1,",
            "a",
            "1-",
            "-1",
            "+1",
            "^",
            "^1-2",
            "1--2",
            "0x1",
            "3-1",
            "1001",
            "99999999999999999999",
            "0-4294967295",
        ] {
            assert!(parse(text).starts_with("error: "), "{text}");
        }
        assert!(Bitmap::parse("65536", u32::MAX).is_err());
        assert!(Bitmap::parse("65535", u32::MAX).is_ok());
    }

    #[test]
    fn bytes_both_ways() {
        let set = Bitmap::parse("0,9,64", 1000).unwrap();
        let mut bytes = set.to_bytes(9);
        assert_eq!(bytes, [1, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(Bitmap::from_bytes(&bytes).unwrap(), set);
        assert_eq!(set.to_bytes(1), [1]);
        bytes.resize(8193, 0);
        assert_eq!(Bitmap::from_bytes(&bytes).unwrap(), set);
        bytes.push(1);
        assert!(Bitmap::from_bytes(&bytes).is_err());
    }

    #[test]
    fn sets() {
        let mut set = Bitmap::full(4);
        assert_eq!((set.count(), set.last()), (4, Some(3)));
        set.insert(200);
        set.remove(200);
        assert_eq!(set, Bitmap::full(4), "what was in it does not count");
        assert!(!set.insert(MAX_NUMBER + 1));
        let other: Bitmap = [3, 4].into_iter().collect();
        assert!(set.overlaps(&other) && !set.is_subset_of(&other));
        assert_eq!(set.intersection(&other).to_string(), "3");
        assert!(Bitmap::new().is_empty() && Bitmap::new().is_subset_of(&other));
        assert!(!set.contains(u32::MAX));
    }
}
