//! T19: the format of a disk is what its definition says, and never what its content looks like: a guest that writes the header of
//! another format into its raw disk is not given the file that this header names. Images below others are `../threat-12.sh`'s.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use virtbus_tests::{Domain, DomainXml, Testbed, need, or_skip};

/// Makes a qcow2 image that names a backing file.
fn image(path: &Path, backing: &Path) {
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(backing)
        .arg(path)
        .arg("1M")
        .output()
        .expect("qemu-img can be run");
    assert!(made.status.success(), "{made:?}");
}

fn disk(driver: &str, path: &Path) -> String {
    format!(
        "<disk type='file' device='disk'>{driver}<source file='{}'/><target dev='vda' bus='virtio'/></disk>",
        path.display()
    )
}

/// Whether the emulator has a file open.
fn has_open(testbed: &Testbed, name: &str, path: &Path) -> bool {
    let pid = testbed.daemon.emulator(name).expect("the guest runs");
    let fds = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    fds.expect("the guest runs")
        .flatten()
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == path))
}

/// The guest runs with its disk as a raw one.
async fn is_raw(testbed: &Testbed, domain: &Domain, name: &str, disk: &Path, secret: &Path) {
    assert!(has_open(testbed, name, disk), "{name} has no disk");
    assert!(!has_open(testbed, name, secret), "{name} has the file");
    for flags in [0, 2] {
        let xml = domain.xml(flags).await.expect("the guest is known");
        assert!(xml.contains("type='raw'"), "{xml}");
        assert!(!xml.contains(&*secret.to_string_lossy()), "{xml}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_wrote_into_its_disk_is_no_format() {
    or_skip!(need::program("qemu-img"));
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let secret: PathBuf = testbed.path("secret");
    fs::write(&secret, vec![7; 1 << 20]).unwrap();
    // The guests' user might read it, were it led there.
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();

    for (number, driver) in [
        "",
        "<driver name='qemu'/>",
        "<driver name='qemu' type='raw'/>",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("written-{number}");
        let path = testbed.path(&format!("{name}.img"));
        image(&path, &secret);
        let guest = DomainXml::small(&name).device(&disk(driver, &path));
        let domain = testbed.run(&guest).await;
        is_raw(&testbed, &domain, &name, &path, &secret).await;
        // Nor by the next daemon, nor when its state is taken in.
        testbed.crash_and_restart().await;
        is_raw(&testbed, &domain, &name, &path, &secret).await;
        domain.act("ManagedSave", 0).await.unwrap();
        domain.act("Create", 0).await.unwrap();
        is_raw(&testbed, &domain, &name, &path, &secret).await;
    }
    testbed.end().await;
}
