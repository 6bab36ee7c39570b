//! What speaks against a guest is told by name, all of it at once, and before anything of the host is touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use virtbus_tests::domain::SHUTOFF;
use virtbus_tests::wait::{patient, wait_until};
use virtbus_tests::{Daemon, DomainXml, Testbed, or_skip};

/// What is in the directory of runs, beside the note of an autostart.
fn runs(testbed: &Testbed) -> Vec<PathBuf> {
    let dir = testbed.daemon.state_dir().join("run/qemu");
    let entries = std::fs::read_dir(dir).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .filter(|path| !path.ends_with("autostarted"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_guest_cannot_have_is_told_before_the_host_is_touched() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let (missing, console) = (testbed.path("missing.img"), testbed.path("console"));
    let guest = DomainXml::small("wanting").device(&format!(
        "<disk type='file'><source file='{}'/><target dev='vda'/></disk>\
         <disk type='file'><source file='/dev/null'/><target dev='vdb'/><encryption format='luks'/></disk>\
         <interface type='bridge'><source bridge='absent7'/></interface>\
         <serial type='file'><source path='{}'/></serial>\
         <sound model='pcspk'/><smartcard mode='host'/><lease><lockspace>a</lockspace><key>b</key><target path='/c'/></lease>",
        missing.display(),
        console.display()
    ));
    let domain = testbed.define(&guest).await;
    let refused = domain.act("Create", 0).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    let said = refused.to_string();
    for word in [
        "encrypted images",
        "'absent7'",
        "no network device",
        "<smartcard>",
        "<lease>",
    ] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
    assert!(!console.exists(), "a file was made");
    assert_eq!(runs(&testbed), Vec::<PathBuf>::new());
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);

    let guest = DomainXml::small("wanting")
        .with_uuid(guest.uuid())
        .device(&format!(
            "<disk type='file'><source file='{0}'/><target dev='vda'/></disk>\
         <disk type='file'><source file='{0}.2'/><target dev='vdb'/></disk>\
         <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>",
            missing.display(),
        ));
    let domain = testbed.define(&guest).await;
    let said = domain.act("Create", 0).await.unwrap_err().to_string();
    for name in ["missing.img'", "missing.img.2'", "No such file"] {
        assert!(said.contains(name), "no {name:?}: {said}");
    }
    assert_eq!(runs(&testbed), Vec::<PathBuf>::new());
    // With them there, it starts, and its empty drive is no matter.
    for path in [missing.clone(), testbed.path("missing.img.2")] {
        std::fs::write(path, [0_u8; 512]).unwrap();
    }
    domain.act("Create", 0).await.unwrap();
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_can_never_start_is_refused_with_all_that_is_wrong() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let long = format!("/{}", "x".repeat(120));
    let guest = DomainXml::small("wrong").device(&format!(
        "<disk type='file'><target dev='vda'/></disk>\
         <disk type='block'><target dev='vdb'/></disk>\
         <channel type='unix'><source mode='bind' path='{long}'/><target type='virtio' name='c'/></channel>",
    ));
    let refused = testbed.client.define(&guest.xml()).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    let said = refused.to_string();
    for word in [
        "disk 'vda' has no <source>",
        "disk 'vdb' has no <source>",
        &long,
        "<channel>",
        "107",
    ] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_that_are_too_long_for_sockets_are_refused_by_the_daemon() {
    let testbed = or_skip!(Testbed::prepare(&[]).await);
    let state = testbed.path(&"d".repeat(60));
    let mut daemon = or_skip!(Daemon::new(testbed.bus.address(), &state, &[]));
    daemon.spawn();
    let mut status = None;
    let limit = patient(Duration::from_secs(20));
    wait_until("the daemon to end", limit, || {
        status = status.or(daemon.exited());
        status.is_some()
    })
    .await;
    let said = daemon.log_tail();
    assert_eq!(status.and_then(|status| status.code()), Some(78), "{said}");
    let run = Path::new(&state).join("run/qemu");
    for word in [run.to_str().unwrap(), "too long for sockets", " at most"] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
}
