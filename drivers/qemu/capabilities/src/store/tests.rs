//! The store with broken and real emulators.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use virtbus_skip::skip;

use super::{CapabilitiesStore, FAILURE_REMEMBERED, Flights};
use crate::cache::{Host, Key};
use crate::probe::{ProbeError, ProbeFailure};
use crate::{Cap, ProbeOptions};

const QEMU: &str = "/usr/bin/qemu-system-x86_64";

fn options() -> ProbeOptions {
    ProbeOptions {
        kvm_node: "/nonexistent".into(),
        ..ProbeOptions::default()
    }
}

/// A program that stands where an emulator should.
fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("qemu-system-x86_64");
    // Not written in place: a file open for writing cannot be run.
    let new = dir.join("new");
    fs::write(&new, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(new, &path).unwrap();
    path
}

#[tokio::test]
async fn a_broken_emulator_is_named_with_its_last_words() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let text = format!(
        "echo x >> {}; echo 'no such library' >&2; exit 1",
        runs.display()
    );
    let binary = script(dir.path(), &text);
    let store = CapabilitiesStore::new(Some(dir.path().join("cache")), options());
    for _ in 0..3 {
        let error = store.get(&binary).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&*binary.to_string_lossy()), "{text}");
        assert!(text.contains("no such library"), "{text}");
        assert!(store.peek(&binary).is_none());
    }
    // Remembered, not tried again and again.
    assert_eq!(fs::read_to_string(&runs).unwrap().lines().count(), 1);
    // Replaced: tried again at once.
    script(dir.path(), &format!("{text}; exit 2"));
    store.get(&binary).await.unwrap_err();
    assert_eq!(fs::read_to_string(&runs).unwrap().lines().count(), 2);
    let missing = store.get(Path::new("/nonexistent/qemu")).await.unwrap_err();
    assert!(matches!(missing.source, ProbeFailure::Stat(_)));
}

#[tokio::test]
async fn an_emulator_that_hangs_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let binary = script(
        dir.path(),
        &format!("echo $$ > {}; exec sleep 1000", pid.display()),
    );
    let short = ProbeOptions {
        deadline: Duration::from_millis(300),
        ..options()
    };
    let store = CapabilitiesStore::new(None, short);
    let error = store.get(&binary).await.unwrap_err();
    assert!(matches!(
        error.source,
        ProbeFailure::Deadline(_) | ProbeFailure::Monitor(_)
    ));
    let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    // Killed: gone, or about to be reaped.
    let gone = match virtbus_util::process::Pidfd::open(pid) {
        Ok(process) => tokio::time::timeout(Duration::from_secs(10), process.exited())
            .await
            .is_ok(),
        Err(_) => true,
    };
    assert!(gone);
}

fn some_key() -> Key {
    Key::now(Path::new("/"), &Host::default(), &options()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn failures_are_forgotten() {
    let flights = Flights::<u32>::default();
    let fail = |_| async {
        Err::<u32, _>(ProbeError {
            binary: PathBuf::new(),
            stderr: String::new(),
            source: ProbeFailure::Aborted,
        })
    };
    let binary = Path::new("/x");
    flights.get(binary, some_key(), fail).await.unwrap_err();
    let work = |_| async { Ok(5) };
    flights.get(binary, some_key(), work).await.unwrap_err();
    tokio::time::advance(FAILURE_REMEMBERED + Duration::from_millis(1)).await;
    assert_eq!(*flights.get(binary, some_key(), work).await.unwrap(), 5);
    assert_eq!(flights.peek(binary, &some_key()).as_deref(), Some(&5));
}

#[tokio::test]
async fn callers_share_one_probe_and_may_go_away() {
    let flights = Arc::new(Flights::<u32>::default());
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let binary = Path::new("/x");
    let mut first = Box::pin(flights.get(binary, some_key(), |_| async {
        let _ = wait.await;
        Ok(1)
    }));
    let pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(first.as_mut().poll(cx).is_pending()));
    assert!(pending.await);
    let second = flights.get(binary, some_key(), |_| async { Ok(2) });
    drop(first);
    go.send(()).unwrap();
    assert_eq!(*second.await.unwrap(), 1);
}

#[tokio::test]
async fn qemu_tells_what_it_can_do() {
    if !Path::new(QEMU).exists() {
        skip!("needs {QEMU}");
    }
    let dir = tempfile::tempdir().unwrap();
    let binary = Path::new(QEMU);
    let store = CapabilitiesStore::new(Some(dir.path().to_owned()), options());
    let (found, again) = tokio::join!(store.get(binary), store.get(binary));
    let found = found.unwrap();
    assert!(Arc::ptr_eq(&found, &again.unwrap()));
    assert_eq!(found.arch, "x86_64");
    assert!(found.version.major >= 4);
    for cap in [Cap::Tcg, Cap::Blockdev, Cap::VirtioNet, Cap::SeccompSandbox] {
        assert!(found.has(cap), "{cap}");
    }
    assert!(!found.has(Cap::Kvm) && !found.has(Cap::VirtioCcw));
    assert!(found.has_device("virtio-blk-pci") && !found.has_device("flux-capacitor"));
    assert!(found.has_command("device_add") && found.has_event("SHUTDOWN"));
    let tcg = found.accelerated(false).unwrap();
    let q35 = tcg.machine("q35").unwrap();
    assert!(q35.name.starts_with("pc-q35-") && q35.max_cpus >= 255 && q35.hotplug_cpus);
    assert!(tcg.default_machine().is_some() && tcg.machine("none").is_none());
    assert_eq!(tcg.cpu_model("qemu64").unwrap().is_usable(), Some(true));
    assert!(tcg.cpu_model("EPYC-Milan").unwrap().blockers().count() > 0);
    assert!(tcg.host_model.as_ref().unwrap().properties.len() > 100);

    // Another store finds it on disk.
    let other = CapabilitiesStore::new(Some(dir.path().to_owned()), options());
    assert!(other.peek(binary).is_none());
    assert_eq!(other.get(binary).await.unwrap(), found);
    assert_eq!(other.peek(binary).as_ref(), Some(&found));
    let kvm = other.kvm(binary).await.unwrap();
    assert!(!kvm.is_usable());
}

/// With whatever KVM this host has: consistent, and not for ever.
#[tokio::test]
async fn kvm_is_tried_and_remembered() {
    let node = ProbeOptions::default().kvm_node;
    if !Path::new(QEMU).exists() || !node.exists() {
        skip!("needs {QEMU} and {}", node.display());
    }
    let dir = tempfile::tempdir().unwrap();
    let store = CapabilitiesStore::new(Some(dir.path().to_owned()), ProbeOptions::default());
    let binary = Path::new(QEMU);
    let found = store.get(binary).await.unwrap();
    let usable = store.kvm(binary).await.unwrap();
    println!("kvm: {} {usable:?}", found.has(Cap::Kvm));
    assert!(found.tcg.is_some());
    assert_eq!(found.kvm.is_some(), found.has(Cap::Kvm));
    assert!(found.has(Cap::Kvm) || !usable.is_usable());
    let other = CapabilitiesStore::new(Some(dir.path().to_owned()), ProbeOptions::default());
    assert_eq!(other.get(binary).await.unwrap(), found);
    assert_eq!(other.kvm(binary).await.unwrap(), usable);
}
