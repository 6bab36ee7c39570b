//! Another name for a guest that is off: all that is called after it comes along, and what does not go is refused.

use std::path::{Path, PathBuf};

use virtbus_tests::client::CallError;
use virtbus_tests::domain::{RUNNING, SHUTOFF, XML_INACTIVE};
use virtbus_tests::events::{DEFINED, DEFINED_RENAMED, UNDEFINED, UNDEFINED_RENAMED};
use virtbus_tests::guest::{READY, TICK};
use virtbus_tests::wait::LIMIT;
use virtbus_tests::{Domain, DomainEvents, DomainXml, Testbed, or_skip};
use zbus::Variant;

async fn rename(domain: &Domain, name: &str) -> Result<(), CallError> {
    domain.0.call("Rename", &(name, 0_u32)).await
}

/// The files that are called after guests.
fn files(testbed: &Testbed) -> Vec<PathBuf> {
    let state = testbed.daemon.state_dir();
    let dirs = ["config/qemu", "config/qemu/autostart", "state/qemu/save"];
    let entries = dirs.iter().flat_map(|dir| {
        let entries = std::fs::read_dir(state.join(dir)).into_iter().flatten();
        entries
            .map(|entry| Path::new(dir).join(entry.expect("a directory can be read").file_name()))
    });
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_called_after_a_guest_gets_its_new_name() {
    let (mut testbed, domain) = or_skip!(Testbed::with_booted("old", "tiny.tick").await);
    let console = testbed.console("old");
    domain
        .0
        .set("Autostart", Variant::from(true))
        .await
        .unwrap();
    let refused = rename(&domain, "new").await.unwrap_err();
    assert!(
        refused.to_string().contains("domain 'old' runs"),
        "{refused}"
    );
    console.wait_for(TICK).await;
    domain.act("ManagedSave", 0).await.unwrap();

    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    rename(&domain, "new").await.unwrap();
    let told = events.next_all(domain.path(), 2, LIMIT).await;
    let wanted = [(UNDEFINED, UNDEFINED_RENAMED), (DEFINED, DEFINED_RENAMED)];
    assert_eq!(told, wanted);
    let all = [
        "config/qemu/autostart/new.xml",
        "config/qemu/new.xml",
        "state/qemu/save/new.save",
    ];
    let is_renamed = async |testbed: &Testbed| {
        assert_eq!(files(testbed), all.map(PathBuf::from));
        assert_eq!(domain.0.get::<String>("Name").await.unwrap(), "new");
        assert!(domain.0.get::<bool>("Autostart").await.unwrap());
        let qemu = testbed.client.qemu();
        let found: zbus::OwnedObjectPath = qemu.call("DomainLookupByName", &"new").await.unwrap();
        assert_eq!(found.as_str(), domain.path());
        let gone: Result<zbus::OwnedObjectPath, _> = qemu.call("DomainLookupByName", &"old").await;
        gone.unwrap_err();
        let xml = domain.xml(XML_INACTIVE).await.unwrap();
        assert!(xml.contains("<name>new</name>"), "{xml}");
        let saved: String = domain
            .0
            .call("ManagedSaveGetXMLDesc", &(0_u32,))
            .await
            .unwrap();
        assert!(saved.contains("<name>new</name>"), "{saved}");
    };
    is_renamed(&testbed).await;
    testbed.crash_and_restart().await;
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    is_renamed(&testbed).await;

    // It wakes up where it was, under its new name, and is found so by another daemon.
    domain.act("Create", 0).await.unwrap();
    console.wait_for_ticks().await;
    assert!(!console.text().contains(READY), "it booted again");
    let live = domain.xml(0).await.unwrap();
    assert!(live.contains("<name>new</name>"), "{live}");
    testbed.crash_and_restart().await;
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    assert_eq!(domain.0.get::<String>("Name").await.unwrap(), "new");
    // The old name is free.
    let other = testbed.define(&DomainXml::small("old")).await;
    assert_eq!(other.0.get::<String>("Name").await.unwrap(), "old");
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_name_or_is_one_already_is_refused_and_changes_nothing() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.define(&DomainXml::small("kept")).await;
    testbed.define(&DomainXml::small("taken")).await;
    let transient = DomainXml::small("transient");
    let transient = testbed.client.create(&transient.xml(), 0).await.unwrap();
    let before = (files(&testbed), domain.xml(XML_INACTIVE).await.unwrap());
    for (name, why) in [
        ("", "empty"),
        ("a/b", "'/'"),
        (".hidden", "'.'"),
        ("new\nline", "must not contain"),
        ("taken", "'taken' is there already"),
        ("transient", "'transient' is there already"),
        ("kept", "called so already"),
    ] {
        let refused = rename(&domain, name).await.unwrap_err();
        assert!(refused.is_refusal(), "{name:?}: {refused}");
        assert!(refused.to_string().contains(why), "{name:?}: {refused}");
    }
    let refused = rename(&transient, "elsewhere").await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");

    // What the daemon does not know is in the way of the definition: it is not lost.
    let blocked = testbed.daemon.state_dir().join("config/qemu/blocked.xml");
    std::fs::create_dir(&blocked).unwrap();
    let failed = rename(&domain, "blocked").await.unwrap_err();
    assert!(failed.is_refusal(), "{failed}");
    assert!(failed.to_string().contains("blocked.xml"), "{failed}");
    std::fs::remove_dir(&blocked).unwrap();
    // The autostart link cannot be made when the definition has been written.
    domain
        .0
        .set("Autostart", Variant::from(true))
        .await
        .unwrap();
    let before = (files(&testbed), before.1);
    let blocked = testbed
        .daemon
        .state_dir()
        .join("config/qemu/autostart/blocked.xml");
    std::fs::create_dir(&blocked).unwrap();
    let failed = rename(&domain, "blocked").await.unwrap_err();
    assert!(failed.is_refusal(), "{failed}");
    std::fs::remove_dir(&blocked).unwrap();
    let after = (files(&testbed), domain.xml(XML_INACTIVE).await.unwrap());
    assert_eq!(after, before);
    // The name is free, as it was.
    testbed.define(&DomainXml::small("blocked")).await;
    testbed.end().await;
}
