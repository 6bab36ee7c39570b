//! The committed figures: how many cases of each suite pass, so that nobody loses one unnoticed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::report::Report;

/// Suites by name, with the number of cases that pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Baseline(BTreeMap<String, usize>);

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// The file cannot be read, or is not an object with numbers.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path)
            .map_err(|e| format!("cannot read '{}': {e}", path.display()))?;
        let figures =
            serde_json::from_str(&text).map_err(|e| format!("'{}': {e}", path.display()))?;
        Ok(Self(figures))
    }

    /// What the report says.
    pub(crate) fn of(report: &Report) -> Self {
        let passing = report.tallies().iter().filter(|tally| tally.passed > 0);
        Self(
            passing
                .map(|tally| (tally.suite.clone(), tally.passed))
                .collect(),
        )
    }

    /// Writes the baseline.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let text = serde_json::to_string_pretty(&self.0)? + "\n";
        fs::write(path, text).map_err(|e| format!("cannot write '{}': {e}", path.display()).into())
    }

    /// What has become worse, a line each. Suites that did not run say nothing.
    pub(crate) fn fallen(&self, report: &Report) -> Vec<String> {
        let fallen = report.tallies().iter().filter_map(|tally| {
            let figure = *self.0.get(&tally.suite)?;
            (tally.passed < figure).then(|| {
                format!(
                    "suite {} fell from {figure} to {} of {} cases",
                    tally.suite, tally.passed, tally.total
                )
            })
        });
        fallen.collect()
    }
}
