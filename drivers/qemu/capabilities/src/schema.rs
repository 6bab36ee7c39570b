//! QEMU's description of its own protocol, and questions to it.
//!
//! Only answers "is there such a thing"; does not check commands against the schema.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

/// Arrays of arrays are followed so far; QEMU has none, a hostile one might have a circle.
const INDIRECTIONS: usize = 8;

/// The protocol as `query-qmp-schema` tells it. Names of types are QEMU's numbers for them.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    entries: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    features: Vec<String>,
}

#[derive(Debug)]
enum Kind {
    Builtin,
    Enum(Vec<String>),
    Array(String),
    Object {
        members: HashMap<String, Member>,
        variants: HashMap<String, String>,
    },
    Alternate(Vec<String>),
    Command {
        arguments: String,
        returns: String,
    },
    Event(String),
}

#[derive(Debug)]
struct Member {
    kind: String,
    features: Vec<String>,
}

/// One `SchemaInfo`, flat: which members there are depends on `meta-type`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info<'a> {
    name: String,
    #[serde(borrow)]
    meta_type: Cow<'a, str>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    members: Vec<InfoMember>,
    #[serde(default)]
    variants: Vec<InfoVariant>,
    #[serde(default)]
    features: Vec<String>,
    element_type: Option<String>,
    arg_type: Option<String>,
    ret_type: Option<String>,
}

#[derive(Deserialize)]
struct InfoMember {
    /// Members of alternates have none.
    #[serde(default)]
    name: String,
    /// Members of enumerations have none.
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
struct InfoVariant {
    case: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Schema {
    /// Reads the reply of `query-qmp-schema`.
    pub(crate) fn parse(reply: &str) -> Result<Self, serde_json::Error> {
        let infos: Vec<Info<'_>> = serde_json::from_str(reply)?;
        let entries = infos.into_iter().map(Info::into_entry).collect();
        Ok(Self { entries })
    }

    /// The names of all commands.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.names(|kind| matches!(kind, Kind::Command { .. }))
    }

    /// The names of all events.
    pub(crate) fn events(&self) -> Vec<String> {
        self.names(|kind| matches!(kind, Kind::Event(_)))
    }

    fn names(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<String> {
        let found = self.entries.iter().filter(|(_, entry)| wanted(&entry.kind));
        let mut names: Vec<String> = found.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Whether the schema has what `path` describes: the name of a command or event, and then
    ///
    /// | step | meaning |
    /// | --- | --- |
    /// | `>` | what the command returns (else what it takes) |
    /// | `.member` | a member of the object |
    /// | `(case)` | a variant of the object |
    /// | `=value` | a value of the enumeration |
    /// | `#feature` | a feature of what was named last |
    ///
    /// Arrays and alternatives are looked into without being mentioned.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    fn find(&self, path: &str) -> Option<()> {
        let end = path.find(['>', '.', '(', '=', '#']).unwrap_or(path.len());
        let (name, mut rest) = path.split_at(end);
        let entry = self.entries.get(name)?;
        let mut features = vec![entry.features.as_slice()];
        let mut kind = match &entry.kind {
            Kind::Command { arguments, returns } => {
                if let Some(after) = rest.strip_prefix('>') {
                    rest = after;
                    returns
                } else {
                    arguments
                }
            }
            Kind::Event(arguments) => arguments,
            Kind::Builtin
            | Kind::Enum(_)
            | Kind::Array(_)
            | Kind::Object { .. }
            | Kind::Alternate(_) => return None,
        };
        while let Some(step) = rest.chars().next() {
            rest = &rest[step.len_utf8()..];
            let end = rest.find(['.', '(', ')', '=', '#']).unwrap_or(rest.len());
            let word;
            (word, rest) = rest.split_at(end);
            match step {
                '.' => {
                    let member = self
                        .objects(kind)
                        .find_map(|(members, _)| members.get(word))?;
                    kind = &member.kind;
                    features = vec![&member.features];
                    if let Some(entry) = self.entries.get(kind) {
                        features.push(&entry.features);
                    }
                }
                '(' => {
                    rest = rest.strip_prefix(')')?;
                    kind = self
                        .objects(kind)
                        .find_map(|(_, variants)| variants.get(word))?;
                    features = vec![&self.entries.get(kind)?.features];
                }
                '=' => {
                    let values =
                        self.resolve(kind)
                            .into_iter()
                            .find_map(|entry| match &entry.kind {
                                Kind::Enum(values) => Some(values),
                                _ => None,
                            })?;
                    values.iter().find(|value| *value == word)?;
                }
                '#' => {
                    features
                        .iter()
                        .flat_map(|list| list.iter())
                        .find(|name| *name == word)?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// The objects that a type is, or holds as an array or alternative.
    fn objects(
        &self,
        kind: &str,
    ) -> impl Iterator<Item = (&HashMap<String, Member>, &HashMap<String, String>)> {
        self.resolve(kind)
            .into_iter()
            .filter_map(|entry| match &entry.kind {
                Kind::Object { members, variants } => Some((members, variants)),
                _ => None,
            })
    }

    /// A type with arrays and alternatives replaced by what they hold.
    fn resolve(&self, kind: &str) -> Vec<&Entry> {
        let Some(mut entry) = self.entries.get(kind) else {
            return Vec::new();
        };
        for _ in 0..INDIRECTIONS {
            match &entry.kind {
                Kind::Array(element) => match self.entries.get(element) {
                    Some(next) => entry = next,
                    None => return Vec::new(),
                },
                Kind::Alternate(members) => {
                    return members
                        .iter()
                        .filter_map(|member| self.entries.get(member))
                        .collect();
                }
                Kind::Builtin
                | Kind::Enum(_)
                | Kind::Object { .. }
                | Kind::Command { .. }
                | Kind::Event(_) => return vec![entry],
            }
        }
        Vec::new()
    }
}

impl Info<'_> {
    fn into_entry(self) -> (String, Entry) {
        let kind = match (self.meta_type.as_ref(), self.element_type, self.arg_type) {
            ("enum", ..) if self.values.is_empty() => {
                Kind::Enum(self.members.into_iter().map(|m| m.name).collect())
            }
            ("enum", ..) => Kind::Enum(self.values),
            ("array", Some(element), _) => Kind::Array(element),
            ("object", ..) => Kind::Object {
                members: self
                    .members
                    .into_iter()
                    .map(|m| {
                        let member = Member {
                            kind: m.kind,
                            features: m.features,
                        };
                        (m.name, member)
                    })
                    .collect(),
                variants: self
                    .variants
                    .into_iter()
                    .map(|v| (v.case, v.kind))
                    .collect(),
            },
            ("alternate", ..) => {
                Kind::Alternate(self.members.into_iter().map(|m| m.kind).collect())
            }
            ("command", _, Some(arguments)) => Kind::Command {
                arguments,
                returns: self.ret_type.unwrap_or_default(),
            },
            ("event", _, Some(arguments)) => Kind::Event(arguments),
            _ => Kind::Builtin,
        };
        let features = self.features;
        (self.name, Entry { kind, features })
    }
}

#[cfg(test)]
mod tests {
    use super::Schema;

    const SCHEMA: &str = r#"[
        {"name": "add", "meta-type": "command", "arg-type": "1", "ret-type": "4", "features": ["fast"]},
        {"name": "BOOM", "meta-type": "event", "arg-type": "3"},
        {"name": "1", "meta-type": "object", "tag": "driver",
         "members": [{"name": "driver", "type": "2", "features": ["old"]}, {"name": "list", "type": "[4]"}],
         "variants": [{"case": "file", "type": "3"}, {"case": "gone", "type": "99"}]},
        {"name": "2", "meta-type": "enum", "values": ["file", "nbd"]},
        {"name": "3", "meta-type": "object", "members": [{"name": "ref", "type": "5", "default": null}], "features": ["big"]},
        {"name": "4", "meta-type": "object", "members": [{"name": "mode", "type": "6"}]},
        {"name": "[4]", "meta-type": "array", "element-type": "4"},
        {"name": "5", "meta-type": "alternate", "members": [{"type": "str"}, {"type": "4"}]},
        {"name": "6", "meta-type": "enum", "members": [{"name": "on"}, {"name": "off"}]},
        {"name": "str", "meta-type": "builtin", "json-type": "string"},
        {"name": "loop", "meta-type": "command", "arg-type": "[loop]", "ret-type": "none"},
        {"name": "[loop]", "meta-type": "array", "element-type": "[loop]"},
        {"name": "new", "meta-type": "moonbeam"}
    ]"#;

    #[test]
    fn paths_are_followed() {
        let schema = Schema::parse(SCHEMA).unwrap();
        for path in [
            "add",
            "add#fast",
            "add>",
            "add>.mode",
            "add>.mode=on",
            "add.driver",
            "add.driver=nbd",
            "add.driver#old",
            "add(file)",
            "add(file)#big",
            "add(file).ref",
            "add(file).ref.mode",
            "add(file).ref.mode=off",
            "add.list.mode",
            "BOOM",
            "BOOM.ref",
        ] {
            assert!(schema.has(path), "{path}");
        }
        for path in [
            "",
            "1",
            "1.driver",
            "sub",
            "add#slow",
            "add>.x",
            "add.driver=x",
            "add.driver#fast",
            "add(nbd)",
            "add(gone)",
            "add(file",
            "add(file).ref=x",
            "add=file",
            "loop.x",
            "new.x",
            "BOOM>",
            "add>>",
            "add.é(",
        ] {
            assert!(!schema.has(path), "{path}");
        }
        assert_eq!(schema.commands(), ["add", "loop"]);
        assert_eq!(schema.events(), ["BOOM"]);
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in ["", "{}", "[1]", r#"[{"name": 5}]"#] {
            assert!(Schema::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_table_asks_in_the_right_form() {
        use super::super::rule::Rule;
        use super::super::table::Cap;
        let well_formed = |path: &str| {
            path.matches('(').count() == path.matches(')').count()
                && !path.contains(' ')
                && path.chars().next().is_some_and(char::is_alphabetic)
        };
        for cap in Cap::ALL {
            if let Rule::Schema(path) = cap.rule() {
                assert!(well_formed(path), "{cap}: {path}");
            }
        }
    }
}
