//! What `make install` lays out: complete, filled in, and taken by systemd as it stands.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use virtbus_tests::{Installation, need, or_skip, skip};

/// Stands in for the daemon, which need not be built for this.
const PROGRAM: &str = "/bin/true";

#[test]
fn install_fills_in_every_file_and_uninstall_takes_them_away() {
    or_skip!(need::program("make"));
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
        "share/bash-completion/completions/virtbusd",
        "share/doc/virtbus/examples/60-libvirt-group.rules",
        "share/doc/virtbus/examples/virtbusd.toml",
        "share/fish/vendor_completions.d/virtbusd.fish",
        "share/man/man5/org.libvirt.Connect.5",
        "share/man/man5/org.libvirt.Domain.5",
        "share/man/man5/org.libvirt.StorageVol.5",
        "share/man/man5/virtbusd.toml.5",
        "share/man/man7/virtbus-dbus.7",
        "share/man/man7/virtbus-permissions.7",
        "share/man/man8/virtbusd.8",
        "share/polkit-1/actions/org.libvirt.policy",
        "share/polkit-1/rules.d/zzz-virtbus.rules",
        "share/zsh/site-functions/_virtbusd",
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
    assert_eq!(installed.folders().unwrap(), [] as [std::path::PathBuf; 0]);
}

/// Runs `make install` in a copy of what it needs of the tree, without a toolchain to be found, as `sudo` would.
fn install_in(tree: &Path, stage: &Path) -> Output {
    Command::new("make")
        .arg("install")
        .arg(format!("DESTDIR={}", stage.display()))
        .current_dir(tree)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .output()
        .expect("make can be run")
}

#[test]
fn install_takes_what_was_built_by_whoever_and_nothing_older() {
    or_skip!(need::program("make"));
    let work = tempfile::tempdir().unwrap();
    let (tree, stage) = (work.path().join("tree"), work.path().join("stage"));
    let top = virtbus_tests::booted::repository();
    for folder in ["service/src", "interfaces", "drivers"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    for name in ["Makefile", "Cargo.toml", "Cargo.lock"] {
        fs::copy(top.join(name), tree.join(name)).unwrap();
    }
    for folder in ["data", "dbus-policy"] {
        std::os::unix::fs::symlink(top.join(folder).canonicalize().unwrap(), tree.join(folder))
            .unwrap();
    }
    let failed = install_in(&tree, &stage);
    assert!(!failed.status.success());
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(said.contains("nothing has been built here"), "{said}");

    // As `make build` leaves it: what was built is in some other user's cache.
    let built = work.path().join("virtbusd");
    fs::copy(PROGRAM, &built).unwrap();
    fs::write(tree.join(".built"), format!("{}\n", built.display())).unwrap();
    assert_success(&install_in(&tree, &stage));
    assert!(stage.join("usr/bin/virtbusd").exists());

    let source = tree.join("service/src/new.rs");
    fs::write(&source, "").unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(10);
    fs::File::options()
        .write(true)
        .open(&source)
        .and_then(|file| file.set_modified(later))
        .unwrap();
    let failed = install_in(&tree, &stage);
    assert!(!failed.status.success());
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(said.contains("service/src/new.rs has changed"), "{said}");
}

#[test]
fn activation_files_name_the_bus_name_they_are_called_after() {
    or_skip!(need::program("make"));
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
    or_skip!(need::programs(&[
        "make",
        "systemd-analyze",
        "systemd-sysusers"
    ]));
    let installed = Installation::with_own_prefix(Path::new(PROGRAM)).unwrap();
    for (manager, unit) in [("--system", "system"), ("--user", "user")] {
        let unit = format!("lib/systemd/{unit}/virtbusd.service");
        let text = fs::read_to_string(installed.prefix().join(&unit)).unwrap();
        // By this `systemctl service-log-level` finds the service.
        assert!(text.contains("\nBusName=org.libvirt\n"), "{unit}");
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

#[test]
fn what_the_unit_leaves_open_is_what_the_manual_tells() {
    or_skip!(need::programs(&["make", "systemd-analyze"]));
    let installed = Installation::with_own_prefix(Path::new(PROGRAM)).unwrap();
    let page = installed.prefix().join("share/man/man8/virtbusd.8");
    let page = fs::read_to_string(page).unwrap();
    let start = page
        .find("\n.SH CONFINEMENT\n")
        .expect("there is a section");
    let section = &page[start + 1..];
    let section = &section[..section[4..].find("\n.SH ").expect("it is not the last") + 4];

    let analyze = || {
        Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(
                installed
                    .prefix()
                    .join("lib/systemd/system/virtbusd.service"),
            )
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap()
    };
    // What is open is told, and what is told is open.
    let told: BTreeSet<&str> = section
        .lines()
        .filter(|line| line.starts_with(".BR ") && line.contains("\", \""))
        .flat_map(|line| line[4..].split("\", \""))
        .flat_map(|words| words.split([' ', '"', ',']))
        .filter(|word| !word.is_empty())
        .collect();
    let table = analyze();
    assert_success(&table);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    let open: Vec<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("✗ ")?.split_whitespace().next())
        .map(short)
        .collect();
    assert!(open.contains(&"User=/DynamicUser=".to_owned()), "{table}");
    let untold: Vec<&String> = open
        .iter()
        .filter(|name| !told.iter().any(|told| name.starts_with(told)))
        .collect();
    assert!(untold.is_empty(), "open and not in virtbusd(8): {untold:?}");
    let closed: Vec<&&str> = told
        .iter()
        .filter(|told| !open.iter().any(|name| name.starts_with(**told)))
        .collect();
    assert!(closed.is_empty(), "in virtbusd(8) and not open: {closed:?}");

    // The figure is one of this systemd; others look at more.
    let (figure, version) = section
        .split_once("finds open (")
        .and_then(|(_, rest)| rest.split_once(" of 10 with systemd "))
        .expect("there is a figure");
    let version: String = version.chars().take_while(char::is_ascii_digit).collect();
    let here = Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .unwrap();
    let here = String::from_utf8_lossy(&here.stdout);
    if here.split_whitespace().nth(1) != Some(&version) {
        skip!("needs systemd {version} to compare the figure with: {here}");
    }
    let wanted = format!("Overall exposure level for virtbusd.service: {figure} ");
    assert!(table.contains(&wanted), "not {figure}: {table}");
}

/// The name of an assessment without what it is a setting of: `SystemCallFilter=~@mount` is `@mount`,
/// `CapabilityBoundingSet=~CAP_SET(UID|GID)` is `CAP_SETUID`.
fn short(name: &str) -> String {
    match name.split_once("=~") {
        Some((setting @ "RestrictNamespaces", _)) => format!("{setting}="),
        Some((_, what)) => {
            let what = what.split('|').next().unwrap_or_default();
            what.replace(['(', ')', '*'], "")
        }
        None => name.to_owned(),
    }
}

fn assert_success(done: &Output) {
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
