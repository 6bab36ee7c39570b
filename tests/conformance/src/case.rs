//! A row of a manifest: what a case gives, what it expects, and the files it names.
//!
//! Absent fields have their defaults. A field of the wrong kind is a problem of the case, not of the run.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::compare;
use crate::outcome::{Held, Problem, Refusal};

/// What becomes of a case's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expectation {
    /// It gives what is expected.
    Ok,
    /// It is refused when it is read.
    ParseError,
    /// It is refused by a later step.
    Failure,
}

/// One case.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    /// Its suite.
    pub(crate) suite: String,
    /// Its name, unique in the suite.
    pub(crate) name: String,
    /// What becomes of the input.
    pub(crate) outcome: Expectation,
    #[serde(flatten)]
    fields: Map<String, Value>,
    #[serde(skip, default = "nowhere")]
    folder: Arc<Path>,
}

fn nowhere() -> Arc<Path> {
    Path::new("").into()
}

impl Case {
    /// Reads a row of the corpus in `folder`.
    pub(crate) fn parse(line: &str, folder: &Arc<Path>) -> Result<Self, serde_json::Error> {
        let mut case: Self = serde_json::from_str(line)?;
        case.folder = Arc::clone(folder);
        Ok(case)
    }

    /// The field, whatever it is.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// A text; `None` if the field is absent.
    pub(crate) fn text(&self, name: &str) -> Held<Option<&str>> {
        self.typed(name, "a text", Value::as_str)
    }

    /// A text that must be there.
    pub(crate) fn text_req(&self, name: &str) -> Held<&str> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// Whether the field is there and true.
    pub(crate) fn is(&self, name: &str) -> Held<bool> {
        Ok(self
            .typed(name, "true or false", Value::as_bool)?
            .unwrap_or(false))
    }

    /// A whole number; `None` if the field is absent.
    pub(crate) fn number(&self, name: &str) -> Held<Option<i64>> {
        self.typed(name, "a whole number", Value::as_i64)
    }

    /// A list of texts; empty if the field is absent.
    pub(crate) fn words(&self, name: &str) -> Held<Vec<&str>> {
        let list = self.typed(name, "a list of texts", Value::as_array)?;
        let words = list.into_iter().flatten();
        words
            .map(|v| v.as_str().ok_or_else(|| malformed(name, "a list of texts")))
            .collect()
    }

    /// Whether the list of texts `name` has `word` in it.
    pub(crate) fn has(&self, name: &str, word: &str) -> Held<bool> {
        Ok(self.words(name)?.contains(&word))
    }

    /// Path of the file that the field `name` names.
    pub(crate) fn path(&self, name: &str) -> Held<PathBuf> {
        Ok(self.folder.join(self.text_req(name)?))
    }

    /// Path of something that suites share.
    pub(crate) fn fixture(&self, path: &str) -> PathBuf {
        self.folder.join("fixtures").join(path)
    }

    /// Contents of the file that the field `name` names.
    pub(crate) fn file(&self, name: &str) -> Held<String> {
        let path = self.path(name)?;
        fs::read_to_string(&path)
            .map_err(|e| Problem::failed(format!("cannot read '{}': {e}", path.display())))
    }

    /// The file named by `expect`, as it is to be compared.
    pub(crate) fn expected(&self) -> Held<String> {
        Ok(compare::joined(&self.file("expect")?))
    }

    /// Holds what became of the input against what was expected, where that is a text in a file.
    pub(crate) fn check(&self, produced: Result<String, Refusal>, input: &str) -> Held<()> {
        match produced {
            Ok(text) if self.outcome == Expectation::Ok => compare::text(&self.expected()?, &text),
            produced => self.check_refused(produced, input),
        }
    }

    /// Holds a refusal against what was expected; what was not refused is expected to be.
    pub(crate) fn check_refused<T>(&self, produced: Result<T, Refusal>, input: &str) -> Held<()> {
        match (self.outcome, produced) {
            (Expectation::Ok, Ok(_)) => Ok(()),
            (Expectation::Ok, Err(refusal)) => Err(Problem::failed(format!("refused: {refusal}"))),
            (_, Ok(_)) => Err(Problem::failed("accepted, but it should have been refused")),
            (Expectation::ParseError, Err(Refusal::Reading(message)))
            | (Expectation::Failure, Err(Refusal::Later(message))) => {
                if names_a_place(&message, input) {
                    Ok(())
                } else {
                    Err(Problem::failed(format!(
                        "refused, but the error names no place in the input: {message}"
                    )))
                }
            }
            (_, Err(refusal)) => Err(Problem::failed(format!(
                "refused, but not at the stage expected: {refusal}"
            ))),
        }
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        what: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Held<Option<T>> {
        match self.field(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| malformed(name, what)),
        }
    }
}

fn missing(name: &str) -> Problem {
    Problem::failed(format!("the manifest has no '{name}'"))
}

fn malformed(name: &str, what: &str) -> Problem {
    Problem::failed(format!("'{name}' in the manifest is not {what}"))
}

/// Whether an error says where: a line, or something that the input contains.
fn names_a_place(message: &str, input: &str) -> bool {
    let words = |text: &str| -> HashSet<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    message.contains("line ") || !words(message).is_disjoint(&words(input))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(outcome: &str, more: &str) -> Case {
        let line = format!(r#"{{"suite": "s", "name": "n", "outcome": "{outcome}"{more}}}"#);
        Case::parse(&line, &nowhere()).unwrap()
    }

    #[test]
    fn fields_have_defaults_and_kinds() {
        let case = case("ok", r#", "flags": ["a"], "live": true, "size": -1"#);
        assert!(case.has("flags", "a").unwrap());
        assert!(!case.has("others", "a").unwrap());
        assert!(case.is("live").unwrap());
        assert_eq!(case.number("size").unwrap(), Some(-1));
        assert_eq!(case.text("input").unwrap(), None);
        assert!(case.text_req("input").is_err());
        assert!(case.words("live").is_err());
    }

    #[test]
    fn a_refusal_counts_at_its_stage_only() {
        let reading = || Err::<(), _>(Refusal::reading("line 3: no"));
        let later = || Err::<(), _>(Refusal::later("no bridge 'br0'"));
        let input = "<bridge name='br0'/>";
        let case_of = |outcome| case(outcome, "");
        assert!(
            case_of("parse-error")
                .check_refused(reading(), input)
                .is_ok()
        );
        assert!(
            case_of("parse-error")
                .check_refused(later(), input)
                .is_err()
        );
        assert!(case_of("failure").check_refused(later(), input).is_ok());
        assert!(case_of("failure").check_refused(Ok(()), input).is_err());
        assert!(case_of("ok").check_refused(later(), input).is_err());
    }

    #[test]
    fn an_error_without_a_place_is_none() {
        assert!(names_a_place("no <name> is given", "<name/>"));
        assert!(!names_a_place("this is wrong", "<name/>"));
    }
}
