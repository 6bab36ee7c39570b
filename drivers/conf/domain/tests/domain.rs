//! Domain documents: each is read strictly, completed, validated and written.
//!
//! `NAME.xml` gives `NAME.out.xml`; a document in `domain-bad` gives the message in `NAME.err`. With
//! `VIRTBUS_UPDATE=1` the outputs are written anew, and the review is the diff.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose data cannot be read has to fail"
)]

use std::fs;
use std::path::{Path, PathBuf};

use virtbus_conf_base::Flags;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::domain::{
    AbiFlags, CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams,
};
use virtbus_conf_tests::Counting;

fn finish(xml: &str, flags: CompleteFlags) -> Result<Domain, String> {
    let mut domain = Domain::parse_strict(xml).map_err(|e| e.to_string())?;
    let features =
        DriverFeatures::all() - DriverFeatures::NO_BOOT_ORDER - DriverFeatures::NO_STUB_CONSOLE;
    let mut seams = Seams {
        driver: &mut NoDefaults(features),
        entropy: &mut Counting,
        mac_prefix: [0x52, 0x54, 0],
        host_arch: Arch::X86_64,
        flags,
    };
    domain.complete(&mut seams).map_err(|e| e.to_string())?;
    domain.validate(features).map_err(|e| e.to_string())?;
    Ok(domain)
}

fn documents(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.to_str().unwrap().ends_with(".xml")
                && !path.to_str().unwrap().ends_with(".out.xml")
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn check(path: &Path, extension: &str, text: &str) {
    let output = path.with_extension(extension);
    if std::env::var_os("VIRTBUS_UPDATE").is_some() {
        fs::write(&output, text).unwrap();
    }
    let expected = fs::read_to_string(&output).unwrap_or_default();
    same(text, &expected, &output);
}

/// Both texts are equal; if not, says where they part.
fn same(text: &str, expected: &str, path: &Path) {
    if text != expected {
        let pair = text.lines().zip(expected.lines()).find(|(a, b)| a != b);
        panic!("{}: {pair:?}", path.display());
    }
}

#[test]
fn good_documents() {
    for path in documents("domain") {
        let xml = fs::read_to_string(&path).unwrap();
        let name = path.display();
        let domain = finish(&xml, CompleteFlags::empty()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let text = domain.format(Flags::SECURE);
        check(&path, "out.xml", &text);
        // What is complete stays as it is.
        let again =
            finish(&text, CompleteFlags::empty()).unwrap_or_else(|e| panic!("{name} again: {e}"));
        same(&again.format(Flags::SECURE), &text, &path);
        same(
            &Domain::parse_strict(&text).unwrap().format(Flags::SECURE),
            &text,
            &path,
        );
        same(&format!("{again:#?}"), &format!("{domain:#?}"), &path);
        let inactive = finish(&xml, CompleteFlags::INACTIVE)
            .unwrap_or_else(|e| panic!("{name} inactive: {e}"));
        check(
            &path,
            "inactive.out.xml",
            &inactive.format(Flags::SECURE | Flags::INACTIVE),
        );
    }
}

#[test]
fn bad_documents() {
    for path in documents("domain-bad") {
        let xml = fs::read_to_string(&path).unwrap();
        let message = finish(&xml, CompleteFlags::INACTIVE).err();
        let message = message.unwrap_or_else(|| panic!("{} is accepted", path.display()));
        check(&path, "err", &format!("{message}\n"));
    }
}

#[test]
fn secrets_stay_secret() {
    let xml = "<domain type='test'><name>n</name><memory>1024</memory><os><type>hvm</type></os><devices>\
               <graphics type='vnc' passwd='hush'/></devices></domain>";
    let domain = Domain::parse(xml).unwrap();
    assert!(!domain.format(Flags::empty()).contains("hush"));
    assert!(domain.format(Flags::SECURE).contains("hush"));
}

#[test]
fn deep_documents_need_no_deep_stack() {
    let mut xml =
        "<domain type='test'><name>n</name><devices><disk><source file='/'/><target dev='a'/>"
            .to_owned();
    let layers = 240;
    for _ in 0..layers {
        xml.push_str("<backingStore type='file'><source file='/'/>");
    }
    xml.push_str(&"</backingStore>".repeat(layers));
    xml.push_str("</disk></devices></domain>");
    let domain = Domain::parse(&xml).unwrap();
    assert_eq!(domain.devices.disk[0].backing.layers.len(), layers);
    assert_eq!(
        Domain::parse(&domain.format(Flags::empty())).unwrap(),
        domain
    );

    let mut xml = "<domain type='test'><name>n</name><devices><disk><target dev='a'/>".to_owned();
    let stores = 120;
    for _ in 0..stores {
        xml.push_str("<source file='/'><dataStore type='file'>");
    }
    xml.push_str(&"</dataStore></source>".repeat(stores));
    xml.push_str("</disk></devices></domain>");
    assert_eq!(
        Domain::parse(&xml).unwrap_err().element(),
        Some("dataStore")
    );
}

#[test]
fn a_guest_notices_what_it_can_see() {
    let path = documents("domain")
        .into_iter()
        .find(|p| p.ends_with("devices.xml"))
        .unwrap();
    let xml = fs::read_to_string(path).unwrap();
    let domain = finish(&xml, CompleteFlags::INACTIVE).unwrap();
    let change = |from: &str, to: &str| {
        let text = domain.format(Flags::SECURE);
        assert!(text.contains(from), "{from}");
        let other = Domain::parse(&text.replacen(from, to, 1)).unwrap();
        domain
            .check_abi(&other, AbiFlags::empty())
            .err()
            .map(|e| e.to_string())
    };
    for (from, to) in [
        ("<emulator>/usr/bin/emulator", "<emulator>/elsewhere"),
        ("<source bridge='br0'/>", "<source bridge='br1'/>"),
        ("port='5901'", "port='5902'"),
        ("startupPolicy='optional'", "startupPolicy='mandatory'"),
    ] {
        assert_eq!(change(from, to), None, "{from}");
    }
    for (from, to, message) in [
        (
            "'KiB'>65536</memory>",
            "'KiB'>65537</memory>",
            "memory at start in KiB would change from 65536 to 65537",
        ),
        (
            "<model type='e1000'/>",
            "<model type='rtl8139'/>",
            "the model of interface 52:54:00:aa:bb:0c would change from e1000 to rtl8139",
        ),
        (
            "controller='0' slot='0'",
            "controller='0' slot='1'",
            "the address of a <smartcard> would change from type='ccid' controller='0' slot='0' \
             to type='ccid' controller='0' slot='1'",
        ),
        (
            "<hub type='usb'/>",
            "",
            "the number of hubs would change from 1 to 0",
        ),
    ] {
        assert_eq!(change(from, to).as_deref(), Some(message));
    }
}

/// Definitions are kept by the thousand: what each has takes no more room for what few have.
#[test]
fn what_every_guest_has_is_small() {
    use std::mem::size_of;

    use virtbus_conf_domain::domain::devices::{controller, disk, interface};

    assert!(size_of::<Domain>() <= 2176, "{}", size_of::<Domain>());
    assert!(size_of::<disk::Disk>() <= 704);
    assert!(size_of::<interface::Interface>() <= 704);
    assert!(size_of::<controller::Controller>() <= 256);
    let text = include_str!("data/domain/storage.xml");
    let domain = Domain::parse(text).unwrap();
    let disks = &domain.devices.disk;
    assert!(disks.len() > 4, "{}", disks.len());
    assert_eq!(disks.capacity(), disks.len());
}

#[test]
fn completing_makes_no_room_for_what_is_not_there() {
    let xml = "<domain type='kvm'><name>n</name><memory>65536</memory><os><type>hvm</type></os><devices>\
        <disk type='file'><source file='/images/n'/><target dev='vda' bus='virtio'/></disk>\
        <interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>\
        </devices></domain>";
    let mut domain = finish(xml, CompleteFlags::INACTIVE).unwrap();
    let devices = &mut domain.devices;
    assert!(devices.hostdev.get_mut().is_none());
    let disk = &mut devices.disk[0];
    assert!(disk.info.get_mut().is_none());
    assert!(disk.backing.get_mut().is_none());
    assert!(disk.source.common_mut().get_mut().is_none());
    let interface = &mut devices.interface[0];
    assert!(interface.info.get_mut().is_none());
    assert!(interface.connection.get_mut().is_none());
    assert!(interface.options.ip.get_mut().is_none());
    assert!(interface.tail.get_mut().is_none());
}
