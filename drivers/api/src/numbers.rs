//! Numbers that cross the wire: sets of flags and enumerations, each with libvirt's names and what each number means.
//!
//! The sets come from the declarations of the types themselves (`flags!` and `numbered!`), so that documents that tell of a number
//! tell of the one that is used. What a set is used for stands where it is used.

use crate::{Error, Result};

/// A set of numbers: flags that can be added up, or values of which there is one at a time.
#[derive(Debug)]
pub struct Numbers {
    /// libvirt's name of the type, such as `virDomainState`.
    pub libvirt: &'static str,
    /// What libvirt's names of the numbers begin with, such as `VIR_DOMAIN_`.
    pub prefix: &'static str,
    /// What the numbers are about, in lines.
    pub doc: &'static [&'static str],
    /// The numbers, in the order of their declaration.
    pub values: &'static [Number],
}

/// A number of a set.
#[derive(Debug)]
pub struct Number {
    /// How the declaration calls it.
    pub declared: &'static str,
    /// libvirt's names of it, if they are not made of the prefix and the declaration's.
    pub names: &'static [&'static str],
    /// The number.
    pub value: i64,
    /// What it means, in lines.
    pub doc: &'static [&'static str],
    /// What a second number beside this one says, such as the reason of a state.
    pub detail: Option<&'static Numbers>,
}

impl Numbers {
    /// What the numbers are about, as one line.
    #[must_use]
    pub fn meaning(&self) -> String {
        joined(self.doc)
    }

    /// libvirt's name of a number of this set; of two for the same number, both.
    #[must_use]
    pub fn name(&self, number: &Number) -> String {
        if number.names.is_empty() {
            format!("{}{}", self.prefix, spelt(number.declared))
        } else {
            number.names.join(", ")
        }
    }
}

impl Number {
    /// What the number means, as one line.
    #[must_use]
    pub fn meaning(&self) -> String {
        joined(self.doc)
    }
}

fn joined(doc: &[&str]) -> String {
    let lines = doc.iter().map(|line| line.trim());
    lines.collect::<Vec<_>>().join(" ")
}

/// A name in the spelling of libvirt's constants: `FromSnapshot` is `FROM_SNAPSHOT`.
fn spelt(name: &str) -> String {
    let mut spelt = String::with_capacity(name.len() + 4);
    let mut small = false;
    for letter in name.chars() {
        if small && letter.is_ascii_uppercase() {
            spelt.push('_');
        }
        small = letter.is_ascii_lowercase();
        spelt.push(letter.to_ascii_uppercase());
    }
    spelt
}

/// A type whose values cross the wire as numbers of a set, or another name for one, under which libvirt has the same numbers elsewhere.
pub trait Numbered {
    /// The type of the values.
    type Value;
    /// The set.
    const NUMBERS: &'static Numbers;
}

/// Typed parameters of which some are numbers of sets. What is not named here is a count, a size, a time or a text.
pub trait Fields {
    /// Those.
    const FIELDS: &'static [Field];
}

/// A typed parameter whose value is a number of a set.
#[derive(Debug)]
pub struct Field {
    /// libvirt's name of it; `N` stands for any number.
    pub name: &'static str,
    /// The set.
    pub numbers: &'static Numbers,
    /// Whether the value is what the field before it, which is of this set, has beside it, as a state has its reason.
    pub is_detail: bool,
}

/// That a number is none of a set, which lists those that are.
pub(crate) fn no_value(numbers: &Numbers, number: i64) -> Error {
    let values = numbers.values.iter();
    let known: Vec<String> = values.map(|number| number.value.to_string()).collect();
    Error::invalid_argument(format!(
        "invalid {} {number} (supported: {})",
        numbers.libvirt,
        known.join(", ")
    ))
}

/// A type of which there is one value at a time, each a number.
pub trait Choice: Sized {
    /// The value with libvirt's number.
    ///
    /// # Errors
    /// `InvalidArg` for a number that libvirt does not have.
    fn from_number(number: i64) -> Result<Self>;

    /// libvirt's number.
    fn number(&self) -> i32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DomainCreateFlags, DomainStateKind, PausedReason, SnapshotListFlags};

    fn names(numbers: &Numbers) -> Vec<(i64, String)> {
        let values = numbers.values.iter();
        values
            .map(|number| (number.value, numbers.name(number)))
            .collect()
    }

    #[test]
    fn names_are_libvirts() {
        let created = names(DomainCreateFlags::NUMBERS);
        assert_eq!(created[0], (1, "VIR_DOMAIN_START_PAUSED".to_owned()));
        assert_eq!(created[2], (4, "VIR_DOMAIN_START_BYPASS_CACHE".to_owned()));
        let paused = names(PausedReason::NUMBERS);
        assert_eq!(paused[5], (5, "VIR_DOMAIN_PAUSED_IOERROR".to_owned()));
        assert_eq!(paused[7], (7, "VIR_DOMAIN_PAUSED_FROM_SNAPSHOT".to_owned()));
        let listed = names(SnapshotListFlags::NUMBERS);
        let both = "VIR_DOMAIN_SNAPSHOT_LIST_ROOTS, VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS";
        assert_eq!(listed[0], (1, both.to_owned()));
    }

    #[test]
    fn a_state_says_what_its_reasons_are() {
        let states = DomainStateKind::NUMBERS.values.iter();
        let reasons: Vec<&str> = states
            .filter_map(|state| state.detail.map(|reasons| reasons.libvirt))
            .collect();
        assert_eq!(reasons.len(), DomainStateKind::ALL.len());
        assert_eq!(reasons[3], "virDomainPausedReason");
    }
}
