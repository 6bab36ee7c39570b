//! What a user could reach by links, names and headers, with rights that are not his.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn is_told(refused: &virtbus_api::Error, secret: &str) -> bool {
    refused.message.contains(secret)
}

/// A header of qcow2 that names a backing image.
fn header(backing: &str, format: &str) -> Vec<u8> {
    let mut head = vec![0; 104];
    head[..4].copy_from_slice(b"QFI\xfb");
    head[4..8].copy_from_slice(&3_u32.to_be_bytes());
    head[20..24].copy_from_slice(&16_u32.to_be_bytes());
    head[24..32].copy_from_slice(&(1_u64 << 20).to_be_bytes());
    head[100..104].copy_from_slice(&104_u32.to_be_bytes());
    head.extend(0xe279_2aca_u32.to_be_bytes());
    head.extend(u32::try_from(format.len()).unwrap().to_be_bytes());
    head.extend(format.as_bytes());
    head.resize(head.len().next_multiple_of(8) + 8, 0);
    let at = head.len() as u64;
    head[8..16].copy_from_slice(&at.to_be_bytes());
    head[16..20].copy_from_slice(&u32::try_from(backing.len()).unwrap().to_be_bytes());
    head.extend(backing.as_bytes());
    head.resize(1 << 20, 0);
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn links_pipes_and_second_names_are_no_volumes_that_can_be_read() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(host.path("images"), everybody).unwrap();
    std::fs::write(host.path("shadow"), "root:secret").unwrap();
    symlink(host.path("shadow"), host.path("images/link")).unwrap();
    std::fs::hard_link(host.path("shadow"), host.path("images/second")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, host.path("images/fifo"), fifo, mode, 0).unwrap();
    // The directory is looked at anew, since it was closed when it was opened.
    driver.destroy(&id).await.unwrap();
    driver.create(&id, Default::default()).await.unwrap();
    assert_eq!(
        names(&driver, &id).await,
        ["second"],
        "links and pipes are none"
    );
    let second = StorageVols::view_by_name(&*driver, &id, "second")
        .await
        .unwrap();
    let refused = driver
        .download(&second.id, 0, 0, Default::default())
        .await
        .unwrap_err();
    assert!(is_told(&refused, "second name"), "{refused}");
    assert!(
        driver
            .upload(&second.id, 0, 0, Default::default())
            .await
            .is_err()
    );
    assert!(
        driver
            .resize(&second.id, 1, Default::default())
            .await
            .is_err()
    );
    let zero = virtbus_api::storage::StorageVolWipeAlgorithm::Zero;
    assert!(driver.wipe_pattern(&second.id, zero).await.is_err());
    let xml = volume("clone", "raw", "");
    let cloned = driver.create_xml_from(&id, &xml, &second.id, StorageVolCreateFlags::empty());
    assert!(cloned.await.is_err());
    // A volume that becomes a link after it was looked at.
    let view = make(&driver, &id, &volume("disk", "raw", ""))
        .await
        .unwrap();
    std::fs::remove_file(&*view.path).unwrap();
    symlink(host.path("shadow"), &*view.path).unwrap();
    for refused in [
        driver
            .download(&view.id, 0, 0, Default::default())
            .await
            .map(drop),
        driver
            .upload(&view.id, 0, 0, Default::default())
            .await
            .map(drop),
        driver.wipe_pattern(&view.id, zero).await,
        driver.resize(&view.id, 4 << 20, Default::default()).await,
    ] {
        assert!(refused.is_err());
    }
    assert_eq!(std::fs::read(host.path("shadow")).unwrap(), b"root:secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_do_not_leave_the_directory() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    for name in [
        "../up",
        "a/b",
        "..",
        ".",
        "",
        ".virtbus-x",
        "a&#10;b",
        &"n".repeat(300),
    ] {
        let refused = make(&driver, &id, &volume(name, "raw", "")).await;
        assert!(refused.is_err(), "{name}");
    }
    for name in ["-o", "a,b=c", "json:{}", "nbd:host", "$(x)", "a b'\"", "%s"] {
        let view = make(
            &driver,
            &id,
            &volume(&name.replace('"', "&quot;"), "qcow2", ""),
        )
        .await
        .unwrap();
        assert_eq!(&*view.id.name, name);
        assert!(host.path("images").join(name).is_file());
    }
    assert_eq!(std::fs::read_dir(host.root.path()).unwrap().count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_has_nothing_of_a_file_that_only_a_header_names() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let secret = host.path("shadow");
    std::fs::write(&secret, "root:secret".repeat(1000)).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    for named in [
        secret.to_str().unwrap(),
        "../shadow",
        "json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}",
        "nbd://localhost/x",
    ] {
        std::fs::write(host.path("images/evil"), header(named, "raw")).unwrap();
        driver.refresh(&id).await.unwrap();
        let evil = StorageVols::view_by_name(&*driver, &id, "evil")
            .await
            .unwrap();
        let flags = StorageVolCreateFlags::empty();
        let xml = volume("clone", "raw", "");
        let refused = driver
            .create_xml_from(&id, &xml, &evil.id, flags)
            .await
            .unwrap_err();
        assert!(is_told(&refused, "backing image"), "{refused}");
        assert!(
            driver
                .resize(&evil.id, 4 << 20, Default::default())
                .await
                .is_err()
        );
    }
    // Nor can somebody name it who may make volumes.
    let based = format!(
        "<volume><name>based</name><target><format type='qcow2'/></target>
         <backingStore><path>{}</path><format type='raw'/></backingStore></volume>",
        secret.display()
    );
    assert!(make(&driver, &id, &based).await.is_err());
    // An image that is based on itself.
    let own = host.path("images/evil");
    std::fs::write(&own, header("evil", "qcow2")).unwrap();
    driver.refresh(&id).await.unwrap();
    let evil = StorageVols::view_by_name(&*driver, &id, "evil")
        .await
        .unwrap();
    let flags = StorageVolCreateFlags::empty();
    let circle = driver
        .create_xml_from(&id, &volume("clone", "raw", ""), &evil.id, flags)
        .await;
    assert!(is_told(&circle.unwrap_err(), "circle"));
    assert!(!has_unfinished(&host.path("images")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_written_again_within_one_step_of_the_clock_is_read_again() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    for round in 1..30_u64 {
        let mut image = header("base", "raw");
        image[24..32].copy_from_slice(&(round << 20).to_be_bytes());
        std::fs::write(host.path("images/image"), &image).unwrap();
        driver.refresh(&id).await.unwrap();
        let view = StorageVols::view_by_name(&*driver, &id, "image")
            .await
            .unwrap();
        let info = StorageVols::info(&*driver, &view.id, Default::default())
            .await
            .unwrap();
        assert_eq!(info.capacity, round << 20);
    }
}
