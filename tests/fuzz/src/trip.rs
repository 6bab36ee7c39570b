//! The properties that hold for every text: read it, write it, read that, and the same is written; what is complete and valid
//! is also the same value.
//!
//! Knows no document type; [`crate::targets`] says which functions of a type are meant.

use std::fmt::Debug;

/// What came of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused, with this message.
    Refused(String),
    /// It was taken, and everything held.
    Held,
    /// It was taken, and a property does not hold.
    Broken(String),
}

impl Outcome {
    /// A text that was refused so.
    pub(crate) fn refused(message: String) -> Self {
        if message.len() > LONGEST_REFUSAL {
            let start: String = message.chars().take(200).collect();
            return Self::Broken(format!("the refusal is too long: {start}"));
        }
        Self::Refused(message)
    }

    /// What came of a text that two types were tried on: what is broken in one is broken, what one takes is taken.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Broken(message), _) | (_, Self::Broken(message)) => Self::Broken(message),
            (Self::Held, _) | (_, Self::Held) => Self::Held,
            (Self::Refused(_), Self::Refused(message)) => Self::Refused(message),
        }
    }

    /// The same, for a text that may not be refused.
    #[must_use]
    pub(crate) fn must_hold(self) -> Self {
        match self {
            Self::Refused(message) => Self::Broken(format!("is refused: {message}")),
            other => other,
        }
    }
}

/// Refusals are shown to people and go over the bus: they must not be as long as what they refuse.
const LONGEST_REFUSAL: usize = 5000;

/// How a document of type `T` is read and written.
pub(crate) struct Trip<T> {
    /// Reads what a client sends.
    pub(crate) read: fn(&str) -> Result<T, String>,
    /// Reads what was written; the same function, if there is none that is stricter.
    pub(crate) read_strictly: fn(&str) -> Result<T, String>,
    /// Fills in what is left out and validates.
    pub(crate) finish: fn(&mut T) -> Result<(), String>,
    /// Writes it with everything that reading knows.
    pub(crate) write: fn(&T) -> String,
    /// Takes out what is never written, by design.
    pub(crate) forget: fn(&mut T),
    /// What else must hold for a document that is complete.
    pub(crate) also: fn(&T) -> Result<(), String>,
}

/// Nothing is left out and nothing is validated.
pub(crate) fn as_read<T>(_: &mut T) -> Result<(), String> {
    Ok(())
}

/// All of it is written.
pub(crate) fn everything<T>(_: &mut T) {}

/// Nothing else must hold.
pub(crate) fn nothing<T>(_: &T) -> Result<(), String> {
    Ok(())
}

impl<T: PartialEq + Debug> Trip<T> {
    /// Runs `xml` through all of it.
    pub(crate) fn run(&self, xml: &str) -> Outcome {
        match self.held(xml) {
            Ok(None) => Outcome::Held,
            Ok(Some(refusal)) => Outcome::refused(refusal),
            Err(broken) => Outcome::Broken(broken),
        }
    }

    /// The refusal, if it was refused; the error is a property that does not hold.
    fn held(&self, xml: &str) -> Result<Option<String>, String> {
        let mut value = match (self.read)(xml) {
            Ok(value) => value,
            Err(refusal) => return Ok(Some(refusal)),
        };
        // What writing leaves out because it is the default is not told from what was never there.
        self.again("as read", &value, |_| Ok(()))?;
        if let Err(refusal) = (self.finish)(&mut value) {
            return Ok(Some(refusal));
        }
        let other = self.again("complete", &value, self.finish)?;
        (self.forget)(&mut value);
        if other != value {
            let change = difference(&format!("{value:#?}"), &format!("{other:#?}"));
            let written = (self.write)(&value);
            return Err(format!(
                "complete: reads something else: {change}\n{written}"
            ));
        }
        (self.also)(&value)?;
        Ok(None)
    }

    /// Writes `value`, reads that and finishes it: the same is written again.
    fn again(
        &self,
        state: &str,
        value: &T,
        finish: impl Fn(&mut T) -> Result<(), String>,
    ) -> Result<T, String> {
        let written = (self.write)(value);
        let mut other = (self.read_strictly)(&written)
            .map_err(|e| format!("{state}: does not read what it wrote: {e}\n{written}"))?;
        finish(&mut other)
            .map_err(|e| format!("{state}: does not accept what it wrote: {e}\n{written}"))?;
        let rewritten = (self.write)(&other);
        if rewritten != written {
            let change = difference(&written, &rewritten);
            return Err(format!(
                "{state}: writes something else: {change}\n{written}"
            ));
        }
        Ok(other)
    }
}

/// The first lines that differ, after the name of the field or element in them.
pub(crate) fn difference(one: &str, other: &str) -> String {
    let mut pairs = one.lines().zip(other.lines());
    let end = ("(its end)", "(its end)");
    let (one, other) = pairs.find(|(a, b)| a != b).unwrap_or(end);
    let (one, other) = (one.trim(), other.trim());
    let named = |c: char| !c.is_alphanumeric() && c != '_';
    let mut words = one.split(named).filter(|word| !word.is_empty());
    let name = words.next().unwrap_or_default();
    format!("{name}: '{one}' became '{other}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(xml: &str) -> Result<i32, String> {
        xml.parse().map_err(|_| "no number".to_owned())
    }

    const NUMBERS: Trip<i32> = Trip {
        read: number,
        read_strictly: number,
        finish: as_read,
        write: i32::to_string,
        forget: everything,
        also: nothing,
    };

    #[test]
    fn what_holds_is_told_from_what_does_not() {
        assert_eq!(NUMBERS.run("7"), Outcome::Held);
        assert_eq!(NUMBERS.run("x"), Outcome::Refused("no number".to_owned()));
        let loses = Trip {
            write: |n: &i32| (n / 10).to_string(),
            ..NUMBERS
        };
        assert_eq!(loses.run("0"), Outcome::Held);
        let Outcome::Broken(message) = loses.run("12") else {
            panic!("not noticed")
        };
        assert!(message.contains("'1' became '0'"), "{message}");
        let grows = Trip {
            finish: |n| {
                *n += 1;
                Ok(())
            },
            ..NUMBERS
        };
        assert!(matches!(grows.run("1"), Outcome::Broken(_)));
        let long = Trip {
            read: |_| Err("no ".repeat(2000)),
            ..NUMBERS
        };
        assert!(matches!(long.run("1"), Outcome::Broken(_)));
    }
}
