//! Recorded conversations and what is known to come of them.
//!
//! `VIRTBUS_QEMU_REPLIES` names a directory of pairs: `NAME.replies`, a conversation as commands
//! and answers in turn (a second `qmp_capabilities` begins a second emulator, without KVM), and
//! `NAME.xml`, a capability cache in libvirt's form. Without it the test is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Accelerated, Answers, Cap, Capabilities, PropertyValue};

/// Ours, for QEMU before 6.2.
const OURS: [Cap; 6] = [
    Cap::Blockdev,
    Cap::BlockdevReopen,
    Cap::BlockExportAdd,
    Cap::DeviceJson,
    Cap::ObjectJson,
    Cap::QueryNamedBlockNodesFlat,
];

#[test]
fn recordings_come_to_what_is_known() {
    let Some(dir) = std::env::var_os("VIRTBUS_QEMU_REPLIES") else {
        virtbus_skip::skip!("VIRTBUS_QEMU_REPLIES is not set");
    };
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // Not ours: macOS.
        let skipped = path.to_string_lossy().contains("+hvf");
        if path.extension().is_some_and(|e| e == "replies") && !skipped {
            seen += 1;
            let caps = replay(&path);
            let xml = std::fs::read_to_string(path.with_extension("xml")).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            wrong.extend(
                differences(&caps, &xml)
                    .into_iter()
                    .map(|difference| format!("{name}: {difference}")),
            );
        }
    }
    assert!(seen > 0, "no recordings");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn replay(path: &Path) -> Capabilities {
    let text = std::fs::read_to_string(path).unwrap();
    let conversations = Answers::from_recording(&text).unwrap();
    let binary = PathBuf::from("/usr/bin/qemu");
    Capabilities::from_answers(binary, &conversations[0], conversations.get(1)).unwrap()
}

/// What of the known result is not there, and the other way round.
fn differences(caps: &Capabilities, xml: &str) -> Vec<String> {
    let elements: Vec<Element> = xml.lines().filter_map(Element::parse).collect();
    let mut wrong = Vec::new();
    let mut compare = |what: String, ours: BTreeSet<String>, known: BTreeSet<String>| {
        for missing in known.difference(&ours) {
            wrong.push(format!("{what}: missing {missing}"));
        }
        for extra in ours.difference(&known) {
            wrong.push(format!("{what}: extra {extra}"));
        }
    };
    let known = elements.iter().filter(|e| e.tag == "flag");
    compare(
        "flags".to_owned(),
        caps.caps
            .iter()
            .filter(|cap| !OURS.contains(cap))
            .map(|cap| cap.name().to_owned())
            .collect(),
        known.map(|e| e.get("name")).collect(),
    );
    compare(
        "arch".to_owned(),
        [format!("{} {}", caps.arch, caps.version.number())].into(),
        [format!("{} {}", text(xml, "arch"), text(xml, "version"))].into(),
    );
    for (kind, accelerated) in [("kvm", &caps.kvm), ("tcg", &caps.tcg)] {
        let Some(accelerated) = accelerated else {
            continue;
        };
        let of_kind = || elements.iter().filter(|e| e.get("type") == kind);
        compare(
            format!("{kind} machines"),
            accelerated.machines.iter().map(machine).collect(),
            of_kind()
                .filter(|e| e.tag == "machine")
                .map(Element::sorted)
                .collect(),
        );
        let [models, properties, known_deprecated] = known_cpus(&elements, kind);
        compare(format!("{kind} models"), our_models(accelerated), models);
        if let Some(host) = &accelerated.host_model {
            let ours = host.properties.iter().map(|(name, value)| {
                let unmigratable = host.unmigratable.as_ref().map(|names| names.contains(name));
                match (value, unmigratable) {
                    (PropertyValue::Bool(true), Some(false)) => format!("{name}=true, migrates"),
                    (PropertyValue::Bool(true), Some(true)) => format!("{name}=true, stays"),
                    (PropertyValue::Bool(value), _) => format!("{name}={value}"),
                    (PropertyValue::Number(value), _) => format!("{name}={value}"),
                    (PropertyValue::Text(value), _) => format!("{name}={value}"),
                }
            });
            compare(format!("{kind} host model"), ours.collect(), properties);
            let deprecated = host.deprecated_properties.iter().cloned().collect();
            compare(format!("{kind} deprecated"), deprecated, known_deprecated);
        }
    }
    wrong
}

fn machine(machine: &super::Machine) -> String {
    let mut attributes = BTreeMap::new();
    attributes.insert("name", machine.name.clone());
    attributes.insert("maxCpus", machine.max_cpus.to_string());
    let mut option = |name, value: &Option<String>| {
        if let Some(value) = value {
            attributes.insert(name, value.clone());
        }
    };
    option("alias", &machine.alias);
    option("defaultCPU", &machine.default_cpu);
    option("defaultRAMid", &machine.default_ram_id);
    let yes_or_no = |value: bool| Some(if value { "yes" } else { "no" }.to_owned());
    option("acpi", &machine.acpi.and_then(yes_or_no));
    for (name, value) in [
        ("hotplugCpus", machine.hotplug_cpus),
        ("default", machine.is_default),
        ("numaMemSupported", machine.numa_mem),
        ("deprecated", machine.deprecated),
    ] {
        option(name, &value.then(|| "yes".to_owned()));
    }
    attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn our_models(accelerated: &Accelerated) -> BTreeSet<String> {
    let models = accelerated.cpu_models.iter().map(|model| {
        let mut blockers: Vec<&str> = model.blockers().collect();
        blockers.sort_unstable();
        blockers.dedup();
        let usable = match model.is_usable() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let deprecated = if model.deprecated { "yes" } else { "" };
        format!(
            "{} {} {usable} {deprecated} {}",
            model.name,
            model.typename,
            blockers.join(",")
        )
    });
    models.collect()
}

/// CPU models with their blockers; properties of the best one; those of them going away.
fn known_cpus(elements: &[Element], kind: &str) -> [BTreeSet<String>; 3] {
    let mut models: Vec<(String, Vec<String>)> = Vec::new();
    let mut properties = BTreeSet::new();
    let mut deprecated = BTreeSet::new();
    let (mut in_model, mut in_host) = (false, false);
    for element in elements {
        match element.tag.as_str() {
            "cpu" => {
                in_model = element.get("type") == kind;
                if in_model {
                    let attributes = ["name", "typename", "usable", "deprecated"];
                    let values: Vec<_> = attributes.iter().map(|a| element.get(a)).collect();
                    models.push((values.join(" "), Vec::new()));
                }
            }
            "blocker" if in_model => {
                let last = models.last_mut().unwrap();
                last.1.push(element.get("name"));
            }
            "hostCPU" => in_host = element.get("type") == kind,
            // Without a value: one that is going away.
            "property" if in_host && element.attributes.contains_key("value") => {
                let migrates = match element.get("migratable").as_str() {
                    "yes" => ", migrates",
                    "no" => ", stays",
                    _ => "",
                };
                let value = element.get("value");
                properties.insert(format!("{}={value}{migrates}", element.get("name")));
            }
            "property" if in_host => {
                deprecated.insert(element.get("name"));
            }
            _ => {}
        }
    }
    let models = models.into_iter().map(|(model, mut blockers)| {
        blockers.sort_unstable();
        blockers.dedup();
        format!("{model} {}", blockers.join(","))
    });
    [models.collect(), properties, deprecated]
}

fn text<'a>(xml: &'a str, tag: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{tag}>")).unwrap();
    rest.split_once('<').unwrap().0
}

/// One line of the cache: an element with attributes in single quotes.
struct Element {
    tag: String,
    attributes: BTreeMap<String, String>,
}

impl Element {
    fn parse(line: &str) -> Option<Self> {
        let inner = line.trim().strip_prefix('<')?;
        let tag: String = inner.chars().take_while(|c| c.is_alphanumeric()).collect();
        let mut attributes = BTreeMap::new();
        let mut rest = &inner[tag.len()..];
        while let Some((name, after)) = rest.split_once("='") {
            let (value, after) = after.split_once('\'')?;
            attributes.insert(name.trim().to_owned(), value.to_owned());
            rest = after;
        }
        Some(Self { tag, attributes })
    }

    fn get(&self, name: &str) -> String {
        self.attributes.get(name).cloned().unwrap_or_default()
    }

    fn sorted(&self) -> String {
        let all = self.attributes.iter().filter(|(name, _)| *name != "type");
        let all: Vec<_> = all.map(|(name, value)| format!("{name}={value}")).collect();
        all.join(" ")
    }
}
