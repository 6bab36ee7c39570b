//! Changes: what they do to the file, what they leave alone, and when they are refused.

mod common;

use common::{MACHINE, uuid};
use uuid::Uuid;
use virtbus_vbox_settings::{Error, NewHardDisk, NewSnapshot, Settings};

/// The file, read.
fn machine() -> Settings {
    Settings::parse(MACHINE.as_bytes()).expect("it is a machine")
}

/// The file as text.
fn text(settings: &Settings) -> String {
    String::from_utf8(settings.format()).expect("it is in UTF-8")
}

fn disk(uuid: Uuid) -> NewHardDisk {
    NewHardDisk {
        uuid,
        location: "Snapshots/new \"<&>.vdi".to_owned(),
        format: "VDI".to_owned(),
        kind: None,
    }
}

/// A snapshot of the machine as it is.
fn snapshot(settings: &Settings, uuid: Uuid) -> NewSnapshot {
    settings.new_snapshot(uuid, "stale", "2024-05-06T07:08:09Z")
}

/// What a change did: the lines that are gone, and those that are new.
fn changes(settings: &Settings) -> (Vec<String>, Vec<String>) {
    let after = text(settings);
    let (old, new): (Vec<&str>, Vec<&str>) = (MACHINE.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[same..], &new[same..]);
    let ends = old.iter().rev().zip(new.iter().rev());
    let same = ends.take_while(|(a, b)| a == b).count();
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    (
        owned(&old[..old.len() - same]),
        owned(&new[..new.len() - same]),
    )
}

#[test]
fn a_hard_disk_gets_a_line() {
    let mut settings = machine();
    settings
        .add_hard_disk(&disk(uuid(0xc0)), Some(uuid(0xa1)))
        .unwrap();
    let line = "            <HardDisk uuid=\"{5c9f0000-1111-4222-8333-0000000000c0}\" location=\"Snapshots/new &quot;&lt;&amp;&gt;.vdi\" format=\"VDI\"/>";
    assert_eq!(changes(&settings), (vec![], vec![line.to_owned()]));
    let chain = settings.hard_disk_chain(uuid(0xc0)).unwrap();
    assert_eq!(chain[0].location, "Snapshots/new \"<&>.vdi");
    assert_eq!(chain[1].uuid, uuid(0xa1));
    settings.remove_hard_disk(uuid(0xc0)).unwrap();
    assert_eq!(settings, machine());
}

#[test]
fn a_hard_disk_gets_its_first_child_and_loses_it() {
    let mut settings = machine();
    settings
        .add_hard_disk(&disk(uuid(0xc0)), Some(uuid(0xb0)))
        .unwrap();
    let (old, new) = changes(&settings);
    assert_eq!((old.len(), new.len()), (1, 3));
    assert_eq!(new[2], "        </HardDisk>");
    assert!(new[1].starts_with("          <HardDisk "));
    settings.remove_hard_disk(uuid(0xc0)).unwrap();
    assert_eq!(text(&settings), MACHINE);
}

#[test]
fn a_hard_disk_without_a_parent_needs_no_registry() {
    let text_without = MACHINE.replacen("<MediaRegistry>", "<Other>", 1);
    let text_without = text_without.replacen("</MediaRegistry>", "</Other>", 1);
    let mut settings = Settings::parse(text_without.as_bytes()).unwrap();
    assert_eq!(settings.hard_disks().count(), 0);
    let mut new = disk(uuid(0xc0));
    new.kind = Some("Immutable".to_owned());
    settings.add_hard_disk(&new, None).unwrap();
    let added = settings.hard_disk(uuid(0xc0)).unwrap();
    assert_eq!(added.kind, Some("Immutable"));
    let end = "    <MediaRegistry>\n      <HardDisks>\n        <HardDisk ";
    assert!(text(&settings).contains(end));
    assert!(
        text(&settings).ends_with(
            "/>\n      </HardDisks>\n    </MediaRegistry>\n  </Machine>\n</VirtualBox>\n"
        )
    );
}

#[test]
fn a_snapshot_is_added_and_removed() {
    let mut settings = machine();
    let mut new = snapshot(&settings, uuid(0x13));
    new.description = Some("hard & dry".to_owned());
    assert_eq!(new.replace_disk(uuid(0xa2), uuid(0xa1)), 1);
    settings.add_snapshot(new, Some(uuid(0x12))).unwrap();
    let (old, new) = changes(&settings);
    assert_eq!(old, Vec::<String>::new());
    assert_eq!(new[0], "          <Snapshots>");
    assert_eq!(
        new[1],
        "            <Snapshot uuid=\"{5c9f0000-1111-4222-8333-000000000013}\" name=\"stale\" timeStamp=\"2024-05-06T07:08:09Z\">"
    );
    assert_eq!(
        new[2..5],
        [
            "              <Description>hard &amp; dry</Description>",
            "              <Hardware>",
            "                <CPU count=\"2\">"
        ]
    );
    assert_eq!(
        new[new.len() - 2..],
        ["            </Snapshot>", "          </Snapshots>"]
    );
    let added = settings.snapshot(uuid(0x13)).unwrap();
    assert_eq!(added.description().as_deref(), Some("hard & dry"));
    assert_eq!(added.disks(), [uuid(0xa1), uuid(0xb0)]);
    assert!(added.hardware.to_text().contains("<![CDATA[<hot>]]>"));
    assert!(settings.is_current(uuid(0x12)));
    settings.remove_snapshot(uuid(0x13)).unwrap();
    assert_eq!(settings, machine());
}

#[test]
fn storage_controllers_stay_where_the_machine_has_them() {
    let (outside, inside) = (
        "    </Hardware>\n    <StorageControllers>",
        "    <StorageControllers>",
    );
    let newer = MACHINE.replacen(outside, inside, 1);
    let end = "    </StorageControllers>\n  </Machine>";
    let newer = newer.replacen(
        end,
        "    </StorageControllers>\n    </Hardware>\n  </Machine>",
        1,
    );
    let mut settings = Settings::parse(newer.as_bytes()).unwrap();
    assert_eq!(settings.disks(), [uuid(0xa2), uuid(0xb0)]);
    let mut new = snapshot(&settings, uuid(0x13));
    assert_eq!(new.storage_controllers, None);
    assert_eq!(new.replace_disk(uuid(0xa2), uuid(0xa1)), 1);
    settings.add_snapshot(new, Some(uuid(0x12))).unwrap();
    let disks = settings.snapshot(uuid(0x13)).unwrap().disks();
    assert_eq!(disks, [uuid(0xa1), uuid(0xb0)]);
    assert_eq!(settings.replace_disk(uuid(0xb0), uuid(0xa3)), 1);
    assert_eq!(settings.disks(), [uuid(0xa2), uuid(0xa3)]);
}

#[test]
fn the_first_snapshot_is_added_to_the_machine() {
    let mut settings = machine();
    for n in [0x12, 0x11, 0x10] {
        settings.remove_snapshot(uuid(n)).unwrap();
    }
    assert_eq!(settings.snapshots().count(), 0);
    assert_eq!(settings.current_snapshot(), None);
    let new = snapshot(&settings, uuid(0x13));
    settings.add_snapshot(new.clone(), None).unwrap();
    settings.set_current_snapshot(Some(uuid(0x13))).unwrap();
    let line = "café\" currentSnapshot=\"{5c9f0000-1111-4222-8333-000000000013}\" OSType";
    assert!(text(&settings).contains(line));
    let mut other = new;
    other.uuid = uuid(0x14);
    let error = settings.add_snapshot(other, None);
    assert_eq!(error, Err(Error::FirstSnapshotExists(uuid(0x13))));
}

#[test]
fn the_parent_of_a_removed_current_snapshot_becomes_current() {
    let mut settings = machine();
    settings.remove_snapshot(uuid(0x12)).unwrap();
    assert!(settings.is_current(uuid(0x10)));
    settings.remove_snapshot(uuid(0x11)).unwrap();
    assert!(settings.is_current(uuid(0x10)));
    assert!(text(&settings).contains("<lab:note>not a snapshot</lab:note>"));
}

#[test]
fn attributes_of_the_machine_change_in_their_places() {
    let mut settings = machine();
    settings.set_current_state_modified(false);
    settings.set_current_snapshot(Some(uuid(0x12))).unwrap();
    settings
        .set_last_state_change("2024-03-01T08:00:00Z")
        .unwrap();
    settings.set_snapshot_folder("Snapshots").unwrap();
    assert_eq!(text(&settings), MACHINE, "nothing was changed");
    settings.set_current_state_modified(true);
    settings.set_current_snapshot(Some(uuid(0x10))).unwrap();
    settings
        .set_last_state_change("2025-01-01T00:00:00Z")
        .unwrap();
    settings.set_snapshot_folder("/srv/it's").unwrap();
    let line = text(&settings).lines().nth(5).unwrap().to_owned();
    let wanted = "OSType=\"Debian_64\" currentSnapshot=\"{5c9f0000-1111-4222-8333-000000000010}\" snapshotFolder=\"/srv/it's\" currentStateModified='true'  lastStateChange=\"2025-01-01T00:00:00Z\">";
    assert!(line.ends_with(wanted), "{line}");
    settings.set_current_snapshot(None).unwrap();
    assert_eq!(settings.current_snapshot(), None);
}

#[test]
fn the_machines_disks_are_replaced_and_no_snapshots() {
    let mut settings = machine();
    assert_eq!(settings.replace_disk(uuid(0xa2), uuid(0xa3)), 1);
    assert_eq!(settings.disks(), [uuid(0xa3), uuid(0xb0)]);
    assert_eq!(settings.replace_disk(uuid(0xa1), uuid(0xa3)), 0);
    assert_eq!(settings.replace_disk(uuid(0xd0), uuid(0xa3)), 0);
    let (old, new) = changes(&settings);
    assert_eq!((old.len(), new.len()), (1, 1));
}

#[test]
fn wrong_changes_are_refused_and_change_nothing() {
    let mut settings = machine();
    let new = snapshot(&settings, uuid(0x13));
    let with = |change: &dyn Fn(&mut NewSnapshot)| {
        let mut new = new.clone();
        change(&mut new);
        new
    };
    let root = Some(uuid(0x10));
    let none = uuid(0xff);
    let swapped = with(&|new| new.hardware = new.storage_controllers.clone().unwrap());
    let control = with(&|new| new.name = "a\u{1}".to_owned());
    for (result, told) in [
        (
            settings.add_hard_disk(&disk(uuid(0xa3)), None),
            "there is a hard disk 5c9f0000-1111-4222-8333-0000000000a3 in the registry already",
        ),
        (
            settings.add_hard_disk(&disk(none), Some(none)),
            "there is no hard disk 5c9f0000-1111-4222-8333-0000000000ff in the registry",
        ),
        (
            settings.remove_hard_disk(uuid(0xa1)),
            "hard disk 5c9f0000-1111-4222-8333-0000000000a1 has children",
        ),
        (
            settings.remove_hard_disk(none),
            "there is no hard disk 5c9f0000-1111-4222-8333-0000000000ff in the registry",
        ),
        (
            settings.remove_snapshot(uuid(0x10)),
            "snapshot 5c9f0000-1111-4222-8333-000000000010 has children",
        ),
        (
            settings.remove_snapshot(none),
            "there is no snapshot 5c9f0000-1111-4222-8333-0000000000ff",
        ),
        (
            settings.add_snapshot(with(&|new| new.uuid = uuid(0x11)), root),
            "there is a snapshot 5c9f0000-1111-4222-8333-000000000011 already",
        ),
        (
            settings.add_snapshot(new.clone(), Some(none)),
            "there is no snapshot 5c9f0000-1111-4222-8333-0000000000ff",
        ),
        (
            settings.add_snapshot(new.clone(), None),
            "only one snapshot can be without a parent, and that is 5c9f0000-1111-4222-8333-000000000010",
        ),
        (
            settings.add_snapshot(with(&|new| new.time_stamp = "now".to_owned()), root),
            "'now' is no time in the form 2006-01-02T15:04:05Z",
        ),
        (
            settings.add_snapshot(swapped, root),
            "snapshot 5c9f0000-1111-4222-8333-000000000013: <StorageControllers> was given where <Hardware> belongs",
        ),
        (
            settings.add_snapshot(control, root),
            "the file could not be read again with snapshot 5c9f0000-1111-4222-8333-000000000013",
        ),
        (
            settings.set_current_snapshot(Some(none)),
            "there is no snapshot 5c9f0000-1111-4222-8333-0000000000ff",
        ),
        (
            settings.set_last_state_change("2024"),
            "'2024' is no time in the form 2006-01-02T15:04:05Z",
        ),
        (
            settings.set_snapshot_folder("\u{fffe}"),
            "the file could not be read again with the snapshot folder",
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), told);
    }
    assert_eq!(text(&settings), MACHINE);
}

#[test]
fn hardware_from_a_file_with_other_name_spaces_is_refused() {
    let prefixed = MACHINE
        .replace("<lab:", "<own:")
        .replace("</lab:", "</own:")
        .replace("xmlns:lab=", "xmlns:own=");
    let other = Settings::parse(prefixed.as_bytes()).unwrap();
    let mut settings = machine();
    let new = snapshot(&other, uuid(0x13));
    // Nothing of the settings' own is in another name space then, so it would be read as the same.
    settings.add_snapshot(new, Some(uuid(0x12))).unwrap();
    let vb = "<vb:VirtualBox xmlns:vb='http://www.innotek.de/VirtualBox-settings'><vb:Machine uuid='5c9f0000-1111-4222-8333-000000000001' name='m'><vb:Hardware/></vb:Machine></vb:VirtualBox>";
    let mut other = Settings::parse(vb.as_bytes()).unwrap();
    let new = snapshot(&settings, uuid(0x13));
    let error = other.add_snapshot(new, None).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    let new = snapshot(&other, uuid(0x13));
    other.add_snapshot(new, None).unwrap();
    assert_eq!(other.snapshots().count(), 1);
    assert!(text(&other).contains("<vb:Snapshot uuid=\"{5c9f0000"));
}

#[test]
fn no_snapshot_is_added_that_would_be_too_deep() {
    const DEEPEST: u128 = 259;
    let begin = |n: u128| {
        let uuid = uuid(0x1000 + n);
        format!("<Snapshot uuid='{uuid}' name='n' timeStamp='t'><Hardware/><Snapshots>")
    };
    let deep: String = (1..DEEPEST).map(begin).collect();
    let ends = "</Snapshots></Snapshot>".repeat((1..DEEPEST).count());
    let (start, end) = MACHINE.split_at(MACHINE.find("    <Snapshot ").unwrap());
    let end = &end[end
        .find("    <Hardware>\n      <CPU count=\"2\">\n")
        .unwrap()..];
    let text = format!("{start}{deep}{ends}{end}");
    let mut settings = Settings::parse(text.as_bytes()).unwrap();
    let mut add = |n: u128| {
        let mut new = snapshot(&settings, uuid(0x1000 + n));
        let empty = settings.snapshot(uuid(0x1001)).unwrap().hardware;
        (new.hardware, new.storage_controllers) = (empty.clone(), None);
        settings.add_snapshot(new, Some(uuid(0x1000 + n - 1)))
    };
    add(DEEPEST).unwrap();
    let error = add(DEEPEST + 1).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("nested deeper than 520"), "{source}");
    let last = settings.snapshot_chain(uuid(0x1000 + DEEPEST)).unwrap();
    assert_eq!(last.len(), 259);
}
