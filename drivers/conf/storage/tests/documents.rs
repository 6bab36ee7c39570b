//! Documents from text to value and back: a folder under `tests/data` for each kind, in which
//! [`check`] says what is what.

use std::path::{Path, PathBuf};

use virtbus_conf_base::Flags;
use virtbus_conf_storage::storage_pool::{PoolSource, PoolType, StoragePool};
use virtbus_conf_storage::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf_storage::storage_volume::{CapacityRule, StorageVolume};
use virtbus_conf_tests::{Counting, check, text};

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(kind)
}

#[test]
fn storage_pools() {
    check(
        &folder("storage_pool"),
        |xml| {
            let mut pool = StoragePool::parse_strict(xml).map_err(text)?;
            pool.complete(&mut Counting);
            pool.validate().map_err(text)?;
            Ok(pool)
        },
        |pool| pool.format(Flags::empty()),
    );
}

#[test]
fn storage_volumes() {
    check(
        &folder("storage_volume"),
        |xml| {
            let mut volume = StorageVolume::parse_strict(xml).map_err(text)?;
            volume.complete(PoolType::Dir);
            volume
                .validate(PoolType::Dir, CapacityRule::OptionalWithBacking)
                .map_err(text)?;
            Ok(volume)
        },
        |volume| volume.format(Flags::empty()),
    );
}

#[test]
fn partitions_are_volumes_of_disk_pools() {
    let xml = "<volume><name>sda1</name><capacity>9</capacity>\
        <target><format type='linux-swap'/></target></volume>";
    let mut volume = StorageVolume::parse_strict(xml).unwrap();
    assert!(
        volume
            .validate(PoolType::Disk, CapacityRule::Required)
            .is_ok()
    );
    let e = volume
        .validate(PoolType::Rbd, CapacityRule::Required)
        .unwrap_err();
    assert!(e.to_string().contains("'linux-swap'"), "{e}");
    volume.complete(PoolType::Logical);
    assert_eq!(volume.target.format, None);
}

#[test]
fn pool_capabilities_tell_formats() {
    let capabilities = StoragePoolCapabilities::new(&[PoolType::Logical, PoolType::Rbd]);
    let xml = capabilities.format(Flags::empty());
    assert_eq!(
        StoragePoolCapabilities::parse_strict(&xml).unwrap(),
        capabilities
    );
    let logical = "  <pool type='logical' supported='yes'>\n    <poolOptions>\n      \
        <defaultFormat type='lvm2'/>\n      <enum name='sourceFormatType'>\n        \
        <value>unknown</value>\n        <value>lvm2</value>\n      </enum>\n    \
        </poolOptions>\n  </pool>\n  <pool type='disk' supported='no'>\n";
    assert!(xml.contains(logical), "{xml}");
    assert!(
        xml.contains("  <pool type='zfs' supported='no'>\n  </pool>\n"),
        "{xml}"
    );
}

#[test]
fn pool_sources_are_searched_for() {
    let xml = "<source><host name='a.example'/><dir path='x'/></source>";
    let source = PoolSource::parse_search(xml, PoolType::Netfs).unwrap();
    assert_eq!(
        PoolSource::format_found(&[source], PoolType::Netfs),
        "<sources>\n  <source>\n    <host name='a.example'/>\n    <dir path='x'/>\n  \
         </source>\n</sources>\n"
    );
    assert_eq!(
        PoolSource::format_found(&[], PoolType::Fs),
        "<sources>\n</sources>\n"
    );
}
