//! What a file says, what is written back unchanged, and what is refused.

mod common;

use std::path::Path;

use common::{MACHINE, uuid};
use virtbus_vbox_settings::{Error, Settings};

/// The file, read.
fn machine() -> Settings {
    Settings::parse(MACHINE.as_bytes()).expect("it is a machine")
}

/// The file as text.
fn text(settings: &Settings) -> String {
    String::from_utf8(settings.format()).expect("it is in UTF-8")
}

#[test]
fn a_file_is_written_back_as_it_was() {
    let settings = machine();
    assert_eq!(text(&settings), MACHINE);
    assert_eq!(settings.clone(), settings);
    let windows = MACHINE.replace('\n', "\r\n");
    let settings = Settings::parse(windows.as_bytes()).unwrap();
    assert_eq!(text(&settings), windows);
    let flat: String = MACHINE.lines().map(str::trim).collect();
    let settings = Settings::parse(flat.as_bytes()).unwrap();
    assert_eq!(text(&settings), flat);
}

#[test]
fn the_machine_is_described() {
    let settings = machine();
    assert_eq!(settings.version(), Some("1.16-linux"));
    assert_eq!(settings.uuid(), uuid(1));
    assert_eq!(settings.name(), "bakery & café");
    assert_eq!(settings.current_snapshot(), Some(uuid(0x12)));
    assert_eq!(settings.snapshot_folder(), Some(Path::new("Snapshots")));
    assert!(!settings.current_state_modified());
    assert_eq!(settings.last_state_change(), Some("2024-03-01T08:00:00Z"));
    assert_eq!(settings.disks(), [uuid(0xa2), uuid(0xb0)]);
    let memory = settings.hardware().elements().nth(1).unwrap();
    assert_eq!(memory.attribute("RAMSize"), Some("1024"));
}

#[test]
fn a_state_that_is_not_said_to_be_unmodified_is_modified() {
    let silent = MACHINE.replace(" currentStateModified='false'", "");
    let settings = Settings::parse(silent.as_bytes()).unwrap();
    assert!(settings.current_state_modified());
}

#[test]
fn hard_disks_are_a_forest() {
    let settings = machine();
    let all: Vec<_> = settings.hard_disks().map(|disk| disk.uuid).collect();
    assert_eq!(all, [0xa0, 0xa1, 0xa2, 0xa3, 0xb0].map(uuid));
    let chain = settings.hard_disk_chain(uuid(0xa3)).unwrap();
    let chain: Vec<_> = chain.iter().map(|disk| disk.uuid).collect();
    assert_eq!(chain, [0xa3, 0xa1, 0xa0].map(uuid));
    let first = settings.hard_disk(uuid(0xa0)).unwrap();
    assert_eq!((first.format, first.kind), ("VDI", Some("Normal")));
    assert_eq!(first.children().count(), 1);
    let folder = Path::new("/home/anna/bakery");
    let found = |path: &str| {
        let found = settings.find_hard_disk_at(Path::new(path), folder);
        found.map(|disk| disk.uuid)
    };
    assert_eq!(found("/home/anna/bakery/flour.vdi"), Some(uuid(0xa0)));
    assert_eq!(found("/srv/images/salt.vmdk"), Some(uuid(0xb0)));
    assert_eq!(found("/srv/images/install.iso"), None);
    assert_eq!(
        settings.hard_disk(uuid(0xd0)),
        Err(Error::NoHardDisk(uuid(0xd0)))
    );
}

#[test]
fn snapshots_are_a_tree() {
    let settings = machine();
    let all: Vec<_> = settings.snapshots().map(|s| (s.uuid, s.name)).collect();
    let wanted = [(0x10, "dough"), (0x11, "burnt"), (0x12, "crisp")];
    assert_eq!(all, wanted.map(|(n, name)| (uuid(n), name)));
    let first = settings.first_snapshot().unwrap();
    assert_eq!(first.description().as_deref(), Some("before <baking>"));
    assert_eq!(first.time_stamp, "2024-01-01T10:00:00Z");
    assert_eq!(first.disks(), [uuid(0xa0)]);
    let burnt = settings.find_snapshot("burnt").unwrap();
    assert_eq!(burnt.disks(), [uuid(0xa1)], "those in the hardware count");
    assert_eq!(burnt.description(), None);
    assert!(settings.snapshot(uuid(0x12)).unwrap().disks().is_empty());
    let chain = settings.snapshot_chain(uuid(0x12)).unwrap();
    assert_eq!(
        chain.iter().map(|s| s.name).collect::<Vec<_>>(),
        ["crisp", "dough"]
    );
    assert!(settings.is_current(uuid(0x12)));
    assert!(!settings.is_current(uuid(0x10)));
    assert_eq!(settings.find_snapshot("flat"), None);
    let error = settings.snapshot(uuid(0xa0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no snapshot 5c9f0000-1111-4222-8333-0000000000a0"
    );
}

#[test]
fn latin_1_is_read_and_written() {
    let declared = MACHINE.replacen(
        "<?xml version=\"1.0\"?>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
        1,
    );
    let bytes: Vec<u8> = declared.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let mut settings = Settings::parse(&bytes).unwrap();
    assert_eq!(settings.name(), "bakery & café");
    assert_eq!(settings.format(), bytes);
    settings.set_snapshot_folder("/srv/żyto").unwrap();
    let folder = b" snapshotFolder=\"/srv/&#380;yto\" ";
    let written = settings.format();
    assert!(written.windows(folder.len()).any(|part| part == folder));
    let again = Settings::parse(&written).unwrap();
    assert_eq!(again.snapshot_folder(), Some(Path::new("/srv/żyto")));
}

#[test]
fn what_is_no_machine_is_refused_with_the_place() {
    let refused = |from: &str, to: &str| {
        assert!(MACHINE.contains(from), "{from}");
        let text = MACHINE.replacen(from, to, 1);
        Settings::parse(text.as_bytes()).unwrap_err().to_string()
    };
    let a2 = "uuid=\"{5c9f0000-1111-4222-8333-0000000000a2}\" location=\"Snapshots/{5c9f0000-1111-4222-8333-0000000000a2}.vdi\" ";
    for (from, to, told) in [
        (
            "innotek.de",
            "example.org",
            "line 5, column 1: element <VirtualBox>: must be in the name space http://www.innotek.de/VirtualBox-settings",
        ),
        (
            "<Machine ",
            "<Machine><Hardware/></Machine><Machine ",
            "element <Machine>: <VirtualBox> has another one already",
        ),
        (
            " name=\"bakery &amp; café\"",
            "",
            "line 6, column 3: attribute 'name' of <Machine>: must be given",
        ),
        (
            "currentSnapshot=\"{",
            "currentSnapshot=\"{{",
            "attribute 'currentSnapshot' of <Machine>",
        ),
        (
            "currentStateModified='false'",
            "currentStateModified='no'",
            "'no' is not 'true' or 'false'",
        ),
        (
            " location=\"flour.vdi\"",
            "",
            "attribute 'location' of <HardDisk>: must be given",
        ),
        (
            a2,
            "location=\"x\" ",
            "attribute 'uuid' of <HardDisk>: must be given",
        ),
        (
            a2,
            "uuid=\"{5c9f0000-1111-4222-8333-0000000000B0}\" location=\"x\" ",
            "5c9f0000-1111-4222-8333-0000000000b0 is another one's already",
        ),
        (
            "name=\"burnt\" ",
            "",
            "attribute 'name' of <Snapshot>: must be given",
        ),
        (
            " timeStamp=\"2024-01-02T10:00:00Z\"",
            "",
            "attribute 'timeStamp' of <Snapshot>: must be given",
        ),
        (
            "          <Hardware/>\n",
            "",
            "element <Snapshot>: child element <Hardware> must be given",
        ),
        (
            "000000000012}\" name",
            "000000000011}\" name",
            "attribute 'uuid' of <Snapshot>: 5c9f0000-1111-4222-8333-000000000011 is",
        ),
        (
            "</MediaRegistry>",
            "</MediaRegistry><MediaRegistry/>",
            "element <MediaRegistry>: <Machine> has another one",
        ),
        (
            "</VirtualBox>",
            "",
            "the document ends inside of <VirtualBox>",
        ),
        ("<Machine ", "<!DOCTYPE a>\n<Machine ", "line 6"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(told), "{to}: {error}");
    }
}

#[test]
fn what_is_too_deep_or_too_large_is_refused() {
    let nested = |depth: usize| {
        let disk = |n: usize| {
            format!(
                "<HardDisk uuid='{}' location='d' format='VDI'>",
                uuid(n as u128)
            )
        };
        let disks: String = (0..depth).map(disk).collect();
        format!(
            "<VirtualBox xmlns='{}'><Machine uuid='{}' name='m'><Hardware/><MediaRegistry><HardDisks>{disks}{}\
             </HardDisks></MediaRegistry></Machine></VirtualBox>",
            virtbus_vbox_settings::NAMESPACE,
            uuid(0),
            "</HardDisk>".repeat(depth)
        )
    };
    let deepest = nested(516);
    let settings = Settings::parse(deepest.as_bytes()).unwrap();
    assert_eq!(settings.hard_disk_chain(uuid(515)).unwrap().len(), 516);
    assert_eq!(settings.clone(), settings);
    assert!(format!("{settings:?}").len() > deepest.len());
    let error = Settings::parse(nested(517).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("nested deeper"), "{error}");
    let large = vec![b' '; (16 << 20) + 1];
    let error = Settings::parse(&large).unwrap_err();
    assert!(error.to_string().contains("16777217 bytes"), "{error}");
}
