//! The calls, and volumes as disks of guests.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use virtbus_api::event::EventHub;
use virtbus_api::flags::KnownFlags;
use virtbus_api::listing::Views;
use virtbus_api::providers::{GuestStorage, SecretValues, Subsystem, VolumeSource};
use virtbus_api::storage::{
    StoragePoolBuildFlags, StoragePoolCreateFlags, StoragePoolDefineFlags, StoragePoolDeleteFlags,
    StoragePoolId, StoragePoolInfo, StoragePoolView, StoragePools, StorageVolCreateFlags,
    StorageVolDeleteFlags, StorageVolId, StorageVolInfo, StorageVolInfoFlags,
    StorageVolResizeFlags, StorageVolTransferFlags, StorageVolView, StorageVolWipeAlgorithm,
    StorageVols, StorageXmlFlags, Transfer,
};
use virtbus_api::{Result, Uuid};
use virtbus_conf_base::Flags;
use virtbus_conf_storage::storage_pool::StoragePool as Definition;
use virtbus_conf_storage::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf_storage::storage_volume::{StorageVolume, VolumeFormat};

use crate::backend;
use crate::core::{Core, on_disk};
use crate::error::{self, in_task};
use crate::folder::own_temporary;
use crate::lifecycle::parse;
use crate::look::Volume;
use crate::notify::Watcher;
use crate::pool::Pool;
use crate::store::{Config, Store, Stored};
use crate::watch;

/// So long a new daemon waits for pools that were active before it is there for clients. Those that take longer are taken in when they answer.
const TAKING_IN: Duration = Duration::from_secs(3);

/// Storage of this host.
pub struct StorageDriver {
    core: Arc<Core>,
    following: Option<AbortHandle>,
}

impl std::fmt::Debug for StorageDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageDriver").finish_non_exhaustive()
    }
}

impl Drop for StorageDriver {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

impl StorageDriver {
    /// Opens the driver: reads definitions, and takes in the pools that were active under the daemon before. `secrets` has the keys of encrypted
    /// volumes.
    ///
    /// # Errors
    /// If its directories cannot be made or read.
    pub async fn open(config: Config, secrets: Option<Arc<dyn SecretValues>>) -> Result<Arc<Self>> {
        let store = Arc::new(Store::new(config));
        let watcher = Watcher::new();
        let temporary = on_disk(&store, |_| Ok(own_temporary().into())).await?;
        let core = Arc::new(Core::new(store, watcher.clone(), secrets, temporary));
        let (stored, runs) = core
            .on_disk(|store| {
                store.prepare()?;
                store.load()
            })
            .await?;
        core.fill(stored);
        let following = watcher.map(|watcher| {
            tokio::spawn(watch::follow(watcher, Arc::downgrade(&core))).abort_handle()
        });
        let taken: Vec<_> = runs
            .into_iter()
            .filter_map(|run| core.begin_taking_in(run))
            .collect();
        // What takes longer goes on.
        let _ = timeout(TAKING_IN, join_all(taken)).await;
        Ok(Arc::new(Self { core, following }))
    }

    /// Starts the pools that are to be started with the host, if that was not done since it booted. Returns at once.
    pub fn autostart(&self) {
        let core = Arc::clone(&self.core);
        tokio::spawn(async move {
            match core.on_disk(Store::begin_autostart).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(why) => {
                    tracing::error!("storage pools are not started with the host: {why}");
                    return;
                }
            }
            let pools = core.table.all().into_iter();
            let wanted = pools.filter(|pool| {
                let view = pool.view();
                view.is_some_and(|view| view.autostart && !view.active)
            });
            for pool in wanted {
                let core = Arc::clone(&core);
                tokio::spawn(async move {
                    let flags = StoragePoolCreateFlags::empty();
                    if let Err(why) = core.start(pool, None, flags).await {
                        tracing::error!("autostart: {why}");
                    }
                });
            }
        });
    }

    async fn with_pool<T, F>(
        &self,
        id: &StoragePoolId,
        work: impl FnOnce(Arc<Core>, Arc<Pool>) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let pool = self.core.table.get(id)?;
        in_task(work(Arc::clone(&self.core), pool)).await
    }
}

impl Core {
    /// Puts the pools of stored definitions into the table.
    fn fill(&self, stored: Vec<Stored>) {
        for Stored {
            definition,
            autostart,
        } in stored
        {
            let made = definition.clone();
            match self
                .table
                .claim(&definition, || Pool::new(made, true, autostart))
            {
                Ok(pool) => pool.show(&self.table.hub),
                Err(why) => {
                    let name = definition.name.as_deref().unwrap_or_default();
                    tracing::error!(pool = %name, "storage pool '{name}' cannot be used, ignoring it: {why}");
                }
            }
        }
    }

    /// Begins to take in a pool that was active.
    fn begin_taking_in(self: &Arc<Self>, run: Definition) -> Option<tokio::task::JoinHandle<()>> {
        let made = run.clone();
        match self.table.claim(&run, || Pool::new(made, false, false)) {
            Ok(pool) => Some(tokio::spawn(Arc::clone(self).take_in(pool, run))),
            Err(why) => {
                let name = run.name.as_deref().unwrap_or_default();
                tracing::error!(pool = %name, "storage pool '{name}' was active and cannot be used, ignoring it: {why}");
                None
            }
        }
    }
}

impl Subsystem for StorageDriver {
    fn flags(&self) -> &'static [KnownFlags] {
        virtbus_api::known_flags! {
            StoragePoolBuild: StoragePoolBuildFlags = OVERWRITE | NO_OVERWRITE;
            StoragePoolCreate, StoragePoolCreateXml:
                StoragePoolCreateFlags = WITH_BUILD | WITH_BUILD_OVERWRITE | WITH_BUILD_NO_OVERWRITE;
            StoragePoolDefineXml: StoragePoolDefineFlags = VALIDATE;
            StoragePoolGetXmlDesc: StorageXmlFlags = INACTIVE;
            StorageVolCreateXml: StorageVolCreateFlags = PREALLOC_METADATA | VALIDATE;
            StorageVolCreateXmlFrom: StorageVolCreateFlags = PREALLOC_METADATA | REFLINK | VALIDATE;
            StorageVolDownload, StorageVolUpload: StorageVolTransferFlags = SPARSE_STREAM;
            StorageVolGetInfoFlags: StorageVolInfoFlags = GET_PHYSICAL;
            StorageVolResize: StorageVolResizeFlags = ALLOCATE | DELTA | SHRINK;
        }
    }

    fn events(&self) -> &EventHub {
        &self.core.table.hub
    }

    fn is_idle(&self) -> bool {
        // A new daemon takes in what is active; what is being done would be lost.
        self.core.table.is_idle()
    }

    fn storage_pools(&self) -> Option<&dyn StoragePools> {
        Some(self)
    }

    fn storage_vols(&self) -> Option<&dyn StorageVols> {
        Some(self)
    }
}

fn view_of(pool: &Pool) -> Result<Arc<StoragePoolView>> {
    let view = pool.view();
    view.ok_or_else(|| error::failed(format!("storage pool '{}' is gone again", pool.id.name)))
}

#[async_trait]
impl StoragePools for StorageDriver {
    async fn views(&self) -> Result<Views<StoragePoolView>> {
        Ok(self.core.table.views())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<StoragePoolView>> {
        view_of(&*self.core.table.by_uuid(uuid)?)
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<StoragePoolView>> {
        view_of(&*self.core.table.by_name(name)?)
    }

    async fn view_by_target_path(&self, path: &str) -> Result<Arc<StoragePoolView>> {
        view_of(&*self.core.table.by_target_path(path)?)
    }

    async fn xml_desc(&self, id: &StoragePoolId, flags: StorageXmlFlags) -> Result<String> {
        let pool = self.core.table.get(id)?;
        let shown = pool.shown(flags.contains(StorageXmlFlags::INACTIVE));
        Ok(shown.format(Flags::empty()))
    }

    async fn info(&self, id: &StoragePoolId) -> Result<StoragePoolInfo> {
        Ok(self.core.table.get(id)?.info())
    }

    async fn identify_xml(&self, xml: &str) -> Result<StoragePoolId> {
        let found = Definition::identify(xml).map_err(|error| error::xml(&error))?;
        Ok(StoragePoolId {
            uuid: found.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
            name: found.name.unwrap_or_default().as_str().into(),
        })
    }

    async fn define_xml(
        &self,
        xml: &str,
        flags: StoragePoolDefineFlags,
    ) -> Result<Arc<StoragePoolView>> {
        let definition = parse(xml, flags.contains(StoragePoolDefineFlags::VALIDATE))?;
        let pool = in_task(Arc::clone(&self.core).define(definition)).await?;
        view_of(&pool)
    }

    async fn create_xml(
        &self,
        xml: &str,
        flags: StoragePoolCreateFlags,
    ) -> Result<Arc<StoragePoolView>> {
        let definition = parse(xml, false)?;
        let made = definition.clone();
        let core = Arc::clone(&self.core);
        let pool = core
            .table
            .claim(&definition, || Pool::new(made, false, false))?;
        in_task(core.start(Arc::clone(&pool), Some(definition), flags)).await?;
        view_of(&pool)
    }

    async fn undefine(&self, id: &StoragePoolId) -> Result<()> {
        self.with_pool(id, Core::undefine).await
    }

    async fn create(&self, id: &StoragePoolId, flags: StoragePoolCreateFlags) -> Result<()> {
        self.with_pool(id, |core, pool| core.start(pool, None, flags))
            .await
    }

    async fn destroy(&self, id: &StoragePoolId) -> Result<()> {
        self.with_pool(id, Core::stop).await
    }

    async fn build(&self, id: &StoragePoolId, flags: StoragePoolBuildFlags) -> Result<()> {
        self.with_pool(id, |core, pool| core.build(pool, flags))
            .await
    }

    async fn delete(&self, id: &StoragePoolId, _flags: StoragePoolDeleteFlags) -> Result<()> {
        self.with_pool(id, Core::delete).await
    }

    async fn refresh(&self, id: &StoragePoolId) -> Result<()> {
        self.with_pool(id, Core::refresh).await
    }

    async fn set_autostart(&self, id: &StoragePoolId, autostart: bool) -> Result<()> {
        self.with_pool(id, |core, pool| core.set_autostart(pool, autostart))
            .await
    }

    async fn find_sources(&self, pool_type: &str, _source: Option<&str>) -> Result<String> {
        Err(error::unsupported(format!(
            "sources of storage pools of type '{pool_type}' cannot be searched for"
        )))
    }

    async fn capabilities(&self) -> Result<String> {
        Ok(StoragePoolCapabilities::new(backend::KINDS).format(Flags::empty()))
    }
}

#[async_trait]
impl StorageVols for StorageDriver {
    async fn views(&self, id: &StoragePoolId) -> Result<Vec<Arc<StorageVolView>>> {
        let volumes = self.core.table.get(id)?.volumes()?;
        Ok(volumes
            .values()
            .map(|volume| Arc::clone(&volume.view))
            .collect())
    }

    async fn view_by_name(&self, id: &StoragePoolId, name: &str) -> Result<Arc<StorageVolView>> {
        let volume = self.core.table.get(id)?.volume(name)?;
        Ok(Arc::clone(&volume.view))
    }

    async fn view_by_key(&self, key: &str) -> Result<Arc<StorageVolView>> {
        Ok(Arc::clone(&self.core.table.volume_at("key", key)?.view))
    }

    async fn view_by_path(&self, path: &str) -> Result<Arc<StorageVolView>> {
        Ok(Arc::clone(&self.core.table.volume_at("path", path)?.view))
    }

    async fn xml_desc(&self, id: &StorageVolId) -> Result<String> {
        let (_, volume) = self.core.table.volume(id)?;
        Ok(volume.definition.format(Flags::empty()))
    }

    async fn info(&self, id: &StorageVolId, flags: StorageVolInfoFlags) -> Result<StorageVolInfo> {
        let (_, volume) = self.core.table.volume(id)?;
        let definition = &volume.definition;
        let physical = flags.contains(StorageVolInfoFlags::GET_PHYSICAL);
        Ok(StorageVolInfo {
            kind: volume.kind,
            capacity: definition.capacity().0,
            allocation: if physical {
                definition.physical.0
            } else {
                definition.allocation().0
            },
        })
    }

    async fn identify_xml(&self, pool: &StoragePoolId, xml: &str) -> Result<StorageVolId> {
        let found = StorageVolume::identify(xml).map_err(|error| error::xml(&error))?;
        Ok(StorageVolId {
            pool: pool.clone(),
            name: found.name.unwrap_or_default().as_str().into(),
            key: "".into(),
        })
    }

    async fn create_xml(
        &self,
        id: &StoragePoolId,
        xml: &str,
        flags: StorageVolCreateFlags,
    ) -> Result<Arc<StorageVolView>> {
        let xml = xml.to_owned();
        self.with_pool(id, |core, pool| async move {
            core.make_volume(pool, &xml, flags, None).await
        })
        .await
    }

    async fn create_xml_from(
        &self,
        id: &StoragePoolId,
        xml: &str,
        source: &StorageVolId,
        flags: StorageVolCreateFlags,
    ) -> Result<Arc<StorageVolView>> {
        let (xml, source) = (xml.to_owned(), source.clone());
        self.with_pool(id, |core, pool| async move {
            core.make_volume(pool, &xml, flags, Some(source)).await
        })
        .await
    }

    async fn delete(&self, id: &StorageVolId, _flags: StorageVolDeleteFlags) -> Result<()> {
        let id = id.clone();
        in_task(Arc::clone(&self.core).delete_volume(id)).await
    }

    async fn resize(
        &self,
        id: &StorageVolId,
        capacity: u64,
        flags: StorageVolResizeFlags,
    ) -> Result<()> {
        let id = id.clone();
        in_task(Arc::clone(&self.core).resize_volume(id, capacity, flags)).await
    }

    async fn wipe_pattern(
        &self,
        id: &StorageVolId,
        algorithm: StorageVolWipeAlgorithm,
    ) -> Result<()> {
        let id = id.clone();
        in_task(Arc::clone(&self.core).wipe_volume(id, algorithm)).await
    }

    async fn download(
        &self,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        self.core.download(id, offset, length, flags).await
    }

    async fn upload(
        &self,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        self.core.upload(id, offset, length, flags).await
    }
}

#[async_trait]
impl GuestStorage for StorageDriver {
    async fn volume(&self, pool: &str, volume: &str) -> Result<VolumeSource> {
        let pool = self.core.table.by_name(pool)?;
        let found = pool.volume(volume)?;
        Ok(VolumeSource {
            kind: found.kind,
            path: found.view.path.to_string(),
            format: guest_format(&found).to_string(),
            pool: pool.definition(false).format(Flags::empty()),
        })
    }
}

/// The format by which a guest is given a volume whose disk does not say one: that which is kept with the file. What others look like, a guest may have
/// written: they are raw.
fn guest_format(volume: &Volume) -> VolumeFormat {
    match volume.definition.target.format {
        Some(VolumeFormat::Dir) => VolumeFormat::Dir,
        // For QEMU a file system on a disk is nothing but a disk.
        Some(format) if volume.is_marked && format != VolumeFormat::Iso => format,
        _ => VolumeFormat::Raw,
    }
}
