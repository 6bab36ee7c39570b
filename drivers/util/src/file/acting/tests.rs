//! Files opened as another user, and by the daemon as itself.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::time::Instant;

use virtbus_skip::or_skip;

use super::*;
use crate::test_utils::root;

const GUESTS: u32 = 65501;

fn guests() -> ActingUser {
    ActingUser {
        uid: GUESTS,
        gid: GUESTS,
        groups: vec![65510],
    }
}

fn append() -> OpenAs {
    OpenAs::output(OpenAccess::Append)
}

fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn fifo(path: &Path) {
    let mode = Mode::from_raw_mode(0o666);
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
}

#[test]
fn files_are_made_appended_and_emptied() {
    let dir = dir();
    let path = dir.path().join("console.log");
    for (truncate, text, expected) in [
        (false, "one", "one"),
        (false, "two", "onetwo"),
        (true, "3", "3"),
    ] {
        let how = OpenAs {
            truncate,
            ..append()
        };
        let mut file = open(Beneficiary::Daemon, None, &path, how).unwrap();
        let flags = rustix::fs::fcntl_getfl(&file).unwrap();
        assert!(!flags.contains(OFlags::NONBLOCK));
        file.write_all(text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let new = OpenAs {
        create: Create::New,
        ..append()
    };
    let error = open(Beneficiary::Daemon, None, &path, new).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    let never = OpenAs {
        create: Create::Never,
        ..append()
    };
    let error = open(Beneficiary::Daemon, None, &dir.path().join("none"), never).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(!dir.path().join("none").exists());
}

#[test]
fn what_is_no_plain_file_of_one_name_is_refused() {
    let dir = dir();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "precious").unwrap();
    fs::hard_link(at("file"), at("hard")).unwrap();
    symlink("file", at("link")).unwrap();
    symlink("absent", at("dangling")).unwrap();
    fs::create_dir(at("dir")).unwrap();
    fifo(&at("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for (name, expected) in [
        ("hard", "has further names (hard links)"),
        ("link", "is a symbolic link, which is not followed"),
        ("dangling", "is a symbolic link, which is not followed"),
        ("dir", "is a directory, not a regular file"),
        ("fifo", "is a FIFO, not a regular file"),
        ("socket", "is a socket, not a regular file"),
    ] {
        let how = OpenAs {
            truncate: true,
            ..append()
        };
        let error = open(Beneficiary::Daemon, None, &at(name), how)
            .unwrap_err()
            .to_string();
        let begin = format!("'{}' {expected}", at(name).display());
        assert!(error.starts_with(&begin), "{error}");
    }
    // With a reader, the FIFO would open.
    let _reader = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(at("fifo"))
        .unwrap();
    let error = open(Beneficiary::Daemon, None, &at("fifo"), append()).unwrap_err();
    assert!(matches!(error, ActError::WrongType { found: "FIFO", .. }));
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "precious");
    assert!(!at("absent").exists());

    let device = OpenAs {
        devices: true,
        ..append()
    };
    open(Beneficiary::Daemon, None, Path::new("/dev/null"), device).unwrap();
    let error = open(Beneficiary::Daemon, None, Path::new("/dev/null"), append()).unwrap_err();
    assert!(matches!(error, ActError::WrongType { .. }));
}

#[test]
fn root_rights_are_those_of_the_user() {
    or_skip!(root());
    let dir = dir();
    let at = |name: &str| dir.path().join(name);
    let victim = at("victim");
    fs::write(&victim, "precious").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
    let how = OpenAs {
        truncate: true,
        ..append()
    };
    let error = open(Beneficiary::Daemon, Some(&guests()), &victim, how).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "user {GUESTS}, as whom guests run, may not open '{}' (of user 'root', mode 0600); give the file to that user, or choose another one",
            victim.display()
        )
    );
    let error = open(Beneficiary::Daemon, Some(&guests()), &at("new"), how).unwrap_err();
    assert!(
        error.to_string().contains(&format!(
            "may not make a file in directory '{}' (of user 'root', mode 0755)",
            dir.path().canonicalize().unwrap().display()
        )),
        "{error}"
    );
    fs::create_dir(at("closed")).unwrap();
    fs::set_permissions(at("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let error = open(
        Beneficiary::Daemon,
        Some(&guests()),
        &at("closed/sub/new"),
        how,
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("may not search directory"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(!at("new").exists());

    // A directory and a file of the user's, and one of a group of the user's.
    fs::create_dir(at("own")).unwrap();
    chown(at("own"), Some(GUESTS), Some(GUESTS)).unwrap();
    open(Beneficiary::Daemon, Some(&guests()), &at("own/new"), how).unwrap();
    let facts = fs::metadata(at("own/new")).unwrap();
    assert_eq!((facts.uid(), facts.gid()), (GUESTS, GUESTS));
    chown(&victim, Some(0), Some(65510)).unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o660)).unwrap();
    open(Beneficiary::Daemon, Some(&guests()), &victim, append()).unwrap();
    let root = ActingUser {
        uid: 0,
        gid: 0,
        groups: Vec::new(),
    };
    open(Beneficiary::Daemon, Some(&root), &at("new"), append()).unwrap();
    assert_eq!(fs::metadata(at("new")).unwrap().uid(), 0);
}

#[test]
fn root_a_path_that_somebody_else_may_change_is_opened_with_the_users_rights() {
    or_skip!(root());
    // Below a directory for all, so never closed.
    let dir = dir();
    let error = open_named(
        Beneficiary::Daemon,
        Some(&guests()),
        &dir.path().join("new"),
        append(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("may not make"), "{error}");
    // No directory on the way is anybody's but root's.
    let place = Path::new("/etc/virtbus-test-of-acting");
    let _ = fs::remove_file(place);
    let how = OpenAs {
        truncate: true,
        ..append()
    };
    for _ in 0..2 {
        let mut file = open_named(Beneficiary::Daemon, Some(&guests()), place, how).unwrap();
        file.write_all(b"console").unwrap();
        assert_eq!(fs::read(place).unwrap(), b"console");
        assert_eq!(fs::metadata(place).unwrap().uid(), GUESTS);
    }
    // Root's own file there is nobody's console.
    chown(place, Some(0), Some(0)).unwrap();
    let refused = open_named(Beneficiary::Daemon, Some(&guests()), place, how);
    let kept = fs::read(place).unwrap();
    fs::remove_file(place).unwrap();
    assert!(refused.is_err());
    assert_eq!(kept, b"console");
}

#[test]
fn root_a_thread_that_acts_is_not_the_users_otherwise() {
    or_skip!(root());
    let before = rustix::process::dumpable_behavior().unwrap();
    let status = act(Beneficiary::Daemon, Some(&guests()), PATIENCE, || {
        fs::read_to_string("/proc/thread-self/status").unwrap()
    })
    .unwrap();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("Uid:"), ["0", "0", "0", "65501"]);
    assert_eq!(line("Gid:"), ["0", "0", "0", "65501"]);
    assert_eq!(line("Groups:"), ["65510"]);
    assert_eq!(line("CapEff:"), ["0000000000000000"]);
    let own = fs::read_to_string("/proc/thread-self/status").unwrap();
    assert!(own.contains("Uid:\t0\t0\t0\t0"), "{own}");
    assert!(rustix::process::dumpable_behavior().unwrap() == before);
}

#[test]
fn a_task_that_hangs_is_left_behind_and_has_its_limit() {
    let (release, hang) = mpsc::channel::<()>();
    let begun = Instant::now();
    let limit = Duration::from_millis(50);
    let stuck = act(Beneficiary::Daemon, None, limit, move || {
        hang.recv().is_ok()
    });
    assert!(matches!(stuck, Err(ActError::Timeout { .. })));
    assert!(begun.elapsed() >= limit);
    drop(release);
    let broken: Result<(), ActError> = act(Beneficiary::Daemon, None, PATIENCE, || {
        std::panic::resume_unwind(Box::new("on purpose"))
    });
    assert!(matches!(broken, Err(ActError::Thread { .. })));
    assert!(act(Beneficiary::Daemon, None, PATIENCE, || 7).is_ok_and(|seven| seven == 7));
}

/// Tasks that hang until the sender is used for each of them, or dropped.
struct Hanging {
    release: mpsc::Sender<()>,
    tasks: Vec<std::thread::JoinHandle<Result<bool, ActError>>>,
}

impl Hanging {
    fn begin(whose: Beneficiary, count: usize) -> Self {
        let (release, hang) = mpsc::channel::<()>();
        let hang = std::sync::Arc::new(Mutex::new(hang));
        let begun = std::sync::Arc::new(std::sync::Barrier::new(count + 1));
        let task = || {
            let (hang, begun) = (hang.clone(), begun.clone());
            std::thread::spawn(move || {
                act(whose, None, PATIENCE, move || {
                    begun.wait();
                    hang.lock().unwrap().recv().is_ok()
                })
            })
        };
        let tasks = (0..count).map(|_| task()).collect();
        begun.wait();
        Self { release, tasks }
    }

    fn end(self) {
        drop(self.release);
        for task in self.tasks {
            task.join().unwrap().unwrap();
        }
    }
}

#[test]
fn many_at_once_wait_for_each_other() {
    let one = Beneficiary::Guest([1; 16]);
    let hanging = Hanging::begin(one, MOST_OF_ONE);
    let refused = act(one, None, Duration::from_millis(50), || 7);
    assert!(matches!(refused, Err(ActError::Busy { hanging }) if hanging == MOST_OF_ONE));
    let waiting = std::thread::spawn(move || act(one, None, PATIENCE, || 7));
    hanging.release.send(()).unwrap();
    assert!(waiting.join().unwrap().is_ok_and(|seven| seven == 7));
    hanging.end();
    assert!(act(one, None, PATIENCE, || 7).is_ok());
}

#[test]
fn what_hangs_for_one_guest_holds_up_no_other() {
    let guests = (0..40).map(|number| Beneficiary::Guest([number; 16]));
    let hanging: Vec<_> = guests
        .map(|guest| Hanging::begin(guest, MOST_OF_ONE))
        .collect();
    let limit = Duration::from_millis(50);
    let others = [Beneficiary::Guest([99; 16]), Beneficiary::Daemon];
    for other in others {
        assert!(act(other, None, limit * 100, || 7).is_ok());
    }
    let refused = act(Beneficiary::Guest([7; 16]), None, limit, || 7);
    assert!(matches!(refused, Err(ActError::Busy { .. })));
    hanging.into_iter().for_each(Hanging::end);
}
