//! The pools of the host. Pools that are being started for the first time are in the table, so that nobody else takes their names, but in no list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use virtbus_api::event::EventHub;
use virtbus_api::listing::{Listing, Views};
use virtbus_api::object::{IdRef, Kind};
use virtbus_api::storage::{StoragePoolId, StoragePoolView, StorageVolId};
use virtbus_api::{Error, Result, Uuid, naming};
use virtbus_conf_storage::storage_pool::StoragePool as Definition;

use crate::error;
use crate::folder::Folder;
use crate::look::Volume;
use crate::pool::{Pool, id_of, target_path};

/// So many pools there may be, as many as libvirt's protocol lists (`REMOTE_STORAGE_POOL_LIST_MAX`).
const MOST: usize = 4096;

/// Every pool, by UUID.
pub(crate) struct Table {
    pools: Mutex<BTreeMap<Uuid, Arc<Pool>>>,
    pub(crate) hub: EventHub,
    listing: Arc<Listing<StoragePoolView>>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let hub = EventHub::default();
        let listing = Listing::on(&hub);
        Self {
            pools: Mutex::default(),
            hub,
            listing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, those in no list as well.
    pub(crate) fn all(&self) -> Vec<Arc<Pool>> {
        self.lock().values().cloned().collect()
    }

    /// The directories of the pools that are active.
    pub(crate) fn folders(&self) -> Vec<Arc<Folder>> {
        let pools = self.all();
        pools.iter().filter_map(|pool| pool.folder().ok()).collect()
    }

    /// The pool that a definition is for: the one that is there, or a new one, which is in no list yet.
    ///
    /// # Errors
    /// If another pool has its name, UUID or directory.
    pub(crate) fn claim(
        &self,
        definition: &Definition,
        make: impl FnOnce() -> Pool,
    ) -> Result<Arc<Pool>> {
        let mut pools = self.lock();
        let id = id_of(definition);
        let others = pools.values().map(|pool| IdRef::StoragePool(&pool.id));
        let is_there = naming::claim(IdRef::StoragePool(&id), others)?;
        let path = target_path(definition);
        let same = pools.values().find(|pool| {
            let theirs = pool.definition(false);
            let stored = pool.definition(true);
            let has = |definition: &Definition| target_path(definition) == path;
            pool.id.uuid != id.uuid && path.is_some() && (has(&theirs) || has(&stored))
        });
        if let (Some(_), Some(path)) = (same, path) {
            return Err(error::failed(format!(
                "directory '{path}' is the target of another storage pool already"
            )));
        }
        if let Some(there) = pools.get(&id.uuid).filter(|_| is_there) {
            return Ok(Arc::clone(there));
        }
        if pools.len() >= MOST {
            return Err(error::failed(format!(
                "there are {MOST} storage pools already, and no more are taken"
            )));
        }
        let pool = Arc::new(make());
        pools.insert(id.uuid, Arc::clone(&pool));
        Ok(pool)
    }

    /// Forgets a pool that is in no list any more.
    pub(crate) fn forget(&self, pool: &Arc<Pool>) {
        let mut pools = self.lock();
        let is_it = |there: &Arc<Pool>| Arc::ptr_eq(there, pool);
        if pool.is_over() && pools.get(&pool.id.uuid).is_some_and(is_it) {
            pools.remove(&pool.id.uuid);
        }
    }

    /// Whether the pool is still the one of its UUID.
    pub(crate) fn check_there(&self, pool: &Arc<Pool>) -> Result<()> {
        let pools = self.lock();
        let there = pools.get(&pool.id.uuid);
        if there.is_some_and(|there| Arc::ptr_eq(there, pool)) {
            return Ok(());
        }
        Err(Error::not_found(Kind::StoragePool, "uuid", pool.id.uuid))
    }

    /// The pool with this UUID, if it is in lists.
    pub(crate) fn by_uuid(&self, uuid: Uuid) -> Result<Arc<Pool>> {
        let found = self.lock().get(&uuid).cloned();
        found
            .filter(|pool| !pool.is_over())
            .ok_or_else(|| Error::not_found(Kind::StoragePool, "uuid", uuid))
    }

    /// The very pool: not another one that has its UUID since.
    pub(crate) fn get(&self, id: &StoragePoolId) -> Result<Arc<Pool>> {
        let pool = self.by_uuid(id.uuid)?;
        if pool.id == *id {
            return Ok(pool);
        }
        Err(Error::not_found(Kind::StoragePool, "uuid", id.uuid))
    }

    fn find(
        &self,
        attribute: &str,
        value: &str,
        is_meant: impl Fn(&Pool) -> bool,
    ) -> Result<Arc<Pool>> {
        let pools = self.lock();
        let mut shown = pools.values().filter(|pool| !pool.is_over());
        let found = shown.find(|pool| is_meant(pool)).cloned();
        found.ok_or_else(|| Error::not_found(Kind::StoragePool, attribute, value))
    }

    /// The pool with this name.
    pub(crate) fn by_name(&self, name: &str) -> Result<Arc<Pool>> {
        self.find("name", name, |pool| &*pool.id.name == name)
    }

    /// The pool with this directory.
    pub(crate) fn by_target_path(&self, path: &str) -> Result<Arc<Pool>> {
        let meant = cleaned(path);
        self.find("target path", path, |pool| {
            target_path(&pool.definition(false)) == Some(&meant)
        })
    }

    /// The volume with this path, which is its key as well.
    pub(crate) fn volume_at(&self, attribute: &str, path: &str) -> Result<Arc<Volume>> {
        let meant = cleaned(path);
        let absent = || Error::not_found(Kind::StorageVol, attribute, path);
        let (folder, name) = meant.rsplit_once('/').ok_or_else(absent)?;
        for pool in self.all() {
            let is_it = pool
                .folder()
                .is_ok_and(|of| of.path().trim_end_matches('/') == folder);
            if is_it && let Ok(volume) = pool.volume(name) {
                return Ok(volume);
            }
        }
        Err(absent())
    }

    /// A volume, with its pool.
    pub(crate) fn volume(&self, id: &StorageVolId) -> Result<(Arc<Pool>, Arc<Volume>)> {
        let pool = self.get(&id.pool)?;
        let volume = pool.volume(&id.name)?;
        Ok((pool, volume))
    }

    /// What is known of every pool.
    pub(crate) fn views(&self) -> Views<StoragePoolView> {
        self.listing.get(|| {
            let pools = self.all();
            pools.iter().filter_map(|pool| pool.view()).collect()
        })
    }

    /// Whether nothing is being done with a volume.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().values().all(|pool| pool.jobs.is_empty())
    }
}

/// A path without repeated and trailing slashes.
fn cleaned(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let start = if path.starts_with('/') { "/" } else { "" };
    format!("{start}{}", parts.join("/"))
}
