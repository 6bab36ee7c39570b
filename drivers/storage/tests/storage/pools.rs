//! The life of pools.

use virtbus_api::storage::{StoragePoolState, StorageXmlFlags};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_defined_built_started_stopped_deleted_and_undefined() {
    let host = Host::new();
    let driver = host.open().await;
    let diary = Diary::of(&driver);
    let none = StoragePoolDefineFlags::empty();
    let view = driver
        .define_xml(&host.pool("images", UUID), none)
        .await
        .unwrap();
    let id = &view.id;
    let start = StoragePoolCreateFlags::empty();
    let missing = driver.create(id, start).await.unwrap_err();
    assert!(missing.message.contains("images"), "{missing}");
    assert!(!driver.view(id.uuid).await.unwrap().active);
    driver
        .build(id, StoragePoolBuildFlags::empty())
        .await
        .unwrap();
    std::fs::write(host.path("images/one"), "x").unwrap();
    driver.create(id, start).await.unwrap();
    assert_eq!(names(&driver, id).await, ["one"]);
    let info = StoragePools::info(&*driver, id).await.unwrap();
    assert_eq!(info.state, StoragePoolState::Running);
    assert_eq!(info.capacity, info.allocation + info.available);
    for refused in [
        driver.create(id, start).await,
        driver.undefine(id).await,
        StoragePools::delete(&*driver, id, Default::default()).await,
    ] {
        assert_eq!(refused.unwrap_err().code, ErrorCode::OperationInvalid);
    }
    driver.destroy(id).await.unwrap();
    assert!(StorageVols::views(&*driver, id).await.is_err());
    std::fs::remove_file(host.path("images/one")).unwrap();
    StoragePools::delete(&*driver, id, Default::default())
        .await
        .unwrap();
    assert!(!host.path("images").exists());
    driver.undefine(id).await.unwrap();
    assert!(driver.view(id.uuid).await.is_err());
    assert_eq!(
        diary.take(),
        [
            "new pool active=false",
            "Lifecycle(Defined)",
            "Lifecycle(Created)",
            "changed pool active=true",
            "new volume one",
            "Lifecycle(Started)",
            "gone volume one",
            "changed pool active=false",
            "Lifecycle(Stopped)",
            "Lifecycle(Deleted)",
            "Lifecycle(Undefined)",
            "gone pool active=false",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_outlive_the_daemon_as_they_were() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    driver.set_autostart(&id, true).await.unwrap();
    make(&driver, &id, &volume("disk", "raw", ""))
        .await
        .unwrap();
    std::fs::create_dir(host.path("passing")).unwrap();
    let other = "22222222-2222-4333-8444-555555555555";
    let xml = host.pool("passing", other);
    let passing = StoragePools::create_xml(&*driver, &xml, Default::default())
        .await
        .unwrap();
    assert!(!passing.persistent);
    // What a daemon leaves that was killed while it made a volume, and what one on another host is making.
    let id_of_host = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let own = format!(
        ".virtbus-{}-{}-half",
        id_of_host.trim(),
        rustix::process::geteuid().as_raw()
    );
    std::fs::write(host.path("images").join(&own), "x").unwrap();
    std::fs::write(host.path("images/.virtbus-other-0-half"), "x").unwrap();
    drop(driver);

    let driver = host.open().await;
    let views = StoragePools::views(&*driver).await.unwrap();
    let told = |view: &Arc<StoragePoolView>| {
        (
            view.id.name.to_string(),
            view.active,
            view.persistent,
            view.autostart,
        )
    };
    let all: Vec<_> = views.iter().map(told).collect();
    assert_eq!(
        all,
        [
            ("images".to_owned(), true, true, true),
            ("passing".to_owned(), true, false, false)
        ]
    );
    assert_eq!(names(&driver, &id).await, ["disk"]);
    assert!(!host.path("images").join(&own).exists() || id_of_host.is_empty());
    assert!(host.path("images/.virtbus-other-0-half").exists());
    driver.destroy(&passing.id).await.unwrap();
    driver.destroy(&id).await.unwrap();
    assert!(
        driver.view(passing.id.uuid).await.is_err(),
        "nothing is left of it"
    );
    drop(driver);

    // The host boots: what is to be started is started, once.
    let driver = host.open().await;
    assert!(!driver.view(id.uuid).await.unwrap().active);
    driver.autostart();
    eventually("it is started", async || {
        driver.view(id.uuid).await.unwrap().active
    })
    .await;
    driver.destroy(&id).await.unwrap();
    drop(driver);
    let driver = host.open().await;
    driver.autostart();
    driver.set_autostart(&id, false).await.unwrap();
    assert!(!driver.view(id.uuid).await.unwrap().active);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_pools_have_a_name_or_a_directory_and_unknown_kinds_are_named() {
    let host = Host::new();
    let driver = host.open().await;
    let none = StoragePoolDefineFlags::empty();
    driver
        .define_xml(&host.pool("images", UUID), none)
        .await
        .unwrap();
    let other = UUID.replace('1', "3");
    let again = driver.define_xml(&host.pool("images", &other), none).await;
    assert_eq!(again.unwrap_err().code, ErrorCode::OperationFailed);
    let same_directory = host
        .pool("images", &other)
        .replace("<name>images", "<name>others");
    let refused = driver.define_xml(&same_directory, none).await.unwrap_err();
    assert!(refused.message.contains("target of another"), "{refused}");
    let rbd =
        "<pool type='rbd'><name>p</name><source><host name='h'/><name>rbd</name></source></pool>";
    let refused = driver.define_xml(rbd, none).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NoSupport);
    assert!(refused.message.contains("'rbd'"), "{refused}");
    // A start that fails leaves nothing behind, not even the name.
    let xml = host.pool("absent", &other);
    assert!(
        StoragePools::create_xml(&*driver, &xml, Default::default())
            .await
            .is_err()
    );
    let views = StoragePools::views(&*driver).await.unwrap();
    assert_eq!(views.len(), 1);
    std::fs::create_dir(host.path("absent")).unwrap();
    StoragePools::create_xml(&*driver, &xml, Default::default())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_definition_of_a_pool_that_runs_is_for_its_next_start() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let moved = host
        .pool("images", UUID)
        .replace("/images</path>", "/elsewhere</path>");
    driver.define_xml(&moved, Default::default()).await.unwrap();
    let now = StoragePools::xml_desc(&*driver, &id, StorageXmlFlags::empty())
        .await
        .unwrap();
    let next = StoragePools::xml_desc(&*driver, &id, StorageXmlFlags::INACTIVE)
        .await
        .unwrap();
    assert!(
        now.contains("/images</path>") && next.contains("/elsewhere</path>"),
        "{now}{next}"
    );
    driver.destroy(&id).await.unwrap();
    let stored = StoragePools::xml_desc(&*driver, &id, StorageXmlFlags::empty())
        .await
        .unwrap();
    assert!(stored.contains("/elsewhere</path>"), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_come_and_go_are_volumes_that_are_announced() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let diary = Diary::of(&driver);
    std::fs::write(host.path("images/new"), "x").unwrap();
    eventually("it is there", async || names(&driver, &id).await == ["new"]).await;
    std::fs::write(host.path("images/new"), [0; 4096]).unwrap();
    let view = StorageVols::view_by_name(&*driver, &id, "new")
        .await
        .unwrap();
    eventually("its size is known", async || {
        let info = StorageVols::info(&*driver, &view.id, Default::default())
            .await
            .unwrap();
        info.capacity == 4096
    })
    .await;
    std::fs::rename(host.path("images/new"), host.path("images/newer")).unwrap();
    eventually("it has its new name", async || {
        names(&driver, &id).await == ["newer"]
    })
    .await;
    std::fs::remove_file(host.path("images/newer")).unwrap();
    eventually("it is gone", async || names(&driver, &id).await.is_empty()).await;
    let told = diary.take();
    for event in [
        "new volume new",
        "gone volume new",
        "new volume newer",
        "gone volume newer",
    ] {
        assert!(told.iter().any(|text| text == event), "{event}: {told:?}");
    }
    // The directory itself goes, and another one comes.
    std::fs::remove_dir(host.path("images")).unwrap();
    eventually("that is told", async || {
        let info = StoragePools::info(&*driver, &id).await.unwrap();
        info.state == StoragePoolState::Inaccessible
    })
    .await;
    assert!(driver.refresh(&id).await.is_err());
    std::fs::create_dir(host.path("images")).unwrap();
    std::fs::write(host.path("images/other"), "x").unwrap();
    driver.refresh(&id).await.unwrap();
    assert_eq!(names(&driver, &id).await, ["other"]);
    let info = StoragePools::info(&*driver, &id).await.unwrap();
    assert_eq!(info.state, StoragePoolState::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refreshes_at_once_are_few_and_see_what_was_there_when_they_were_asked_for() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    for number in 0..1000 {
        std::fs::write(host.path(&format!("images/{number}")), "x").unwrap();
    }
    let diary = Diary::of(&driver);
    let all = (0..50).map(|_| {
        let (driver, id) = (driver.clone(), id.clone());
        tokio::spawn(async move {
            driver.refresh(&id).await.unwrap();
            assert_eq!(names(&driver, &id).await.len(), 1000);
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let told = diary.take();
    let refreshes = told.iter().filter(|text| *text == "Refresh").count();
    assert!((1..10).contains(&refreshes), "{refreshes}");
    let path = host.path("images/777");
    let path = path.to_str().unwrap();
    let by_path = driver.view_by_path(path).await.unwrap();
    assert_eq!(driver.view_by_key(path).await.unwrap(), by_path);
    assert!(driver.view_by_path("/nowhere/777").await.is_err());
}
