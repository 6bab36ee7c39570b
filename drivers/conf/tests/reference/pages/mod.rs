//! Reference pages: `data/xml`, written from descriptions.
//!
//! A page for each kind of document, one for what several have, and an index. `VIRTBUS_UPDATE=1` rewrites them.

mod section;
mod types;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use self::section::Writer;
use self::types::{SHARED, Sections};
use crate::kinds::DOCUMENTS;

const NOTE: &str = "<!-- Written by VIRTBUS_UPDATE=1 cargo test -p virtbus-conf-tests --test reference; do not edit. -->\n\n";

/// How tables are to be read, for the index.
const READING: &str = "\
Each section is an element, by its path, and lists what may be in it: `@name` is an attribute, `text()` the element's
own text, any other name a child element, with a text of these values or a section of its own. `name[@a='b']` is an
element of which this attribute tells what it is, `*` stands for elements that are named by the values, and `…` for parts that
several elements have. What an attribute chooses follows the table in which it is.

An attribute or element that is absent leaves the choice to the driver, unless a default is told. Parts that are only
written are told by the daemon and ignored when they are read; those that are only read are written as something else, or
not at all. What does not go together, although each part is allowed, is refused with an error that names it.
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../data/xml")
}

/// The pages: names of files, and their texts.
fn pages() -> Vec<(String, String)> {
    let sections = Sections::new();
    let mut pages = vec![("README.md".to_owned(), index())];
    for kind in DOCUMENTS.iter() {
        let title = format!("# The document `<{}>`\n", kind.root);
        pages.push((
            format!("{}.md", kind.name),
            page(&sections, kind.name, &title),
        ));
    }
    let title = "# What several documents have\n";
    pages.push((format!("{SHARED}.md"), page(&sections, SHARED, title)));
    pages
}

fn page(sections: &Sections, page: &'static str, title: &str) -> String {
    let mut writer = Writer {
        page,
        sections,
        out: format!("{title}\n{NOTE}How to read the tables is told in the [index](README.md).\n"),
    };
    for name in &sections.order {
        if let Some(section) = sections.by_type.get(name).filter(|s| s.page == page) {
            writer.section(section);
        }
    }
    let text = writer.out.trim_end();
    format!("{text}\n")
}

fn index() -> String {
    let mut out = format!("# XML documents\n\n{NOTE}");
    for kind in DOCUMENTS.iter() {
        let about = (kind.describe)().doc;
        let about = about.split_once(": ").map_or(about, |(_, about)| about);
        let _ = writeln!(out, "- [`<{}>`]({}.md): {about}", kind.root, kind.name);
    }
    let _ = write!(
        out,
        "- [what several of them have]({SHARED}.md)\n\n## Reading the pages\n\n{READING}"
    );
    out
}

#[test]
fn pages_tell_what_types_declare() {
    let pages = pages();
    let update = std::env::var_os("VIRTBUS_UPDATE").is_some();
    if update {
        fs::create_dir_all(folder()).expect("the folder can be made");
    }
    for (name, text) in &pages {
        let path = folder().join(name);
        if update {
            fs::write(&path, text).expect("the page can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let differs = committed.lines().zip(text.lines()).find(|(a, b)| a != b);
        assert!(
            committed == *text,
            "{name} is not what it should be: {differs:?}"
        );
    }
    let known = |name: &str| pages.iter().any(|(page, _)| page == name);
    for entry in fs::read_dir(folder()).expect("there are pages") {
        let name = entry.expect("the folder can be read").file_name();
        let name = name.to_string_lossy();
        assert!(known(&name), "nothing tells of {name}");
    }
}

/// The places that links of `text` lead to: `page.md#anchor`, of `page` itself where the link names none.
fn links<'t>(page: &'t str, text: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    text.split("](").skip(1).map(move |rest| {
        let target = rest.split(')').next().unwrap_or_default();
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        (if file.is_empty() { page } else { file }, anchor)
    })
}

#[test]
fn links_lead_to_sections() {
    let pages = pages();
    for (page, text) in &pages {
        for (file, anchor) in links(page, text) {
            let target = pages.iter().find(|(name, _)| name == file);
            let Some((_, target)) = target else {
                panic!("{page} leads to {file}, which is no page")
            };
            let id = format!("<a id=\"{anchor}\"></a>");
            let count = target.matches(&id).count();
            assert!(
                anchor.is_empty() || count == 1,
                "{page}: {count} of {file}#{anchor}"
            );
        }
    }
}
