//! Capabilities of hosts and domains, and processors: `data/capabilities/NAME.xml` is read strictly and
//! written the same, or refused with the message in `NAME.err`.

use std::fs;
use std::path::Path;

use virtbus_conf_base::YesNo;
use virtbus_conf_base::cpu::Cpu;
use virtbus_conf_host::capabilities::Capabilities;
use virtbus_conf_host::domain_capabilities::{CpuCapabilities, DomainCapabilities, Support};

fn again(xml: &str) -> Result<String, String> {
    let text = if xml.starts_with("<cpu") {
        Cpu::parse_strict(xml).map(|document| document.format())
    } else if xml.starts_with("<capabilities") {
        Capabilities::parse_strict(xml).map(|document| document.format())
    } else {
        DomainCapabilities::parse_strict(xml).map(|document| document.format())
    };
    text.map_err(|e| e.to_string())
}

#[test]
fn documents() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capabilities");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        let xml = fs::read_to_string(&path).unwrap();
        let (output, result) = match again(&xml) {
            Ok(text) => (path.clone(), text),
            Err(message) => (path.with_extension("err"), format!("{message}\n")),
        };
        if std::env::var_os("VIRTBUS_UPDATE").is_some() {
            fs::write(&output, &result).unwrap();
        }
        let expected = fs::read_to_string(&output).unwrap_or_default();
        assert!(result == expected, "{}:\n{result}", output.display());
        count += 1;
    }
    assert!(count >= 8);
}

#[test]
fn support_is_built_and_asked() {
    let disk = Support::YES.with("bus", ["virtio", "sata"]);
    assert!(disk.offers("bus", "sata"));
    assert!(!disk.offers("bus", "ide"));
    assert!(!disk.offers("model", "virtio"));
    let disk = Support {
        supported: YesNo::No,
        ..disk
    };
    assert!(!disk.offers("bus", "sata"));
    let cpu = CpuCapabilities::default();
    assert_eq!(cpu.custom, None);
}
