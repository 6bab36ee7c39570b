//! Rules by which a capability is found, and the facts about a binary that they are applied to.

use std::collections::{BTreeSet, HashMap};

use virtbus_qemu_monitor::commands::qom::ObjectProperty;

use super::schema::Schema;

/// What must hold for a binary to have a capability.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// One of these QOM types exists.
    Type(&'static [&'static str]),
    /// A device type has a property.
    DeviceProperty(&'static str, &'static str),
    /// An object, machine or CPU type has a property.
    ObjectProperty(&'static str, &'static str),
    /// A device type has a property that is false unless set.
    DefaultsToFalse(&'static str, &'static str),
    /// The command line has an option.
    Option(&'static str),
    /// An option of the command line has a parameter.
    Parameter(&'static str, &'static str),
    /// The schema has this; see [`Schema::has`] for the syntax.
    Schema(&'static str),
    /// Migration has this capability.
    Migration(&'static str),
    /// A front end for trusted platform modules.
    TpmModel(&'static str),
    /// A back end for trusted platform modules.
    TpmType(&'static str),
    /// A CPU model.
    CpuModel(&'static str),
    /// A query was answered, not refused.
    Answered(&'static str),
    /// KVM is built in and there.
    KvmEnabled,
    /// Any of these.
    Either(&'static [Rule]),
    /// All of these.
    Both(&'static [Rule]),
}

/// What a binary said about itself, ready for the rules.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// QOM types.
    pub(crate) types: BTreeSet<String>,
    /// Properties by type.
    pub(crate) properties: HashMap<String, Vec<ObjectProperty>>,
    /// Options of the command line and their parameters.
    pub(crate) options: HashMap<String, BTreeSet<String>>,
    /// The protocol.
    pub(crate) schema: Schema,
    /// What migration can do.
    pub(crate) migration: BTreeSet<String>,
    /// Front ends for trusted platform modules.
    pub(crate) tpm_models: Vec<String>,
    /// Back ends for trusted platform modules.
    pub(crate) tpm_types: Vec<String>,
    /// CPU models.
    pub(crate) cpu_models: BTreeSet<String>,
    /// Queries that were answered.
    pub(crate) answered: BTreeSet<&'static str>,
    /// Whether KVM is there.
    pub(crate) kvm_enabled: bool,
}

impl Rule {
    /// Whether it holds.
    pub(crate) fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::Type(names) => names.iter().any(|name| facts.types.contains(*name)),
            Self::DeviceProperty(name, property) | Self::ObjectProperty(name, property) => {
                facts.property(name, property).is_some()
            }
            Self::DefaultsToFalse(name, property) => facts
                .property(name, property)
                .and_then(|property| property.default_value.as_ref())
                .is_some_and(|value| value.0.get() == "false"),
            Self::Option(name) => facts.options.contains_key(*name),
            Self::Parameter(name, parameter) => facts
                .options
                .get(*name)
                .is_some_and(|parameters| parameters.contains(*parameter)),
            Self::Schema(path) => facts.schema.has(path),
            Self::Migration(name) => facts.migration.contains(*name),
            Self::TpmModel(name) => facts.tpm_models.iter().any(|model| model == name),
            Self::TpmType(name) => facts.tpm_types.iter().any(|kind| kind == name),
            Self::CpuModel(name) => facts.cpu_models.contains(*name),
            Self::Answered(query) => facts.answered.contains(query),
            Self::KvmEnabled => facts.kvm_enabled,
            Self::Either(rules) => rules.iter().any(|rule| rule.holds(facts)),
            Self::Both(rules) => rules.iter().all(|rule| rule.holds(facts)),
        }
    }

    /// Calls `visit` with each type whose properties must be known, and whether it is a device.
    pub(crate) fn visit_types(&self, visit: &mut dyn FnMut(&'static str, bool)) {
        match self {
            Self::DeviceProperty(name, _) | Self::DefaultsToFalse(name, _) => visit(name, true),
            Self::ObjectProperty(name, _) => visit(name, false),
            Self::Either(rules) | Self::Both(rules) => {
                for rule in *rules {
                    rule.visit_types(visit);
                }
            }
            Self::Type(_)
            | Self::Option(_)
            | Self::Parameter(..)
            | Self::Schema(_)
            | Self::Migration(_)
            | Self::TpmModel(_)
            | Self::TpmType(_)
            | Self::CpuModel(_)
            | Self::Answered(_)
            | Self::KvmEnabled => {}
        }
    }
}

impl Facts {
    fn property(&self, name: &str, property: &str) -> Option<&ObjectProperty> {
        self.properties
            .get(name)?
            .iter()
            .find(|found| found.name == property)
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Rule};
    use serde_json::value::RawValue;
    use virtbus_qemu_monitor::commands::qom::{ObjectProperty, Present};

    fn property(name: &str, default: &str) -> ObjectProperty {
        ObjectProperty {
            name: name.to_owned(),
            kind: "bool".to_owned(),
            description: None,
            default_value: Some(Present(RawValue::from_string(default.to_owned()).unwrap())),
        }
    }

    #[test]
    fn rules_look_at_facts() {
        let mut facts = Facts::default();
        let rules = [
            Rule::Type(&["x", "a"]),
            Rule::DeviceProperty("dev", "p"),
            Rule::DefaultsToFalse("dev", "p"),
            Rule::Option("o"),
            Rule::Parameter("o", "q"),
            Rule::KvmEnabled,
            Rule::Either(&[Rule::KvmEnabled, Rule::Option("none")]),
            Rule::Both(&[Rule::KvmEnabled, Rule::Option("o")]),
        ];
        assert!(rules.iter().all(|rule| !rule.holds(&facts)));
        facts.types.insert("a".to_owned());
        facts
            .properties
            .insert("dev".to_owned(), vec![property("p", "false")]);
        facts
            .options
            .insert("o".to_owned(), ["q".to_owned()].into());
        facts.kvm_enabled = true;
        assert!(rules.iter().all(|rule| rule.holds(&facts)));
        assert!(!Rule::DefaultsToFalse("dev", "other").holds(&facts));
    }

    #[test]
    fn rules_tell_what_they_need() {
        let rule = Rule::Either(&[
            Rule::DeviceProperty("d", "p"),
            Rule::Both(&[Rule::ObjectProperty("o", "p"), Rule::KvmEnabled]),
        ]);
        let mut found = Vec::new();
        rule.visit_types(&mut |name, device| found.push((name, device)));
        assert_eq!(found, [("d", true), ("o", false)]);
    }
}
