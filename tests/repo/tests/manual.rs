//! The manual pages tell of the options and interfaces that there are, and of no others; they can be shown, and name each
//! other rightly.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use virtbus_repo_tests::{man, tracked};
use virtbus_skip::skip;

/// clap adds these.
const EVERY_PROGRAM_S: [&str; 2] = ["--help", "--version"];

fn read(path: &str) -> String {
    fs::read_to_string(tracked::root().join(path)).expect("it is there")
}

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

/// The pages: file name and text.
fn pages() -> Vec<(String, String)> {
    let folder = tracked::root().join(man::FOLDER);
    let entries = fs::read_dir(folder).expect("there are pages");
    let mut pages: Vec<(String, String)> = entries
        .map(|entry| {
            let entry = entry.expect("pages can be listed");
            let text = fs::read_to_string(entry.path()).expect("pages can be read");
            (entry.file_name().to_string_lossy().into_owned(), text)
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn pages_are_shown_without_a_warning() {
    let formatter = |page: &str| {
        let path = tracked::root().join(man::FOLDER).join(page);
        let groff = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-z"])
            .arg(&path)
            .output();
        groff.or_else(|_| {
            Command::new("mandoc")
                .args(["-man", "-Tlint", "-Wwarning"])
                .arg(&path)
                .output()
        })
    };
    let mut seen = 0;
    for (page, _) in pages() {
        let shown = match formatter(&page) {
            Ok(shown) => shown,
            Err(_) => skip!("needs groff or mandoc"),
        };
        let said = [shown.stdout, shown.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said), "", "{page}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} pages");
}

#[test]
fn pages_are_called_as_their_files_and_name_pages_that_are_there() {
    let pages = pages();
    let there: BTreeSet<&str> = pages.iter().map(|(file, _)| file.as_str()).collect();
    for (file, text) in &pages {
        let (name, section) = file.rsplit_once('.').expect("a page has a section");
        let plain = text.replace("\\-", "-");
        let title = format!(".TH {} {section} ", name.to_uppercase());
        assert!(plain.contains(&title), "{file}: {title}");
        assert!(plain.contains(&format!(".SH NAME\n{name} - ")), "{file}");
        for line in plain.lines().filter(|line| line.starts_with(".BR ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, name, section, ..] = words.as_slice() else {
                continue;
            };
            let Some(section) = section.strip_prefix('(') else {
                continue;
            };
            let ours = ["virtbus", "org.libvirt."];
            if ours.iter().any(|start| name.starts_with(start)) {
                let section = section.split(')').next().unwrap_or_default();
                let page = format!("{name}.{section}");
                assert!(there.contains(page.as_str()), "{file} names {page}");
            }
        }
    }
}

#[test]
fn the_overview_has_every_interface_with_its_folder_and_no_other() {
    let overview = read("data/man/virtbus-dbus.7");
    let rows: Vec<Vec<&str>> = overview
        .lines()
        .filter(|line| line.starts_with("DRIVER") || line.starts_with("/org/libvirt  "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let told: BTreeSet<String> = rows.iter().map(|row| row[1].to_owned()).collect();
    let served: BTreeSet<String> = virtbus_dbus::documents()
        .into_iter()
        .map(|(file, _)| file.trim_end_matches(".xml").to_owned())
        .collect();
    assert_eq!(told, served);

    let folders: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row[0].strip_prefix("DRIVER/"))
        .collect();
    let tree = read("interfaces/dbus/src/tree.rs");
    let table = tree
        .split("const KINDS: ")
        .nth(1)
        .expect("there is a table");
    let table = table.split("];").next().expect("it has an end");
    let served: BTreeSet<&str> = table.split('"').skip(1).step_by(2).collect();
    assert_eq!(folders, served);
}

#[test]
fn the_overview_has_every_error_of_the_protocol() {
    let overview = read("data/man/virtbus-dbus.7");
    let section = overview.split(".SH ERRORS\n").nth(1).expect("a section");
    let section = section.split("\n.SH ").next().expect("it has an end");
    let source = read("interfaces/dbus/src/error.rs");
    let errors: BTreeSet<&str> = source
        .split("\"org.freedesktop.DBus.Error.")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(errors.len() > 5, "{errors:?}");
    for error in errors {
        let told = section
            .lines()
            .filter(|line| line.starts_with(".B"))
            .flat_map(|line| line.split([' ', '.', '"', ',']))
            .any(|word| word == error);
        assert!(told, "the overview does not tell of {error}");
    }
}
