//! Snapshots, checkpoints, saved memory.

use virtbus_api::domain::{
    CallerFile, CheckpointCreateFlags, CheckpointXmlFlags, DomainCoreDumpFlags,
    DomainCoreDumpFormat, DomainCreateFlags, DomainDestroyFlags, DomainSaveImageXmlFlags,
    DomainSaveRestoreFlags, DomainState, DomainUndefineFlags, ImageAccess, MomentDeleteFlags,
    PausedReason, SnapshotCreateFlags, SnapshotKind, SnapshotRevertFlags, SnapshotXmlFlags,
};
use virtbus_api::{Connection, ErrorCode};

use crate::{GUEST, code, guest, open};

/// A file that root names.
fn by_root(path: &str) -> CallerFile<'_> {
    CallerFile {
        path,
        by_root: true,
    }
}

#[tokio::test]
async fn a_tree_of_snapshots_grows_and_is_returned_to() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let snapshots = Connection::snapshots(&*test).unwrap();
    let lifecycle = test.lifecycle().unwrap();
    let take = async |name: &str| {
        let xml = format!("<domainsnapshot><name>{name}</name></domainsnapshot>");
        snapshots
            .create_xml(&id, &xml, SnapshotCreateFlags::empty())
            .await
    };
    diary.read();
    let off = take("off").await.unwrap();
    assert_eq!(diary.read(), ["Domain changed", "DomainSnapshot added"]);
    assert!(off.current && off.kind == SnapshotKind::Inactive && off.parent.is_none());
    lifecycle
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    let running = take("running").await.unwrap();
    assert_eq!(running.parent.as_deref(), Some("off"));
    assert_eq!(running.kind, SnapshotKind::Active);
    assert_eq!(code(take("running").await), ErrorCode::OperationFailed);

    diary.read();
    let risky = snapshots
        .revert(&off.id, SnapshotRevertFlags::RUNNING)
        .await;
    assert_eq!(code(risky), ErrorCode::SnapshotRevertRisky);
    snapshots
        .revert(&off.id, SnapshotRevertFlags::empty())
        .await
        .unwrap();
    assert_eq!(
        diary.read(),
        [
            "Domain changed",
            "Stopped(FromSnapshot)",
            "Defined(FromSnapshot)",
            "DomainSnapshot changed",
            "DomainSnapshot changed"
        ]
    );
    snapshots
        .revert(&running.id, SnapshotRevertFlags::PAUSED)
        .await
        .unwrap();
    let state = test.domains().unwrap().view(id.uuid).await.unwrap().state;
    assert_eq!(state, DomainState::Paused(PausedReason::FromSnapshot));
    let xml = snapshots
        .xml_desc(&running.id, SnapshotXmlFlags::empty())
        .await
        .unwrap();
    assert!(
        xml.contains("<state>running</state>") && xml.contains("<name>off</name>"),
        "{xml}"
    );

    lifecycle
        .destroy(&id, DomainDestroyFlags::empty())
        .await
        .unwrap();
    let held = test
        .domains()
        .unwrap()
        .undefine(&id, DomainUndefineFlags::empty())
        .await;
    assert_eq!(code(held), ErrorCode::OperationInvalid);
    snapshots
        .delete(&off.id, MomentDeleteFlags::empty())
        .await
        .unwrap();
    let left = snapshots.snapshots(&id).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].parent, None);
    snapshots
        .create_xml(&id, &xml, SnapshotCreateFlags::REDEFINE)
        .await
        .unwrap_err();
    let alone = xml.replace("<parent>\n    <name>off</name>\n  </parent>\n", "");
    snapshots
        .create_xml(
            &id,
            &alone,
            SnapshotCreateFlags::REDEFINE | SnapshotCreateFlags::CURRENT,
        )
        .await
        .unwrap();
    snapshots
        .delete(&running.id, MomentDeleteFlags::CHILDREN)
        .await
        .unwrap();
    assert_eq!(
        code(snapshots.snapshot(&id, "running").await),
        ErrorCode::NoDomainSnapshot
    );
}

#[tokio::test]
async fn checkpoints_follow_one_another() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    test.lifecycle()
        .unwrap()
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    diary.read();
    let checkpoints = Connection::checkpoints(&*test).unwrap();
    let make = async |name: &str| {
        let xml = format!("<domaincheckpoint><name>{name}</name></domaincheckpoint>");
        checkpoints
            .create_xml(&id, &xml, CheckpointCreateFlags::empty())
            .await
            .unwrap()
    };
    let (one, two) = (make("one").await, make("two").await);
    assert_eq!(two.parent.as_deref(), Some("one"));
    let xml = checkpoints
        .xml_desc(&two.id, CheckpointXmlFlags::NO_DOMAIN)
        .await
        .unwrap();
    assert!(
        xml.contains("checkpoint='bitmap'") && !xml.contains("<domain "),
        "{xml}"
    );
    checkpoints
        .delete(&one.id, MomentDeleteFlags::empty())
        .await
        .unwrap();
    assert_eq!(
        checkpoints.checkpoint(&id, "two").await.unwrap().parent,
        None
    );
    assert_eq!(
        code(checkpoints.checkpoint(&id, "one").await),
        ErrorCode::NoDomainCheckpoint
    );
}

#[tokio::test]
async fn memory_is_saved_and_found_again() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let (saving, lifecycle) = (test.saving().unwrap(), test.lifecycle().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image");
    let file = file.to_str().unwrap();
    let none = DomainSaveRestoreFlags::empty();
    assert_eq!(
        code(saving.save(&id, by_root(file), None, none).await),
        ErrorCode::OperationInvalid
    );
    lifecycle
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    assert_eq!(
        code(saving.save(&id, by_root("image"), None, none).await),
        ErrorCode::InvalidArg
    );
    assert_eq!(
        code(
            saving
                .save(&id, by_root("/no/such/folder/image"), None, none)
                .await
        ),
        ErrorCode::SystemError
    );
    // What is no file of the driver's own is not written to, by whatever name.
    let (other, link) = (folder.path().join("other"), folder.path().join("link"));
    std::fs::write(&other, "precious").unwrap();
    std::os::unix::fs::symlink(&other, &link).unwrap();
    for taken in [&other, &link, &folder.path().to_owned()] {
        let refused = saving
            .save(&id, by_root(taken.to_str().unwrap()), None, none)
            .await;
        assert_eq!(code(refused), ErrorCode::SystemError);
    }
    assert_eq!(std::fs::read(&other).unwrap(), b"precious");
    diary.read();
    saving
        .save(&id, by_root(file), None, DomainSaveRestoreFlags::PAUSED)
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Domain changed", "Stopped(Saved)"]);
    let image = async |access| saving.open_image(by_root(file), access).await.unwrap();
    let read = image(ImageAccess::Read).await;
    assert_eq!(
        (read.domain().uuid, &*read.domain().name),
        (id.uuid, "guest")
    );
    let xml = read.xml_desc(DomainSaveImageXmlFlags::empty()).await;
    let xml = xml.unwrap();
    assert!(xml.contains("<name>guest</name>"));
    let other = xml.replace("52:54:00:00:00:01", "52:54:00:00:00:09");
    let refused = image(ImageAccess::Change).await.define_xml(&other, none);
    assert!(refused.await.is_err());
    let running = DomainSaveRestoreFlags::RUNNING;
    let changed = image(ImageAccess::Change).await.define_xml(&xml, running);
    changed.await.unwrap();
    // What has the name by now makes no difference.
    let opened = image(ImageAccess::Read).await;
    std::fs::write(folder.path().join("other"), "no image").unwrap();
    std::fs::rename(folder.path().join("image"), folder.path().join("moved")).unwrap();
    std::fs::rename(folder.path().join("other"), file).unwrap();
    opened.restore(None, none).await.unwrap();
    std::fs::rename(folder.path().join("moved"), file).unwrap();
    assert_eq!(diary.read(), ["Domain changed", "Started(Restored)"]);
    assert_eq!(
        code(image(ImageAccess::Read).await.restore(None, none).await),
        ErrorCode::OperationInvalid
    );

    saving.managed_save(&id, none).await.unwrap();
    assert!(
        test.domains()
            .unwrap()
            .view(id.uuid)
            .await
            .unwrap()
            .managed_save
    );
    let held = test
        .domains()
        .unwrap()
        .undefine(&id, DomainUndefineFlags::empty())
        .await;
    assert_eq!(code(held), ErrorCode::OperationInvalid);
    diary.read();
    lifecycle
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Domain changed", "Started(Restored)"]);
    let dump = folder.path().join("dump");
    saving
        .core_dump(
            &id,
            by_root(dump.to_str().unwrap()),
            DomainCoreDumpFormat::Raw,
            DomainCoreDumpFlags::CRASH,
        )
        .await
        .unwrap();
    assert!(dump.exists());
    assert_eq!(diary.read(), ["Domain changed", "Stopped(Crashed)"]);
}

#[tokio::test]
async fn halting_needs_something_to_come_back_to() {
    let (test, diary) = open().await;
    let (lifecycle, snapshots) = (test.lifecycle().unwrap(), test.snapshots().unwrap());
    let transient = lifecycle
        .create_xml(GUEST, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    diary.read();
    let halted = snapshots
        .create_xml(
            &transient.id,
            "<domainsnapshot/>",
            SnapshotCreateFlags::HALT,
        )
        .await;
    assert_eq!(code(halted), ErrorCode::OperationInvalid);
    assert_eq!(diary.read(), [""; 0]);
    let there = test.domains().unwrap().view(transient.id.uuid).await;
    assert!(there.unwrap().is_active());
}

#[tokio::test]
async fn going_back_to_a_run_is_another_run() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let (lifecycle, snapshots) = (test.lifecycle().unwrap(), test.snapshots().unwrap());
    lifecycle
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    let taken = snapshots
        .create_xml(&id, "<domainsnapshot/>", SnapshotCreateFlags::empty())
        .await
        .unwrap();
    for (flags, expected) in [
        (SnapshotRevertFlags::empty(), &["Started(FromSnapshot)"][..]),
        (
            SnapshotRevertFlags::PAUSED,
            &["Started(FromSnapshot)", "Suspended(FromSnapshot)"],
        ),
        (SnapshotRevertFlags::RUNNING, &["Started(FromSnapshot)"]),
    ] {
        diary.read();
        snapshots.revert(&taken.id, flags).await.unwrap();
        let told = diary.read();
        let told: Vec<&str> = told
            .iter()
            .map(String::as_str)
            .filter(|line| line.contains("FromSnapshot") && !line.starts_with("Defined"))
            .collect();
        assert_eq!(told[0], "Stopped(FromSnapshot)");
        assert_eq!(told[1..], *expected);
    }
}
