//! Definitions with many of everything, and what is refused before it costs anything.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use virtbus_api::Result;
use virtbus_api::domain::DomainUndefineFlags;
use virtbus_conf_base::{Fragment, Limits};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_qemu_capabilities::{Accelerated, Cap, Capabilities, CpuModel, Machine};

use super::{Emulator, check, limits, meaning, read, read_back};

/// So many of each device are tried: there may be no more of any.
const MANY: usize = 1024;

/// Devices that emulators of machines of Intel's kind have.
const USUAL: [Cap; 16] = [
    Cap::PcieRootPort,
    Cap::PciePciBridge,
    Cap::PciBridge,
    Cap::DmiToPciBridge,
    Cap::QemuXhci,
    Cap::Piix3UsbUhci,
    Cap::Ich9UsbEhci1,
    Cap::UsbHub,
    Cap::UsbRedir,
    Cap::CirrusVga,
    Cap::Vga,
    Cap::Qxl,
    Cap::Lsi,
    Cap::VirtioScsiPci,
    Cap::VirtioNet,
    Cap::Rtl8139,
];

/// An emulator with two machines.
pub(crate) fn capabilities() -> Capabilities {
    let machine = |name: &str, alias: &str, max_cpus, is_default| Machine {
        name: name.to_owned(),
        alias: Some(alias.to_owned()),
        max_cpus,
        is_default,
        ..Machine::default()
    };
    let tcg = Accelerated {
        machines: vec![
            machine("pc-q35-9.0", "q35", 288, true),
            machine("pc-i440fx-9.0", "pc", 255, false),
        ],
        cpu_models: vec![CpuModel::new("known".to_owned(), String::new(), None)],
        ..Accelerated::default()
    };
    Capabilities {
        arch: "x86_64".to_owned(),
        tcg: Some(tcg),
        caps: USUAL.into_iter().collect(),
        ..Capabilities::default()
    }
}

/// A definition as it is accepted from a client.
pub(crate) fn accepted(xml: &str, capabilities: &Capabilities) -> Result<Definition> {
    super::finish(read(xml, false)?, &emulator(capabilities))
}

/// The emulator that can do this.
pub(crate) fn emulator(capabilities: &Capabilities) -> Emulator {
    Emulator {
        path: "/q".into(),
        capabilities: Arc::new(capabilities.clone()),
        nvram: "/vars".into(),
    }
}

/// A guest with these devices, and these elements beside them.
fn document(elements: &str, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>many</name><memory>65536</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os>{elements}<devices>{devices}</devices></domain>"
    )
}

/// One device of each kind and type that the cases of the document have.
fn samples() -> BTreeMap<String, String> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/domain/tests/data/domain");
    let mut samples = BTreeMap::new();
    for case in std::fs::read_dir(data).unwrap() {
        let path = case.unwrap().path();
        let xml = std::fs::read_to_string(&path).unwrap();
        let root = Fragment::parse_document(&xml).unwrap();
        let Some(devices) = root.elements().find(|e| e.name == "devices") else {
            continue;
        };
        for device in devices.elements() {
            let kind = device.attributes.iter().find(|(name, _)| name == "type");
            let kind = kind.map_or("", |(_, kind)| kind);
            samples.insert(format!("{} {kind}", device.name), device.to_text());
        }
    }
    samples
}

#[test]
fn many_of_each_device_are_completed_in_little_time() {
    let everything = Limits {
        nodes: usize::MAX,
        ..limits::STORED
    };
    let samples = samples();
    assert!(samples.len() > 40, "{:?}", samples.keys());
    for (what, device) in samples {
        // One of each device that there can be one of only.
        let count = (everything.bytes / 2 / device.len()).min(MANY);
        let xml = document("", &device.repeat(count));
        let Ok(mut definition) = Definition::parse_within(&xml, false, &everything) else {
            continue;
        };
        let begin = Instant::now();
        // Some are refused by their own; none takes longer for that.
        let outcome = meaning::complete(&mut definition, &emulator(&capabilities()));
        let _ = check::refusals(&definition);
        let took = begin.elapsed();
        println!(
            "{what}: {count} in {took:?}, {:?}",
            outcome.err().map(|e| e.message)
        );
        assert!(took < Duration::from_secs(20), "{what}: {took:?}");
    }
}

#[test]
fn channels_without_places_get_free_ones() {
    let channel = "<channel type='pty'><target type='virtio' name='c'/></channel>";
    let taken = "<channel type='pty'><target type='virtio' name='t'/>\
                 <address type='virtio-serial' controller='0' bus='0' port='2'/></channel>";
    let controllers = "<controller type='virtio-serial' index='0' ports='4'/><controller type='virtio-serial' index='1'/>";
    let xml = document("", &format!("{controllers}{taken}{}", channel.repeat(20)));
    let definition = accepted(&xml, &capabilities()).unwrap();
    let places: Vec<(u32, u32)> = definition
        .devices
        .channel
        .iter()
        .filter_map(|channel| match &channel.info.address {
            Some(Address::VirtioSerial(place)) => Some((place.controller, place.port)),
            _ => None,
        })
        .collect();
    assert_eq!(places[..5], [(0, 2), (0, 1), (0, 3), (1, 1), (1, 2)]);
    assert_eq!(places.last(), Some(&(1, 18)));
}

#[test]
fn more_than_there_can_be_is_refused_by_name() {
    let repeated = |element: &str, count: usize| element.repeat(count);
    let disks: String = (0..1025)
        .map(|n| format!("<disk type='file'><target dev='vda{n}'/></disk>"))
        .collect();
    let cases = [
        (
            "<graphics>",
            "17",
            String::new(),
            repeated("<graphics type='vnc'/>", 17),
        ),
        ("<channel>", "1025", String::new(), {
            repeated(
                "<channel type='pty'><target type='virtio'/></channel>",
                1025,
            )
        }),
        (
            "<console>",
            "257",
            String::new(),
            repeated("<console type='pty'/>", 257),
        ),
        (
            "<serial>",
            "65",
            String::new(),
            repeated("<serial type='pty'/>", 65),
        ),
        (
            "<interface>",
            "1025",
            String::new(),
            repeated("<interface type='user'/>", 1025),
        ),
        ("<disk>", "1025", String::new(), disks),
        (
            "<controller>",
            "513",
            String::new(),
            repeated("<controller type='usb'/>", 513),
        ),
        (
            "controller type='pci'",
            "256",
            String::new(),
            "<controller type='pci' index='256' model='pci-bridge'/>".into(),
        ),
        ("<portForward>", "60001", String::new(), {
            "<interface type='user'><backend type='passt'/>\
             <portForward proto='tcp'><range start='1' end='60001'/></portForward></interface>"
                .into()
        }),
        (
            "<iothreads>",
            "4294967295",
            "<iothreads>4294967295</iothreads>".into(),
            String::new(),
        ),
        (
            "<cell>",
            "129",
            format!(
                "<cpu><numa>{}</numa></cpu>",
                repeated("<cell memory='1'/>", 129)
            ),
            String::new(),
        ),
        (
            "<iothread>",
            "1025",
            {
                let threads: String = (1..=1025)
                    .map(|n| format!("<iothread id='{n}'/>"))
                    .collect();
                format!("<iothreadids>{threads}</iothreadids>")
            },
            String::new(),
        ),
    ];
    for (element, count, elements, devices) in cases {
        let error = read(&document(&elements, &devices), false).unwrap_err();
        assert!(
            error.message.contains(element),
            "{element}: {}",
            error.message
        );
        assert!(
            error.message.contains(count),
            "{element}: {}",
            error.message
        );
        // A file of ours, or one that somebody made to look like it, is held to the same.
        super::parse_stored(&document(&elements, &devices)).unwrap_err();
    }
    let vcpus = document("", "").replace("<vcpu>1<", "<vcpu>289<");
    let mut definition = read(&vcpus, false).unwrap();
    let refused = meaning::complete(&mut definition, &emulator(&capabilities()));
    assert!(refused.unwrap_err().message.contains("288"));
}

#[test]
fn what_could_not_be_read_back_is_refused() {
    let complete = |xml: &str| {
        let mut definition = read(xml, false).unwrap();
        meaning::complete(&mut definition, &emulator(&capabilities())).unwrap();
        definition
    };
    let plain = complete(&document("<title>a</title>", "<input type='tablet'/>"));
    assert_eq!(read_back(plain.clone()).unwrap(), plain);

    // Each level is indented once more when it is written.
    let deep = format!("{}{}", "<a>".repeat(55), "</a>".repeat(55));
    let notes = format!(
        "<metadata><x:n xmlns:x='urn:x'>{}</x:n></metadata>",
        deep.repeat(1700)
    );
    let wide = complete(&document(&notes, ""));
    let error = read_back(wide).unwrap_err();
    assert!(
        error.message.contains("cannot be kept"),
        "{}",
        error.message
    );
}

#[test]
fn files_hold_whatever_was_accepted() {
    // The worst that a client may send: all of it has to be escaped once more in a status file.
    let text = "\n".repeat(limits::CLIENT.bytes - 1000);
    let xml = document(&format!("<description>{text}</description>"), "");
    let mut definition = read(&xml, false).unwrap();
    meaning::complete(&mut definition, &emulator(&capabilities())).unwrap();
    let definition = read_back(definition).unwrap();
    let running = super::format_status(&definition);
    super::parse_stored(&running).unwrap();
    let escaped = serde_json::to_vec(&running).unwrap().len() as u64;
    assert!(escaped < limits::LARGEST_STATUS / 2, "{escaped}");
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    let long = "n".repeat(201);
    let wrong = [
        "",
        ".",
        "..",
        ".hidden",
        "..a",
        "a/b",
        "/a",
        "../a",
        "a\nb",
        "a\tb",
        " a",
        "a ",
        "a\u{85}b",
        long.as_str(),
    ];
    for name in wrong {
        let text = name.replace('\n', "&#10;").replace('\t', "&#9;");
        let xml = document("", "").replace("<name>many<", &format!("<name>{text}<"));
        let refused = read(&xml, false).unwrap_err();
        assert!(
            refused.message.contains("name"),
            "{name:?}: {}",
            refused.message
        );
        let stored = super::parse_stored(&xml).unwrap_err().to_string();
        assert!(stored.contains("name"), "{name:?}: {stored}");
    }
    for name in [
        "a",
        "a.b",
        "a.",
        "ü 1",
        "x,y",
        "x'\"<>&",
        "-a",
        "a.xml",
        &long[1..],
    ] {
        let text = name.replace('&', "&amp;").replace('<', "&lt;");
        let xml = document("", "").replace("<name>many<", &format!("<name>{text}<"));
        assert_eq!(read(&xml, false).unwrap().name, name);
    }
}

#[test]
fn controllers_without_a_number_get_the_next_one() {
    let controllers = "<controller type='pci' model='pcie-root'/><controller type='pci' model='pcie-root-port'/>\
        <controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>\
        <controller type='usb' model='ich9-ehci1'/><controller type='usb' model='ich9-uhci1'><master startport='0'/></controller>\
        <controller type='usb' model='qemu-xhci'/><controller type='sata'/><memballoon model='none'/>";
    let definition = accepted(&document("", controllers), &capabilities()).unwrap();
    let numbers = definition.devices.controller.iter();
    let numbers: Vec<_> = numbers
        .map(|controller| format!("{} {}", controller.kind.kind(), controller.index()))
        .collect();
    let expected = [
        "pci 0", "pci 1", "pci 2", "pci 3", "usb 0", "usb 0", "usb 1", "sata 0",
    ];
    assert_eq!(numbers, expected);
}

#[test]
fn what_is_complete_stays_as_it_is() {
    let devices = "<disk type='file'><source file='/a'/><target dev='vda'/></disk><interface type='user'/>\
        <channel type='pty'><target type='virtio' name='c'/></channel><graphics type='vnc'/><redirdev bus='usb' type='spicevmc'/>\
        <graphics type='spice'/><sound model='ich9'/><input type='tablet' bus='usb'/>";
    for machine in ["q35", "pc"] {
        let xml = document("", devices).replace("q35", machine);
        let definition = accepted(&xml, &capabilities()).unwrap();
        let emulator = emulator(&capabilities());
        let mut again = definition.clone();
        meaning::complete_stored(&mut again, &emulator).unwrap();
        let texts = [&again, &definition].map(super::format_config);
        assert_eq!(texts[0], texts[1], "{machine}");
        assert!(meaning::is_placed(&definition, &emulator), "{machine}");

        // As earlier releases had them.
        let mut earlier = definition.clone();
        for mut device in earlier.devices.iter_mut() {
            if let Some(info) = device.info_mut()
                && matches!(info.address, Some(Address::Pci(_)))
            {
                info.address = None;
            }
        }
        assert!(!meaning::is_placed(&earlier, &emulator), "{machine}");
        meaning::complete_stored(&mut earlier, &emulator).unwrap();
        assert!(meaning::is_placed(&earlier, &emulator), "{machine}");
    }
}

#[test]
fn an_empty_drive_has_a_format() {
    let drive = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>";
    let definition = accepted(&document("", drive), &capabilities()).unwrap();
    let text = super::format_config(&definition);
    assert!(text.contains("<driver name='qemu' type='raw'/>"), "{text}");
}

#[test]
fn only_an_nvram_store_that_is_there_has_to_be_decided_upon() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("vars.fd");
    let nvram = format!("<nvram>{}</nvram></os>", store.display());
    // It cannot be defined any more, and may have been.
    let definition = read(&document("", "").replace("</os>", &nvram), false).unwrap();
    let undefine = |flags| super::check_undefine(&definition, flags);
    undefine(DomainUndefineFlags::empty()).unwrap();
    std::fs::write(&store, "").unwrap();
    let said = undefine(DomainUndefineFlags::empty())
        .unwrap_err()
        .to_string();
    for word in [
        store.to_str().unwrap(),
        "VIR_DOMAIN_UNDEFINE_NVRAM, 4",
        "VIR_DOMAIN_UNDEFINE_KEEP_NVRAM, 8",
    ] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
    undefine(DomainUndefineFlags::KEEP_NVRAM).unwrap();
    undefine(DomainUndefineFlags::NVRAM).unwrap();
}
