//! Documents to begin with: the product's own test data, and any folder that is named.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use virtbus_xml::Fragment;

use crate::targets::{Place, Target};
use crate::tree::each;

/// Larger files are left out: mutating them takes long and finds nothing that smaller ones do not.
const LARGEST: u64 = 128 << 10;

/// Well-formed documents, in the order of their paths.
#[derive(Debug, Clone, Default)]
pub struct Seeds {
    documents: Vec<Fragment>,
}

impl Seeds {
    /// The product's own documents.
    ///
    /// # Errors
    /// If the checkout cannot be read.
    pub fn own() -> io::Result<Self> {
        let mut seeds = Self::default();
        let folders = [
            "../../drivers/conf/domain/tests/data",
            "../../drivers/conf/host/tests/data",
            "../../drivers/conf/storage/tests/data",
            "seeds",
            "regressions",
        ];
        for folder in folders {
            seeds.add(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))?;
        }
        Ok(seeds)
    }

    /// Adds the documents below `folder`; files that are no XML are passed over.
    ///
    /// # Errors
    /// If a folder or file cannot be read.
    pub fn add(&mut self, folder: &Path) -> io::Result<()> {
        for path in xml_files(folder)? {
            if fs::metadata(&path)?.len() > LARGEST {
                continue;
            }
            let bytes = fs::read(&path)?;
            let text = String::from_utf8_lossy(&bytes);
            self.documents.extend(Fragment::parse_document(&text).ok());
        }
        Ok(())
    }

    /// What `target` begins with.
    #[must_use]
    pub fn of(&self, target: &Target) -> Vec<Fragment> {
        let mut found = Vec::new();
        for document in &self.documents {
            let root = document.name.as_str();
            match target.place {
                Place::Any => found.push(document.clone()),
                Place::Document(name) if root == name => found.push(document.clone()),
                Place::Elements(roots, names) if roots.contains(&root) => {
                    let mut taken = |element: &Fragment| {
                        if names.contains(&element.name.as_str()) {
                            found.push(document.lift(element));
                        }
                    };
                    each(document, &mut taken);
                }
                Place::Children(name, parent) if root == name => each(document, &mut |element| {
                    if element.name == parent {
                        found.extend(element.elements().map(|child| document.lift(child)));
                    }
                }),
                Place::Document(_) | Place::Elements(..) | Place::Children(..) => {}
            }
        }
        found.dedup();
        found
    }
}

/// The files that end in `.xml` below `folder`, sorted.
///
/// # Errors
/// If a folder cannot be read.
pub fn xml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "xml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::TARGETS;

    #[test]
    fn every_target_has_something_to_begin_with() {
        let seeds = Seeds::own().unwrap();
        for target in TARGETS {
            assert!(!seeds.of(target).is_empty(), "{}", target.name);
        }
    }
}
