//! The manual page tells of the options that there are, and of no others.

use std::collections::BTreeSet;
use std::fs;

use virtbus_repo_tests::tracked;

/// clap adds these.
const EVERY_PROGRAM_S: [&str; 2] = ["--help", "--version"];

/// The options that are declared: fields below `#[arg(long, …)]`, spelt as clap does.
fn declared(source: &str) -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    let mut lines = source.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if !line.starts_with("#[arg(") {
            continue;
        }
        assert!(line.starts_with("#[arg(long"), "a new form: {line}");
        let field = lines.find(|line| line.starts_with("pub(crate) "));
        let field = field.expect("an option has a field");
        let name = field["pub(crate) ".len()..].split(':').next();
        let name = name.expect("a field has a name").replace('_', "-");
        options.insert(format!("--{name}"));
    }
    options
}

/// The options that have a paragraph of their own in the page.
fn described(page: &str) -> BTreeSet<String> {
    let plain = page.replace("\\-", "-");
    let mut options = BTreeSet::new();
    let mut lines = plain.lines();
    while let Some(line) = lines.next() {
        if line != ".TP" {
            continue;
        }
        let tag = lines.next().unwrap_or_default();
        options.extend(
            tag.split_whitespace()
                .map(|word| word.trim_matches(|letter| ",\"".contains(letter)))
                .filter(|word| word.starts_with("--"))
                .map(ToOwned::to_owned),
        );
    }
    options
}

#[test]
fn the_manual_page_describes_every_option_and_no_other() {
    let read = |path| fs::read_to_string(tracked::root().join(path)).unwrap();
    let mut wanted = declared(&read("service/src/cli.rs"));
    assert!(wanted.contains("--state-dir"), "{wanted:?}");
    wanted.extend(EVERY_PROGRAM_S.map(ToOwned::to_owned));
    assert_eq!(described(&read("data/man/virtbusd.8")), wanted);
}

#[test]
fn options_are_found_in_both_spellings() {
    let source = "    /// Why.\n    #[arg(long, value_name = \"DIR\")]\n    pub(crate) state_dir: Option<PathBuf>,\n";
    let page = ".TP\n.BI \\-\\-state\\-dir \" DIR\"\nWhere.\n";
    assert_eq!(declared(source), described(page));
}
