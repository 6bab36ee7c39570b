//! What becomes of a case: held, failed with a difference to show, or not supported yet.

use std::fmt;

/// Why a case did not pass.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The product does something else than expected.
    Failed {
        /// In one line.
        what: String,
        /// Expected and produced text, where that shows it best.
        texts: Option<(String, String)>,
    },
    /// The product does not have this yet.
    Unsupported(String),
}

/// Shorthand for everything that a case can stumble over.
pub(crate) type Held<T> = Result<T, Problem>;

impl Problem {
    /// A failure that one line explains.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::Failed {
            what: what.into(),
            texts: None,
        }
    }

    /// A failure that two texts explain.
    pub(crate) fn differs(expected: &str, produced: &str) -> Self {
        Self::Failed {
            what: "the result differs".to_owned(),
            texts: Some((expected.to_owned(), produced.to_owned())),
        }
    }

    /// Something that is not there yet.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}

/// That the product refused an input, and when.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// While the input was read.
    Reading(String),
    /// When something was to be done with it.
    Later(String),
}

impl Refusal {
    /// While the input was read: parsing, defaults, validation.
    pub(crate) fn reading(error: impl fmt::Display) -> Self {
        Self::Reading(error.to_string())
    }

    /// When something was to be done with it.
    pub(crate) fn later(error: impl fmt::Display) -> Self {
        Self::Later(error.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading(message) => write!(f, "when reading: {message}"),
            Self::Later(message) => f.write_str(message),
        }
    }
}
