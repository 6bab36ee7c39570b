//! Disks that are volumes of storage pools: what each is, found as a guest starts.
//!
//! The running definition has the file or device, as if the stored one named it; so everything that is done for disks is done for these as well. The
//! stored definition keeps the names, and the next start finds what they mean then.

use virtbus_api::providers::{GuestStorage, Providers};
use virtbus_api::storage::StorageVolType;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_storage::storage::{
    BlockSource, DirSource, FileSource, Format, ImageFormat, StorageSource,
};

fn refused(message: String) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}

/// Puts what volumes are into a definition that is about to run, with their formats where it says none.
///
/// # Errors
/// If this daemon has no storage driver; `NoStoragePool`, `NoStorageVol`; `OperationInvalid` for a pool that is not active; for a volume that QEMU cannot be
/// given.
pub(crate) async fn find(providers: &Providers, live: &mut Definition) -> Result<()> {
    for disk in &mut live.devices.disk {
        if let Some(format) = resolve(providers, &mut disk.source).await? {
            let driver = disk.head.driver.get_or_insert_default();
            driver.format.get_or_insert(format);
        }
        let layers = disk.backing.get_mut().map(|backing| &mut backing.layers);
        for layer in layers.into_iter().flatten() {
            if let Some(kind) = resolve(providers, &mut layer.source).await? {
                layer.format.get_or_insert(Format {
                    kind,
                    metadata_cache: None,
                });
            }
        }
    }
    Ok(())
}

/// Puts what a volume is in its place; the format that its pool knows. Nothing for other sources.
async fn resolve(providers: &Providers, source: &mut StorageSource) -> Result<Option<ImageFormat>> {
    let StorageSource::Volume(named) = &*source else {
        return Ok(None);
    };
    let (Some(pool), Some(volume)) = (&named.pool, &named.volume) else {
        return Err(refused(
            "a disk of type 'volume' needs the names of pool and volume".to_owned(),
        ));
    };
    let storage: &dyn GuestStorage = &**providers.storage()?;
    let found = storage.volume(pool, volume).await?;
    let path = Some(found.path.as_str().into());
    let startup_policy = named.startup_policy;
    let place = match found.kind {
        StorageVolType::File => StorageSource::File(FileSource {
            file: path,
            startup_policy,
            common: named.common.clone(),
            ..FileSource::default()
        }),
        StorageVolType::Block => StorageSource::Block(BlockSource {
            dev: path,
            startup_policy,
            common: named.common.clone(),
        }),
        StorageVolType::Dir => StorageSource::Dir(DirSource {
            dir: path,
            startup_policy,
            common: named.common.clone(),
        }),
        StorageVolType::Network | StorageVolType::NetDir | StorageVolType::Ploop => {
            return Err(refused(format!(
                "volume '{volume}' of storage pool '{pool}' is no file, device or directory of this host"
            )));
        }
    };
    *source = place;
    Ok(ImageFormat::from_name(&found.format))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use virtbus_api::providers::VolumeSource;

    use super::*;

    /// One pool with a file and something on a server.
    struct Pool;

    #[async_trait::async_trait]
    impl GuestStorage for Pool {
        async fn volume(&self, pool: &str, volume: &str) -> Result<VolumeSource> {
            let kind = match volume {
                "file" => StorageVolType::File,
                "remote" => StorageVolType::Network,
                _ => {
                    let message = format!("no volume '{volume}'");
                    return Err(Error::new(
                        ErrorCode::NoStorageVol,
                        ErrorDomain::Storage,
                        message,
                    ));
                }
            };
            Ok(VolumeSource {
                kind,
                path: format!("/pools/{pool}/{volume}"),
                format: "qcow2".to_owned(),
                pool: String::new(),
            })
        }
    }

    fn guest(volume: &str, driver: &str) -> Definition {
        let xml = format!(
            "<domain type='qemu'><name>g</name><memory>1</memory><os><type>hvm</type></os><devices>
             <disk type='volume' device='disk'>{driver}<source pool='images' volume='{volume}'/>
             <target dev='vda' bus='virtio'/></disk></devices></domain>"
        );
        Definition::parse(&xml).unwrap()
    }

    #[tokio::test]
    async fn a_volume_becomes_what_it_is_with_the_format_that_its_pool_knows() {
        let providers = Providers::default().with_storage(Arc::new(Pool));
        for (driver, format) in [
            ("", ImageFormat::Qcow2),
            ("<driver type='raw'/>", ImageFormat::Raw),
        ] {
            let mut live = guest("file", driver);
            find(&providers, &mut live).await.unwrap();
            let disk = &live.devices.disk[0];
            let StorageSource::File(file) = &disk.source else {
                panic!("{:?}", disk.source);
            };
            assert_eq!(file.file.as_deref(), Some("/pools/images/file"));
            let driver = disk.head.driver.as_ref().unwrap();
            assert_eq!(
                driver.format,
                Some(format),
                "what the definition says is before that"
            );
        }
        for (volume, code) in [
            ("remote", ErrorCode::ConfigUnsupported),
            ("absent", ErrorCode::NoStorageVol),
        ] {
            let failed = find(&providers, &mut guest(volume, "")).await;
            assert_eq!(failed.unwrap_err().code, code);
        }
        let none = find(&Providers::default(), &mut guest("file", "")).await;
        assert_eq!(none.unwrap_err().code, ErrorCode::NoSupport);
    }
}
