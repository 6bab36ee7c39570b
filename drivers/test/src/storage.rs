//! Storage pools and volumes, of which nothing is on any disk.

mod content;
mod transfer;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use virtbus_api::event::Event;
use virtbus_api::listing::Views;
use virtbus_api::object::{IdRef, Kind, View};
use virtbus_api::storage::Transfer;
use virtbus_api::storage::{
    StoragePoolBuildFlags, StoragePoolCreateFlags, StoragePoolDefineFlags, StoragePoolDeleteFlags,
    StoragePoolEvent, StoragePoolId, StoragePoolInfo, StoragePoolLifecycle, StoragePoolState,
    StoragePoolView, StoragePools, StorageVolCreateFlags, StorageVolDeleteFlags, StorageVolId,
    StorageVolInfo, StorageVolInfoFlags, StorageVolTransferFlags, StorageVolType, StorageVolView,
    StorageVols, StorageXmlFlags,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid, naming};
use virtbus_conf_base::{Bytes, Flags, format_text};
use virtbus_conf_storage::storage_pool::{PoolSource, PoolType, StoragePool as Definition};
use virtbus_conf_storage::storage_volume::{CapacityRule, StorageVolume, VolumeType};

use content::Memory;
pub(crate) use content::Space;

use crate::domain::Random;
use crate::driver::{State, Test, get, get_as};
use crate::error;
use crate::kept::Kept;
use crate::table::Named;

/// The size of a pool whose definition says nothing, bytes.
const CAPACITY: u64 = 100 << 30;

/// A volume as the driver keeps it.
#[derive(Debug)]
struct Volume {
    definition: StorageVolume,
    view: Arc<StorageVolView>,
    /// Once it was read or written.
    content: OnceLock<Arc<Memory>>,
}

impl Volume {
    fn check_idle(&self) -> Result<()> {
        let is_idle = |content: &Arc<Memory>| Arc::strong_count(content) == 1;
        if self.content.get().is_none_or(is_idle) {
            return Ok(());
        }
        Err(Error::operation_invalid(format!(
            "the content of volume '{}' is being transferred",
            self.view.id.name
        )))
    }
}

/// A pool as the driver keeps it.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) kept: Kept<Definition>,
    allocation: u64,
    volumes: BTreeMap<Arc<str>, Volume>,
    view: Arc<StoragePoolView>,
}

impl Named for Pool {
    const NOUN: &'static str = "storage pool";

    fn uuid(&self) -> Uuid {
        self.kept.uuid
    }

    fn name(&self) -> &Arc<str> {
        &self.kept.name
    }

    fn id(&self) -> IdRef<'_> {
        IdRef::StoragePool(&self.view.id)
    }
}

/// Reads a definition, completes and checks it.
pub(crate) fn parse_pool(xml: &str, strict: bool) -> Result<Definition> {
    let mut definition = if strict {
        Definition::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        Definition::parse(xml).map_err(|error| error::xml(&error))?
    };
    definition.complete(&mut Random);
    definition.validate().map_err(|error| error::conf(&error))?;
    Ok(definition)
}

fn pool_id(definition: &Definition) -> StoragePoolId {
    StoragePoolId {
        uuid: definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
        name: definition.name.as_deref().unwrap_or_default().into(),
    }
}

fn view(id: StoragePoolId, kept: &Kept<Definition>) -> StoragePoolView {
    StoragePoolView {
        id,
        active: kept.active,
        persistent: kept.persistent,
        autostart: kept.autostart,
        pool_type: kept.definition.kind.as_str().into(),
    }
}

impl Pool {
    pub(crate) fn new(definition: Definition, persistent: bool) -> Self {
        let id = pool_id(&definition);
        let named = (id.uuid, Arc::clone(&id.name));
        let kept = Kept::new(Self::NOUN, named, definition, persistent);
        Self {
            view: Arc::new(view(id, &kept)),
            kept,
            allocation: 0,
            volumes: BTreeMap::new(),
        }
    }

    pub(crate) fn publish(&mut self) {
        self.view = Arc::new(view(self.view.id.clone(), &self.kept));
    }

    fn available(&self) -> u64 {
        CAPACITY.saturating_sub(self.allocation)
    }

    /// The definition with what is known of the pool now.
    fn shown(&self, definition: &Definition) -> Definition {
        let mut shown = definition.clone();
        if self.kept.active {
            shown.capacity = Bytes::new(CAPACITY);
            shown.allocation = Bytes::new(self.allocation);
            shown.available = Bytes::new(self.available());
        }
        shown
    }

    /// Reads a volume's document, and says where the volume would be.
    pub(crate) fn read_volume(&self, xml: &str, strict: bool) -> Result<StorageVolume> {
        let mut volume = if strict {
            StorageVolume::parse_strict(xml).map_err(|error| error::schema(&error))?
        } else {
            StorageVolume::parse(xml).map_err(|error| error::xml(&error))?
        };
        let kind = self.kept.definition.kind;
        volume
            .validate(kind, CapacityRule::Required)
            .map_err(|error| error::conf(&error))?;
        volume.complete(kind);
        let definition = &self.kept.definition;
        // Where nothing is said, the pool's name tells its volumes from those of others.
        let folder = target_path(definition).unwrap_or(&self.kept.name);
        let path = format_text!("{}/{}", folder.trim_end_matches('/'), volume.name);
        // Another key in the document is that of the volume whose description it once was.
        volume.key = Some(path.clone());
        volume.target.path = Some(path);
        volume.kind.get_or_insert(VolumeType::File);
        let size = volume.capacity();
        volume.allocation.get_or_insert(size);
        Ok(volume)
    }

    /// What names a volume of this pool.
    fn volume_id(&self, definition: &StorageVolume) -> StorageVolId {
        StorageVolId {
            pool: self.view.id.clone(),
            name: definition.name.as_str().into(),
            key: definition.key.as_deref().unwrap_or_default().into(),
        }
    }

    /// Adds a volume that was [claimed](State::claim_volume).
    pub(crate) fn add(
        &mut self,
        definition: StorageVolume,
        content: OnceLock<Arc<Memory>>,
    ) -> Result<Arc<StorageVolView>> {
        let allocation = definition.allocation().0;
        if allocation > self.available() {
            return Err(error::failed(format!(
                "storage pool '{}' has {} bytes left, not the {allocation} of the volume '{}'",
                self.kept.name,
                self.available(),
                definition.name
            )));
        }
        let id = self.volume_id(&definition);
        let name = Arc::clone(&id.name);
        let view = Arc::new(StorageVolView {
            id,
            path: definition.target.path.as_deref().unwrap_or_default().into(),
        });
        self.allocation += allocation;
        let volume = Volume {
            definition,
            view: Arc::clone(&view),
            content,
        };
        self.volumes.insert(name, volume);
        Ok(view)
    }
}

/// The folder of a pool, if it has one.
fn target_path(definition: &Definition) -> Option<&str> {
    definition.target.as_ref()?.path.as_deref()
}

impl State {
    /// Whether the pool may have this volume beside all that there are, on or off.
    pub(crate) fn claim_volume(&self, pool: &Pool, definition: &StorageVolume) -> Result<()> {
        let id = pool.volume_id(definition);
        let others = self
            .pools
            .iter()
            .filter(|other| other.kept.uuid != pool.kept.uuid);
        let all = others.chain([pool]).flat_map(|pool| pool.volumes.values());
        let there = all.map(|volume| IdRef::StorageVol(&volume.view.id));
        if naming::claim(IdRef::StorageVol(&id), there)? {
            return Err(Error::new(
                ErrorCode::StorageVolExist,
                ErrorDomain::Test,
                format!(
                    "storage pool '{}' already has a volume '{}'",
                    pool.kept.name, id.name
                ),
            ));
        }
        Ok(())
    }

    /// Two pools in one folder would both have its files.
    fn check_target(&self, uuid: Uuid, definition: &Definition) -> Result<()> {
        let (PoolType::Dir, Some(path)) = (definition.kind, target_path(definition)) else {
            return Ok(());
        };
        let path = path.trim_end_matches('/');
        let is_taken = self.pools.iter().any(|pool| {
            let theirs = &pool.kept.definition;
            pool.kept.uuid != uuid
                && theirs.kind == PoolType::Dir
                && target_path(theirs).is_some_and(|theirs| theirs.trim_end_matches('/') == path)
        });
        if is_taken {
            return Err(error::failed(format!(
                "folder {path} is already used by another storage pool"
            )));
        }
        Ok(())
    }
}

fn lifecycle(lifecycle: StoragePoolLifecycle) -> Vec<StoragePoolEvent> {
    vec![StoragePoolEvent::Lifecycle(lifecycle)]
}

impl Test {
    fn with_pool<T>(&self, id: &StoragePoolId, look: impl FnOnce(&Pool) -> Result<T>) -> Result<T> {
        let state = self.lock();
        look(get_as(
            &state.pools,
            Kind::StoragePool,
            (id.uuid, &id.name),
        )?)
    }

    fn change_pool<T>(
        &self,
        state: &mut State,
        id: &StoragePoolId,
        change: impl FnOnce(&mut Pool) -> Result<(T, Vec<StoragePoolEvent>)>,
    ) -> Result<T> {
        let uuid = id.uuid;
        get_as(&state.pools, Kind::StoragePool, (uuid, &id.name))?;
        let not_found = || Error::not_found(Kind::StoragePool, "uuid", uuid);
        let pool = state.pools.get_mut(uuid).ok_or_else(not_found)?;
        let before = Arc::clone(&pool.view);
        let volumes = volumes(pool);
        let (answer, events) = change(pool)?;
        pool.publish();
        let after = pool.kept.is_shown().then(|| Arc::clone(&pool.view));
        let left = match after {
            Some(_) => self::volumes(pool),
            None => Vec::new(),
        };
        if after.is_none() {
            state.pools.remove(uuid);
        }
        state.touched = true;
        let view = |view: &Arc<StorageVolView>| Some(View::from(Arc::clone(view)));
        for gone in volumes.iter().filter(|volume| !left.contains(volume)) {
            self.announce(view(gone), None, []);
        }
        let new = left.iter().filter(|volume| !volumes.contains(volume));
        let came = new.map(|volume| Event::Changed {
            before: None,
            after: view(volume),
        });
        let id = before.id.clone();
        let events = events.into_iter();
        self.announce(
            Some(before.into()),
            after.map(View::from),
            came.chain(events.map(|event| Event::StoragePool(id.clone(), event))),
        );
        Ok(answer)
    }

    /// Adds a pool, or gives the definition to the one that is there.
    fn put_pool(&self, definition: Definition, start: bool) -> Result<Arc<StoragePoolView>> {
        let id = pool_id(&definition);
        let mut state = self.lock();
        let happened = if start {
            StoragePoolLifecycle::Started
        } else {
            StoragePoolLifecycle::Defined
        };
        let is_there = state
            .pools
            .claim(IdRef::StoragePool(&id), id.uuid, &id.name)?;
        state.check_target(id.uuid, &definition)?;
        if is_there {
            self.change_pool(&mut state, &id, |pool| {
                if start {
                    pool.kept.start(Some(definition))?;
                } else {
                    pool.kept.define(definition);
                }
                Ok(((), lifecycle(happened)))
            })?;
            return Ok(Arc::clone(
                &get(&state.pools, Kind::StoragePool, id.uuid)?.view,
            ));
        }
        let mut pool = Pool::new(definition, !start);
        pool.kept.active = start;
        pool.publish();
        let view = Arc::clone(&pool.view);
        state.pools.insert(pool);
        state.touched = true;
        let happened = StoragePoolEvent::Lifecycle(happened);
        let events = [Event::StoragePool(view.id.clone(), happened)];
        self.announce(None, Some(Arc::clone(&view).into()), events);
        Ok(view)
    }

    fn with_volume<T>(
        &self,
        id: &StorageVolId,
        look: impl FnOnce(&Pool, &Volume) -> Result<T>,
    ) -> Result<T> {
        self.with_pool(&id.pool, |pool| look(pool, find_in(pool, &id.name)?))
    }

    /// Makes a volume with the content that it gets, whose size is given.
    fn make_volume(
        &self,
        id: &StoragePoolId,
        xml: &str,
        flags: StorageVolCreateFlags,
        content: impl FnOnce(&State, u64) -> Result<OnceLock<Arc<Memory>>>,
    ) -> Result<Arc<StorageVolView>> {
        let mut state = self.lock();
        let pool = get_as(&state.pools, Kind::StoragePool, (id.uuid, &id.name))?;
        pool.kept.check_active()?;
        let strict = flags.contains(StorageVolCreateFlags::VALIDATE);
        let definition = pool.read_volume(xml, strict)?;
        state.claim_volume(pool, &definition)?;
        let content = content(&state, definition.capacity().0)?;
        self.change_pool(&mut state, id, |pool| {
            Ok((pool.add(definition, content)?, Vec::new()))
        })
    }

    fn find_volume(
        &self,
        attribute: &str,
        value: &str,
        is_meant: impl Fn(&StorageVolView) -> bool,
    ) -> Result<Arc<StorageVolView>> {
        let state = self.lock();
        let active = state.pools.iter().filter(|pool| pool.kept.active);
        let mut volumes = active.flat_map(|pool| pool.volumes.values());
        let found = volumes.find(|volume| is_meant(&volume.view));
        let found = found.ok_or_else(|| Error::not_found(Kind::StorageVol, attribute, value))?;
        Ok(Arc::clone(&found.view))
    }
}

/// The volume of this name in a pool that has to be on.
fn find_in<'p>(pool: &'p Pool, name: &str) -> Result<&'p Volume> {
    pool.kept.check_active()?;
    let volume = pool.volumes.get(name);
    volume.ok_or_else(|| Error::not_found(Kind::StorageVol, "name", name))
}

/// The volumes of a pool that is on.
fn volumes(pool: &Pool) -> Vec<Arc<StorageVolView>> {
    if !pool.kept.active {
        return Vec::new();
    }
    pool.volumes
        .values()
        .map(|volume| Arc::clone(&volume.view))
        .collect()
}

#[async_trait]
impl StoragePools for Test {
    async fn views(&self) -> Result<Views<StoragePoolView>> {
        Ok(self
            .lock()
            .pools
            .iter()
            .map(|pool| Arc::clone(&pool.view))
            .collect())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<StoragePoolView>> {
        let state = self.lock();
        Ok(Arc::clone(
            &get(&state.pools, Kind::StoragePool, uuid)?.view,
        ))
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<StoragePoolView>> {
        let state = self.lock();
        let pool = state.pools.named(name);
        let pool = pool.ok_or_else(|| Error::not_found(Kind::StoragePool, "name", name))?;
        Ok(Arc::clone(&pool.view))
    }

    async fn view_by_target_path(&self, path: &str) -> Result<Arc<StoragePoolView>> {
        let state = self.lock();
        let found = state
            .pools
            .iter()
            .find(|pool| target_path(&pool.kept.definition) == Some(path));
        let found =
            found.ok_or_else(|| Error::not_found(Kind::StoragePool, "target path", path))?;
        Ok(Arc::clone(&found.view))
    }

    async fn xml_desc(&self, id: &StoragePoolId, flags: StorageXmlFlags) -> Result<String> {
        self.with_pool(id, |pool| {
            let inactive = flags.contains(StorageXmlFlags::INACTIVE);
            Ok(pool.shown(pool.kept.shown(inactive)).format(Flags::empty()))
        })
    }

    async fn info(&self, id: &StoragePoolId) -> Result<StoragePoolInfo> {
        self.with_pool(id, |pool| {
            Ok(StoragePoolInfo {
                state: if pool.kept.active {
                    StoragePoolState::Running
                } else {
                    StoragePoolState::Inactive
                },
                capacity: CAPACITY,
                allocation: pool.allocation,
                available: pool.available(),
            })
        })
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
        self.put_pool(
            parse_pool(xml, flags.contains(StoragePoolDefineFlags::VALIDATE))?,
            false,
        )
    }

    async fn create_xml(
        &self,
        xml: &str,
        _flags: StoragePoolCreateFlags,
    ) -> Result<Arc<StoragePoolView>> {
        self.put_pool(parse_pool(xml, false)?, true)
    }

    async fn undefine(&self, id: &StoragePoolId) -> Result<()> {
        self.change_pool(&mut self.lock(), id, |pool| {
            pool.kept.check_inactive()?;
            pool.kept.undefine()?;
            Ok(((), lifecycle(StoragePoolLifecycle::Undefined)))
        })
    }

    async fn create(&self, id: &StoragePoolId, _flags: StoragePoolCreateFlags) -> Result<()> {
        self.change_pool(&mut self.lock(), id, |pool| {
            pool.kept.start(None)?;
            Ok(((), lifecycle(StoragePoolLifecycle::Started)))
        })
    }

    async fn destroy(&self, id: &StoragePoolId) -> Result<()> {
        self.change_pool(&mut self.lock(), id, |pool| {
            pool.kept.stop()?;
            Ok(((), lifecycle(StoragePoolLifecycle::Stopped)))
        })
    }

    async fn build(&self, id: &StoragePoolId, flags: StoragePoolBuildFlags) -> Result<()> {
        if flags.contains(StoragePoolBuildFlags::OVERWRITE | StoragePoolBuildFlags::NO_OVERWRITE) {
            return Err(Error::invalid_argument(
                "flags OVERWRITE and NO_OVERWRITE exclude each other",
            ));
        }
        self.change_pool(&mut self.lock(), id, |pool| {
            pool.kept.check_inactive()?;
            Ok(((), lifecycle(StoragePoolLifecycle::Created)))
        })
    }

    async fn delete(&self, id: &StoragePoolId, _flags: StoragePoolDeleteFlags) -> Result<()> {
        self.change_pool(&mut self.lock(), id, |pool| {
            pool.kept.check_inactive()?;
            pool.volumes.values().try_for_each(Volume::check_idle)?;
            pool.volumes.clear();
            pool.allocation = 0;
            Ok(((), lifecycle(StoragePoolLifecycle::Deleted)))
        })
    }

    async fn refresh(&self, id: &StoragePoolId) -> Result<()> {
        self.change_pool(&mut self.lock(), id, |pool| {
            pool.kept.check_active()?;
            Ok(((), vec![StoragePoolEvent::Refresh]))
        })
    }

    async fn set_autostart(&self, id: &StoragePoolId, autostart: bool) -> Result<()> {
        self.change_pool(&mut self.lock(), id, |pool| {
            pool.kept.set_autostart(autostart)?;
            Ok(((), Vec::new()))
        })
    }

    async fn find_sources(&self, pool_type: &str, source: Option<&str>) -> Result<String> {
        let kind = PoolType::from_name(pool_type).ok_or_else(|| {
            Error::invalid_argument(format!("unsupported storage pool type '{pool_type}'"))
        })?;
        let source = source.map(|source| PoolSource::parse_search(source, kind));
        let source = source.transpose().map_err(|error| error::xml(&error))?;
        let found: &[&str] = match kind {
            PoolType::Logical => &["testvg1", "testvg2"],
            PoolType::Netfs => {
                let source = source.ok_or_else(|| {
                    Error::invalid_argument("a source with a <host> must be given")
                })?;
                if source.hosts.is_empty() {
                    return Err(Error::invalid_argument("the source must have a <host>"));
                }
                let mut found: [PoolSource; 2] = [source.clone(), source];
                for (place, number) in found.iter_mut().zip(1..) {
                    place.dir = Some(format_text!("/testshare{number}"));
                }
                return Ok(PoolSource::format_found(&found, kind));
            }
            _ => {
                return Err(Error::new(
                    ErrorCode::NoSupport,
                    ErrorDomain::Test,
                    format!(
                        "finding sources is not supported for storage pools of type '{pool_type}'"
                    ),
                ));
            }
        };
        let sources: Vec<PoolSource> = found
            .iter()
            .map(|name| PoolSource {
                name: Some((*name).into()),
                ..PoolSource::default()
            })
            .collect();
        Ok(PoolSource::format_found(&sources, kind))
    }
}

#[async_trait]
impl StorageVols for Test {
    async fn views(&self, id: &StoragePoolId) -> Result<Vec<Arc<StorageVolView>>> {
        self.with_pool(id, |pool| {
            pool.kept.check_active()?;
            Ok(volumes(pool))
        })
    }

    async fn view_by_name(&self, id: &StoragePoolId, name: &str) -> Result<Arc<StorageVolView>> {
        self.with_pool(id, |pool| Ok(Arc::clone(&find_in(pool, name)?.view)))
    }

    async fn view_by_key(&self, key: &str) -> Result<Arc<StorageVolView>> {
        self.find_volume("key", key, |volume| *volume.id.key == *key)
    }

    async fn view_by_path(&self, path: &str) -> Result<Arc<StorageVolView>> {
        self.find_volume("path", path, |volume| *volume.path == *path)
    }

    async fn xml_desc(&self, id: &StorageVolId) -> Result<String> {
        self.with_volume(id, |_, volume| Ok(volume.definition.format(Flags::empty())))
    }

    async fn info(&self, id: &StorageVolId, flags: StorageVolInfoFlags) -> Result<StorageVolInfo> {
        self.with_volume(id, |_, volume| {
            let definition = &volume.definition;
            let physical = flags.contains(StorageVolInfoFlags::GET_PHYSICAL);
            let taken = if physical {
                definition.capacity()
            } else {
                definition.allocation()
            };
            Ok(StorageVolInfo {
                kind: match definition.kind {
                    Some(VolumeType::Block) => StorageVolType::Block,
                    Some(VolumeType::Dir) => StorageVolType::Dir,
                    Some(VolumeType::Network) => StorageVolType::Network,
                    Some(VolumeType::Netdir) => StorageVolType::NetDir,
                    Some(VolumeType::Ploop) => StorageVolType::Ploop,
                    Some(VolumeType::File) | None => StorageVolType::File,
                },
                capacity: definition.capacity().0,
                allocation: taken.0,
            })
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
        self.make_volume(id, xml, flags, |_, _| Ok(OnceLock::new()))
    }

    async fn create_xml_from(
        &self,
        id: &StoragePoolId,
        xml: &str,
        source: &StorageVolId,
        flags: StorageVolCreateFlags,
    ) -> Result<Arc<StorageVolView>> {
        self.make_volume(id, xml, flags, |state, size| {
            let pool = (source.pool.uuid, &*source.pool.name);
            let pool = get_as(&state.pools, Kind::StoragePool, pool)?;
            let Some(content) = find_in(pool, &source.name)?.content.get() else {
                return Ok(OnceLock::new());
            };
            let copy = content.copy(size).map_err(|problem| {
                let name = &source.name;
                error::failed(format!("volume '{name}' cannot be copied: {problem}"))
            })?;
            Ok(OnceLock::from(Arc::new(copy)))
        })
    }

    async fn delete(&self, id: &StorageVolId, _flags: StorageVolDeleteFlags) -> Result<()> {
        self.change_pool(&mut self.lock(), &id.pool, |pool| {
            find_in(pool, &id.name)?.check_idle()?;
            let volume = pool.volumes.remove(&id.name);
            let volume =
                volume.ok_or_else(|| Error::not_found(Kind::StorageVol, "name", &id.name))?;
            pool.allocation = pool
                .allocation
                .saturating_sub(volume.definition.allocation().0);
            Ok(((), Vec::new()))
        })
    }

    async fn download(
        &self,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        self.download_volume(id, offset, length, flags)
    }

    async fn upload(
        &self,
        id: &StorageVolId,
        offset: u64,
        length: u64,
        flags: StorageVolTransferFlags,
    ) -> Result<Transfer> {
        self.upload_volume(id, offset, length, flags)
    }
}
