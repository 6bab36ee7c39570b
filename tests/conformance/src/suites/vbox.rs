//! Machine settings of VirtualBox.

use std::fs;

use regex::Regex;
use virtbus_vbox_settings::Settings;

use crate::case::{Case, Expectation};
use crate::compare;
use crate::outcome::{Held, Problem, Refusal};

/// `vboxsnapshot`.
pub(crate) fn settings(case: &Case) -> Held<()> {
    let path = case.path("input")?;
    let input = fs::read(&path)
        .map_err(|e| Problem::failed(format!("cannot read '{}': {e}", path.display())))?;
    let produced = Settings::parse(&input).map_err(Refusal::reading);
    let produced = produced.map(|settings| text(settings.format()));
    match (case.outcome, produced) {
        (Expectation::Ok, Ok(produced)) => {
            let ignored = ignored(case)?;
            let expected = without(&case.expected()?, ignored.as_ref());
            compare::text(&expected, &without(&produced?, ignored.as_ref()))
        }
        (_, produced) => case.check_refused(produced, &String::from_utf8_lossy(&input)),
    }
}

fn text(bytes: Vec<u8>) -> Held<String> {
    String::from_utf8(bytes)
        .map_err(|_| Problem::failed("what was written is not UTF-8, as what is expected"))
}

/// What lines are that do not count.
fn ignored(case: &Case) -> Held<Option<Regex>> {
    let name = "ignore_lines";
    let pattern = case.text(name)?.map(Regex::new).transpose();
    pattern.map_err(|e| Problem::failed(format!("'{name}' in the manifest: {e}")))
}

/// The text without the lines in which `ignored` is found.
fn without(text: &str, ignored: Option<&Regex>) -> String {
    let kept = |line: &&str| ignored.is_none_or(|ignored| !ignored.is_match(line));
    text.split_inclusive('\n').filter(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_match_are_dropped() {
        let ignored = Regex::new("at=[0-9]{2}Z").unwrap();
        let text = "a\nb at=12Z c\nat=1Z\nd at=34Z";
        assert_eq!(without(text, Some(&ignored)), "a\nat=1Z\n");
        assert_eq!(without(text, None), text);
    }
}
