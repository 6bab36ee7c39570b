//! Snapshots, checkpoints and backups of one guest, `data/moment/guest.xml`.
//!
//! `NAME.xml` gives `NAME.out.xml`, or the message in `NAME.err`. With `VIRTBUS_UPDATE=1` the outputs are
//! written anew, and the review is the diff.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose data cannot be read has to fail"
)]

use std::fs;
use std::path::{Path, PathBuf};

use virtbus_conf_base::Flags;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::backup::Backup;
use virtbus_conf_domain::checkpoint::Checkpoint;
use virtbus_conf_domain::domain::devices::disk::SnapshotMode;
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams};
use virtbus_conf_domain::moment::{Guest, Purpose};
use virtbus_conf_domain::snapshot::{AlignOptions, Snapshot, SnapshotState};
use virtbus_conf_tests::Counting;

const NOW: i64 = 1_700_000_000;

fn with_seams<T>(f: impl FnOnce(&mut Seams<'_>) -> T) -> T {
    f(&mut Seams {
        driver: &mut NoDefaults(DriverFeatures::empty()),
        entropy: &mut Counting,
        mac_prefix: [0x52, 0x54, 0],
        host_arch: Arch::X86_64,
        flags: CompleteFlags::empty(),
    })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/moment")
}

fn guest() -> Box<Domain> {
    let xml = fs::read_to_string(folder().join("guest.xml")).unwrap();
    let mut guest = Box::new(Domain::parse_strict(&xml).unwrap());
    with_seams(|seams| guest.complete(seams)).unwrap();
    guest
}

/// Plain files exist where the path says so.
fn options() -> AlignOptions<'static> {
    AlignOptions {
        default: SnapshotMode::External,
        uniform_internal: false,
        force_default: false,
        is_regular_file: &|path| path.starts_with("/images/"),
    }
}

fn snapshot(xml: &str, purpose: Purpose) -> Result<String, String> {
    let mut snapshot = Snapshot::parse_strict(xml).map_err(|e| e.to_string())?;
    with_seams(|seams| snapshot.complete(purpose, NOW, seams)).map_err(|e| e.to_string())?;
    if purpose == Purpose::Create {
        snapshot.definitions.guest = Some(Guest::Definition(guest()));
        snapshot.state = Some(SnapshotState::Running);
        snapshot
            .align_disks(None, options())
            .map_err(|e| e.to_string())?;
        snapshot.definitions.guest = Some(Guest::Uuid(guest().uuid));
    }
    let text = snapshot.format(Flags::STATUS);
    assert_eq!(
        Snapshot::parse_strict(&text).unwrap().format(Flags::STATUS),
        text
    );
    Ok(text)
}

fn checkpoint(xml: &str) -> Result<String, String> {
    let mut checkpoint = Checkpoint::parse(xml).map_err(|e| e.to_string())?;
    with_seams(|seams| checkpoint.complete(Purpose::Create, NOW, seams))
        .map_err(|e| e.to_string())?;
    checkpoint.definitions.guest = Some(Guest::Definition(guest()));
    checkpoint.align_disks().map_err(|e| e.to_string())?;
    checkpoint.definitions.guest = None;
    let text = checkpoint.format(Flags::empty());
    assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint);
    Ok(text)
}

fn backup(xml: &str) -> Result<String, String> {
    let mut backup = Backup::parse(xml).map_err(|e| e.to_string())?;
    backup
        .align_disks(&guest(), "copy")
        .map_err(|e| e.to_string())?;
    let text = backup.format(Flags::empty());
    assert_eq!(Backup::parse(&text).unwrap(), backup);
    Ok(text)
}

fn check(path: &Path, result: Result<String, String>) {
    let (extension, text) = match result {
        Ok(text) => ("out.xml", text),
        Err(message) => ("err", format!("{message}\n")),
    };
    let output = path.with_extension(extension);
    if std::env::var_os("VIRTBUS_UPDATE").is_some() {
        fs::write(&output, &text).unwrap();
    }
    let expected = fs::read_to_string(&output).unwrap_or_default();
    assert!(text == expected, "{}:\n{text}", output.display());
}

#[test]
fn documents() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some((kind, _)) = name.split_once('-') else {
            continue;
        };
        if !name.ends_with(".xml") || name.ends_with(".out.xml") {
            continue;
        }
        let xml = fs::read_to_string(&path).unwrap();
        check(
            &path,
            match kind {
                "snapshot" => snapshot(&xml, Purpose::Create),
                "redefined" => snapshot(&xml, Purpose::Redefine),
                "checkpoint" => checkpoint(&xml),
                _ => backup(&xml),
            },
        );
        count += 1;
    }
    assert!(count > 20);
}

#[test]
fn a_snapshot_is_redefined_as_the_same() {
    let mut before = Snapshot {
        name: Some("s".into()),
        state: Some(SnapshotState::Running),
        ..Snapshot::default()
    };
    before.definitions.guest = Some(Guest::Definition(guest()));
    let uuid = guest().uuid.unwrap();

    let mut after = Snapshot {
        state: Some(SnapshotState::Paused),
        definitions: Default::default(),
        ..before.clone()
    };
    after.redefine(uuid, Some(&before)).unwrap();
    assert_eq!(after.definitions, before.definitions);

    let message = |change: &dyn Fn(&mut Snapshot)| {
        let mut after = before.clone();
        change(&mut after);
        after.redefine(uuid, Some(&before)).unwrap_err().to_string()
    };
    assert_eq!(
        message(&|s| s.state = Some(SnapshotState::Shutoff)),
        "snapshot 's' cannot change between a guest that runs and one that is off"
    );
    assert_eq!(
        message(&|s| {
            let mut other = guest();
            other.memory = None;
            s.definitions.guest = Some(Guest::Definition(other));
        }),
        "memory at start in KiB would change from 262144 to 0"
    );
    assert_eq!(
        message(&|s| {
            let mut other = guest();
            other.uuid = None;
            s.definitions.guest = Some(Guest::Definition(other));
        }),
        format!("snapshot 's' must be of the guest {uuid}")
    );
}

#[test]
fn inside_of_the_images_all_disks_agree() {
    let options = AlignOptions {
        default: SnapshotMode::Internal,
        uniform_internal: true,
        ..options()
    };
    let align = |disks: &str| {
        let xml = format!("<domainsnapshot><disks>{disks}</disks></domainsnapshot>");
        let mut snapshot = Snapshot::parse_strict(&xml).unwrap();
        snapshot
            .align_disks(Some(&guest()), options)
            .map(|()| {
                let modes = snapshot.disks.iter().filter_map(|d| d.snapshot);
                modes.map(SnapshotMode::as_str).collect::<Vec<_>>()
            })
            .map_err(|e| e.to_string())
    };
    assert_eq!(
        align("<disk name='vda'/>").unwrap(),
        ["internal", "internal", "no", "internal", "no"]
    );
    assert_eq!(
        align("<disk name='vdb' snapshot='external'/>").unwrap_err(),
        "disk 'vdb' must have the snapshot mode 'internal'"
    );
}
