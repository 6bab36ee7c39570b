//! One section of a page: an element, or parts that several elements have.

use std::fmt::Write as _;

use virtbus_xml::{Choice, Description, Kind, Occurs, Part, Values, Way};

use super::types::{SHARED, Section, Sections};

/// Writes sections of one page.
pub(super) struct Writer<'s> {
    pub(super) page: &'static str,
    pub(super) sections: &'s Sections,
    pub(super) out: String,
}

/// A table, with what has to stand behind it.
#[derive(Default)]
struct Table {
    rows: Vec<String>,
    behind: Vec<Behind>,
    /// Whether one of the parts is there.
    is_choice: bool,
    /// What is said of a part that has no comment.
    about: &'static str,
}

enum Behind {
    /// What an attribute, at this path, chooses.
    Choice(String, &'static Part, &'static Choice),
    /// Parts of which one is there.
    Alternatives(String, &'static Description),
    /// An element without a type, by its path.
    Inline(String, &'static Part, &'static [Part]),
}

const HEAD: &str = "| | values | how often | if absent | |\n|---|---|---|---|---|\n";

/// How many places a section names in which it is.
const PLACES: usize = 12;

impl Writer<'_> {
    pub(super) fn section(&mut self, section: &Section) {
        let description = section.description;
        let title = title(section);
        let anchor = anchor(description.type_name);
        let out = &mut self.out;
        out.truncate(out.trim_end().len());
        let _ = write!(out, "\n\n<a id=\"{anchor}\"></a>\n\n## {title}\n\n");
        let name = section.names.first();
        let is_plain = name.is_some_and(|name| description.doc == format!("`<{name}>`."));
        if !is_plain && !description.doc.is_empty() {
            let _ = write!(out, "{}\n\n", plain(description.doc));
        }
        self.places(section);
        if description.alternatives {
            self.alternatives(description);
        }
        self.table("", description.parts, description.alternatives);
    }

    /// Says where else the section's parts are.
    fn places(&mut self, section: &Section) {
        let mut users = Vec::new();
        for user in &section.users {
            self.holders(user, &mut users, 0);
        }
        if users.len() < 2 && section.is_element {
            return;
        }
        let more = users.len().saturating_sub(PLACES);
        let links = users.iter().take(PLACES).map(|user| self.link(user));
        let mut text = links.collect::<Vec<_>>().join(", ");
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
        let _ = write!(self.out, "Part of {text}.\n\n");
    }

    /// The sections in which the parts of the type `user` stand.
    fn holders(&self, user: &'static str, found: &mut Vec<&'static str>, depth: u32) {
        let is_section = self.sections.by_type.contains_key(user);
        if is_section && !found.contains(&user) {
            found.push(user);
        }
        if !is_section && depth < 8 {
            for outer in self.sections.users(user) {
                self.holders(outer, found, depth + 1);
            }
        }
    }

    fn table(&mut self, path: &str, parts: &'static [Part], is_choice: bool) {
        let mut table = Table {
            is_choice,
            ..Table::default()
        };
        self.rows(path, parts, &mut table);
        if !table.rows.is_empty() {
            self.out.push_str(HEAD);
            for row in &table.rows {
                let _ = writeln!(self.out, "{row}");
            }
            self.out.push('\n');
        }
        for behind in table.behind {
            match behind {
                Behind::Choice(path, part, choice) => self.choice(&path, part, choice),
                Behind::Alternatives(path, description) => {
                    self.alternatives(description);
                    self.table(&path, description.parts, true);
                }
                Behind::Inline(path, part, parts) => {
                    let _ = write!(self.out, "In `{path}`: {}\n\n", plain(part.doc));
                    self.table("", parts, false);
                }
            }
        }
    }

    fn alternatives(&mut self, description: &Description) {
        let any = description
            .parts
            .iter()
            .any(|part| part.occurs == Occurs::Many);
        let text = if any {
            "Any of these, in any order"
        } else {
            "One of these"
        };
        let _ = write!(self.out, "{text}:\n\n");
    }

    fn choice(&mut self, path: &str, part: &'static Part, choice: &'static Choice) {
        let inner = match choice.body {
            Some(body) => join(path, body),
            None => path.to_owned(),
        };
        for variant in choice.variants.iter().filter(|v| !v.parts.is_empty()) {
            let name = join(path, &format!("@{}", part.name));
            let default = if variant.default {
                ", or without it"
            } else {
                ""
            };
            let doc = plain(variant.doc);
            let _ = write!(
                self.out,
                "With `{name}='{}'`{default}: {doc}\n\n",
                variant.name
            );
            self.table(&inner, variant.parts, false);
        }
    }

    fn rows(&self, path: &str, parts: &'static [Part], table: &mut Table) {
        for part in parts {
            let mut path = path.to_owned();
            for step in part.within {
                path = if step.name == ".." {
                    path.rsplit_once('/')
                        .map_or("", |(outer, _)| outer)
                        .to_owned()
                } else {
                    join(&path, &selected(step.name, step.fixed))
                };
            }
            let element = join(&path, &selected(part.name, part.fixed));
            let mut row = |name: &str, values: String| table.row(part, name, &values);
            match &part.kind {
                Kind::Attribute(values) => {
                    row(&join(&path, &format!("@{}", part.name)), told(values));
                }
                Kind::Text(values) => row(&join(&path, "text()"), told(values)),
                Kind::TextElement(values) => row(&element, told(values)),
                Kind::AttributeElement(name, values) => {
                    row(&join(&element, &format!("@{name}")), told(values));
                }
                Kind::Flag => row(&element, "empty".to_owned()),
                Kind::Foreign => row(&element, "anything".to_owned()),
                Kind::Named(values, attribute) => {
                    let behind = attribute.map_or(String::new(), |a| format!("/@{a}"));
                    row(&format!("{}{behind}", join(&path, "*")), told(values));
                }
                Kind::Element(describe) => row(&element, self.link(describe().type_name)),
                Kind::Inline(parts) => {
                    row(&element, "see below".to_owned());
                    table.behind.push(Behind::Inline(element, part, parts));
                }
                Kind::Flat(describe) => self.flat(&path, part, describe(), table),
                Kind::Choice(choice) => {
                    let words: Vec<&str> = choice.variants.iter().map(|v| v.name).collect();
                    let default = choice.variants.iter().find(|v| v.default);
                    let name = join(&path, &format!("@{}", part.name));
                    let absent = default.map_or("", |v| v.name);
                    let cells = [&name, &list(&words), often(part), absent, part.doc];
                    table.rows.push(line(part, cells));
                    table.behind.push(Behind::Choice(path, part, choice));
                }
            }
        }
    }

    fn flat(&self, path: &str, part: &Part, inner: &'static Description, table: &mut Table) {
        if self.sections.by_type.contains_key(inner.type_name) {
            let name = join(path, "…");
            table.row(part, &name, &self.link(inner.type_name));
        } else if inner.alternatives {
            table
                .behind
                .push(Behind::Alternatives(path.to_owned(), inner));
        } else {
            let outer = std::mem::replace(&mut table.about, part.doc);
            self.rows(path, inner.parts, table);
            table.about = outer;
        }
    }

    /// A link to the section of a type.
    fn link(&self, type_name: &'static str) -> String {
        let Some(section) = self.sections.by_type.get(type_name) else {
            return "empty".to_owned();
        };
        let page = if section.page == self.page {
            String::new()
        } else {
            format!("{}.md", section.page)
        };
        let name = title(section);
        format!("[{name}]({page}#{})", anchor(type_name))
    }
}

/// What a section is called: its path, or for what is in several documents the last of it.
pub(super) fn title(section: &Section) -> String {
    if !section.is_element {
        let name = section.description.type_name;
        return words(name.rsplit("::").next().unwrap_or(name));
    }
    if section.page == SHARED {
        let about = section.description.type_name;
        let about = words(about.rsplit("::").next().unwrap_or(about));
        return match section.names.first() {
            Some(name) if section.names.len() == 1 => format!("`{name}`: {about}"),
            _ => about,
        };
    }
    format!("`{}`", section.path)
}

/// `DeviceInfo` as "device info".
fn words(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// What a section is linked by.
fn anchor(type_name: &str) -> String {
    let path = type_name
        .split_once("::")
        .map_or(type_name, |(_, path)| path);
    path.replace("::", "-").to_ascii_lowercase()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

/// An element's name with the attributes that tell it from others.
fn selected(name: &str, fixed: &[(&str, &str)]) -> String {
    let tests = fixed
        .iter()
        .map(|(name, value)| format!("[@{name}='{value}']"));
    format!("{name}{}", tests.collect::<String>())
}

impl Table {
    fn row(&mut self, part: &Part, name: &str, values: &str) {
        let often = match part.occurs {
            Occurs::Required | Occurs::Optional if self.is_choice => "one of these",
            _ => often(part),
        };
        let doc = if part.doc.is_empty() {
            self.about
        } else {
            part.doc
        };
        let cells = [name, values, often, part.absent, doc];
        self.rows.push(line(part, cells));
    }
}

fn line(part: &Part, [name, values, often, absent, doc]: [&str; 5]) -> String {
    let note = match part.way {
        Way::Both => "",
        Way::In => " Only read.",
        Way::Out => " Only written.",
    };
    let doc = plain(doc);
    let absent = plain(absent);
    format!("| `{name}` | {values} | {often} | {absent} | {doc}{note} |")
}

fn often(part: &Part) -> &'static str {
    match part.occurs {
        Occurs::Required => "once",
        Occurs::Optional => "optional",
        Occurs::Many => "any number",
    }
}

/// What values there are.
fn told(values: &Values) -> String {
    let words = values.words();
    if words.is_empty() {
        plain(&values.expected())
    } else {
        list(&words)
    }
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// A comment as it stands on a page: no links to code, no bars that would end a cell.
fn plain(doc: &str) -> String {
    let doc = doc.replace("[`", "`").replace("`]", "`");
    doc.replace('|', "\\|")
}
