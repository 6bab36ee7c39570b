//! What `make install` lays out: complete, filled in, and taken by systemd as it stands.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use virtbus_tests::{Installation, need, skip};

/// Stands in for the daemon, which need not be built for this.
const PROGRAM: &str = "/bin/true";

#[test]
fn install_fills_in_every_file_and_uninstall_takes_them_away() {
    if let Err(reason) = need::program("make") {
        skip!("{reason}");
    }
    let installed = Installation::with_own_prefix(Path::new(PROGRAM)).unwrap();
    let files: Vec<_> = installed
        .files()
        .unwrap()
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    for wanted in [
        "bin/virtbusd",
        "etc/virtbus/virtbusd.toml",
        "lib/systemd/system/virtbusd.service",
        "lib/systemd/user/virtbusd.service",
        "lib/sysusers.d/virtbus.conf",
        "lib/tmpfiles.d/virtbus.conf",
        "share/dbus-1/services/org.libvirt.service",
        "share/dbus-1/services/org.virtbus.service",
        "share/dbus-1/system.d/org.libvirt.conf",
        "share/dbus-1/system-services/org.libvirt.service",
        "share/dbus-1/system-services/org.virtbus.service",
        "share/man/man8/virtbusd.8",
        "share/polkit-1/actions/org.libvirt.policy",
    ] {
        assert!(
            files.contains(&installed.prefix().join(wanted)),
            "no {wanted}: {files:?}"
        );
    }
    for file in files.iter().filter(|file| !file.ends_with("bin/virtbusd")) {
        let text = fs::read_to_string(file).unwrap();
        for name in ["@bindir@", "@sharedir@"] {
            assert!(!text.contains(name), "{name} is left in {}", file.display());
        }
    }
    installed.uninstall().unwrap();
    assert_eq!(installed.files().unwrap(), []);
}

#[test]
fn activation_files_name_the_bus_name_they_are_called_after() {
    if let Err(reason) = need::program("make") {
        skip!("{reason}");
    }
    let installed = Installation::with_own_prefix(Path::new(PROGRAM)).unwrap();
    let mut seen = 0;
    for (file, _) in installed.files().unwrap() {
        if !file
            .parent()
            .is_some_and(|dir| dir.ends_with("services") || dir.ends_with("system-services"))
        {
            continue;
        }
        let name = file.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.contains(&format!("\nName={name}\n")),
            "{}",
            file.display()
        );
        assert!(
            text.contains("\nSystemdService=virtbusd.service\n"),
            "{text}"
        );
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn systemd_takes_units_and_users_as_they_stand() {
    let needed = ["make", "systemd-analyze", "systemd-sysusers"];
    if let Err(reason) = needed
        .into_iter()
        .try_for_each(|name| need::program(name).map(drop))
    {
        skip!("{reason}");
    }
    let installed = Installation::with_own_prefix(Path::new(PROGRAM)).unwrap();
    for (manager, unit) in [("--system", "system"), ("--user", "user")] {
        let unit = format!("lib/systemd/{unit}/virtbusd.service");
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no", manager])
            .arg(installed.prefix().join(unit))
            .env("XDG_RUNTIME_DIR", installed.work_dir())
            .output()
            .unwrap();
        assert_success(&verified);
        let said = String::from_utf8_lossy(&verified.stderr);
        let ours: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("virtbusd.service:"))
            .collect();
        assert_eq!(ours, Vec::<&str>::new());
    }
    let users = Command::new("systemd-sysusers")
        .arg("--dry-run")
        .arg(installed.prefix().join("lib/sysusers.d/virtbus.conf"))
        .output()
        .unwrap();
    assert_success(&users);
}

fn assert_success(done: &Output) {
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
