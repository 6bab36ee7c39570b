//! The corpus: which suites there are, and the manifests with their cases.
//!
//! What the fields of a case mean is the suites' affair; see `case.rs` for how they are read.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::Outcome;
use crate::case::Case;

/// A corpus on disk.
#[derive(Debug)]
pub(crate) struct Corpus {
    folder: Arc<Path>,
    suites: Map<String, Value>,
}

impl Corpus {
    /// Opens the corpus in `folder`.
    ///
    /// # Errors
    /// There is no `suites.json`, or it is not an object.
    pub(crate) fn open(folder: &Path) -> Outcome<Self> {
        // Programs that are asked about files of it work in folders of their own.
        let folder = folder
            .canonicalize()
            .map_err(|e| format!("there is no corpus '{}': {e}", folder.display()))?;
        let path = folder.join("suites.json");
        let text = fs::read_to_string(&path)
            .map_err(|e| format!("cannot read '{}': {e}", path.display()))?;
        let suites =
            serde_json::from_str(&text).map_err(|e| format!("'{}': {e}", path.display()))?;
        Ok(Self {
            folder: folder.into(),
            suites,
        })
    }

    /// The suites with these names; all if none is given.
    ///
    /// # Errors
    /// The corpus has no suite of a name.
    pub(crate) fn chosen(&self, names: &[String]) -> Outcome<Vec<String>> {
        if let Some(unknown) = names.iter().find(|name| !self.suites.contains_key(*name)) {
            return Err(format!("the corpus has no suite '{unknown}'").into());
        }
        let wanted = |name: &&String| names.is_empty() || names.contains(name);
        Ok(self.suites.keys().filter(wanted).cloned().collect())
    }

    /// The cases of a suite, in the order of the manifest.
    ///
    /// # Errors
    /// The manifest cannot be read, or has another number of cases than `suites.json` says.
    pub(crate) fn cases(&self, suite: &str) -> Outcome<Vec<Case>> {
        let path: PathBuf = self.folder.join(suite).join("cases.jsonl");
        let text = fs::read_to_string(&path)
            .map_err(|e| format!("cannot read '{}': {e}", path.display()))?;
        let mut cases = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let case = Case::parse(line, &self.folder)
                .map_err(|e| format!("'{}', line {number}: {e}", path.display()))?;
            if case.suite != suite {
                return Err(format!(
                    "'{}', line {number}: a case of suite '{}'",
                    path.display(),
                    case.suite
                )
                .into());
            }
            cases.push(case);
        }
        let counted = &self.suites[suite]["cases"];
        if counted.as_u64().is_some_and(|n| n != cases.len() as u64) {
            return Err(format!(
                "suite '{suite}' has {} cases, not the {counted} of suites.json",
                cases.len()
            )
            .into());
        }
        Ok(cases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let suites = r#"{"b": {"cases": 1}, "a": {"cases": 2}}"#;
        fs::write(dir.path().join("suites.json"), suites).unwrap();
        for (suite, names) in [("a", vec!["x"]), ("b", vec!["y"])] {
            fs::create_dir(dir.path().join(suite)).unwrap();
            let lines: Vec<String> = names
                .iter()
                .map(|n| format!(r#"{{"suite": "{suite}", "name": "{n}", "outcome": "ok"}}"#))
                .collect();
            fs::write(dir.path().join(suite).join("cases.jsonl"), lines.join("\n")).unwrap();
        }
        dir
    }

    #[test]
    fn suites_are_chosen_in_their_order() {
        let dir = corpus();
        let corpus = Corpus::open(dir.path()).unwrap();
        assert_eq!(corpus.chosen(&[]).unwrap(), ["b", "a"]);
        assert_eq!(corpus.chosen(&["a".to_owned()]).unwrap(), ["a"]);
        let e = corpus.chosen(&["c".to_owned()]).unwrap_err();
        assert!(e.to_string().contains("'c'"), "{e}");
    }

    #[test]
    fn cases_are_counted() {
        let dir = corpus();
        let corpus = Corpus::open(dir.path()).unwrap();
        assert_eq!(corpus.cases("b").unwrap()[0].name, "y");
        let e = corpus.cases("a").unwrap_err();
        assert!(e.to_string().contains("1 cases, not the 2"), "{e}");
    }
}
