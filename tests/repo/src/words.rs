//! What an entry of a reference must not be: too short to say anything, a pointer to another entry, or its own name again.
//!
//! Whether an entry is true, and whether it names unit and default, is for whoever reviews the generated pages.

use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An entry of a reference: something with a name, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands, for messages.
    pub place: String,
    /// What is described: an element, an attribute, a member.
    pub name: String,
    /// What is said of it.
    pub text: String,
}

/// The fewest words that can say something.
const FEWEST: usize = 4;

/// Texts that send the reader elsewhere.
const POINTERS: [&str; 3] = ["The same", "See above", "As above"];

/// Words that say nothing by themselves.
const EMPTY: [&str; 12] = [
    "a", "an", "and", "for", "in", "is", "its", "of", "on", "the", "this", "to",
];

impl Entry {
    /// What is wrong with the text, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let words = words(&self.text);
        if words.len() < FEWEST {
            return Some("fewer than four words");
        }
        if POINTERS.iter().any(|pointer| self.text.contains(pointer)) {
            return Some("a pointer to another entry");
        }
        let said = stems(&self.text);
        if said.is_subset(&stems(&self.name)) {
            return Some("only the words of its name");
        }
        None
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect()
}

/// The words that say something, in lower case and without the plural's s; names are taken apart where a word begins.
fn stems(text: &str) -> BTreeSet<String> {
    let mut spaced = String::new();
    let mut last = ' ';
    for letter in text.chars() {
        if !letter.is_alphanumeric() {
            spaced.push(' ');
        } else {
            if letter.is_uppercase() && last.is_lowercase() {
                spaced.push(' ');
            }
            spaced.extend(letter.to_lowercase());
        }
        last = letter;
    }
    spaced
        .split_whitespace()
        .filter(|word| !EMPTY.contains(word))
        .map(|word| word.strip_suffix('s').unwrap_or(word).to_owned())
        .collect()
}

/// The entries of a page of the XML reference: each section's introduction, the rows of its tables, and what is said of the
/// values of attributes that choose.
#[must_use]
pub fn of_page(page: &str, text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut section = String::new();
    let entry = |section: &str, name: &str, text: &str| Entry {
        place: format!("{page}, {section}"),
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let mut introduced = true;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("## ") {
            if !introduced {
                entries.push(entry(&section, &section, ""));
            }
            title.clone_into(&mut section);
            introduced = false;
        } else if let Some(row) = line.strip_prefix("| `") {
            let (name, _) = row.split_once('`').unwrap_or((row, ""));
            let text = row.trim_end_matches(" |").rsplit_once(" | ");
            let text = text.map_or("", |(_, text)| text);
            entries.push(entry(&section, name, text));
        } else if line.starts_with("With `") || line.starts_with("In `") {
            let (name, text) = line.split_once(": ").unwrap_or((line, ""));
            entries.push(entry(&section, name, text));
        } else if !introduced && !line.starts_with('|') && !line.starts_with("Part of ") {
            introduced = true;
            entries.push(entry(&section, &section, line));
        }
    }
    if !introduced {
        entries.push(entry(&section, &section, ""));
    }
    entries
}

/// The entries of an interface's introspection: the interface and its members. A member without one has an empty one.
///
/// # Panics
/// When the document is not well-formed.
#[must_use]
pub fn of_introspection(file: &str, xml: &str) -> Vec<Entry> {
    const DESCRIBED: [&str; 4] = ["interface", "method", "property", "signal"];
    let mut reader = Reader::from_str(xml);
    let mut entries: Vec<Entry> = Vec::new();
    let mut in_argument = false;
    loop {
        let event = reader.read_event().expect("it is well-formed");
        let (element, is_open) = match &event {
            Event::Eof => return entries,
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(end) => {
                in_argument &= end.name().as_ref() != "arg";
                continue;
            }
            _ => continue,
        };
        let kind = element.name().as_ref().to_owned();
        if kind == "arg" {
            in_argument = is_open;
        } else if DESCRIBED.contains(&&*kind) {
            entries.push(Entry {
                place: format!("{file}, {kind}"),
                name: attribute(element, "name"),
                text: String::new(),
            });
        } else if kind == "annotation"
            && !in_argument
            && attribute(element, "name") == "org.gtk.GDBus.DocString"
            && let Some(entry) = entries.last_mut()
        {
            entry.text = attribute(element, "value");
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let found = element.attributes().filter_map(Result::ok);
    let mut found = found.filter(|attribute| attribute.key.as_ref() == name);
    found
        .next()
        .map(|attribute| attribute.value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, text: &str) -> Option<&'static str> {
        let entry = Entry {
            place: String::new(),
            name: name.to_owned(),
            text: text.to_owned(),
        };
        entry.fault()
    }

    #[test]
    fn what_says_nothing_is_found() {
        assert_eq!(fault("launchSecurity", ""), Some("fewer than four words"));
        let short = fault("launchSecurity", "Confidentiality.");
        assert_eq!(short, Some("fewer than four words"));
        let pointer = fault(
            "DetachDeviceAlias",
            "The same for the device with this alias.",
        );
        assert_eq!(pointer, Some("a pointer to another entry"));
        let name = fault("bootMenu/@timeouts", "The timeout of the boot menu.");
        assert_eq!(name, Some("only the words of its name"));
        let said = fault(
            "bootmenu/@timeout",
            "Time in milliseconds for which the menu waits.",
        );
        assert_eq!(said, None);
    }

    #[test]
    fn a_page_is_taken_apart() {
        let page = "# The document\n\n## `a`\n\n`<a>`: what it is.\n\n| | values | how often | if absent | |\n|---|---|---|---|---|\n\
                    | `b/@c` | `x`, `y` | once |  | What c is. |\n\nWith `@c='x'`: What x is.\n\n## `d`\n\n| `e` | text | once |  |  |\n";
        let entries = of_page("a.md", page);
        let short: Vec<_> = entries.iter().map(|e| (&*e.name, &*e.text)).collect();
        let wanted = [
            ("`a`", "`<a>`: what it is."),
            ("b/@c", "What c is."),
            ("With `@c='x'`", "What x is."),
            ("e", ""),
            ("`d`", ""),
        ];
        assert_eq!(short, wanted);
    }

    #[test]
    fn an_introspection_is_taken_apart() {
        let doc =
            |text: &str| format!("<annotation name=\"org.gtk.GDBus.DocString\" value=\"{text}\"/>");
        let xml = format!(
            "<node><interface name=\"a.b\">{}<method name=\"Go\">{}<arg name=\"x\">{}</arg></method><signal name=\"Gone\"/></interface></node>",
            doc("An interface."),
            doc("What it does."),
            doc("Not this."),
        );
        let entries = of_introspection("a.b.xml", &xml);
        let short: Vec<_> = entries.iter().map(|e| (&*e.name, &*e.text)).collect();
        let wanted = [
            ("a.b", "An interface."),
            ("Go", "What it does."),
            ("Gone", ""),
        ];
        assert_eq!(short, wanted);
    }
}
