//! The files that git tracks, as they are in the working tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2);
    root.expect("this crate is two folders below the top")
        .to_owned()
}

/// A tracked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path below the top, with `/`.
    pub path: String,
    /// What is in it; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Every tracked file that is in the working tree, by path.
///
/// # Errors
/// That this is no checkout, or git is missing: a reason to skip.
///
/// # Panics
/// When a tracked file cannot be read.
pub fn files() -> Result<Vec<File>, String> {
    let root = root();
    let listed = Command::new("git")
        // A build may run as another user than the one that owns the clone.
        .arg("-c")
        .arg(format!("safe.directory={}", root.display()))
        .args(["ls-files", "-z", "--cached", "--full-name"])
        .current_dir(&root)
        .output()
        .map_err(|error| format!("needs git: {error}"))?;
    if !listed.status.success() {
        let said = String::from_utf8_lossy(&listed.stderr);
        return Err(format!("needs a git checkout: {}", said.trim()));
    }
    let names = String::from_utf8(listed.stdout).expect("tracked files have names in UTF-8");
    let mut files = Vec::new();
    for path in names.split_terminator('\0') {
        let place = root.join(path);
        if !place.is_file() {
            continue;
        }
        let bytes = fs::read(&place).unwrap_or_else(|error| panic!("{path}: {error}"));
        files.push(File {
            path: path.to_owned(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        });
    }
    if files.is_empty() {
        return Err("needs a git checkout: nothing is tracked here".to_owned());
    }
    Ok(files)
}

/// The tracked sources in Rust.
///
/// # Errors
/// As [`files`].
///
/// # Panics
/// As [`files`].
pub fn rust_sources() -> Result<Vec<File>, String> {
    let mut files = files()?;
    files.retain(|file| file.path.ends_with(".rs"));
    Ok(files)
}
