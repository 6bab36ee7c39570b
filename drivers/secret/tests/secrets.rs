//! Secrets as clients and drivers have them, over the directories of a daemon that comes and goes.

#![expect(clippy::unwrap_used, reason = "a failure of a test is told by a panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use virtbus_api::event::{Event, EventListener};
use virtbus_api::providers::{SecretKey, SecretValues, Subsystem};
use virtbus_api::secret::{SecretDefineFlags, SecretUsageType, SecretView, Secrets};
use virtbus_api::{ErrorCode, Uuid};
use virtbus_secret::{Config, SecretDriver};

const NONE: SecretDefineFlags = SecretDefineFlags::empty();

const CEPH: &str = "<secret ephemeral='no' private='no'>
  <uuid>11111111-2222-4333-8444-555555555555</uuid>
  <usage type='ceph'><name>client.libvirt</name></usage>
</secret>";

fn config(root: &Path) -> Config {
    Config {
        dir: root.join("etc/secrets"),
        key_file: root.join("lib/secrets/secret.key"),
        credential: None,
    }
}

async fn open(root: &Path) -> Arc<SecretDriver> {
    SecretDriver::open(config(root)).await.unwrap()
}

fn files(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("etc/secrets")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// What happened, in words.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl EventListener for Diary {
    fn event(&self, event: &Event) {
        let text = match event {
            Event::Changed { before, after } => {
                format!("changed {} {}", before.is_some(), after.is_some())
            }
            Event::Secret(id, event) => format!("{} {event:?}", id.usage_id),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

async fn client_value(driver: &SecretDriver, view: &SecretView) -> Result<Vec<u8>, ErrorCode> {
    let value = Secrets::value(driver, &view.id).await;
    value.map_err(|error| error.code)
}

async fn driver_value(driver: &SecretDriver, usage: &str) -> Result<Vec<u8>, ErrorCode> {
    let key = SecretKey::Usage(usage);
    let value = SecretValues::value(driver, key, SecretUsageType::Ceph).await;
    value
        .map(|value| value.bytes().to_vec())
        .map_err(|error| error.code)
}

#[tokio::test]
async fn a_secret_outlives_the_daemon_and_its_value_is_nowhere_in_clear() {
    let root = tempfile::tempdir().unwrap();
    let driver = open(root.path()).await;
    let view = driver.define_xml(CEPH, NONE).await.unwrap();
    assert_eq!(
        client_value(&driver, &view).await,
        Err(ErrorCode::NoSecret),
        "it has none yet"
    );
    driver.set_value(&view.id, b"top secret").await.unwrap();
    drop(driver);

    let driver = open(root.path()).await;
    let again = driver.view(view.id.uuid).await.unwrap();
    assert_eq!(again, view);
    assert_eq!(client_value(&driver, &view).await.unwrap(), b"top secret");
    assert_eq!(
        driver_value(&driver, "client.libvirt").await.unwrap(),
        b"top secret"
    );
    assert!(!driver.xml_desc(&view.id).await.unwrap().contains("top"));
    let dir = root.path().join("etc/secrets");
    for name in files(root.path()) {
        let path = dir.join(&name);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(10).any(|part| part == b"top secret"));
    }
    // A new definition keeps the value; undefining takes both away.
    driver.define_xml(CEPH, NONE).await.unwrap();
    assert_eq!(client_value(&driver, &view).await.unwrap(), b"top secret");
    driver.undefine(&view.id).await.unwrap();
    assert!(files(root.path()).is_empty());
    let gone = driver.undefine(&view.id).await.unwrap_err();
    assert_eq!(gone.code, ErrorCode::NoSecret);
}

#[tokio::test]
async fn a_private_value_is_for_drivers_and_stays_private() {
    let root = tempfile::tempdir().unwrap();
    let driver = open(root.path()).await;
    let private = CEPH.replace("private='no'", "private='yes'");
    let view = driver.define_xml(&private, NONE).await.unwrap();
    driver.set_value(&view.id, b"key").await.unwrap();
    let refused = client_value(&driver, &view).await;
    assert_eq!(refused, Err(ErrorCode::InvalidSecret));
    assert_eq!(
        driver_value(&driver, "client.libvirt").await.unwrap(),
        b"key"
    );
    let opened = driver.define_xml(CEPH, NONE).await.unwrap_err();
    assert_eq!(opened.code, ErrorCode::OperationDenied);
    let wrong = SecretValues::value(
        &*driver,
        SecretKey::Uuid(view.id.uuid),
        SecretUsageType::Iscsi,
    );
    assert_eq!(wrong.await.unwrap_err().code, ErrorCode::InvalidSecret);
}

#[tokio::test]
async fn an_ephemeral_one_is_never_on_disk_and_keeps_the_daemon() {
    let root = tempfile::tempdir().unwrap();
    let driver = open(root.path()).await;
    let ephemeral = CEPH.replace("ephemeral='no'", "ephemeral='yes'");
    let view = driver.define_xml(CEPH, NONE).await.unwrap();
    driver.set_value(&view.id, b"key").await.unwrap();
    assert!(driver.is_idle());
    // What was on the disk goes to memory, value and all, and back.
    let view = driver.define_xml(&ephemeral, NONE).await.unwrap();
    assert!(view.ephemeral && !driver.is_idle());
    assert!(files(root.path()).is_empty());
    assert_eq!(client_value(&driver, &view).await.unwrap(), b"key");
    driver.set_value(&view.id, b"other").await.unwrap();
    assert!(files(root.path()).is_empty());
    let view = driver.define_xml(CEPH, NONE).await.unwrap();
    assert!(driver.is_idle());
    assert_eq!(files(root.path()).len(), 2);
    assert_eq!(client_value(&driver, &view).await.unwrap(), b"other");
}

#[tokio::test]
async fn no_two_secrets_are_for_the_same_thing() {
    let root = tempfile::tempdir().unwrap();
    let driver = open(root.path()).await;
    let view = driver.define_xml(CEPH, NONE).await.unwrap();
    let other = CEPH.replace("11111111", "aaaaaaaa");
    let taken = driver.define_xml(&other, NONE).await.unwrap_err();
    assert_eq!(taken.code, ErrorCode::OperationFailed);
    let moved = CEPH.replace("client.libvirt", "client.other");
    let moved = driver.define_xml(&moved, NONE).await.unwrap_err();
    assert_eq!(moved.code, ErrorCode::OperationFailed);
    assert_eq!(driver.views().await.unwrap().len(), 1);
    let found = driver.view_by_usage(SecretUsageType::Ceph, "client.libvirt");
    assert_eq!(found.await.unwrap(), view);
    // Those for nothing in particular may be many, and are not found by that.
    for _ in 0..2 {
        driver.define_xml("<secret/>", NONE).await.unwrap();
    }
    let found = driver.view_by_usage(SecretUsageType::None, "").await;
    assert_eq!(found.unwrap_err().code, ErrorCode::NoSecret);
}

#[tokio::test]
async fn events_tell_what_happened_in_order() {
    let root = tempfile::tempdir().unwrap();
    let driver = open(root.path()).await;
    let diary = Arc::new(Diary::default());
    let subscription = driver.events().subscribe(diary.clone());
    let view = driver.define_xml(CEPH, NONE).await.unwrap();
    driver.set_value(&view.id, b"key").await.unwrap();
    driver.define_xml(CEPH, NONE).await.unwrap();
    driver.undefine(&view.id).await.unwrap();
    drop(subscription);
    let told = diary.0.lock().unwrap();
    assert_eq!(
        *told,
        [
            "changed false true",
            "client.libvirt Lifecycle(Defined)",
            "client.libvirt ValueChanged",
            "client.libvirt Lifecycle(Defined)",
            "client.libvirt Lifecycle(Undefined)",
            "changed true false",
        ]
    );
}

#[tokio::test]
async fn damage_on_the_disk_harms_only_what_is_damaged() {
    let root = tempfile::tempdir().unwrap();
    let driver = open(root.path()).await;
    let view = driver.define_xml(CEPH, NONE).await.unwrap();
    driver.set_value(&view.id, b"key").await.unwrap();
    let other = CEPH
        .replace("11111111", "aaaaaaaa")
        .replace("client.libvirt", "client.other");
    let other = driver.define_xml(&other, NONE).await.unwrap();
    drop(driver);
    let dir = root.path().join("etc/secrets");
    // One secret's value as another's.
    let path = |uuid: Uuid, what: &str| dir.join(format!("{uuid}.{what}"));
    std::fs::copy(path(view.id.uuid, "value"), path(other.id.uuid, "value")).unwrap();
    // The value of one whose undefining was cut off.
    let nobody = Uuid::from_u128(7);
    std::fs::copy(path(view.id.uuid, "value"), path(nobody, "value")).unwrap();
    std::fs::write(dir.join("broken.xml"), "<secret").unwrap();

    let driver = open(root.path()).await;
    assert_eq!(driver.views().await.unwrap().len(), 2);
    assert_eq!(client_value(&driver, &view).await.unwrap(), b"key");
    let forged = Secrets::value(&*driver, &other.id).await.unwrap_err();
    assert!(forged.message.contains("belongs to another"), "{forged}");
    assert!(!path(nobody, "value").exists());
    assert!(dir.join("broken.xml").exists());
}

#[tokio::test]
async fn what_is_no_secret_is_refused_and_nothing_is_left_of_it() {
    let root = tempfile::tempdir().unwrap();
    let driver = open(root.path()).await;
    for (xml, flags, code) in [
        ("<secret", NONE, ErrorCode::XmlError),
        ("<domain/>", NONE, ErrorCode::XmlError),
        (
            "<secret><other/></secret>",
            SecretDefineFlags::VALIDATE,
            ErrorCode::XmlInvalidSchema,
        ),
        (
            "<secret><uuid>00000000-0000-0000-0000-000000000000</uuid></secret>",
            NONE,
            ErrorCode::XmlError,
        ),
        (
            "<secret><usage type='ceph'/></secret>",
            NONE,
            ErrorCode::XmlError,
        ),
    ] {
        let error = driver.define_xml(xml, flags).await.unwrap_err();
        assert_eq!(error.code, code, "{xml}: {error}");
    }
    let long = "x".repeat(5000);
    let xml = CEPH.replace("client.libvirt", &long);
    let error = driver.define_xml(&xml, NONE).await.unwrap_err();
    assert!(error.message.contains("longer than 4096"), "{error}");
    let view = driver.define_xml(CEPH, NONE).await.unwrap();
    let error = driver.set_value(&view.id, &vec![0; 65_537]).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::InvalidArg);
    assert_eq!(files(root.path()).len(), 1);
}
