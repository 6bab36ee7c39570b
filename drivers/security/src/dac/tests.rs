//! Files in a temporary directory change hands. Most of that needs root.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use super::*;

const GUESTS: u32 = 65501;
const OTHERS: u32 = 65502;
const ALICE: u32 = 65503;

fn identity(uid: u32) -> Identity {
    Identity {
        uid,
        gid: uid,
        groups: Vec::new(),
    }
}

fn guest(number: u8) -> Holder {
    Holder::of_guest([number; 16])
}

fn dac() -> Dac {
    Dac::new(identity(GUESTS), true)
}

fn resource(path: &Path, access: Access) -> Resource {
    Resource {
        path: path.to_owned(),
        access,
    }
}

fn owner_of(path: &Path) -> (u32, u32) {
    let facts = fs::metadata(path).unwrap();
    (facts.uid(), facts.gid())
}

fn is_root_or_skip(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: {test}: needs root");
        if let Some(path) = std::env::var_os("VIRTBUS_SKIP_LOG") {
            let mut log = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap();
            writeln!(log, "{test}: needs root").unwrap();
        }
    }
    root
}

/// A directory that everybody may search, unlike those that `tempfile` makes.
fn open_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn file(dir: &Path, name: &str, mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Prepares and applies, for tests of what comes after.
fn take(dac: &Dac, number: u8, resources: &[Resource]) -> Record {
    let record = dac.prepare(guest(number), resources).unwrap();
    dac.apply(&record).unwrap();
    record
}

fn give_back(dac: &Dac, record: &Record) {
    let errors = dac.restore(record, Departure::Ended);
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn nothing_is_touched_without_dynamic_ownership() {
    let dac = Dac::new(identity(GUESTS), false);
    let missing = resource(Path::new("/nonexistent"), Access::ReadWrite);
    let record = dac.prepare(guest(1), &[missing]).unwrap();
    assert!(record.entries.is_empty());
    dac.apply(&record).unwrap();
}

#[test]
fn what_everybody_owns_or_may_read_is_left_alone() {
    let dir = open_dir();
    let kernel = file(dir.path(), "vmlinuz", 0o644);
    let resources = [
        resource(Path::new("/dev/null"), Access::ReadWrite),
        resource(Path::new("/dev/urandom"), Access::ReadWrite),
        resource(&kernel, Access::ReadOnly),
    ];
    let record = dac().prepare(guest(1), &resources).unwrap();
    assert_eq!(record.entries, []);
}

#[test]
fn guests_of_root_need_nothing() {
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    let record = dac()
        .prepare_as(
            guest(1),
            &identity(0),
            &[resource(&disk, Access::ReadWrite)],
        )
        .unwrap();
    assert_eq!(record.entries, []);
}

#[test]
fn clear_refusals() {
    let dir = open_dir();
    let refuse = |path: &Path| {
        let resources = [resource(path, Access::ReadWrite)];
        dac().prepare(guest(1), &resources).unwrap_err()
    };
    assert!(matches!(
        refuse(Path::new("disk")),
        DacError::NotAbsolute { .. }
    ));
    let missing = dir.path().join("missing");
    assert_eq!(
        refuse(&missing).to_string(),
        format!("cannot open '{}'", missing.display())
    );
    let ring = dir.path().join("ring");
    symlink(&ring, &ring).unwrap();
    assert!(matches!(refuse(&ring), DacError::Open { .. }));
    let disk = file(dir.path(), "disk", 0o600);
    assert!(matches!(refuse(&disk.join("x")), DacError::Open { .. }));

    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let hidden = file(&closed, "disk", 0o666);
    assert!(matches!(
        refuse(&hidden),
        DacError::Unreachable { dir, uid: GUESTS, .. } if dir == closed
    ));
}

#[test]
fn prepare_sees_through_links_and_counts_a_file_once() {
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    let link = dir.path().join("link");
    fs::create_dir(dir.path().join("sub")).unwrap();
    symlink("sub/../disk", &link).unwrap();
    let resources = [
        resource(&link, Access::ReadOnly),
        resource(&disk, Access::ReadWrite),
    ];
    let record = dac().prepare(guest(1), &resources).unwrap();
    let [entry] = record.entries.as_slice() else {
        panic!("{record:?}");
    };
    assert_eq!(entry.path, link);
    assert!(entry.exclusive, "the stronger use counts");
}

#[test]
fn root_disk_is_given_and_given_back() {
    if !is_root_or_skip("root_disk_is_given_and_given_back") {
        return;
    }
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    chown(&disk, Some(0), Some(6)).unwrap();
    let (dac, wanted) = (dac(), [resource(&disk, Access::ReadWrite)]);
    let record = dac.prepare(guest(1), &wanted).unwrap();
    assert_eq!(owner_of(&disk), (0, 6), "nothing happened yet");
    give_back(&dac, &record);
    assert_eq!(owner_of(&disk), (0, 6), "what was not taken is not given");
    dac.apply(&record).unwrap();
    dac.apply(&record).unwrap();
    assert_eq!(owner_of(&disk), (GUESTS, GUESTS));
    give_back(&dac, &record);
    give_back(&dac, &record);
    assert_eq!(owner_of(&disk), (0, 6));
    let mut value = [0_u8; 64];
    let left = rustix::fs::getxattr(&disk, "trusted.virtbus.dac", &mut value[..]);
    assert_eq!(left, Err(Errno::NODATA));
}

#[test]
fn root_shared_file_goes_back_with_its_last_user() {
    if !is_root_or_skip("root_shared_file_goes_back_with_its_last_user") {
        return;
    }
    let dir = open_dir();
    let base = file(dir.path(), "base", 0o600);
    let dac = dac();
    let first = take(&dac, 1, &[resource(&base, Access::Shared)]);
    let second = take(&dac, 2, &[resource(&base, Access::ReadOnly)]);
    let third = take(&dac, 3, &[resource(&base, Access::Shared)]);
    for record in [&second, &first, &first] {
        give_back(&dac, record);
        assert_eq!(owner_of(&base), (GUESTS, GUESTS));
    }
    give_back(&dac, &third);
    assert_eq!(owner_of(&base), (0, 0));
}

#[test]
fn root_restart_after_a_crash_finds_the_first_owner() {
    if !is_root_or_skip("root_restart_after_a_crash_finds_the_first_owner") {
        return;
    }
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    // The daemon dies, the record is lost, the guest starts again.
    let wanted = [resource(&disk, Access::ReadWrite)];
    take(&dac(), 1, &wanted);
    let record = take(&dac(), 1, &wanted);
    assert_eq!(record.entries[0].previous, Owner { uid: 0, gid: 0 });
    give_back(&dac(), &record);
    assert_eq!(owner_of(&disk), (0, 0));
}

#[test]
fn root_other_identity_is_refused_while_in_use() {
    if !is_root_or_skip("root_other_identity_is_refused_while_in_use") {
        return;
    }
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    let (dac, wanted) = (dac(), [resource(&disk, Access::Shared)]);
    let record = take(&dac, 1, &wanted);
    let error = dac
        .prepare_as(guest(2), &identity(OTHERS), &wanted)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "'{}' is in use by a guest that runs as user {GUESTS}, group {GUESTS}",
            disk.display()
        )
    );
    give_back(&dac, &record);
    let other = dac
        .prepare_as(guest(2), &identity(OTHERS), &wanted)
        .unwrap();
    dac.apply(&other).unwrap();
    assert_eq!(owner_of(&disk), (OTHERS, OTHERS));
    give_back(&dac, &other);
    assert_eq!(owner_of(&disk), (0, 0));
}

#[test]
fn root_owner_set_by_hand_stays() {
    if !is_root_or_skip("root_owner_set_by_hand_stays") {
        return;
    }
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    let dac = dac();
    let record = take(&dac, 1, &[resource(&disk, Access::ReadWrite)]);
    chown(&disk, Some(ALICE), Some(ALICE)).unwrap();
    give_back(&dac, &record);
    assert_eq!(owner_of(&disk), (ALICE, ALICE));
}

#[test]
fn root_failure_in_the_middle_undoes() {
    if !is_root_or_skip("root_failure_in_the_middle_undoes") {
        return;
    }
    let dir = open_dir();
    let files = ["a", "b", "c"].map(|name| file(dir.path(), name, 0o600));
    let wanted = files
        .each_ref()
        .map(|path| resource(path, Access::ReadWrite));
    let dac = dac();
    let record = dac.prepare(guest(1), &wanted).unwrap();
    fs::remove_file(&files[1]).unwrap();
    assert!(matches!(dac.apply(&record), Err(DacError::Open { .. })));
    assert_eq!(owner_of(&files[0]), (0, 0));
    assert_eq!(owner_of(&files[2]), (0, 0));

    // Another file in its place is somebody else's business. The old one is kept, so that its
    // inode is not used again.
    let record = dac.prepare(guest(1), &[wanted[0].clone(), wanted[2].clone()]);
    let record = record.unwrap();
    fs::rename(&files[2], dir.path().join("old")).unwrap();
    file(dir.path(), "c", 0o600);
    assert!(matches!(dac.apply(&record), Err(DacError::Replaced { .. })));
    assert_eq!(owner_of(&files[0]), (0, 0));
    assert_eq!(owner_of(&files[2]), (0, 0));
}

#[test]
fn root_files_that_are_gone_or_replaced_are_no_failure() {
    if !is_root_or_skip("root_files_that_are_gone_or_replaced_are_no_failure") {
        return;
    }
    let dir = open_dir();
    let (gone, replaced) = (
        file(dir.path(), "gone", 0o600),
        file(dir.path(), "replaced", 0o600),
    );
    let dac = dac();
    let wanted = [&gone, &replaced].map(|path| resource(path, Access::ReadWrite));
    let record = take(&dac, 1, &wanted);
    fs::remove_file(&gone).unwrap();
    fs::rename(&replaced, dir.path().join("old")).unwrap();
    file(dir.path(), "replaced", 0o600);
    chown(&replaced, Some(GUESTS), Some(GUESTS)).unwrap();
    give_back(&dac, &record);
    assert_eq!(owner_of(&replaced), (GUESTS, GUESTS));
}

#[test]
fn root_links_of_users_lead_to_their_own_files_only() {
    if !is_root_or_skip("root_links_of_users_lead_to_their_own_files_only") {
        return;
    }
    let dir = open_dir();
    let roots = file(dir.path(), "shadow", 0o600);
    let alices = file(dir.path(), "disk", 0o600);
    chown(&alices, Some(ALICE), Some(ALICE)).unwrap();
    let link = |name: &str, target: &Path, uid: u32| {
        let path = dir.path().join(name);
        symlink(target, &path).unwrap();
        std::os::unix::fs::lchown(&path, Some(uid), Some(uid)).unwrap();
        resource(&path, Access::ReadWrite)
    };
    let dac = dac();
    for (name, target, uid) in [
        ("1", &roots, ALICE),
        ("2", &roots, GUESTS),
        ("3", &alices, GUESTS),
    ] {
        let wanted = [link(name, target, uid)];
        assert!(matches!(
            dac.prepare(guest(1), &wanted),
            Err(DacError::UnsafeLink { .. })
        ));
    }
    let own = [link("4", &alices, ALICE)];
    let record = take(&dac, 1, &own);
    assert_eq!(owner_of(&alices), (GUESTS, GUESTS));
    // Also when it is the guests' for the moment.
    take(&dac, 1, &own);
    give_back(&dac, &record);
    assert_eq!(owner_of(&alices), (ALICE, ALICE));
    let by_root = [link("5", &alices, 0)];
    give_back(&dac, &take(&dac, 1, &by_root));
    assert_eq!(owner_of(&alices), (ALICE, ALICE));
}

#[test]
fn root_copy_with_attributes_is_a_file_of_its_own() {
    if !is_root_or_skip("root_copy_with_attributes_is_a_file_of_its_own") {
        return;
    }
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    let copy = file(dir.path(), "copy", 0o600);
    let dac = dac();
    let record = take(&dac, 1, &[resource(&disk, Access::ReadWrite)]);
    let mut value = [0_u8; 512];
    let length = rustix::fs::getxattr(&disk, "trusted.virtbus.dac", &mut value[..]).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&copy, "trusted.virtbus.dac", &value[..length], flags).unwrap();
    chown(&copy, Some(GUESTS), Some(GUESTS)).unwrap();

    let second = take(&dac, 2, &[resource(&copy, Access::ReadWrite)]);
    give_back(&dac, &second);
    assert_eq!(owner_of(&copy), (0, 0));
    assert_eq!(owner_of(&disk), (GUESTS, GUESTS));
    give_back(&dac, &record);
}

#[test]
fn root_sockets_fifos_and_directories_change_hands() {
    if !is_root_or_skip("root_sockets_fifos_and_directories_change_hands") {
        return;
    }
    let dir = open_dir();
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let all = [&socket, &fifo, &folder];
    let dac = dac();
    let record = take(&dac, 1, &all.map(|path| resource(path, Access::ReadWrite)));
    for path in all {
        assert_eq!(owner_of(path), (GUESTS, GUESTS));
    }
    give_back(&dac, &record);
    for path in all {
        assert_eq!(owner_of(path), (0, 0));
    }
}
