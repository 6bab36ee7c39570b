//! What is printed: a line or object per suite, the failures, the sum.

use std::io::{self, Write};

use serde::Serialize;

use crate::case::Case;
use crate::compare;
use crate::outcome::{Held, Problem};

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// A JSON object per suite, not a line.
    pub(crate) json: bool,
    /// Each failure with its difference.
    pub(crate) verbose: bool,
}

/// What became of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// Its name.
    pub(crate) suite: String,
    /// Cases that passed.
    pub(crate) passed: usize,
    /// Cases that failed.
    pub(crate) failed: usize,
    /// Cases that need what is not there yet.
    pub(crate) unsupported: usize,
    /// All of them.
    pub(crate) total: usize,
}

/// Prints as suites end, and adds up.
#[derive(Debug)]
pub(crate) struct Report {
    style: Style,
    tallies: Vec<Tally>,
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new(style: Style) -> Self {
        Self {
            style,
            tallies: Vec::new(),
        }
    }

    /// Prints a suite.
    ///
    /// # Errors
    /// Nobody reads what is printed.
    pub(crate) fn suite(
        &mut self,
        name: &str,
        cases: &[Case],
        verdicts: &[Held<()>],
    ) -> io::Result<()> {
        let tally = Tally::of(name, verdicts);
        if self.style.verbose {
            // Apart from the results where those are for a program.
            if self.style.json {
                show_problems(&mut io::stderr().lock(), cases, verdicts)?;
            } else {
                show_problems(&mut io::stdout().lock(), cases, verdicts)?;
            }
        }
        let mut out = io::stdout().lock();
        if self.style.json {
            serde_json::to_writer(&mut out, &tally)?;
            writeln!(out)?;
        } else {
            writeln!(
                out,
                "{name} {}/{} (unsupported {})",
                tally.passed, tally.total, tally.unsupported
            )?;
        }
        self.tallies.push(tally);
        Ok(())
    }

    /// Prints the sum.
    ///
    /// # Errors
    /// Nobody reads what is printed.
    pub(crate) fn end(&self) -> io::Result<()> {
        let passed: usize = self.tallies.iter().map(|tally| tally.passed).sum();
        writeln!(io::stdout(), "{passed} passed, {} failed", self.failed())
    }

    /// How many cases failed.
    pub(crate) fn failed(&self) -> usize {
        self.tallies.iter().map(|tally| tally.failed).sum()
    }

    /// The suites that ran.
    pub(crate) fn tallies(&self) -> &[Tally] {
        &self.tallies
    }
}

impl Tally {
    fn of(name: &str, verdicts: &[Held<()>]) -> Self {
        let mut tally = Self {
            suite: name.to_owned(),
            total: verdicts.len(),
            ..Self::default()
        };
        for verdict in verdicts {
            match verdict {
                Ok(()) => tally.passed += 1,
                Err(Problem::Failed { .. }) => tally.failed += 1,
                Err(Problem::Unsupported(_)) => tally.unsupported += 1,
            }
        }
        tally
    }
}

fn show_problems(out: &mut dyn Write, cases: &[Case], verdicts: &[Held<()>]) -> io::Result<()> {
    // A reason that many cases share is told once.
    let mut told: Option<&str> = None;
    for (case, verdict) in cases.iter().zip(verdicts) {
        match verdict {
            Ok(()) => {}
            Err(Problem::Failed { what, texts }) => {
                writeln!(out, "FAILED {} {}: {what}", case.suite, case.name)?;
                if let Some((expected, produced)) = texts {
                    write!(out, "{}", compare::difference(expected, produced))?;
                }
            }
            Err(Problem::Unsupported(reason)) => {
                if told != Some(reason) {
                    writeln!(out, "UNSUPPORTED {} {}: {reason}", case.suite, case.name)?;
                    told = Some(reason);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unsupported_is_neither_passed_nor_failed() {
        let verdicts = [
            Ok(()),
            Err(Problem::failed("x")),
            Err(Problem::unsupported("y")),
        ];
        let tally = Tally::of("s", &verdicts);
        let json = r#"{"suite":"s","passed":1,"failed":1,"unsupported":1,"total":3}"#;
        assert_eq!(serde_json::to_string(&tally).unwrap(), json);
    }
}
