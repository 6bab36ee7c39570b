//! Texts that would be syntax: whatever a definition has in any of its texts, QEMU is given the same options by the same
//! names, and the text whole as one value; or the definition is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use virtbus_api::{ErrorCode, Result};
use virtbus_conf_base::{Fragment, FragmentNode, format_text};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::chardev::ChardevSource;
use virtbus_conf_domain::domain::devices::graphics::GraphicsKind;
use virtbus_qemu_capabilities::{Cap, Capabilities};
use virtbus_util::cmd::Cmd;

use super::{Host, Needs, files, fill, held_name};
use crate::definition;

/// Texts that mean something to one or the other syntax that is read behind the command line.
const HOSTILE: [&str; 15] = [
    "a,id=evil",
    "a,,id=evil",
    ",",
    "a=b",
    "a:b",
    "::1],password=off,x=[::1",
    "fe80::1%eth0",
    "a\nid=evil",
    "a\rb",
    "a\tb",
    "a b",
    "a'\"`$(x);#\\b",
    "-S",
    "json:{}",
    "ü\u{2028}",
];

/// A guest that has what this driver supports, with texts wherever it may have some.
const GUEST: &str = r#"<domain type='qemu'>
  <name>guest</name><title>title</title><description>text</description>
  <memory>65536</memory><vcpu>1</vcpu><iothreads>1</iothreads>
  <os><type arch='x86_64' machine='q35'>hvm</type><loader>/boot/bios</loader>
    <kernel>/boot/kernel</kernel><initrd>/boot/initrd</initrd><cmdline>quiet</cmdline><dtb>/boot/dtb</dtb></os>
  <cpu mode='custom'><model vendor_id='GenuineVirtb'>known</model><feature name='feature' policy='require'/></cpu>
  <devices>
    <disk type='file'><driver name='qemu' type='qcow2'/><source file='/disks/a'/><target dev='vda'/>
      <serial>serial</serial><alias name='ua-disk'/><rom file='/roms/disk'/></disk>
    <disk type='block'><source dev='/dev/disk'/><target dev='sda'/><serial>second</serial></disk>
    <disk type='dir'><source dir='/disks/folder'/><target dev='vdb'/></disk>
    <disk type='network'><source protocol='nbd' name='export'><host name='host' port='10809'/></source><target dev='vdc'/></disk>
    <disk type='network'><source protocol='nbd'><host transport='unix' socket='/run/nbd'/></source><target dev='vdd'/></disk>
    <disk type='file'><source file='/disks/b'/><backingStore type='file'><format type='raw'/><source file='/disks/c'/></backingStore>
      <target dev='vde'/></disk>
    <interface type='user'><model type='virtio'/><alias name='ua-net'/><rom file='/roms/net'/></interface>
    <interface type='ethernet'><target dev='tap7'/><model type='e1000e'/></interface>
    <interface type='server'><source address='address' port='5558'/></interface>
    <interface type='client'><source address='address' port='5558'/></interface>
    <interface type='mcast'><source address='address' port='5558'/></interface>
    <interface type='udp'><source address='address' port='5558'><local address='local' port='5559'/></source></interface>
    <serial type='file'><source path='/log/serial'/><log file='/log/log'/></serial>
    <serial type='dev'><source path='/dev/ttyS9'/></serial>
    <serial type='pipe'><source path='/run/pipe'/></serial>
    <serial type='tcp'><source mode='connect' host='host' service='4555'/><protocol type='raw'/><alias name='ua-serial'/></serial>
    <serial type='udp'><source mode='bind' host='host' service='4555'/><source mode='connect' host='host' service='4556'/></serial>
    <serial type='unix'><source mode='bind' path='/run/serial'/></serial>
    <parallel type='dev'><source path='/dev/parport0'/></parallel>
    <channel type='unix'><source mode='bind' path='/run/channel'/><target type='virtio' name='org.name'/></channel>
    <channel type='spiceport'><source channel='channel'/><target type='virtio' name='com.name'/></channel>
    <input type='tablet' bus='usb'><address type='usb' bus='0' port='1'/><alias name='ua-tablet'/></input>
    <tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm9'/></backend></tpm>
    <graphics type='vnc' port='5901' keymap='de'><listen type='address' address='address'/></graphics>
    <graphics type='vnc' passwd='secret'><listen type='socket' socket='/run/vnc'/></graphics>
    <graphics type='spice' port='5902'><listen type='address' address='address'/></graphics>
    <sound model='ich9'><alias name='ua-sound'/></sound>
    <video><model type='vga'/><alias name='ua-video'/></video>
    <watchdog model='i6300esb' action='reset'/>
    <rng model='virtio'><backend model='random'>/dev/hwrng</backend></rng>
    <rng model='virtio'><backend model='egd' type='unix'><source mode='connect' path='/run/egd'/></backend></rng>
  </devices>
</domain>"#;

/// What QEMU reads: the options in their order, each with the names and values that it has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    names: Vec<(String, Vec<String>)>,
    values: BTreeSet<String>,
}

impl Read {
    /// The options with their names, in an order of their own. What bridges there are, and which of them have several devices in one slot,
    /// is not looked at.
    fn sorted(&self) -> Vec<&(String, Vec<String>)> {
        let is_bridge = |names: &[String]| names.iter().any(|name| name.ends_with("chassis"));
        let mut names: Vec<_> = self
            .names
            .iter()
            .filter(|(_, names)| !is_bridge(names))
            .collect();
        names.sort();
        names
    }

    /// Notes a value, and the host that it has before a port.
    fn value(&mut self, value: &str) {
        self.values.insert(value.to_owned());
        let host = value.rsplit_once(':').map(|(host, _)| host);
        let bare = |host: &str| {
            host.trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned()
        };
        self.values.extend(host.map(bare));
        self.values
            .extend(value.strip_prefix("unix:").map(ToOwned::to_owned));
    }
}

/// Options whose value is one text, whatever is in it.
const PLAIN: [&str; 9] = [
    "-kernel",
    "-initrd",
    "-dtb",
    "-append",
    "-bios",
    "-k",
    "-uuid",
    "-pidfile",
    "-incoming",
];

/// Reads a command line as QEMU does.
fn read(arguments: &[OsString]) -> Read {
    let mut read = Read::default();
    let mut arguments = arguments.iter().map(|a| a.to_str().unwrap()).peekable();
    while let Some(option) = arguments.next() {
        assert!(
            option.starts_with('-'),
            "an option was expected, not {option:?}"
        );
        let takes_value = ![
            "-S",
            "-no-user-config",
            "-nodefaults",
            "-no-shutdown",
            "-no-reboot",
            "-no-hpet",
        ]
        .contains(&option);
        let value = if takes_value {
            arguments.next().unwrap()
        } else {
            ""
        };
        let mut names = Vec::new();
        if PLAIN.contains(&option) {
            read.values.insert(value.to_owned());
        } else if value.starts_with('{') {
            let json: serde_json::Value = serde_json::from_str(value).unwrap();
            flatten("", &json, &mut names, &mut read);
        } else {
            for part in split(value) {
                // A name ends before the first '=' or ','.
                let named = part.split_once('=').filter(|(name, _)| !name.contains(','));
                let (name, value) = named.unwrap_or(("", &part));
                names.push(name.to_owned());
                read.value(value);
            }
        }
        read.names.push((option.to_owned(), names));
    }
    read
}

fn flatten(path: &str, json: &serde_json::Value, names: &mut Vec<String>, read: &mut Read) {
    match json {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                flatten(&format!("{path}.{name}"), value, names, read);
            }
        }
        serde_json::Value::Array(elements) => {
            elements
                .iter()
                .for_each(|e| flatten(&format!("{path}[]"), e, names, read));
        }
        serde_json::Value::String(text) => {
            names.push(path.to_owned());
            read.value(text);
        }
        _ => names.push(path.to_owned()),
    }
}

/// Parts between single commas; two of them are one that belongs to a value.
fn split(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ',' && chars.next_if_eq(&',').is_none() {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(c);
        }
    }
    parts
}

/// The command line of the guest that a document defines, as it would be started by the daemon's own user.
pub(super) fn command_line(xml: &str, json: bool) -> Result<Vec<OsString>> {
    filled(xml, json, None).map(|(arguments, _)| arguments)
}

/// The same with what it needs.
fn filled(xml: &str, json: bool, first_held: Option<i32>) -> Result<(Vec<OsString>, Needs)> {
    let mut capabilities = definition::tests::capabilities();
    if json {
        for cap in [Cap::DeviceJson, Cap::ObjectJson, Cap::NetdevJson] {
            capabilities.caps.set(cap);
        }
    }
    capabilities.caps.set(Cap::Spice);
    let live = definition::tests::accepted(xml, &capabilities)?;
    arguments_of(live, capabilities, first_held)
}

/// The command line of a definition that is complete, or was complete for an earlier release.
fn arguments_of(
    mut live: Definition,
    mut capabilities: Capabilities,
    first_held: Option<i32>,
) -> Result<(Vec<OsString>, Needs)> {
    for (number, mut device) in live.devices.iter_mut().enumerate() {
        if let Some(info) = device.info_mut()
            && !info.has_user_alias()
        {
            info.alias = Some(format_text!("device{number}"));
        }
    }
    for (number, disk) in (1..).zip(&mut live.devices.disk) {
        if !disk.source.is_empty() {
            disk.source.common_mut().index = Some(number);
        }
    }
    for graphics in &mut live.devices.graphics {
        if let GraphicsKind::Vnc(vnc) = &mut graphics.kind {
            vnc.port.get_or_insert(5903);
        }
    }
    for channel in &mut live.devices.channel {
        if let ChardevSource::Unix(unix) = &mut channel.chardev.source {
            unix.path.get_or_insert("/run/made".into());
        }
    }
    let opened: Vec<_> = files(&live)
        .into_iter()
        .map(|(path, _)| (path, 9))
        .collect();
    let host = Host {
        dir: Path::new("/run/a,b=c"),
        monitor_fd: 3,
        seccomp: true,
        incoming: false,
        taps: &[],
        files: &opened,
        first_held,
        backing: &[],
    };
    loop {
        let mut cmd = Cmd::new("/q");
        match fill(&mut cmd, &live, &capabilities, &host) {
            Ok(needs) => return Ok((cmd.arguments().to_vec(), needs)),
            // This emulator has every device.
            Err(error) => match lacking(&error.message) {
                Some(device) if !capabilities.has_device(device) => {
                    capabilities.devices.push(device.to_owned());
                    capabilities.devices.sort_unstable();
                }
                _ => return Err(error),
            },
        }
    }
}

fn lacking(message: &str) -> Option<&str> {
    message.split("; ").find_map(|refusal| {
        let device = refusal.strip_prefix("this emulator has no device '")?;
        device.strip_suffix('\'')
    })
}

/// A guest as an earlier release ran it, which gave its devices no addresses.
const EARLIER: &str = r#"<domain type='qemu' id='0'>
  <name>earlier</name><uuid>8c5ad8b3-0000-4000-8000-000000000001</uuid>
  <memory unit='KiB'>65536</memory><currentMemory unit='KiB'>65536</currentMemory><vcpu placement='static'>1</vcpu>
  <os><type arch='x86_64' machine='pc-q35-9.0'>hvm</type><boot dev='hd'/></os>
  <clock offset='utc'/><on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/q</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a' index='1'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda' bus='sata'/><readonly/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/b' index='2'/><target dev='sdb' bus='scsi'/>
      <address type='drive' controller='0' bus='0' target='0' unit='1'/></disk>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <controller type='sata' index='0'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='virtio-serial' index='0'/>
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='rtl8139'/></interface>
    <channel type='pty'><target type='virtio' name='c'/><address type='virtio-serial' controller='0' bus='0' port='1'/></channel>
    <input type='tablet' bus='usb'/><input type='mouse' bus='ps2'/><input type='keyboard' bus='ps2'/>
    <graphics type='vnc' port='5901'><listen type='address' address='::1'/></graphics>
    <sound model='ich9'/>
    <video><model type='vga' vram='16384' heads='1'/></video>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='builtin'/></rng>
  </devices>
</domain>"#;

/// What QEMU was told of its devices, in this order, by which it gave them their places.
const EARLIER_DEVICES: [&str; 14] = [
    "qemu-xhci",
    "virtio-scsi-pci",
    "virtio-serial-pci",
    "virtio-blk-pci",
    "ide-cd bus",
    "scsi-hd bus",
    "rtl8139",
    "virtserialport bus",
    "VGA",
    "usb-tablet",
    "ich9-intel-hda",
    "hda-duplex bus",
    "virtio-balloon-pci",
    "virtio-rng-pci",
];

#[test]
fn a_guest_that_an_earlier_release_saved_finds_its_devices_where_they_were() {
    let mut capabilities = definition::tests::capabilities();
    capabilities.caps.set(Cap::DeviceJson);
    let live = definition::parse_stored(EARLIER).unwrap();
    let emulator = definition::tests::emulator(&capabilities);
    assert!(!definition::is_placed(&live, &emulator));
    let (arguments, _) = arguments_of(live.clone(), capabilities.clone(), None).unwrap();
    let told = arguments.windows(2).filter(|pair| pair[0] == "-device");
    let told: Vec<String> = told
        .map(|pair| {
            let device: serde_json::Value =
                serde_json::from_str(pair[1].to_str().unwrap()).unwrap();
            assert!(device.get("addr").is_none(), "{device}");
            let bus = if device.get("bus").is_some() {
                " bus"
            } else {
                ""
            };
            format!("{}{bus}", device["driver"].as_str().unwrap())
        })
        .collect();
    assert_eq!(told, EARLIER_DEVICES);

    // What takes its place gets no addresses either; that of a guest of this release does.
    let given = EARLIER.replace(" id='0'", "").replace("'/a'", "'/c'");
    let given = definition::read(&given, false).unwrap();
    let as_it_is = definition::finish_as_it_is(given.clone()).unwrap();
    assert!(!definition::is_placed(&as_it_is, &emulator));
    let finished = definition::finish(given, &emulator).unwrap();
    assert!(definition::is_placed(&finished, &emulator));
}

#[test]
fn all_that_cannot_be_had_is_told_at_once() {
    let more = "<smartcard mode='host'/><lease><lockspace>a</lockspace><key>b</key><target path='/c'/></lease>\
                <disk type='file'><source file='/e'/><target dev='vdy'/><encryption format='luks'/></disk></devices>";
    let error = command_line(&GUEST.replacen("</devices>", more, 1), true).unwrap_err();
    let told: Vec<_> = error.message.split("; ").collect();
    assert_eq!(
        told,
        [
            "disk 'vdy': encrypted images are not supported",
            "<lease> devices are not supported",
            "<smartcard> devices are not supported",
        ]
    );
}

#[test]
fn a_list_of_refusals_has_an_end_and_says_nothing_twice() {
    let refusal = |number: usize| super::unsupported(format!("no {}", number / 2));
    let error = crate::refusals::together((0..100).map(refusal).collect()).unwrap_err();
    assert!(error.message.starts_with("no 0; no 1; no 2; "));
    assert!(
        error.message.ends_with("; no 19; and 60 more"),
        "{}",
        error.message
    );
    crate::refusals::together(Vec::new()).unwrap();
}

/// The places of texts in a document: attributes and the texts of elements, by their paths.
fn places(element: &Fragment, path: &str, found: &mut BTreeMap<String, String>) {
    for (name, value) in &element.attributes {
        found.insert(format!("{path}/@{name}"), value.clone());
    }
    for (index, child) in element.children.iter().enumerate() {
        match child {
            FragmentNode::Element(child) => {
                places(child, &format!("{path}/{}[{index}]", child.name), found);
            }
            FragmentNode::Text(text) if !text.trim().is_empty() => {
                found.insert(format!("{path}/text()[{index}]"), text.clone());
            }
            _ => {}
        }
    }
}

/// Puts a text into one place.
fn put(element: &mut Fragment, path: &str, place: &str, text: &str) {
    for (name, value) in &mut element.attributes {
        if place == format!("{path}/@{name}") {
            text.clone_into(value);
        }
    }
    for (index, child) in element.children.iter_mut().enumerate() {
        match child {
            FragmentNode::Element(child) => {
                let path = format!("{path}/{}[{index}]", child.name);
                if place.starts_with(&path) {
                    put(child, &path, place, text);
                }
            }
            FragmentNode::Text(old) if place == format!("{path}/text()[{index}]") => {
                text.clone_into(old);
            }
            _ => {}
        }
    }
}

#[test]
fn no_text_of_a_definition_is_syntax() {
    let root = Fragment::parse_document(GUEST).unwrap();
    let mut found = BTreeMap::new();
    places(&root, "", &mut found);
    assert!(found.len() > 130, "{}", found.len());
    let mut told = BTreeSet::new();
    for json in [false, true] {
        let plain = read(&command_line(GUEST, json).unwrap());
        for (place, value) in &found {
            for hostile in HOSTILE {
                // Aliases of users begin so.
                let hostile = match value.strip_prefix("ua-") {
                    Some(_) => format!("ua-{hostile}"),
                    None => hostile.to_owned(),
                };
                let mut changed = root.clone();
                put(&mut changed, "", place, &hostile);
                let Ok(arguments) = command_line(&changed.to_text(), json) else {
                    continue;
                };
                let changed = read(&arguments);
                // A card that is not known stands on another bus, so bridges come in another order.
                assert_eq!(changed.sorted(), plain.sorted(), "{place}: {hostile:?}");
                if plain.values.contains(value) && changed.values != plain.values {
                    assert!(
                        changed
                            .values
                            .iter()
                            .any(|found| *found == hostile || found.ends_with(&hostile)),
                        "{place}: {hostile:?} is not whole in {arguments:?}"
                    );
                    told.insert(place.clone());
                }
            }
        }
    }
    // Texts that really reach QEMU, and are not refused whatever they are.
    println!("{} texts are told: {told:#?}", told.len());
    assert!(told.len() > 20, "{told:#?}");
}

#[test]
fn numbers_that_wrap_are_refused() {
    let with = |from: &str, to: &str| {
        assert!(GUEST.contains(from), "{from}");
        GUEST.replacen(from, to, 1)
    };
    let clock = |attributes: &str| with("<devices>", &format!("<clock {attributes}/><devices>"));
    let vnc = |port: &str| with("port='5901'", &format!("port='{port}'"));
    let wrong = [
        vnc("-2147483648"),
        vnc("-2"),
        vnc("1"),
        vnc("5899"),
        vnc("65536"),
        vnc("2147483647"),
        with("port='5902'", "port='70000'"),
        with("port='5902'", "port='-3'"),
        with("port='5902'", "port='5902' tlsPort='99999'"),
        with("port='5901'", "port='5901' websocket='65536'"),
        clock("offset='variable' adjustment='9223372036854775807'"),
        clock("offset='variable' adjustment='-9223372036854775808'"),
        clock("offset='variable' adjustment='200000000001'"),
        clock("offset='absolute' start='18446744073709551615'"),
        clock("offset='absolute' start='253402300800'"),
        with("<vcpu>1<", "<vcpu>4294967295<"),
    ];
    for xml in wrong {
        let error = command_line(&xml, true).unwrap_err();
        println!("{}", error.message);
    }
    for right in [
        vnc("5900"),
        vnc("65535"),
        clock("offset='variable' adjustment='3600'"),
        clock("offset='variable' adjustment='-1000'"),
        clock("offset='absolute' start='253402300799'"),
    ] {
        command_line(&right, true).unwrap();
    }
}

#[test]
fn no_image_or_program_of_a_guest_is_opened_by_its_path() {
    let (arguments, needs) = filled(GUEST, true, Some(20)).unwrap();
    let arguments: Vec<&str> = arguments.iter().map(|a| a.to_str().unwrap()).collect();
    let held: Vec<&str> = needs
        .held
        .iter()
        .map(|held| held.path().to_str().unwrap())
        .collect();
    let images = ["/disks/a", "/dev/disk", "/disks/b", "/disks/c"];
    let read = [
        "/boot/bios",
        "/boot/kernel",
        "/boot/initrd",
        "/boot/dtb",
        "/roms/disk",
        "/roms/net",
    ];
    for path in images.into_iter().chain(read) {
        let place = held.iter().position(|found| *found == path);
        let place = place.unwrap_or_else(|| panic!("{path} of {held:?}"));
        let name = held_name(20 + i32::try_from(place).unwrap());
        let mut naming = arguments.iter().filter(|text| {
            **text == name || text.contains(&format!("\"{name}\"")) || text.ends_with(&name)
        });
        assert!(naming.next().is_some(), "{path} is {name} in {arguments:?}");
        assert!(
            !arguments.iter().any(|text| text.contains(path)),
            "{path} in {arguments:?}"
        );
        assert!(
            needs
                .resources
                .iter()
                .any(|found| found.path == Path::new(path))
        );
    }
}

/// Each document that lacks one attribute, text or element of this one.
fn without_one(element: &Fragment) -> Vec<Fragment> {
    let mut documents = Vec::new();
    let mut lacking = |change: &dyn Fn(&mut Fragment)| {
        let mut changed = element.clone();
        change(&mut changed);
        documents.push(changed);
    };
    for index in 0..element.attributes.len() {
        lacking(&|changed| drop(changed.attributes.remove(index)));
    }
    for (index, child) in element.children.iter().enumerate() {
        lacking(&|changed| drop(changed.children.remove(index)));
        if let FragmentNode::Element(child) = child {
            for inner in without_one(child) {
                lacking(&|changed| changed.children[index] = FragmentNode::Element(inner.clone()));
            }
        }
    }
    documents
}

#[test]
fn whatever_is_left_out_is_refused_by_name_or_not_needed() {
    let root = Fragment::parse_document(GUEST).unwrap();
    let documents = without_one(&root);
    assert!(documents.len() > 200, "{}", documents.len());
    let mut taken = 0;
    for document in documents {
        let xml = document.to_text();
        match command_line(&xml, true) {
            Ok(_) => taken += 1,
            Err(error) => {
                assert_ne!(
                    error.code,
                    ErrorCode::InternalError,
                    "{}: {xml}",
                    error.message
                );
                assert!(!error.message.is_empty(), "{xml}");
            }
        }
    }
    println!("{taken} are not needed");
    assert!(taken > 100, "{taken}");
}
