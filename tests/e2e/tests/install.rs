//! What `make install` lays out: complete, filled in, and taken by systemd as it stands.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which fail by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use virtbus_tests::{need, skip};

/// An installation below a temporary prefix, of a program that does nothing.
struct Installed {
    dir: TempDir,
}

impl Installed {
    fn new() -> Result<Installed, String> {
        need::program("make")?;
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let built = dir.path().join("target/debug");
        fs::create_dir_all(&built).unwrap();
        fs::write(built.join("virtbusd"), "#!/bin/sh\n").unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(built.join("virtbusd"), mode).unwrap();
        let installed = Installed { dir };
        installed.make("install");
        Ok(installed)
    }

    fn make(&self, target: &str) {
        let done = Command::new("make")
            .arg(target)
            .arg(format!("PREFIX={}", self.prefix().display()))
            .args(["DESTDIR=", "PROFILE=debug"])
            .arg(format!(
                "CARGO_TARGET_DIR={}",
                self.dir.path().join("target").display()
            ))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .env_remove("MAKEFLAGS")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_success(&done);
    }

    fn prefix(&self) -> PathBuf {
        self.dir.path().join("usr")
    }
}

#[test]
fn install_fills_in_every_file_and_uninstall_takes_them_away() {
    let installed = match Installed::new() {
        Ok(installed) => installed,
        Err(reason) => skip!("{reason}"),
    };
    let files = files_below(&installed.prefix());
    for wanted in [
        "bin/virtbusd",
        "lib/systemd/system/virtbusd.service",
        "lib/systemd/user/virtbusd.service",
        "lib/sysusers.d/virtbus.conf",
        "lib/tmpfiles.d/virtbus.conf",
        "share/dbus-1/services/org.libvirt.service",
        "share/dbus-1/services/org.virtbus.service",
        "share/dbus-1/system-services/org.libvirt.service",
        "share/dbus-1/system-services/org.virtbus.service",
    ] {
        assert!(
            files.contains(&installed.prefix().join(wanted)),
            "no {wanted}: {files:?}"
        );
    }
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for name in ["@bindir@", "@sharedir@"] {
            assert!(!text.contains(name), "{name} is left in {}", file.display());
        }
    }
    installed.make("uninstall");
    assert_eq!(files_below(&installed.prefix()), Vec::<PathBuf>::new());
}

#[test]
fn activation_files_name_the_bus_name_they_are_called_after() {
    let installed = match Installed::new() {
        Ok(installed) => installed,
        Err(reason) => skip!("{reason}"),
    };
    for dir in ["services", "system-services"] {
        for file in files_below(&installed.prefix().join("share/dbus-1").join(dir)) {
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
        }
    }
}

#[test]
fn systemd_takes_units_and_users_as_they_stand() {
    let installed = match Installed::new().and_then(|installed| {
        need::program("systemd-analyze")?;
        need::program("systemd-sysusers")?;
        Ok(installed)
    }) {
        Ok(installed) => installed,
        Err(reason) => skip!("{reason}"),
    };
    for (manager, unit) in [("--system", "system"), ("--user", "user")] {
        let unit = format!("lib/systemd/{unit}/virtbusd.service");
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no", manager])
            .arg(installed.prefix().join(unit))
            .env("XDG_RUNTIME_DIR", installed.dir.path())
            .output()
            .unwrap();
        assert_success(&verified);
        let said = String::from_utf8_lossy(&verified.stderr);
        let about_ours: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("virtbusd.service:"))
            .collect();
        assert_eq!(about_ours, Vec::<&str>::new());
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

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.append(&mut files_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
