//! Sets of small numbers, such as CPUs and NUMA nodes: `0-3,^2,8`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::value::Value;

/// A set of numbers below [`BitSet::LIMIT`].
///
/// Read from ranges and exclusions separated by commas, of which something has to be left; written as ascending ranges.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct BitSet {
    /// No trailing zero words, so that equality is that of the sets.
    words: Vec<u64>,
}

impl BitSet {
    /// The first number that cannot be a member.
    pub const LIMIT: u32 = 16_384;

    /// The empty set.
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether `n` is a member.
    pub fn contains(&self, n: u32) -> bool {
        self.words
            .get(n as usize / 64)
            .is_some_and(|w| w & (1 << (n % 64)) != 0)
    }

    /// Adds `n`; numbers from [`BitSet::LIMIT`] on are refused by `false`.
    pub fn insert(&mut self, n: u32) -> bool {
        if n >= Self::LIMIT {
            return false;
        }
        let word = n as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (n % 64);
        true
    }

    /// Takes `n` out.
    pub fn remove(&mut self, n: u32) {
        if let Some(word) = self.words.get_mut(n as usize / 64) {
            *word &= !(1 << (n % 64));
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..Self::LIMIT)
            .take(self.words.len() * 64)
            .filter(|n| self.contains(*n))
    }

    /// The greatest member.
    pub fn last(&self) -> Option<u32> {
        let word = self.words.last()?;
        let words = u32::try_from(self.words.len()).expect("the limit keeps the set small");
        Some((words - 1) * 64 + word.ilog2())
    }

    /// Whether any number is a member of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Whether every member of this set is one of `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|n| other.contains(n))
    }

    /// Adds the members of `other`.
    pub fn extend_from(&mut self, other: &Self) {
        for n in other.iter() {
            self.insert(n);
        }
    }
}

impl FromIterator<u32> for BitSet {
    /// Numbers from [`BitSet::LIMIT`] on are left out.
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::new();
        for n in numbers {
            set.insert(n);
        }
        set
    }
}

impl fmt::Display for BitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut members = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = members.next() {
            let mut last = first;
            while members.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for BitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BitSet({self})")
    }
}

impl Value for BitSet {
    fn from_text(text: &str) -> Option<Self> {
        let mut set = Self::new();
        for part in text.split(',') {
            let part = part.trim_ascii();
            if let Some(out) = part.strip_prefix('^') {
                set.remove(number(out)?);
                continue;
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            for n in first..=last {
                set.insert(n);
            }
        }
        Some(set).filter(|set| !set.is_empty())
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "{self}").expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed(
            "a list of numbers and ranges such as 0-3,^2,8, each below 16384 and not all excluded",
        )
    }
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim_ascii();
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    plain
        .then(|| text.parse().ok())
        .flatten()
        .filter(|n| *n < BitSet::LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_exclusions() {
        let set = BitSet::from_text("0-5,^3, 8,64-65").unwrap();
        assert_eq!(set.to_string(), "0-2,4-5,8,64-65");
        assert_eq!(set.len(), 8);
        assert_eq!(set.last(), Some(65));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            ",",
            "1-",
            "-1",
            "3-1",
            "a",
            "16384",
            "0-99999999999",
            "1,,2",
            "^",
            "1,^1",
        ] {
            assert_eq!(BitSet::from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn set_relations() {
        let a: BitSet = [1, 2, 200].into_iter().collect();
        let b: BitSet = [2].into_iter().collect();
        assert!(b.is_subset(&a) && a.overlaps(&b) && !a.is_subset(&b));
    }
}
