//! Disks.

use virtbus_conf_domain::domain::devices::disk::Disk;
use virtbus_conf_storage::storage::{
    EncryptionEngine, FileSource, Format, ImageFormat, StorageSource,
};

pub(super) fn complete(disk: &mut Disk) {
    if matches!(&disk.source, StorageSource::Volume(source) if source.pool.is_none()) {
        // A drive without a medium is none of a pool's.
        disk.source = StorageSource::File(FileSource::default());
    }
    let is_volume = matches!(disk.source, StorageSource::Volume(_));
    let driver = disk.head.driver.get_or_insert_default();
    driver.name.get_or_insert_with(|| "qemu".into());
    if !is_volume {
        // No format is guessed: what a guest writes into its image could make it another one. That of a volume is known to its pool.
        driver.format.get_or_insert(ImageFormat::Raw);
    }
    if let Some(encryption) = &mut disk.encryption {
        encryption.engine.get_or_insert(EncryptionEngine::Qemu);
    }
    of_source(&mut disk.source);
    if let Some(mirror) = &mut disk.mirror {
        mirror.format.get_or_insert(Format {
            kind: ImageFormat::Raw,
            metadata_cache: None,
        });
        of_source(&mut mirror.source);
    }
    let layers = disk.backing.get_mut().map(|backing| &mut backing.layers);
    for layer in layers.into_iter().flatten() {
        of_source(&mut layer.source);
    }
}

/// QEMU itself decrypts, unless the storage is asked to.
fn of_source(source: &mut StorageSource) {
    if source.common().encryption.is_some()
        && let Some(encryption) = &mut source.common_mut().encryption
    {
        encryption.engine.get_or_insert(EncryptionEngine::Qemu);
    }
}
