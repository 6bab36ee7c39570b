//! What the document tests of the conf crates share: cases in folders, and randomness that is none.
//!
//! The tests of all documents together are in `reference`: they make documents from what types declare, and write the
//! pages in `data/xml`.

#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use virtbus_conf_base::Entropy;

/// Counts from 0 for each request instead of throwing dice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (byte, n) in bytes.iter_mut().zip((0..=u8::MAX).cycle()) {
            *byte = n;
        }
    }
}

/// Any error as its text.
pub fn text<E: ToString>(error: E) -> String {
    error.to_string()
}

/// Compares `actual` with the file, or writes the file if `VIRTBUS_UPDATE` is set.
///
/// # Panics
/// The file differs, or cannot be written.
pub fn compare(path: &Path, actual: &str) {
    if std::env::var_os("VIRTBUS_UPDATE").is_some() {
        fs::write(path, actual).expect("the test data can be written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(expected, actual, "{}", path.display());
}

/// Runs the cases in `folder`: `read` does all that reading a document of the kind is.
///
/// `CASE.xml` must be read with nothing unknown left, be written as `CASE.out.xml` (or as itself, if
/// there is no such file), and what was written must be read and written as itself. `CASE.bad.xml` must be
/// refused with the text in `CASE.bad.txt`. `VIRTBUS_UPDATE=1` rewrites both kinds of outcome.
///
/// # Panics
/// A case has another outcome, or there is none.
pub fn check<T: Debug>(
    folder: &Path,
    read: impl Fn(&str) -> Result<T, String>,
    write: impl Fn(&T) -> String,
) {
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .expect("there are cases")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".xml") && !name.ends_with(".out.xml")
        })
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    for path in cases {
        let xml = fs::read_to_string(&path).expect("the case can be read");
        if path.to_string_lossy().ends_with(".bad.xml") {
            let error = read(&xml).expect_err(&path.to_string_lossy());
            compare(&path.with_extension("txt"), &format!("{error}\n"));
            continue;
        }
        let value = read(&xml).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let written = write(&value);
        let other = path.with_extension("out.xml");
        compare(if other.exists() { &other } else { &path }, &written);
        let again = read(&written).unwrap_or_else(|e| panic!("{} again: {e}", path.display()));
        assert_eq!(write(&again), written, "{}", path.display());
    }
}
