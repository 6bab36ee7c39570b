//! Definitions that are damaged in every way at every place, or larger than they should be: each is answered soon, nothing is
//! left of it, and the memory that it took is given back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use virtbus_tests::process::memory;
use virtbus_tests::{DomainXml, Testbed, or_skip};

/// What the daemon may take at most while it reads, KiB, and keep when all has been answered.
const PEAK: u64 = 64 << 10;
const KEPT: u64 = 32 << 10;

/// A guest with something of most that a definition has.
const RICH: &str = "<title>a title</title><metadata><n:n xmlns:n='urn:n'>note</n:n></metadata>\
    <iothreads>2</iothreads><perf><event name='cpu_cycles' enabled='no'/></perf>\
    <clock offset='utc'><timer name='hpet' present='no'/></clock>";
const DEVICES: &str = "<disk type='file'><driver name='qemu' type='qcow2'/><source file='/disks/a'/><target dev='vda' bus='virtio'/>\
    <alias name='ua-disk'/><address type='pci' domain='0' bus='0' slot='4' function='0'/></disk>\
    <controller type='usb' index='0' model='qemu-xhci'/>\
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>\
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
    <graphics type='vnc' port='5999'><listen type='address' address='127.0.0.1'/></graphics>\
    <video><model type='vga' vram='16384'/></video><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>";

/// What an attribute or a text becomes.
const VALUES: [&str; 14] = [
    "",
    " ",
    "-1",
    "4294967296",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "0x",
    "1.5e3",
    "&undefined;",
    "&#0;",
    "&#xFFFF;",
    "<nested/>",
    "../../../etc/passwd",
    "%s%n\u{202e}",
];

/// The places of values in a document: what stands in quotes, and between two tags without anything else.
fn places(xml: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = xml[at..].find(['\'', '>']) {
        let start = at + start + 1;
        let stop = if xml.as_bytes()[start - 1] == b'\'' {
            '\''
        } else {
            '<'
        };
        let Some(length) = xml[start..].find(stop) else {
            break;
        };
        if !xml[start..start + length].trim().is_empty() {
            found.push((start, start + length));
        }
        at = start + if stop == '\'' { length + 1 } else { 0 };
    }
    found
}

/// Damaged documents with what is wrong with each: every place has one kind of value after the other.
fn damaged() -> Vec<(String, String)> {
    let whole = DomainXml::small("broken")
        .element(RICH)
        .device(DEVICES)
        .xml();
    let places = places(&whole);
    let mut documents = Vec::new();
    for (number, (start, end)) in places.iter().enumerate() {
        for step in 0..4 {
            let value = VALUES[(number + step * 5) % VALUES.len()];
            let what = format!("{value:?} for {:?} at {start}", &whole[*start..*end]);
            documents.push((
                what,
                format!("{}{value}{}", &whole[..*start], &whole[*end..]),
            ));
        }
    }
    // Elements without their ends, twice, and within themselves.
    for name in [
        "domain", "name", "os", "devices", "disk", "vcpu", "memory", "metadata",
    ] {
        let open = whole.find(&format!("<{name}")).expect("the guest has it");
        let close = format!("</{name}>");
        let end = whole.rfind(&close).expect("it ends");
        let element = &whole[open..end + close.len()];
        let cases = [
            (
                "without its end",
                format!("{}{}", &whole[..end], &whole[end + close.len()..]),
            ),
            (
                "twice",
                format!("{}{element}{}", &whole[..open], &whole[open..]),
            ),
            (
                "within itself",
                format!("{}{element}{}", &whole[..end], &whole[end..]),
            ),
        ];
        documents.extend(cases.map(|(what, xml)| (format!("<{name}> {what}"), xml)));
    }
    documents
}

/// Documents that are large in one way each.
fn large() -> Vec<(String, String)> {
    let guest = |devices: &str, elements: &str| {
        DomainXml::small("large")
            .element(elements)
            .device(devices)
            .xml()
    };
    let kinds = [
        "<channel type='pty'><target type='virtio'/></channel>",
        "<console type='pty'><target type='virtio'/></console>",
        "<graphics type='vnc'/>",
        "<interface type='user'/>",
        "<serial type='pty'/>",
        "<controller type='usb'/>",
        "<disk type='file'><target dev='vda'/></disk>",
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/><product id='0x2'/></source></hostdev>",
        "<input type='tablet'/>",
        "<unknown a='1'/>",
    ];
    let mut documents: Vec<(String, String)> = kinds
        .iter()
        .map(|kind| (format!("20,000 of {kind}"), guest(&kind.repeat(20_000), "")))
        .collect();
    let notes = |inside: &str| format!("<metadata><n:n xmlns:n='urn:n'>{inside}</n:n></metadata>");
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    documents.extend([
        (
            "threads".to_owned(),
            guest("", "<iothreads>4294967295</iothreads>"),
        ),
        (
            "notes of 990,000 elements".to_owned(),
            guest("", &notes(&"<a/>".repeat(990_000))),
        ),
        (
            "notes that are deep and wide".to_owned(),
            guest("", &notes(&deep.repeat(1000))),
        ),
        (
            "a description of 15 MB".to_owned(),
            guest(
                "",
                &format!("<description>{}</description>", "\n".repeat(15_000_000)),
            ),
        ),
        (
            "a description of 3 MB".to_owned(),
            guest(
                "",
                &format!("<description>{}</description>", "&lt;".repeat(750_000)),
            ),
        ),
        (
            "a name of 15 MB".to_owned(),
            format!(
                "<domain type='qemu'><name>{}</name></domain>",
                "n".repeat(15_000_000)
            ),
        ),
        (
            "15 MB that never end".to_owned(),
            format!("<domain type='qemu'>{}", "<a>".repeat(5_000_000)),
        ),
    ]);
    documents
}

/// All files below a directory.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&path));
        }
        found.insert(path);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_definitions_leave_nothing() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    // The emulator has been asked what it can do, and the directories are there.
    let first = testbed
        .define(&DomainXml::small("first").element(RICH).device(DEVICES))
        .await;
    first.act("Undefine", 0).await.unwrap();
    let pid = testbed.daemon.pid();
    let before = files(testbed.daemon.state_dir());
    let (resident, children) = (memory(pid, "VmRSS"), testbed.daemon.children().len());
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();

    let documents: Vec<_> = damaged().into_iter().chain(large()).collect();
    assert!(documents.len() > 230, "{}", documents.len());
    let mut slowest = (Duration::ZERO, "");
    for (what, xml) in &documents {
        slowest = slowest.max((try_both(&testbed, what, xml).await, what));
    }
    println!("the slowest answer: {slowest:?}");
    // Memory is given back after each large document, and what messages took after the next.
    let last =
        DomainXml::small("last").element(&format!("<title>{}</title>", "t".repeat(300 << 10)));
    let last = testbed.define(&last).await;
    last.act("Undefine", 0).await.unwrap();
    let (peak, after) = (memory(pid, "VmHWM"), memory(pid, "VmRSS"));
    println!("memory {resident}, at most {peak}, then {after} KiB");
    assert!(testbed.daemon.exited().is_none());
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
    assert_eq!(testbed.daemon.children().len(), children);
    assert_eq!(files(testbed.daemon.state_dir()), before);
    assert!(peak < resident + PEAK, "{resident} -> {peak} KiB");
    assert!(after < resident + KEPT, "{resident} -> {after} KiB");
}

/// Defines and creates a guest; the longer of the two times it took, which the client limits. What is accepted is shown and goes again.
async fn try_both(testbed: &Testbed, what: &str, xml: &str) -> Duration {
    let begin = Instant::now();
    let defined = testbed.client.define(xml).await;
    let answered = begin.elapsed();
    match defined {
        Ok(domain) => {
            let shown = domain.xml(0).await;
            shown.unwrap_or_else(|error| panic!("{what}: {error}"));
            let gone = domain.act("Undefine", 0).await;
            gone.unwrap_or_else(|error| panic!("{what}: {error}"));
            answered
        }
        Err(error) => {
            assert!(error.is_refusal(), "{what}: {error}");
            let begin = Instant::now();
            let created = testbed.client.create(xml, 0).await;
            let created = created.map(|domain| domain.path().to_owned());
            assert!(
                created.is_err_and(|error| error.is_refusal()),
                "{what}: created"
            );
            answered.max(begin.elapsed())
        }
    }
}
