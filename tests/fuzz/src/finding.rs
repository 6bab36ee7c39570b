//! What a text did that no text may do.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The class of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The product panicked.
    Panic,
    /// The process was ended by a signal: the stack or the memory ran out.
    Death,
    /// A property that must hold for every document does not.
    Broken,
    /// It took too much memory.
    Memory,
    /// It took too much time.
    Time,
}

impl Kind {
    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Death => "death",
            Self::Broken => "broken",
            Self::Memory => "memory",
            Self::Time => "time",
        }
    }
}

/// What went wrong, without the text that made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The class.
    pub kind: Kind,
    /// What was seen, for a person.
    pub message: String,
}

impl Finding {
    /// A finding.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A number that findings share which are probably the same: of the same class, with the same first line
    /// but for what stands in quotes or is a number.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.kind.hash(&mut hasher);
        if matches!(self.kind, Kind::Panic | Kind::Broken) {
            let line = self.message.lines().next().unwrap_or_default();
            for (at, part) in line.split('\'').enumerate() {
                if at % 2 == 0 {
                    let words: String = part.chars().filter(|c| !c.is_ascii_digit()).collect();
                    words.hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_differ_by_what_is_not_quoted() {
        let print = |kind, message: &str| Finding::new(kind, message).fingerprint();
        let broken = |message| print(Kind::Broken, message);
        assert_eq!(
            broken("line 3: 'a' is wrong\nmore"),
            broken("line 14: 'b' is wrong\nless")
        );
        assert_ne!(broken("'a' is wrong"), broken("'a' is missing"));
        assert_ne!(broken("x"), print(Kind::Panic, "x"));
        assert_eq!(print(Kind::Time, "3 s"), print(Kind::Time, "a year"));
    }
}
