//! Committed files that are generated: compared with what the generator gives today, or written
//! anew where the environment asks for it.

use std::fs;

use crate::tracked;

/// The environment variable that has generated files rewritten.
pub const BLESS: &str = "VIRTBUS_BLESS";

/// Compares a committed file with what it is to be, or writes it if `VIRTBUS_BLESS=1`.
///
/// # Errors
/// Where the two differ, and how to mend it.
pub fn compare(path: &str, wanted: &str) -> Result<(), String> {
    let file = tracked::root().join(path);
    if std::env::var_os(BLESS).is_some_and(|value| value == "1") {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)
                .map_err(|error| format!("cannot make the folder of {path}: {error}"))?;
        }
        return fs::write(&file, wanted).map_err(|error| format!("cannot write {path}: {error}"));
    }
    let committed =
        fs::read_to_string(&file).map_err(|error| format!("cannot read {path}: {error}"))?;
    match difference(&committed, wanted) {
        None => Ok(()),
        Some(difference) => Err(format!(
            "{path} is not what is generated ({BLESS}=1 writes it): {difference}"
        )),
    }
}

/// The first line that differs.
fn difference(committed: &str, wanted: &str) -> Option<String> {
    if committed == wanted {
        return None;
    }
    let (mut old, mut new) = (committed.lines(), wanted.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => {}
            (None, None) => return Some("only the ends of lines differ".to_owned()),
            (old, new) => {
                let [old, new] = [old, new].map(|line| line.unwrap_or("(the end)"));
                return Some(format!("line {number} is `{old}`, generated is `{new}`"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let longer = difference("a\n", "a\nb\n").unwrap();
        assert_eq!(longer, "line 2 is `(the end)`, generated is `b`");
        assert!(difference("a", "a\n").unwrap().contains("ends of lines"));
    }
}
