//! Definitions as people write them, and what is meant: `data/NAME.xml` in, `data/NAME.out.xml` out.
//!
//! With `VIRTBUS_UPDATE` set the expected texts are written instead, and the review is the diff.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{arch_of, define, emulator, text};

fn documents() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_str().unwrap().ends_with(".out.xml"))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn definitions_say_what_is_meant_and_stay_so() {
    for path in documents() {
        let xml = fs::read_to_string(&path).unwrap();
        let capabilities = emulator(arch_of(&xml));
        let name = path.display();
        let written =
            text(&define(&xml, &capabilities, true).unwrap_or_else(|e| panic!("{name}: {e}")));
        let output = path.with_extension("out.xml");
        if std::env::var_os("VIRTBUS_UPDATE").is_some() {
            fs::write(&output, &written).unwrap();
        }
        same(
            &fs::read_to_string(&output).unwrap_or_default(),
            &written,
            &output,
        );
        for is_new in [true, false] {
            let again = define(&written, &capabilities, is_new);
            let again = text(&again.unwrap_or_else(|e| panic!("{name}, again: {e}")));
            same(&written, &again, &path);
        }
    }
}

fn same(expected: &str, produced: &str, path: &Path) {
    if expected != produced {
        let mut pairs = expected.lines().zip(produced.lines());
        let pair = pairs.find(|(a, b)| a != b);
        panic!("{}: {pair:?}", path.display());
    }
}
