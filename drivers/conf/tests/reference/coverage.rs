//! Everything that is declared is read and written, and everything in the cases of `tests/data` is declared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use virtbus_conf_base::Fragment;
use virtbus_conf_base::reference::DocumentKind;

use crate::declared::{Way, declared};
use crate::dice::Dice;
use crate::kinds::{DOCUMENTS, Failure, Written};
use crate::make::Needed;
use crate::walk::{Met, Walk};
use crate::{kinds, make};

/// Documents that are read and written, those that have to be refused left out.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("there are cases") {
        let path = entry.expect("the folder can be read").path();
        let name = path.to_string_lossy();
        if path.is_dir() && !name.ends_with("-bad") {
            documents(&path, found);
        } else if name.ends_with(".xml")
            && !name.ends_with(".bad.xml")
            && !path.with_extension("err").exists()
        {
            found.push(path);
        }
    }
}

/// What is in the cases; `VIRTBUS_DOCUMENTS` names a folder with others.
fn cases() -> Walk {
    let mut walk = Walk::default();
    let mut found = Vec::new();
    let folder = std::env::var_os("VIRTBUS_DOCUMENTS").map(PathBuf::from);
    let data = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{name}/tests/data"));
    let own = || ["domain", "host", "storage"].map(data).into();
    for folder in folder.map_or_else(own, |one| vec![one]) {
        documents(&folder, &mut found);
    }
    found.sort();
    for path in found {
        let xml = fs::read_to_string(&path).expect("the case can be read");
        let Ok(root) = Fragment::parse_document(&xml) else {
            panic!("{} is no document", path.display())
        };
        let place = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(kind) = DOCUMENTS.iter().find(|kind| kind.root == root.name) {
            let path = format!("{place}: {}", root.name);
            walk.element(&path, &root, (kind.describe)().parts);
        }
    }
    walk
}

pub(crate) fn walked(kind: &DocumentKind, xml: &str) -> Walk {
    let mut walk = Walk::default();
    let root = Fragment::parse_document(xml).expect("what is written is well formed");
    walk.element(kind.root, &root, (kind.describe)().parts);
    walk
}

/// Whether the text says neither more nor less than `xml`: it may add what holds anyway, and leave out what says nothing.
pub(crate) fn says_the_same(kind: &DocumentKind, xml: &str, written: &Written) -> bool {
    let (said, written) = (walked(kind, xml), walked(kind, &written.texts[0]));
    let kept = |(what, count)| written.around.get(what) == Some(count);
    said.met == written.met && said.around.iter().all(kept)
}

#[test]
fn what_cases_hold_is_declared() {
    let unknown = cases().unknown;
    assert!(unknown.is_empty(), "not declared:\n{}", unknown.join("\n"));
}

/// How often more is put beside what is wanted, until there is what it needs.
const TRIES: u64 = 800;

/// Makes a document with what `way` leads to, and reads and writes it. What it is refused for the lack of is put in.
pub(crate) fn attempt(way: &Way, dice: &Dice) -> (String, Result<Written, Failure>) {
    let mut needed = Vec::new();
    loop {
        let xml = make::document(way.kind, &way.through, &needed, dice.clone());
        let outcome = kinds::of(way.kind)(way.kind, &xml);
        let lacking = match &outcome {
            Err(Failure::Refused(_, lacking)) => lacking.clone(),
            _ => Vec::new(),
        };
        let more: Vec<Needed> = lacking
            .into_iter()
            .filter(|it| !needed.contains(it))
            .collect();
        if more.is_empty() {
            return (xml, outcome);
        }
        needed.extend(more);
    }
}

/// Looks for a document that has what `ways` lead to, before and after it was read and written. If there is none, tells
/// about the plainest one.
fn covered(target: Met, ways: &[Way], met: &mut BTreeSet<Met>) -> Result<(), String> {
    let mut told = None;
    for tries in 0..=TRIES {
        for way in ways {
            let dice = match tries {
                0 => Dice::Plain,
                seed => Dice::Thrown(seed),
            };
            let (xml, outcome) = attempt(way, &dice);
            let written = match outcome {
                Ok(written) => written,
                Err(Failure::Changed(e)) => return Err(e),
                Err(Failure::Refused(e, _) | Failure::Unread(e)) => {
                    told.get_or_insert_with(|| format!("{e}\n{xml}"));
                    continue;
                }
            };
            for text in &written.texts {
                let walk = walked(way.kind, text);
                if !walk.unknown.is_empty() {
                    return Err(format!("not declared: {:?}\n{xml}", walk.unknown));
                }
                met.extend(walk.met.into_keys().chain(walk.around.into_keys()));
            }
            if let Some(differs) = &written.differs
                && says_the_same(way.kind, &xml, &written)
            {
                return Err(format!(
                    "{differs}, of\n{xml}\nwritten as\n{}",
                    written.texts[0]
                ));
            }
            if way.is_lost || met.contains(&target) {
                return Ok(());
            }
            told.get_or_insert_with(|| {
                format!("lost from\n{xml}\nwritten as\n{}", written.texts[0])
            });
        }
    }
    Err(told.unwrap_or_default())
}

#[test]
fn what_is_declared_is_read_and_written() {
    let mut met = BTreeSet::new();
    let mut missing = Vec::new();
    let declared = declared();
    for (target, ways) in &declared {
        if !met.contains(target)
            && let Err(told) = covered(*target, ways, &mut met)
        {
            missing.push(format!("{}: {told}\n", ways[0].text));
        }
    }
    assert!(
        missing.is_empty(),
        "{}\n{} of {} are not",
        missing.join("\n"),
        missing.len(),
        declared.len(),
    );
}
