//! Files in a temporary directory change hands. Most of that needs root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use virtbus_skip::or_skip;

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

/// The test must run as root; else the reason to skip.
fn root() -> Result<(), String> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err("needs root".to_owned())
    }
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
    let mut prepared = dac.prepare(guest(number), resources).unwrap();
    prepared.apply().unwrap();
    prepared.record().clone()
}

fn give_back(dac: &Dac, record: &Record) {
    let errors = dac.restore(record, Departure::Ended);
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn nothing_is_touched_without_dynamic_ownership() {
    let dac = Dac::new(identity(GUESTS), false);
    let missing = resource(Path::new("/nonexistent"), Access::ReadWrite);
    let mut prepared = dac.prepare(guest(1), &[missing]).unwrap();
    assert!(prepared.record().entries.is_empty());
    prepared.apply().unwrap();
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
    let prepared = dac().prepare(guest(1), &resources).unwrap();
    assert_eq!(prepared.record().entries, []);
}

#[test]
fn guests_of_root_need_nothing() {
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    let prepared = dac()
        .prepare_as(
            guest(1),
            &identity(0),
            &[resource(&disk, Access::ReadWrite)],
        )
        .unwrap();
    assert_eq!(prepared.record().entries, []);
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
    let prepared = dac().prepare(guest(1), &resources).unwrap();
    let [entry] = prepared.record().entries.as_slice() else {
        panic!("{prepared:?}");
    };
    assert_eq!(entry.path, link);
    assert!(entry.exclusive, "the stronger use counts");
    for path in [&link, &disk] {
        let held = fs::File::from(prepared.descriptor(path).unwrap());
        assert_eq!(
            held.metadata().unwrap().ino(),
            fs::metadata(&disk).unwrap().ino()
        );
    }
    assert!(prepared.descriptor(dir.path()).is_err());
}

#[test]
fn root_disk_is_given_and_given_back() {
    or_skip!(root());
    let dir = open_dir();
    let disk = file(dir.path(), "disk", 0o600);
    chown(&disk, Some(0), Some(6)).unwrap();
    let (dac, wanted) = (dac(), [resource(&disk, Access::ReadWrite)]);
    let mut prepared = dac.prepare(guest(1), &wanted).unwrap();
    let record = prepared.record().clone();
    assert_eq!(owner_of(&disk), (0, 6), "nothing happened yet");
    give_back(&dac, &record);
    assert_eq!(owner_of(&disk), (0, 6), "what was not taken is not given");
    assert_eq!(Dac::owner_before(&disk), None);
    prepared.apply().unwrap();
    prepared.apply().unwrap();
    assert_eq!(owner_of(&disk), (GUESTS, GUESTS));
    assert_eq!(Dac::owner_before(&disk), Some(0));
    give_back(&dac, &record);
    give_back(&dac, &record);
    assert_eq!(owner_of(&disk), (0, 6));
    assert_eq!(Dac::owner_before(&disk), None);
    let mut value = [0_u8; 64];
    let left = rustix::fs::getxattr(&disk, "trusted.virtbus.dac", &mut value[..]);
    assert_eq!(left, Err(rustix::io::Errno::NODATA));
}

#[test]
fn root_shared_file_goes_back_with_its_last_user() {
    or_skip!(root());
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
    or_skip!(root());
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
fn users_are_called_by_name() {
    let of = |uid: u32| {
        let (path, dir) = ("/srv/a".into(), "/srv".into());
        DacError::Unreachable { path, dir, uid }.to_string()
    };
    let told = "'/srv/a' is out of reach for user 'root', who may not search directory '/srv'";
    assert_eq!(of(0), told);
    assert!(of(GUESTS).contains("user 65501,"), "{}", of(GUESTS));
}

#[test]
fn root_other_identity_is_refused_while_in_use() {
    or_skip!(root());
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
    let mut other = dac
        .prepare_as(guest(2), &identity(OTHERS), &wanted)
        .unwrap();
    other.apply().unwrap();
    assert_eq!(owner_of(&disk), (OTHERS, OTHERS));
    give_back(&dac, other.record());
    assert_eq!(owner_of(&disk), (0, 0));
}

#[test]
fn root_owner_set_by_hand_stays() {
    or_skip!(root());
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
    or_skip!(root());
    let dir = open_dir();
    let files = ["a", "b", "c"].map(|name| file(dir.path(), name, 0o600));
    let wanted = files
        .each_ref()
        .map(|path| resource(path, Access::ReadWrite));
    let dac = dac();
    let mut prepared = dac.prepare(guest(1), &wanted).unwrap();
    fs::remove_file(&files[1]).unwrap();
    assert!(matches!(prepared.apply(), Err(DacError::Open { .. })));
    assert_eq!(owner_of(&files[0]), (0, 0));
    assert_eq!(owner_of(&files[2]), (0, 0));

    // Another file in its place is somebody else's business. The old one is kept, so that its
    // inode is not used again.
    let prepared = dac.prepare(guest(1), &[wanted[0].clone(), wanted[2].clone()]);
    let mut prepared = prepared.unwrap();
    fs::rename(&files[2], dir.path().join("old")).unwrap();
    file(dir.path(), "c", 0o600);
    assert!(matches!(prepared.apply(), Err(DacError::Replaced { .. })));
    assert_eq!(owner_of(&files[0]), (0, 0));
    assert_eq!(owner_of(&files[2]), (0, 0));
}

#[test]
fn root_files_that_are_gone_or_replaced_are_no_failure() {
    or_skip!(root());
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
fn root_links_of_users_are_not_followed() {
    or_skip!(root());
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
        ("4", &alices, ALICE),
    ] {
        let wanted = [link(name, target, uid)];
        assert!(matches!(
            dac.prepare(guest(1), &wanted),
            Err(DacError::UnsafeLink { .. })
        ));
    }
    let by_root = [link("5", &alices, 0)];
    give_back(&dac, &take(&dac, 1, &by_root));
    assert_eq!(owner_of(&alices), (ALICE, ALICE));
    assert_eq!(owner_of(&roots), (0, 0));
}

#[test]
fn root_hard_links_that_others_may_have_made_are_refused() {
    or_skip!(root());
    let dir = open_dir();
    let sub = dir.path().join("alice");
    fs::create_dir(&sub).unwrap();
    chown(&sub, Some(ALICE), Some(ALICE)).unwrap();
    let shadow = file(dir.path(), "shadow", 0o600);
    let (own, stolen) = (file(&sub, "own", 0o600), sub.join("stolen"));
    chown(&own, Some(ALICE), Some(ALICE)).unwrap();
    fs::hard_link(&own, sub.join("own2")).unwrap();
    fs::hard_link(&shadow, &stolen).unwrap();
    let dac = dac();
    for owner in [0, GUESTS] {
        chown(&shadow, Some(owner), Some(owner)).unwrap();
        for access in [Access::ReadWrite, Access::ReadOnly] {
            let error = dac.prepare(guest(1), &[resource(&stolen, access)]);
            assert!(matches!(error, Err(DacError::HardLink { .. })), "{error:?}");
        }
    }
    chown(&shadow, Some(0), Some(0)).unwrap();
    // Alice gains nothing by names of her own file, and nobody else makes names where root's file is.
    for path in [&own, &shadow] {
        let before = owner_of(path);
        let record = take(&dac, 1, &[resource(path, Access::ReadWrite)]);
        assert_eq!(owner_of(path), (GUESTS, GUESTS));
        give_back(&dac, &record);
        assert_eq!(owner_of(path), before);
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(matches!(
        dac.prepare(guest(1), &[resource(&shadow, Access::ReadWrite)]),
        Err(DacError::HardLink { .. })
    ));
}

#[test]
fn root_another_device_with_the_same_inode_is_another_file() {
    or_skip!(root());
    let dir = open_dir();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let mut mounts = Vec::new();
    for path in [&one, &two] {
        fs::create_dir(path).unwrap();
        mounts.push(or_skip!(Tmpfs::mount(path)));
    }
    // The first files of two new file systems have the same number.
    let (own, victim) = (file(&one, "disk", 0o600), file(&two, "disk", 0o600));
    assert_eq!(
        fs::metadata(&own).unwrap().ino(),
        fs::metadata(&victim).unwrap().ino()
    );
    chown(&own, Some(ALICE), Some(ALICE)).unwrap();
    let path = dir.path().join("disk");
    let lead_to = |target: &Path| {
        let _ = fs::remove_file(&path);
        symlink(target, &path).unwrap();
    };
    let dac = dac();
    lead_to(&own);
    let mut prepared = dac
        .prepare(guest(1), &[resource(&path, Access::ReadWrite)])
        .unwrap();
    lead_to(&victim);
    assert!(matches!(prepared.apply(), Err(DacError::Replaced { .. })));
    assert_eq!(owner_of(&own), (ALICE, ALICE));
    assert_eq!(owner_of(&victim), (0, 0));

    // On the way back: the victim is a guest's for the moment, and there is no memory of whose it was.
    lead_to(&own);
    let record = take(&dac, 1, &[resource(&path, Access::ReadWrite)]);
    chown(&victim, Some(GUESTS), Some(GUESTS)).unwrap();
    lead_to(&victim);
    give_back(&dac, &record);
    assert_eq!(owner_of(&victim), (GUESTS, GUESTS));
    // Nor does a record of the first form, which knows no device.
    let first = record.to_string().replace("dac 2", "dac 1");
    let device = format!("{}:", fs::metadata(&own).unwrap().dev());
    let first: Record = first.replace(&device, "").parse().unwrap();
    give_back(&dac, &first);
    assert_eq!(owner_of(&victim), (GUESTS, GUESTS));
    lead_to(&own);
    give_back(&dac, &first);
    assert_eq!(owner_of(&own), (ALICE, ALICE), "its memory lists the guest");
}

#[test]
fn root_owners_hold_while_somebody_exchanges_the_names() {
    or_skip!(root());
    let dir = open_dir();
    let alices = dir.path().join("alice");
    fs::create_dir(&alices).unwrap();
    let victim = file(dir.path(), "shadow", 0o600);
    let bobs = file(dir.path(), "bob", 0o600);
    let [disk, by_link, other] = ["disk", "link", "other"].map(|name| alices.join(name));
    for path in [&disk, &other] {
        fs::write(path, "").unwrap();
        chown(path, Some(ALICE), Some(ALICE)).unwrap();
    }
    chown(&bobs, Some(OTHERS), Some(OTHERS)).unwrap();
    symlink(&victim, &by_link).unwrap();
    std::os::unix::fs::lchown(&by_link, Some(ALICE), Some(ALICE)).unwrap();
    // What only root could put there: whatever is not the file that was looked at stays as it is.
    let placed = alices.join("placed");
    symlink(&bobs, &placed).unwrap();

    let stop = std::sync::atomic::AtomicBool::new(false);
    let count = rounds(300, 20_000);
    std::thread::scope(|scope| {
        for name in [&by_link, &placed, &other] {
            let (disk, stop) = (&disk, &stop);
            scope.spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    let cwd = rustix::fs::CWD;
                    rustix::fs::renameat_with(cwd, disk, cwd, name, flags).unwrap();
                }
            });
        }
        let dac = dac();
        let (mut applied, mut refused) = (0, 0);
        for _ in 0..count {
            let wanted = [resource(&disk, Access::ReadWrite)];
            match dac.prepare(guest(1), &wanted) {
                Ok(mut prepared) => {
                    if prepared.apply().is_ok() {
                        applied += 1;
                    } else {
                        refused += 1;
                    }
                    let _ = dac.restore(prepared.record(), Departure::Ended);
                }
                Err(_) => refused += 1,
            }
            if owner_of(&victim) != (0, 0) {
                break;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        eprintln!("applied {applied}, refused {refused}");
    });
    assert_eq!(owner_of(&victim), (0, 0), "root's file was handed out");
    // A file that was out of its place when it was to be given back stays the guests' until it is used again. Nobody gets a file
    // that was another's.
    let owners = |path: &Path| fs::metadata(path).unwrap().uid();
    assert!([OTHERS, GUESTS].contains(&owners(&bobs)));
    let is_alices = |path: &PathBuf| {
        let facts = path.symlink_metadata().unwrap();
        !facts.is_symlink()
    };
    let all = [&disk, &by_link, &other, &placed];
    let files: Vec<_> = all.into_iter().filter(|path| is_alices(path)).collect();
    assert_eq!(files.len(), 2);
    for path in files {
        assert!([ALICE, GUESTS].contains(&owners(path)));
    }
    // Used once more in peace, it goes back to whom it belonged.
    let dac = dac();
    give_back(&dac, &take(&dac, 1, &[resource(&bobs, Access::ReadWrite)]));
    assert_eq!(owners(&bobs), OTHERS);
}

#[test]
fn what_a_process_opened_is_compared_with_what_was_looked_at() {
    let dir = open_dir();
    let [disk, bobs, public] = [("disk", 0o600), ("bob", 0o600), ("public", 0o644)]
        .map(|(name, mode)| file(dir.path(), name, mode));
    let kernel = file(dir.path(), "kernel", 0o600);
    let resources = [
        resource(&disk, Access::ReadWrite),
        resource(&kernel, Access::ReadOnly),
    ];
    let prepared = dac().prepare(guest(1), &resources).unwrap();
    let left_alone = Dac::new(identity(GUESTS), false);
    let left_alone = left_alone.prepare(guest(1), &resources).unwrap();
    let writing = |path: &Path| {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).open(path).unwrap()
    };
    let reading = |path: &Path| fs::File::open(path).unwrap();
    // A process that has these open, and nothing else but /dev/null.
    let with = |files: Vec<fs::File>, also: &[((u64, u64), Access)]| {
        let mut cmd = virtbus_util::cmd::Cmd::new("/bin/sleep");
        cmd.arg("60");
        for file in files {
            cmd.pass_fd(file.into());
        }
        let process = cmd.spawn().unwrap();
        let checked = prepared.check_opened(process.pid(), also);
        let left_alone = left_alone.check_opened(process.pid(), also);
        process.signal(virtbus_util::process::Signal::KILL).unwrap();
        assert_eq!(checked.is_ok(), left_alone.is_ok());
        checked
    };
    let gone = file(dir.path(), "gone", 0o600);
    let held = writing(&gone);
    fs::remove_file(&gone).unwrap();
    with(vec![writing(&disk), reading(&public), held], &[]).unwrap();
    // Memory of another guest has no name, and is reached through the descriptors of that one.
    let memory = rustix::fs::memfd_create("guest", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let magic = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&memory));
    let error = with(vec![writing(Path::new(&magic))], &[]).unwrap_err();
    assert!(error.to_string().contains("memfd:guest"), "{error}");

    let error = with(vec![reading(&bobs)], &[]).unwrap_err();
    assert!(
        matches!(&error, DacError::Foreign { path, .. } if path.ends_with("bob")),
        "{error}"
    );
    let facts = fs::metadata(&bobs).unwrap();
    let bobs_id = (facts.dev(), facts.ino());
    with(vec![writing(&bobs)], &[(bobs_id, Access::ReadWrite)]).unwrap();
    // What is only below an image is not written, and does not make a disk that is only read one that is written.
    with(vec![reading(&bobs)], &[(bobs_id, Access::ReadOnly)]).unwrap();
    assert!(with(vec![writing(&bobs)], &[(bobs_id, Access::ReadOnly)]).is_err());
    assert!(with(vec![writing(&public)], &[]).is_err());
    with(vec![reading(&kernel)], &[]).unwrap();
    // What everybody may read may be where not everybody gets.
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let read_by_all = file(&home, "read-by-all", 0o644);
    let closed = |mode| fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
    closed(0o711);
    with(vec![reading(&read_by_all)], &[]).unwrap();
    closed(0o710);
    assert!(with(vec![reading(&read_by_all)], &[]).is_err());
    let error = with(vec![writing(&kernel)], &[]).unwrap_err();
    assert!(error.to_string().contains("not for writing"), "{error}");
}

/// A file system of its own, unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts it, or tells why it cannot be had: a reason to skip.
    fn mount(path: &Path) -> Result<Self, String> {
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", path, "tmpfs", flags, None)
            .map(|()| Self(path.to_owned()))
            .map_err(|error| format!("needs to mount a tmpfs: {error}"))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// As many as the environment asks for.
fn rounds(short: u64, long: u64) -> u64 {
    match std::env::var("VIRTBUS_ROUNDS") {
        Ok(given) => given.parse().unwrap(),
        Err(_) if std::env::var_os("VIRTBUS_SOAK").is_some() => long,
        Err(_) => short,
    }
}

#[test]
fn root_copy_with_attributes_is_a_file_of_its_own() {
    or_skip!(root());
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
    or_skip!(root());
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

/// A disk that is plugged into a running guest, and unplugged again.
#[test]
fn what_a_guest_is_given_later_is_given_back_by_itself() {
    or_skip!(root());
    let dir = open_dir();
    let (disk, later) = (
        file(dir.path(), "disk", 0o600),
        file(dir.path(), "later", 0o600),
    );
    for path in [&disk, &later] {
        chown(path, Some(ALICE), Some(ALICE)).unwrap();
    }
    let dac = dac();
    let both = [&later, &disk].map(|path| resource(path, Access::Shared));
    for start_ends_first in [false, true] {
        let first = take(&dac, 1, &[resource(&disk, Access::Shared)]);
        let plugged = Holder::of_part([1; 16], 7);
        let mut second = dac.prepare(plugged, &both).unwrap();
        second.apply().unwrap();
        assert_eq!(owner_of(&later).0, GUESTS);
        let mut parts = [second.record().clone(), first];
        if start_ends_first {
            parts.reverse();
        }
        give_back(&dac, &parts[0]);
        assert_eq!(owner_of(&disk).0, GUESTS, "the other part has it still");
        let is_back = owner_of(&later).0 == ALICE;
        assert_ne!(is_back, start_ends_first);
        give_back(&dac, &parts[1]);
        assert_eq!((owner_of(&disk).0, owner_of(&later).0), (ALICE, ALICE));
    }
}
