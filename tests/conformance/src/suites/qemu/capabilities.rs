//! What an emulator can do, from a file of libvirt's cache.

use virtbus_qemu_capabilities::{
    Accelerated, Cap, CapSet, Capabilities, CpuModel, Gic, Machine, Version,
};
use virtbus_xml::{Document, Node, Text};

use crate::case::Case;
use crate::outcome::{Held, Problem};

/// Those of a case.
pub(super) fn of(case: &Case) -> Held<Capabilities> {
    let text = case.file("caps")?;
    let doc = Document::parse(&text).map_err(|error| Problem::failed(error.to_string()))?;
    let root = doc.root();
    let mut capabilities = read(root).map_err(|error| Problem::failed(error.to_string()))?;
    for (field, has) in [("caps_add", true), ("caps_del", false)] {
        for name in case.words(field)? {
            if let Some(cap) = by_flag(name) {
                if has {
                    capabilities.caps.set(cap);
                } else {
                    capabilities.caps.clear(cap);
                }
            }
        }
    }
    if case.field("gic").is_some() {
        let versions = case.words("gic")?;
        let versions = versions.iter().filter_map(|version| version.parse().ok());
        capabilities.gic = versions
            .map(|version| Gic {
                version,
                emulated: true,
                kernel: true,
            })
            .collect();
    }
    if case.is("strip_machine_aliases")? {
        for accelerated in [&mut capabilities.kvm, &mut capabilities.tcg] {
            strip_aliases(accelerated.as_mut());
        }
    }
    Ok(capabilities)
}

/// The capability that is told by the name of its flag, such as `QEMU_CAPS_DEVICE_QEMU_XHCI` for `qemu-xhci`.
fn by_flag(flag: &str) -> Option<Cap> {
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let name = flag.strip_prefix("QEMU_CAPS_").unwrap_or(flag);
    let names = [plain(name), plain(name.trim_start_matches("DEVICE_"))];
    let mut known = Cap::ALL.iter().copied();
    known.find(|cap| names.contains(&plain(cap.name())))
}

/// Makes every alias a machine of its own.
fn strip_aliases(accelerated: Option<&mut Accelerated>) {
    let Some(accelerated) = accelerated else {
        return;
    };
    let mut more = Vec::new();
    for machine in &mut accelerated.machines {
        if let Some(alias) = machine.alias.take() {
            more.push(Machine {
                name: alias,
                ..machine.clone()
            });
            machine.is_default = false;
        }
    }
    accelerated.machines.extend(more);
}

fn read(root: Node<'_>) -> virtbus_xml::Result<Capabilities> {
    let mut caps = CapSet::EMPTY;
    for flag in root.children("flag") {
        let name: Text = flag.attr_req("name")?;
        if let Some(cap) = Cap::from_name(&name) {
            caps.set(cap);
        }
    }
    let number: u32 = root.text_child_req("version")?;
    let mut gic = Vec::new();
    for one in root.children("gic") {
        let yes = |name| {
            one.attr_opt::<Text>(name)
                .map(|value| value.as_deref() == Some("yes"))
        };
        gic.push(Gic {
            version: one.attr_req("version")?,
            emulated: yes("emulated")?,
            kernel: yes("kernel")?,
        });
    }
    let arch: Text = root.text_child_req("arch")?;
    let arch = arch.to_string();
    Ok(Capabilities {
        binary: "/usr/bin/qemu".into(),
        version: Version {
            major: number / 1_000_000,
            minor: number / 1_000 % 1_000,
            micro: number % 1_000,
        },
        package: String::new(),
        target: arch.clone(),
        arch,
        caps,
        kvm: accelerated(root, "kvm")?,
        tcg: accelerated(root, "tcg")?,
        gic,
        sev: None,
        sgx: None,
        devices: Vec::new(),
        commands: Vec::new(),
        events: Vec::new(),
        tpm_models: Vec::new(),
        tpm_types: Vec::new(),
    })
}

fn accelerated(root: Node<'_>, kind: &str) -> virtbus_xml::Result<Option<Accelerated>> {
    let mut accelerated = Accelerated::default();
    let is_of = |node: &Node<'_>| {
        node.attr_opt::<Text>("type")
            .is_ok_and(|value| value.as_deref() == Some(kind))
    };
    for node in root.children("machine").filter(is_of) {
        let yes = |name| {
            node.attr_opt::<Text>(name)
                .map(|value| value.as_deref() == Some("yes"))
        };
        let acpi: Option<Text> = node.attr_opt("acpi")?;
        accelerated.machines.push(Machine {
            name: text(&node, "name")?.unwrap_or_default(),
            alias: text(&node, "alias")?,
            max_cpus: node.attr_opt("maxCpus")?.unwrap_or(0),
            default_cpu: text(&node, "defaultCPU")?,
            default_ram_id: text(&node, "defaultRAMid")?,
            acpi: acpi.map(|value| value == "yes"),
            is_default: yes("default")?,
            hotplug_cpus: yes("hotplugCpus")?,
            numa_mem: yes("numaMemSupported")?,
            deprecated: yes("deprecated")?,
        });
    }
    for node in root.children("cpu").filter(is_of) {
        let usable: Option<Text> = node.attr_opt("usable")?;
        let blockers = match usable.as_deref() {
            Some("yes") => Some(Vec::new()),
            Some("no") => Some(vec!["unknown".to_owned()]),
            _ => None,
        };
        let typename: Option<Text> = node.attr_opt("typename")?;
        accelerated.cpu_models.push(CpuModel::new(
            text(&node, "name")?.unwrap_or_default(),
            typename.unwrap_or_default().to_string(),
            blockers,
        ));
    }
    Ok((!accelerated.machines.is_empty()).then_some(accelerated))
}

fn text(node: &Node<'_>, name: &str) -> virtbus_xml::Result<Option<String>> {
    let text: Option<Text> = node.attr_opt(name)?;
    Ok(text.map(|text| text.to_string()))
}
