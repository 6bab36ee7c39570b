//! Guests as installers write them start as they are, and every device stands where the guest's description says.
//!
//! What QEMU has is asked on a monitor of the test's own, which each guest gets beside the daemon's.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use virtbus_tests::domain::{START_PAUSED, XML_INACTIVE};
use virtbus_tests::wait::wait_for_async;
use virtbus_tests::{DomainXml, Testbed, need, or_skip};

/// QEMU answers within this time.
const LIMIT: Duration = Duration::from_secs(20);
/// Devices that definitions name are here, by their ids, and those without one.
const NAMED: &str = "/machine/peripheral";
const NAMELESS: &str = "/machine/peripheral-anon";

/// A monitor of QEMU.
struct Monitor {
    lines: BufReader<UnixStream>,
}

impl Monitor {
    fn connect(path: &Path) -> Monitor {
        let socket = UnixStream::connect(path).expect("QEMU listens");
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let mut monitor = Monitor {
            lines: BufReader::new(socket),
        };
        monitor.read();
        monitor.ask("qmp_capabilities", json!({})).unwrap();
        monitor
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("QEMU answers");
        serde_json::from_str(&line).unwrap()
    }

    /// The answer to a command; none if it is refused.
    fn ask(&mut self, command: &str, arguments: Value) -> Option<Value> {
        let text = json!({"execute": command, "arguments": arguments}).to_string();
        self.lines.get_mut().write_all(text.as_bytes()).unwrap();
        loop {
            let mut answer = self.read();
            if let Some(value) = answer.get_mut("return") {
                return Some(value.take());
            }
            if answer.get("error").is_some() {
                return None;
            }
        }
    }

    fn property(&mut self, path: &str, property: &str) -> Option<Value> {
        self.ask("qom-get", json!({"path": path, "property": property}))
    }

    /// The last part of the name of the bus that a device is on.
    fn bus(&mut self, path: &str) -> Option<String> {
        let bus = self.property(path, "parent_bus")?;
        let name = bus.as_str()?.rsplit('/').next()?;
        Some(name.to_owned())
    }

    /// All devices that were added to the machine.
    fn devices(&mut self) -> Vec<String> {
        let mut devices = Vec::new();
        for folder in [NAMED, NAMELESS] {
            let listed = self.ask("qom-list", json!({"path": folder})).unwrap();
            for child in listed.as_array().unwrap() {
                if child["type"].as_str().unwrap().starts_with("child<") {
                    devices.push(format!("{folder}/{}", child["name"].as_str().unwrap()));
                }
            }
        }
        devices
    }

    /// What stands at the root of the PCI buses, by slot and function: also what is part of the machine.
    fn root(&mut self) -> BTreeSet<u64> {
        let buses = self.ask("query-pci", json!({})).unwrap();
        let devices = buses[0]["devices"].as_array().unwrap();
        let places = devices.iter().map(|device| {
            let number = |name: &str| device[name].as_u64().unwrap();
            number("slot") << 3 | number("function")
        });
        places.collect()
    }
}

/// A device of a description: alias, and the attributes of its address.
struct Device {
    element: String,
    alias: Option<String>,
    address: BTreeMap<String, String>,
}

impl Device {
    fn number(&self, attribute: &str) -> u64 {
        let text = &self.address[attribute];
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.unwrap_or_else(|_| panic!("{attribute} of {}", self.element))
    }

    fn is_at(&self, kind: &str) -> bool {
        self.address.get("type").is_some_and(|found| found == kind)
    }
}

/// The devices of a description, each on lines of its own.
fn devices(xml: &str) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for line in xml.lines() {
        if let Some(inner) = line.strip_prefix("      ") {
            let Some(device) = devices.last_mut() else {
                continue;
            };
            if inner.starts_with("<alias ") {
                device.alias = attributes(inner).remove("name");
            } else if inner.starts_with("<address ") {
                device.address = attributes(inner);
            }
        } else if line.starts_with("    <") && !line.starts_with("    </") {
            devices.push(Device {
                element: line.trim().to_owned(),
                alias: None,
                address: BTreeMap::new(),
            });
        }
    }
    devices
}

fn attributes(element: &str) -> BTreeMap<String, String> {
    let mut parts = element.split('\'');
    let mut attributes = BTreeMap::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        let name = name.rsplit(' ').next().unwrap().trim_end_matches('=');
        attributes.insert(name.to_owned(), value.to_owned());
    }
    attributes
}

/// The name of a PCI bus: that of the controller with this number.
fn pci_bus(devices: &[Device], number: u64, is_express: bool) -> String {
    if number == 0 {
        return if is_express { "pcie.0" } else { "pci.0" }.to_owned();
    }
    let controller = format!("<controller type='pci' index='{number}'");
    let found = devices
        .iter()
        .find(|device| device.element.starts_with(&controller));
    let found = found.unwrap_or_else(|| panic!("there is no PCI bus {number}"));
    found.alias.clone().expect("a bus has an alias")
}

/// Compares what a guest is said to have with what QEMU has.
fn compare(name: &str, xml: &str, monitor: &mut Monitor) {
    let described = devices(xml);
    let is_express = xml.contains("-q35-");
    let root = monitor.root();
    let mut places = BTreeSet::new();
    for device in described.iter().filter(|device| device.is_at("pci")) {
        let bus = pci_bus(&described, device.number("bus"), is_express);
        let place = device.number("slot") << 3 | device.number("function");
        assert!(
            bus.ends_with(".0") && root.contains(&place) || !bus.ends_with(".0"),
            "{name}: nothing stands at {:?} of {}",
            device.address,
            device.element
        );
        let alias = device.alias.as_deref().unwrap_or_default();
        let path = format!("{NAMED}/{alias}");
        // Companions of a controller share its alias, and what is part of the machine is not listed.
        if let Some(found) = monitor.property(&path, "addr")
            && !device.element.contains("-uhci")
        {
            assert_eq!(found.as_u64(), Some(place), "{name}: {}", device.element);
            assert_eq!(
                monitor.bus(&path),
                Some(bus.clone()),
                "{name}: {}",
                device.element
            );
        } else {
            assert!(bus.ends_with(".0"), "{name}: no {}", device.element);
        }
        assert!(
            places.insert((bus, place)),
            "{name}: two devices at {:?}",
            device.address
        );
    }
    for path in monitor.devices() {
        let (Some(place), Some(bus)) = (monitor.property(&path, "addr"), monitor.bus(&path)) else {
            continue;
        };
        let Some(place) = place
            .as_u64()
            .filter(|_| bus.contains("pc") || bus.starts_with("ua-"))
        else {
            continue;
        };
        assert!(
            places.contains(&(bus.clone(), place)),
            "{name}: {path} stands at {bus} {place:#x}, which nothing is said to do"
        );
    }
    for device in &described {
        let Some(alias) = &device.alias else { continue };
        let path = format!("{NAMED}/{alias}");
        let (what, element) = (
            |property: &str| (property.to_owned(), name),
            &device.element,
        );
        if device.is_at("usb") {
            let usb = monitor
                .ask("human-monitor-command", json!({"command-line": "info usb"}))
                .unwrap();
            let port = format!("Port {},", device.address["port"]);
            let id = format!("ID: {alias}");
            let listed = usb.as_str().unwrap().lines();
            let found: Vec<&str> = listed
                .filter(|line| line.trim_end().ends_with(&id))
                .collect();
            assert!(
                found.len() == 1 && found[0].contains(&port),
                "{name}: {element} at {port} in {usb}"
            );
        } else if device.is_at("virtio-serial") {
            let bus = format!(
                "virtio-serial{}.{}",
                device.address["controller"], device.address["bus"]
            );
            assert_eq!(monitor.bus(&path), Some(bus), "{name}: {element}");
            let port = monitor.property(&path, "nr").and_then(|nr| nr.as_u64());
            assert_eq!(port, Some(device.number("port")), "{:?}", what("nr"));
        } else if device.is_at("drive") {
            let bus = monitor
                .bus(&path)
                .unwrap_or_else(|| panic!("{name}: {element}"));
            let number = |monitor: &mut Monitor, property: &str| {
                monitor.property(&path, property).and_then(|n| n.as_u64())
            };
            let (at, unit) = (device.number("bus"), device.number("unit"));
            if bus.starts_with("ide.") && is_express {
                assert_eq!(bus, format!("ide.{unit}"), "{name}: {element}");
            } else if bus.starts_with("ide.") {
                assert_eq!(bus, format!("ide.{at}"), "{name}: {element}");
                assert_eq!(number(monitor, "unit"), Some(unit), "{name}: {element}");
            } else if bus.starts_with("scsi") {
                assert_eq!(bus, format!("scsi{}.0", device.address["controller"]));
                let found = (number(monitor, "scsi-id"), number(monitor, "lun"));
                // A controller of LSI has a number for each disk and nothing below it.
                let said = if xml.contains("model='lsilogic'") {
                    (Some(unit), Some(0))
                } else {
                    (Some(device.number("target")), Some(unit))
                };
                assert_eq!(found, said, "{name}: {element}");
            }
        }
    }
}

/// The definitions, by name.
fn definitions() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/definitions");
    let mut definitions = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        definitions.insert(name, fs::read_to_string(path).unwrap());
    }
    assert!(definitions.len() > 10);
    definitions
}

#[tokio::test(flavor = "multi_thread")]
async fn every_device_of_a_guest_stands_where_its_description_says() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let has_tpm = need::program("swtpm").is_ok();
    fs::File::create(testbed.path("disk.raw"))
        .and_then(|file| file.set_len(1 << 20))
        .unwrap();
    let folder = testbed.path("").display().to_string();
    let mut wrong = Vec::new();
    for (name, definition) in definitions() {
        if definition.contains("<tpm") && !has_tpm {
            println!("{name} is left out: there is no swtpm");
            continue;
        }
        let socket = testbed.path(&format!("{name}.qmp"));
        // The disk is no guest's own, so that one is enough for all.
        let definition = definition
            .replace("DIR/", &folder)
            .replace("disk.raw\"/>", "disk.raw\"/>\n      <shareable/>");
        let with_monitor = definition
            .replacen(
                "<domain type=\"qemu\">",
                "<domain type=\"qemu\" xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\">",
                1,
            )
            .replacen(
                "</domain>",
                &format!(
                    "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:{},server=on,wait=off'/></qemu:commandline></domain>",
                    socket.display()
                ),
                1,
            );
        let domain = match testbed.client.define(&with_monitor).await {
            Ok(domain) => domain,
            Err(error) => {
                wrong.push(format!("{name} is not defined: {error}"));
                continue;
            }
        };
        if let Err(error) = domain.act("Create", START_PAUSED).await {
            wrong.push(format!("{name} does not start: {error}"));
            continue;
        }
        let live = domain.xml(0).await.unwrap();
        println!("{live}");
        let compared = tokio::task::spawn_blocking(move || {
            compare(&name, &live, &mut Monitor::connect(&socket));
        });
        if let Err(error) = compared.await {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<String>().cloned();
            wrong.push(text.unwrap_or_else(|| "a comparison failed".to_owned()));
        }
        domain.act("Destroy", 0).await.unwrap();
        domain.act("Undefine", 0).await.unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    testbed.assert_nothing_left().await;
}

/// The files of stored definitions.
fn stored(testbed: &Testbed) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![testbed.daemon.state_dir().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "xml") {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_an_earlier_release_stored_is_completed_when_it_is_read() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::small("earlier").device("<interface type='user'/><video/>");
    let domain = testbed.define(&guest).await;
    let complete = domain.xml(XML_INACTIVE).await.unwrap();
    testbed.daemon.kill();
    let [file] = &stored(&testbed)[..] else {
        panic!("one definition is stored");
    };
    let text = fs::read_to_string(file).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.contains("<address type='pci'"));
    let earlier: String = lines.map(|line| format!("{line}\n")).collect();
    assert_ne!(earlier, text);
    fs::write(file, &earlier).unwrap();

    testbed.daemon.start(&testbed.client).await;
    wait_for_async("the definition to be completed", LIMIT, async || {
        let shown = domain.xml(XML_INACTIVE).await.unwrap();
        shown
            .contains("<address type='pci'")
            .then(|| assert_eq!(shown, complete))
    })
    .await;
    assert_eq!(fs::read_to_string(file).unwrap(), earlier);
    domain.act("Create", 0).await.unwrap();
    let live = domain.xml(0).await.unwrap();
    let balloon = live.split("<memballoon").nth(1).unwrap();
    assert!(balloon.contains("<address type='pci'"), "{live}");
    testbed.end().await;
}
