//! The capabilities documents: what this host and its emulators offer, and what a domain of some kind can have.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use virtbus_api::security::SecurityModel;
use virtbus_qemu_capabilities::{Accelerated, Cap, Capabilities, Machine, host_arch};

/// Text in XML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&apos;")
}

/// An indented document as it grows.
struct Document {
    text: String,
    open: Vec<&'static str>,
}

impl Document {
    fn new() -> Self {
        Self {
            text: String::with_capacity(16 * 1024),
            open: Vec::new(),
        }
    }

    fn indent(&mut self) {
        for _ in &self.open {
            self.text.push_str("  ");
        }
    }

    fn begin(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.indent();
        self.tag(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let _ = write!(self.text, "<{name}");
        for (attribute, value) in attributes {
            let _ = write!(self.text, " {attribute}='{}'", escape(value));
        }
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        self.tag(name, attributes);
        self.text.push_str("/>\n");
    }

    fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.indent();
        self.tag(name, attributes);
        let _ = writeln!(self.text, ">{}</{name}>", escape(text));
    }

    fn choice(&mut self, name: &str, values: &[&str]) {
        self.begin("enum", &[("name", name)]);
        for value in values {
            self.text("value", &[], value);
        }
        self.end();
    }
}

/// Host and guest capabilities; with each emulator whether guests run under KVM.
pub(crate) fn capabilities(
    guests: &[(Arc<Capabilities>, bool)],
    security: &[SecurityModel],
) -> String {
    let mut document = Document::new();
    document.begin("capabilities", &[]);
    host(&mut document, security);
    for (capabilities, kvm) in guests {
        guest(&mut document, capabilities, *kvm);
    }
    document.end();
    document.text
}

fn host(document: &mut Document, security: &[SecurityModel]) {
    document.begin("host", &[]);
    if let Some(uuid) = host_uuid() {
        document.text("uuid", &[], &uuid);
    }
    document.begin("cpu", &[]);
    document.text("arch", &[], host_arch());
    let cpus = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .to_string();
    document.empty(
        "topology",
        &[
            ("sockets", "1"),
            ("dies", "1"),
            ("cores", &cpus),
            ("threads", "1"),
        ],
    );
    let page = rustix::param::page_size() / 1024;
    document.empty("pages", &[("unit", "KiB"), ("size", &page.to_string())]);
    document.end();
    document.begin("power_management", &[]);
    document.end();
    let iommu =
        std::fs::read_dir("/sys/class/iommu").is_ok_and(|mut entries| entries.next().is_some());
    document.empty("iommu", &[("support", if iommu { "yes" } else { "no" })]);
    topology(document);
    for model in security {
        document.begin("secmodel", &[]);
        document.text("model", &[], &model.model);
        document.text("doi", &[], &model.doi);
        if let Some(label) = &model.base_label {
            for kind in ["kvm", "qemu"] {
                document.text("baselabel", &[("type", kind)], label);
            }
        }
        document.end();
    }
    document.end();
}

/// The host's UUID as its firmware tells it.
fn host_uuid() -> Option<String> {
    let text = std::fs::read_to_string("/sys/class/dmi/id/product_uuid").ok()?;
    let uuid = uuid::Uuid::try_parse(text.trim()).ok()?;
    (!uuid.is_nil()).then(|| uuid.to_string())
}

fn topology(document: &mut Document) {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|line| line.trim().strip_suffix("kB"))
        .map_or("0", str::trim);
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let numbers: Vec<u32> = online
        .trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
        })
        .flatten()
        .collect();
    document.begin("topology", &[]);
    document.begin("cells", &[("num", "1")]);
    document.begin("cell", &[("id", "0")]);
    document.text("memory", &[("unit", "KiB")], total);
    document.begin("cpus", &[("num", &numbers.len().to_string())]);
    for number in numbers {
        let read = |file: &str| {
            let path = format!("/sys/devices/system/cpu/cpu{number}/topology/{file}");
            std::fs::read_to_string(path)
                .map_or_else(|_| "0".to_owned(), |text| text.trim().to_owned())
        };
        let id = number.to_string();
        let (socket, die, core) = (read("physical_package_id"), read("die_id"), read("core_id"));
        let siblings = read("thread_siblings_list");
        document.empty(
            "cpu",
            &[
                ("id", &id),
                ("socket_id", &socket),
                ("die_id", &die),
                ("core_id", &core),
                ("siblings", &siblings),
            ],
        );
    }
    document.end();
    document.end();
    document.end();
    document.end();
}

fn machines(document: &mut Document, accelerated: &Accelerated) {
    for machine in &accelerated.machines {
        let most = machine.max_cpus.to_string();
        let mut attributes = Vec::new();
        if machine.deprecated {
            attributes.push(("deprecated", "yes"));
        }
        if let Some(alias) = &machine.alias {
            let mut named = vec![
                ("canonical", machine.name.as_str()),
                ("maxCpus", most.as_str()),
            ];
            named.extend(&attributes);
            document.text("machine", &named, alias);
        }
        attributes.insert(0, ("maxCpus", most.as_str()));
        document.text("machine", &attributes, &machine.name);
    }
}

fn guest(document: &mut Document, capabilities: &Capabilities, kvm: bool) {
    let Some(best) = capabilities.tcg.as_ref().or(capabilities.kvm.as_ref()) else {
        return;
    };
    let bits = match capabilities.arch.as_str() {
        "i686" | "armv6l" | "armv7l" | "ppc" | "mips" | "mipsel" | "riscv32" | "sparc" => "32",
        _ => "64",
    };
    document.begin("guest", &[]);
    document.text("os_type", &[], "hvm");
    document.begin("arch", &[("name", &capabilities.arch)]);
    document.text("wordsize", &[], bits);
    document.text("emulator", &[], &capabilities.binary.display().to_string());
    machines(document, best);
    if capabilities.tcg.is_some() {
        document.empty("domain", &[("type", "qemu")]);
    }
    if kvm {
        document.empty("domain", &[("type", "kvm")]);
    }
    document.end();
    document.begin("features", &[]);
    if matches!(capabilities.arch.as_str(), "x86_64" | "i686") {
        document.empty("acpi", &[("default", "on"), ("toggle", "yes")]);
        document.empty("apic", &[("default", "on"), ("toggle", "no")]);
    }
    document.empty("cpuselection", &[]);
    document.empty("deviceboot", &[]);
    document.end();
    document.end();
}

/// What a domain on this machine can have.
pub(crate) fn domain_capabilities(
    path: &Path,
    capabilities: &Capabilities,
    accelerated: &Accelerated,
    machine: &Machine,
    kvm: bool,
) -> String {
    let mut document = Document::new();
    document.begin("domainCapabilities", &[]);
    document.text("path", &[], &path.display().to_string());
    document.text("domain", &[], if kvm { "kvm" } else { "qemu" });
    document.text("machine", &[], &machine.name);
    document.text("arch", &[], &capabilities.arch);
    document.empty("vcpu", &[("max", &machine.max_cpus.to_string())]);
    document.begin("os", &[("supported", "yes")]);
    document.begin("loader", &[("supported", "yes")]);
    document.choice("type", &["rom"]);
    document.end();
    document.end();
    cpu(&mut document, accelerated, kvm);
    devices(&mut document, capabilities);
    document.end();
    document.text
}

fn cpu(document: &mut Document, accelerated: &Accelerated, kvm: bool) {
    document.begin("cpu", &[]);
    document.empty(
        "mode",
        &[
            ("name", "host-passthrough"),
            ("supported", if kvm { "yes" } else { "no" }),
        ],
    );
    document.empty("mode", &[("name", "maximum"), ("supported", "yes")]);
    document.empty(
        "mode",
        &[
            ("name", "host-model"),
            ("supported", if kvm { "yes" } else { "no" }),
        ],
    );
    document.begin("mode", &[("name", "custom"), ("supported", "yes")]);
    for model in &accelerated.cpu_models {
        let usable = match model.is_usable() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let mut attributes = vec![("usable", usable)];
        if model.deprecated {
            attributes.push(("deprecated", "yes"));
        }
        document.text("model", &attributes, &model.name);
    }
    document.end();
    document.end();
}

fn devices(document: &mut Document, capabilities: &Capabilities) {
    let has = |device: &str| capabilities.has_device(device);
    document.begin("devices", &[]);
    document.begin("disk", &[("supported", "yes")]);
    document.choice("diskDevice", &["disk", "cdrom", "floppy", "lun"]);
    document.choice("bus", &["fdc", "scsi", "virtio", "usb", "sata"]);
    document.end();
    document.begin("graphics", &[("supported", "yes")]);
    let mut types = vec!["vnc"];
    if capabilities.has(Cap::Spice) {
        types.push("spice");
    }
    document.choice("type", &types);
    document.end();
    document.begin("video", &[("supported", "yes")]);
    let models: Vec<&str> = [
        ("vga", "VGA"),
        ("cirrus", "cirrus-vga"),
        ("vmvga", "vmware-svga"),
        ("qxl", "qxl"),
        ("virtio", "virtio-gpu-pci"),
        ("bochs", "bochs-display"),
        ("ramfb", "ramfb"),
    ]
    .into_iter()
    .filter(|(_, device)| has(device))
    .map(|(model, _)| model)
    .chain(["none"])
    .collect();
    document.choice("modelType", &models);
    document.end();
    document.empty("hostdev", &[("supported", "no")]);
    document.begin(
        "rng",
        &[(
            "supported",
            if has("virtio-rng-pci") { "yes" } else { "no" },
        )],
    );
    document.choice(
        "model",
        &["virtio", "virtio-transitional", "virtio-non-transitional"],
    );
    document.choice("backendModel", &["random", "egd", "builtin"]);
    document.end();
    document.empty("filesystem", &[("supported", "no")]);
    document.begin(
        "tpm",
        &[("supported", if has("tpm-tis") { "yes" } else { "no" })],
    );
    document.choice("model", &["tpm-tis", "tpm-crb"]);
    document.choice("backendModel", &["passthrough", "emulator", "external"]);
    document.end();
    document.end();
}
