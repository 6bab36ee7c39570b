//! A set of capabilities, and how it is kept and shown.
//!
//! Which there are, and what each one means for a binary, is in `table`; this module only packs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::table::Cap;

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const WORDS: usize = 8;

/// A set of capabilities.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct CapSet([u64; WORDS]);

impl CapSet {
    /// The set without any.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Whether `cap` is in it.
    pub fn has(&self, cap: Cap) -> bool {
        let (word, bit) = Self::place(cap);
        self.0[word] & bit != 0
    }

    /// Puts `cap` in.
    pub fn set(&mut self, cap: Cap) {
        let (word, bit) = Self::place(cap);
        self.0[word] |= bit;
    }

    /// Takes `cap` out.
    pub fn clear(&mut self, cap: Cap) {
        let (word, bit) = Self::place(cap);
        self.0[word] &= !bit;
    }

    /// Those that are in it, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Cap> + '_ {
        Cap::ALL.iter().copied().filter(|cap| self.has(*cap))
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn place(cap: Cap) -> (usize, u64) {
        const {
            assert!(Cap::ALL.len() <= WORDS * 64);
        }
        let number = cap as usize;
        (number / 64, 1 << (number % 64))
    }
}

impl FromIterator<Cap> for CapSet {
    fn from_iter<I: IntoIterator<Item = Cap>>(caps: I) -> Self {
        let mut set = Self::EMPTY;
        for cap in caps {
            set.set(cap);
        }
        set
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Cap::name)).finish()
    }
}

/// As numbers: only for files that are thrown away when the numbering changes.
impl Serialize for CapSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CapSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u64; WORDS]>::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cap, CapSet};
    use std::collections::HashSet;

    #[test]
    fn names_go_both_ways() {
        let mut names = HashSet::new();
        for (number, cap) in Cap::ALL.iter().enumerate() {
            assert_eq!(*cap as usize, number);
            assert_eq!(Cap::from_name(cap.name()), Some(*cap));
            assert!(names.insert(cap.name()));
        }
        assert_eq!(Cap::from_name("warp-drive"), None);
    }

    #[test]
    fn sets_remember() {
        let last = *Cap::ALL.last().unwrap();
        let mut set: CapSet = [Cap::Kvm, last].into_iter().collect();
        assert!(set.has(last) && set.has(Cap::Kvm) && !set.has(Cap::Tcg));
        assert_eq!(set.len(), 2);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<CapSet>(&text).unwrap(), set);
        set.clear(last);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Cap::Kvm]);
        assert_eq!(format!("{set:?}"), r#"{"kvm"}"#);
    }
}
