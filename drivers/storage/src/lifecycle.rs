//! A pool's life: defined, built, started, looked through, stopped, and found again by a new daemon.

use std::sync::Arc;

use virtbus_api::storage::{StoragePoolBuildFlags, StoragePoolCreateFlags, StoragePoolLifecycle};
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_conf_base::{Entropy, Flags};
use virtbus_conf_storage::storage_pool::StoragePool as Definition;

use crate::core::Core;
use crate::folder::Folder;
use crate::hands::{QUICK, SCAN};
use crate::look::{Scan, Volumes, scan};
use crate::pool::Pool;
use crate::{backend, error};

/// Random bytes of the host.
struct Random;

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(6) {
            // The first bytes of such a UUID are random altogether.
            let random = virtbus_api::Uuid::new_v4();
            for (byte, random) in chunk.iter_mut().zip(random.as_bytes()) {
                *byte = *random;
            }
        }
    }
}

/// A complete definition from a document.
///
/// # Errors
/// What is wrong with it; that pools of its kind are not supported.
pub(crate) fn parse(xml: &str, strict: bool) -> Result<Definition> {
    let mut definition = if strict {
        Definition::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        Definition::parse(xml).map_err(|error| error::xml(&error))?
    };
    definition.complete(&mut Random);
    definition.validate().map_err(|error| error::conf(&error))?;
    if definition.uuid.is_some_and(|uuid| uuid.0.is_nil()) {
        let message = "the UUID of a storage pool cannot be all zeros";
        return Err(error::refused(ErrorCode::XmlError, message));
    }
    backend::check(definition.kind)?;
    backend::directory(&definition)?;
    let again = Definition::parse(&definition.format(Flags::empty()));
    if again.as_ref().ok() != Some(&definition) {
        return Err(error::refused(
            ErrorCode::XmlError,
            "the definition of a storage pool could not be read back as it was written",
        ));
    }
    Ok(definition)
}

/// How a pool is built before it is started, if it is.
fn build_flags(flags: StoragePoolCreateFlags) -> Result<Option<StoragePoolBuildFlags>> {
    use StoragePoolCreateFlags as F;
    let overwrite = flags.contains(F::WITH_BUILD_OVERWRITE);
    let keep = flags.contains(F::WITH_BUILD_NO_OVERWRITE);
    if overwrite && keep {
        return Err(error::refused(
            ErrorCode::InvalidArg,
            "flags WITH_BUILD_OVERWRITE and WITH_BUILD_NO_OVERWRITE exclude each other",
        ));
    }
    let mut build = StoragePoolBuildFlags::empty();
    build.set(StoragePoolBuildFlags::OVERWRITE, overwrite);
    build.set(StoragePoolBuildFlags::NO_OVERWRITE, keep);
    let wanted = overwrite || keep || flags.contains(F::WITH_BUILD);
    Ok(wanted.then_some(build))
}

impl Core {
    /// Stores a definition.
    pub(crate) async fn define(self: Arc<Self>, definition: Definition) -> Result<Arc<Pool>> {
        let made = definition.clone();
        let pool = self
            .table
            .claim(&definition, || Pool::new(made, false, false))?;
        let _turn = self.turn(&pool).await?;
        let (uuid, to_write) = (pool.id.uuid, definition.clone());
        self.on_disk(move |store| store.write(uuid, &to_write))
            .await?;
        pool.defined(&self.table.hub, definition);
        Ok(pool)
    }

    /// Takes a definition away.
    pub(crate) async fn undefine(self: Arc<Self>, pool: Arc<Pool>) -> Result<()> {
        let _turn = self.turn(&pool).await?;
        pool.check_inactive()?;
        pool.check_persistent()?;
        let uuid = pool.id.uuid;
        self.on_disk(move |store| store.remove(uuid)).await?;
        pool.undefined(&self.table.hub);
        Ok(())
    }

    /// Whether a pool is started with the host.
    pub(crate) async fn set_autostart(
        self: Arc<Self>,
        pool: Arc<Pool>,
        autostart: bool,
    ) -> Result<()> {
        let _turn = self.turn(&pool).await?;
        pool.check_persistent()?;
        let uuid = pool.id.uuid;
        self.on_disk(move |store| store.set_autostart(uuid, autostart))
            .await?;
        pool.set_autostart(&self.table.hub, autostart);
        Ok(())
    }

    /// Makes the storage of a pool.
    pub(crate) async fn build(
        self: Arc<Self>,
        pool: Arc<Pool>,
        flags: StoragePoolBuildFlags,
    ) -> Result<()> {
        let _turn = self.turn(&pool).await?;
        pool.check_inactive()?;
        let definition = pool.definition(true);
        self.build_now(&pool, &definition, flags).await
    }

    async fn build_now(
        &self,
        pool: &Pool,
        definition: &Definition,
        flags: StoragePoolBuildFlags,
    ) -> Result<()> {
        pool.building(&self.table.hub, true, None);
        let built = backend::build(definition, flags, &pool.hands).await;
        let event = built.is_ok().then_some(StoragePoolLifecycle::Created);
        pool.building(&self.table.hub, false, event);
        built
    }

    /// Frees the storage of a pool.
    pub(crate) async fn delete(self: Arc<Self>, pool: Arc<Pool>) -> Result<()> {
        let _turn = self.turn(&pool).await?;
        pool.check_inactive()?;
        let definition = pool.definition(true);
        backend::delete(&definition, &pool.hands).await?;
        pool.building(&self.table.hub, false, Some(StoragePoolLifecycle::Deleted));
        Ok(())
    }

    /// Starts a pool, by its stored definition or by another one.
    pub(crate) async fn start(
        self: Arc<Self>,
        pool: Arc<Pool>,
        other: Option<Definition>,
        flags: StoragePoolCreateFlags,
    ) -> Result<()> {
        let _turn = self.turn(&pool).await?;
        let build = build_flags(flags)?;
        pool.check_inactive()?;
        let definition = other.map_or_else(|| pool.definition(true), Arc::new);
        if let Some(flags) = build {
            self.build_now(&pool, &definition, flags).await?;
        }
        let (uuid, noted) = (pool.id.uuid, Arc::clone(&definition));
        self.on_disk(move |store| store.write_run(uuid, &noted))
            .await?;
        let begun = self.begin(&pool, &definition).await;
        match begun {
            Ok((folder, scan)) => {
                let event = Some(StoragePoolLifecycle::Started);
                let watched = Arc::clone(&folder);
                pool.started(&self.table.hub, definition, folder, scan, event);
                self.watch(&pool, watched).await;
                Ok(())
            }
            Err(why) => {
                if let Err(undo) = self.on_disk(move |store| store.remove_run(uuid)).await {
                    tracing::error!("{undo}");
                }
                let name = &pool.id.name;
                Err(error::while_doing(
                    format!("storage pool '{name}' cannot be started"),
                    why,
                ))
            }
        }
    }

    /// Makes the storage accessible and looks it through; what was done is undone if that fails.
    async fn begin(
        &self,
        pool: &Arc<Pool>,
        definition: &Arc<Definition>,
    ) -> Result<(Arc<Folder>, Scan)> {
        let was_mounted = backend::is_mounted(definition, &pool.hands).await?;
        backend::activate(definition, &pool.hands).await?;
        let looked = self.first_look(pool, definition).await;
        if looked.is_err()
            && !was_mounted
            && let Err(undo) = backend::deactivate(definition, &pool.hands).await
        {
            tracing::error!("{undo}");
        }
        looked
    }

    /// Stops a pool. What is in it stays.
    pub(crate) async fn stop(self: Arc<Self>, pool: Arc<Pool>) -> Result<()> {
        let _turn = self.turn(&pool).await?;
        let folder = pool.folder()?;
        let held = pool.jobs.close();
        held.map_err(|(volume, what)| {
            error::invalid(format!(
                "storage pool '{}' cannot be stopped: volume '{volume}' is {what}",
                pool.id.name
            ))
        })?;
        self.unwatch(&pool);
        let stopped = self.end(&pool, folder).await;
        pool.jobs.open();
        stopped
    }

    async fn end(self: &Arc<Self>, pool: &Arc<Pool>, folder: Arc<Folder>) -> Result<()> {
        let definition = pool.definition(false);
        let _look = pool.look_turn().await?;
        // A directory that is held could not be unmounted.
        drop(folder);
        pool.let_go();
        if let Err(why) = backend::deactivate(&definition, &pool.hands).await {
            if let Ok(folder) = open_folder(pool, backend::directory(&definition)?).await {
                pool.hold(Arc::clone(&folder));
                self.watch(pool, folder).await;
            }
            return Err(why);
        }
        let uuid = pool.id.uuid;
        self.on_disk(move |store| store.remove_run(uuid)).await?;
        pool.stopped(&self.table.hub);
        Ok(())
    }

    /// Looks a pool through. Whoever asks while that is done waits for a look that began after he asked, together with all who wait for it.
    pub(crate) async fn refresh(self: Arc<Self>, pool: Arc<Pool>) -> Result<()> {
        pool.folder()?;
        let asked = pool.looks();
        let _look = pool.look_turn().await?;
        if pool.looks() > asked {
            return Ok(());
        }
        self.look_through(&pool, true).await
    }

    /// Looks a pool through, and tells that it was if `tell` says so; whoever calls has the turn to look.
    pub(crate) async fn look_through(self: &Arc<Self>, pool: &Arc<Pool>, tell: bool) -> Result<()> {
        let (folder, known) = (pool.folder()?, pool.volumes()?);
        let definition = pool.definition(false);
        let path = backend::directory(&definition)?.to_owned();
        let id = pool.id.clone();
        pool.look_begins();
        let looked = async {
            if !backend::is_mounted(&definition, &pool.hands).await? {
                return Err(error::invalid("its storage is not mounted any more"));
            }
            // Another directory may have its path by now.
            let now = open_folder(pool, &path).await?;
            let folder = if now.is_same(&folder) { folder } else { now };
            let in_it = Arc::clone(&folder);
            let found = pool
                .hands
                .run("looking the directory through", SCAN, move || {
                    let found = scan(&in_it, &id, &known);
                    found.map_err(|error| error::system(format!("directory '{path}'"), &error))
                });
            Ok((folder, found.await??))
        };
        let looked = looked.await;
        match looked {
            Ok((folder, found)) => {
                let before = pool.folder().ok();
                pool.refreshed(&self.table.hub, Arc::clone(&folder), found, tell);
                if before.is_none_or(|before| !Arc::ptr_eq(&before, &folder)) {
                    self.watch(pool, folder).await;
                }
                Ok(())
            }
            Err(why) => {
                pool.troubled(&why.message);
                let name = &pool.id.name;
                Err(error::while_doing(
                    format!("storage pool '{name}' cannot be looked through"),
                    why,
                ))
            }
        }
    }

    /// Takes in a pool that a daemon before this one had started, if its storage is there.
    pub(crate) async fn take_in(self: Arc<Self>, pool: Arc<Pool>, definition: Definition) {
        let taken = async {
            let _turn = self.turn(&pool).await?;
            if !backend::is_mounted(&definition, &pool.hands).await? {
                return Err(error::invalid("its storage is not mounted any more"));
            }
            let definition = Arc::new(definition);
            let (folder, scan) = self.first_look(&pool, &definition).await?;
            pool.started(&self.table.hub, definition, Arc::clone(&folder), scan, None);
            self.watch(&pool, folder).await;
            Ok::<_, Error>(())
        };
        if let Err(why) = taken.await {
            tracing::warn!(
                pool = %pool.id.name,
                "storage pool '{}' was active and is not any more: {why}",
                pool.id.name
            );
            // What only does not answer may be there again for the next daemon.
            let uuid = pool.id.uuid;
            if why.code != ErrorCode::OperationTimeout
                && let Err(why) = self.on_disk(move |store| store.remove_run(uuid)).await
            {
                tracing::error!("{why}");
            }
        }
    }
}

/// Opens a directory and sees that its file system answers, which one whose server is gone does not.
async fn open_folder(pool: &Pool, path: &str) -> Result<Arc<Folder>> {
    let path = path.to_owned();
    let opened = pool.hands.run("opening the directory", QUICK, move || {
        let folder = Folder::open(&path)?;
        let space = folder.space();
        space.map_err(|error| error::system(format!("directory '{path}'"), &error))?;
        Ok(Arc::new(folder))
    });
    opened.await?
}

impl Core {
    /// Opens and looks through the directory of a pool, without what unfinished volumes left.
    async fn first_look(
        &self,
        pool: &Arc<Pool>,
        definition: &Definition,
    ) -> Result<(Arc<Folder>, Scan)> {
        let path = backend::directory(definition)?.to_owned();
        let folder = open_folder(pool, &path).await?;
        let (id, in_it) = (pool.id.clone(), Arc::clone(&folder));
        let temporary = Arc::clone(&self.temporary);
        let looked = pool
        .hands
        .run("looking the directory through", SCAN, move || {
            if let Err(why) = in_it.sweep(&temporary) {
                tracing::warn!(
                    "what unfinished volumes left in '{path}' cannot be removed, ignoring it: {why}"
                );
            }
            let found = scan(&in_it, &id, &Volumes::new());
            found.map_err(|error| error::system(format!("directory '{path}'"), &error))
        });
        Ok((folder, looked.await??))
    }
}
