//! Files: root acts through a link or name in a lesser user's directory (T12); descriptors that leak into guests and helpers (T10);
//! files wider than meant (T11); sockets and their modes (T14).

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use virtbus_tests::{BootedSystem, Domain, DomainXml, Testbed, need, or_skip};

/// A guest with whatever has a process, a socket or a file.
const DEVICES: &str = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>\
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
    <channel type='unix'><target type='virtio' name='monitor.sock'/></channel>\
    <graphics type='vnc'><listen type='socket'/></graphics>";

#[test]
fn root_a_user_cannot_lead_the_daemon_to_files_of_others() {
    let system = or_skip!(BootedSystem::with_daemon());
    system.run("threat-12.sh");
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_and_helpers_have_the_descriptors_they_need_and_no_others() {
    or_skip!(need::program("swtpm"));
    let testbed = or_skip!(Testbed::with_qemu().await);
    // Other guests have descriptors too, and so have clients.
    let others = testbed.define_small("other", 2).await;
    for other in &others {
        other.act("Create", 0).await.unwrap();
    }
    let (name, disk) = ("watched", testbed.path("watched.img"));
    fs::write(&disk, vec![0; 1 << 20]).unwrap();
    let domain = start(&testbed, name, &disk).await;

    let log = log_of(&testbed, name);
    let console = testbed.path("watched.console");
    let state = tpm_state(&testbed, &domain);
    let files = HashSet::from([disk, log, console]);
    let daemon = links(testbed.daemon.pid());
    let mut seen = 0;
    for process in testbed.daemon.children() {
        let (pid, arguments) = (process.pid, process.command);
        let is_guest = arguments.contains("guest=watched");
        let is_tpm = fs::read_link(format!("/proc/{pid}/cwd")).unwrap() == state;
        if !is_guest && !is_tpm {
            continue;
        }
        seen += 1;
        for link in links(pid) {
            let text = link.to_str().unwrap();
            let is_own = ["pipe:", "anon_inode:", "/memfd:"]
                .iter()
                .any(|kind| text.starts_with(kind));
            let is_device =
                ["/dev/null", "/dev/kvm", "/dev/urandom", "/dev/random"].contains(&text);
            let is_below = text.contains("/guest/pid") || link.starts_with(&state);
            if text.starts_with("socket:") {
                assert!(!daemon.contains(&link), "{pid} has {text} of the daemon's");
            } else {
                assert!(
                    is_own || is_device || is_below || files.contains(&link),
                    "{pid} ({arguments}) has {text}"
                );
            }
        }
    }
    assert_eq!(seen, 2, "the guest and the emulator of its TPM");
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_sockets_are_as_narrow_as_they_can_be_under_any_umask() {
    or_skip!(need::program("swtpm"));
    // Of this process, which runs this test alone, and of the daemon after it.
    rustix::process::umask(rustix::fs::Mode::empty());
    let testbed = or_skip!(Testbed::with_qemu().await);
    let (name, disk) = ("narrow", testbed.path("narrow.img"));
    fs::write(&disk, vec![0; 1 << 20]).unwrap();
    let domain = start(&testbed, name, &disk).await;
    let console = fs::metadata(testbed.path("narrow.console")).unwrap();
    assert_eq!(console.mode() & 0o7777, 0o600, "the console");

    let mut sockets = HashSet::new();
    let root = testbed.daemon.state_dir().to_owned();
    let wide = look_below(&root, &mut |path, facts| {
        if facts.file_type().is_socket() {
            sockets.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    });
    assert_eq!(wide, Vec::<String>::new());
    let expected = [
        "monitor.sock",
        "swtpm.sock",
        "org.qemu.guest_agent.0",
        "graphics0.sock",
    ];
    for name in expected {
        assert!(sockets.contains(name), "{name} of {sockets:?}");
    }
    // The channel that has the monitor's name is in another folder.
    let runs: Vec<PathBuf> = entries(&root.join("run/qemu"));
    let run = runs.iter().find(|path| path.is_dir()).unwrap();
    assert_eq!(fs::metadata(run).unwrap().mode() & 0o7777, 0o710);
    assert!(run.join("channel/monitor.sock").exists());
    for socket in ["monitor.sock", "swtpm.sock"] {
        let facts = fs::metadata(run.join(socket)).unwrap();
        assert_eq!(facts.mode() & 0o7777, 0o600, "{socket}");
    }

    // What a save leaves.
    domain.act("ManagedSave", 0).await.unwrap();
    let wide = look_below(&root, &mut |_, _| {});
    assert_eq!(wide, Vec::<String>::new());
    domain.act("ManagedSaveRemove", 0).await.unwrap();
    testbed.end().await;
}

/// Starts a guest that has everything.
async fn start(testbed: &Testbed, name: &str, disk: &Path) -> Domain {
    let console = testbed.path(&format!("{name}.console"));
    let guest = DomainXml::small(name).serial_file(&console).device(&format!(
        "{DEVICES}<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>\
         <target dev='vda' bus='virtio'/></disk>",
        disk.display()
    ));
    testbed.run(&guest).await
}

fn log_of(testbed: &Testbed, name: &str) -> PathBuf {
    let log = format!("log/qemu/{name}.log");
    testbed.daemon.state_dir().join(log)
}

fn tpm_state(testbed: &Testbed, domain: &Domain) -> PathBuf {
    let path = domain.path().to_string();
    let uuid = path.rsplit('_').take(5).collect::<Vec<_>>();
    let uuid: Vec<&str> = uuid.into_iter().rev().collect();
    let states = testbed.daemon.state_dir().join("state/qemu/swtpm");
    states.join(uuid.join("-")).join("tpm2")
}

/// What a process has open.
fn links(pid: u32) -> HashSet<PathBuf> {
    entries(Path::new(&format!("/proc/{pid}/fd")))
        .iter()
        .filter_map(|fd| fs::read_link(fd).ok())
        .collect()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the directory can be read");
    entries
        .map(|entry| entry.expect("an entry can be read").path())
        .collect()
}

/// Everything below a directory that others than its owner and group may read, or others than its owner may write.
fn look_below(dir: &Path, see: &mut impl FnMut(&Path, &fs::Metadata)) -> Vec<String> {
    let mut wide = Vec::new();
    for path in entries(dir) {
        let facts = fs::symlink_metadata(&path).expect("what is there can be looked at");
        see(&path, &facts);
        // Connecting to a socket takes the right to write. Capabilities of emulators are no secret.
        let is_secret =
            facts.is_file() && !path.components().any(|part| part.as_os_str() == "cache");
        let forbidden = if is_secret { 0o026 } else { 0o022 };
        if !facts.file_type().is_symlink() && facts.mode() & forbidden != 0 {
            wide.push(format!("{:04o} {}", facts.mode() & 0o7777, path.display()));
        }
        if facts.is_dir() {
            wide.extend(look_below(&path, see));
        }
    }
    wide
}
