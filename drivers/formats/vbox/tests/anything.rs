//! Texts that nobody would write: nothing panics, and what is read is written back and can be changed.

mod common;

use common::{MACHINE, uuid};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;
use virtbus_vbox_settings::{Error, NewHardDisk, Settings};

/// Pieces that are put into files.
const PIECES: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "&",
    "&amp;",
    "&#38;",
    "=",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    " ",
    "\n",
    "\r\n",
    "x",
    "é",
    "\u{feff}",
    "{",
    "}",
    "<x/>",
    "<x>",
    "</x>",
    "<HardDisk",
    "<Snapshot>",
    "</Snapshot>",
    "<Snapshots>",
    "</Snapshots>",
    "<Hardware/>",
    "xmlns=\"\"",
    " xmlns:v=\"http://www.innotek.de/VirtualBox-settings\"",
    "<v:Hardware/>",
    "uuid=\"{5c9f0000-1111-4222-8333-0000000000a9}\"",
    "<!DOCTYPE a>",
    "encoding=\"ISO-8859-1\"",
];

/// One change of a text.
#[derive(Debug, Clone)]
enum Edit {
    Insert(Index, &'static str),
    Remove(Index, usize),
    /// Puts a copy of a part elsewhere.
    Copy(Index, usize, Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let piece = prop::sample::select(PIECES);
    let edit = prop_oneof![
        (any::<Index>(), piece).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<Index>(), 1..80_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), 1..400_usize, any::<Index>())
            .prop_map(|(from, length, to)| Edit::Copy(from, length, to)),
    ];
    prop::collection::vec(edit, 1..4)
}

fn edited(edits: &[Edit]) -> Vec<u8> {
    let mut bytes = MACHINE.as_bytes().to_vec();
    for edit in edits {
        let length = bytes.len();
        let within = |at: &Index| at.index(length + 1);
        match edit {
            Edit::Insert(at, piece) => {
                let at = within(at);
                bytes.splice(at..at, piece.bytes());
            }
            Edit::Remove(at, count) => {
                let at = within(at);
                bytes.drain(at..length.min(at + count));
            }
            Edit::Copy(from, count, to) => {
                let (from, to) = (within(from), within(to));
                let part = bytes[from..length.min(from + count)].to_vec();
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

/// What holds for every file that is read.
fn holds(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(settings) = Settings::parse(bytes) else {
        return Ok(());
    };
    prop_assert_eq!(settings.format(), bytes);
    for disk in settings.hard_disks() {
        prop_assert_eq!(settings.hard_disk(disk.uuid), Ok(disk));
        added_and_removed(&settings, disk.uuid)?;
    }
    for snapshot in settings.snapshots() {
        prop_assert_eq!(settings.snapshot(snapshot.uuid), Ok(snapshot));
        taken_and_removed(&settings, snapshot.uuid)?;
    }
    Ok(())
}

fn added_and_removed(before: &Settings, parent: Uuid) -> Result<(), TestCaseError> {
    let mut settings = before.clone();
    let disk = NewHardDisk {
        uuid: uuid(0xeeee),
        location: "new.vdi".to_owned(),
        format: "VDI".to_owned(),
        kind: None,
    };
    if let Err(error) = settings.add_hard_disk(&disk, Some(parent)) {
        prop_assert!(matches!(error, Error::Unreadable { .. }), "{}", error);
        prop_assert_eq!(&settings, before);
        return Ok(());
    }
    let chain = settings.hard_disk_chain(disk.uuid);
    let above = chain.map(|chain| chain[1].uuid);
    prop_assert_eq!(above, Ok(parent));
    prop_assert_eq!(settings.remove_hard_disk(disk.uuid), Ok(()));
    let gone = Err(Error::NoHardDisk(disk.uuid));
    prop_assert_eq!(settings.hard_disk(disk.uuid), gone);
    prop_assert_eq!(settings.hard_disks().count(), before.hard_disks().count());
    Ok(())
}

fn taken_and_removed(before: &Settings, parent: Uuid) -> Result<(), TestCaseError> {
    let mut settings = before.clone();
    let mut new = settings.new_snapshot(uuid(0xeeee), "new", "2024-05-06T07:08:09Z");
    new.description = Some("a\r\n<b> ".to_owned());
    if let Err(error) = settings.add_snapshot(new.clone(), Some(parent)) {
        let expected = matches!(error, Error::WrongPart { .. } | Error::Unreadable { .. });
        prop_assert!(expected, "{}", error);
        prop_assert_eq!(&settings, before);
        return Ok(());
    }
    prop_assert_eq!(settings.set_current_snapshot(Some(new.uuid)), Ok(()));
    let added = settings.snapshot(new.uuid);
    let description = added.map(|added| added.description());
    prop_assert_eq!(description, Ok(new.description));
    prop_assert_eq!(settings.remove_snapshot(new.uuid), Ok(()));
    prop_assert_eq!(settings.current_snapshot(), Some(parent));
    prop_assert_eq!(settings.snapshots().count(), before.snapshots().count());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn edited_files_are_refused_or_kept(edits in edits()) {
        holds(&edited(&edits))?;
    }

    #[test]
    fn bytes_are_refused_or_kept(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        holds(&bytes)?;
    }
}

#[test]
fn comments_are_kept_wherever_they_may_stand() {
    let mut refused = Vec::new();
    for (at, _) in MACHINE.match_indices('<') {
        let text = format!("{}<!-- & --> \n{}", &MACHINE[..at], &MACHINE[at..]);
        holds(text.as_bytes()).unwrap();
        if Settings::parse(text.as_bytes()).is_err() {
            refused.push(MACHINE[at..].chars().take(5).collect::<String>());
        }
    }
    // Before the declaration.
    assert_eq!(refused, ["<?xml"]);
}
