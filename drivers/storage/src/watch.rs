//! Directories of pools that are watched: a file that appears, changes or goes is looked at, and so is a volume that is announced.
//!
//! Where the kernel cannot tell of changes (a server's clients change something, too many directories are watched), a refresh does it.

use std::sync::{Arc, Weak};

use virtbus_api::{Error, Result};
use virtbus_util::readiness::{Interest, wait_until};

use crate::core::Core;
use crate::error;
use crate::folder::Folder;
use crate::hands::QUICK;
use crate::look::{Volumes, look};
use crate::notify::Watcher;
use crate::pool::Pool;

/// Follows what the watcher hears, for as long as there is the driver.
pub(crate) async fn follow(watcher: Arc<Watcher>, core: Weak<Core>) {
    loop {
        let ready = wait_until(watcher.readable(), Interest::READABLE, || Ok(true));
        if let Err(why) = ready.await {
            tracing::error!("directories of storage pools are not watched any more: {why}");
            return;
        }
        let changed = match watcher.take() {
            Ok(changed) => changed,
            Err(errno) => {
                tracing::error!("directories of storage pools are not watched any more: {errno}");
                return;
            }
        };
        let Some(core) = core.upgrade() else {
            return;
        };
        for (pool, name) in changed {
            core.look_later(&pool, name.as_deref());
        }
    }
}

impl Core {
    /// Watches the directory of a pool from now on, and looks at what changed before that.
    pub(crate) async fn watch(self: &Arc<Self>, pool: &Arc<Pool>, folder: Arc<Folder>) {
        let Some(watcher) = &self.watcher else {
            return;
        };
        watcher.forget(pool);
        let (of, weak) = (Arc::clone(watcher), Arc::downgrade(pool));
        let added = pool.hands.run("watching the directory", QUICK, move || {
            of.add(&weak, &folder)
        });
        match added.await {
            Ok(Ok(())) => self.look_later(pool, None),
            Ok(Err(errno)) => self.not_watched(pool, &errno),
            Err(why) => self.not_watched(pool, &why),
        }
    }

    fn not_watched(&self, pool: &Pool, why: &dyn std::fmt::Display) {
        tracing::warn!(
            pool = %pool.id.name,
            "the directory of storage pool '{}' cannot be watched, and has to be refreshed: {why}",
            pool.id.name
        );
    }

    /// Watches it no longer.
    pub(crate) fn unwatch(&self, pool: &Arc<Pool>) {
        if let Some(watcher) = &self.watcher {
            watcher.forget(pool);
        }
    }

    /// Has a name looked at, or all of the directory, as soon as its turn comes.
    pub(crate) fn look_later(self: &Arc<Self>, pool: &Arc<Pool>, name: Option<&str>) {
        let mut pending = pool.pending();
        pending.add(name);
        if !std::mem::replace(&mut pending.is_followed, true) {
            tokio::spawn(Arc::clone(self).look_on(Arc::clone(pool)));
        }
    }

    async fn look_on(self: Arc<Self>, pool: Arc<Pool>) {
        loop {
            let next = pool.pending().take();
            let Some(names) = next else {
                return;
            };
            let looked = match names {
                None => self.look_quietly(&pool).await,
                Some(names) => self.look_at(&pool, names.into_iter().collect()).await,
            };
            if let Err(why) = looked {
                tracing::debug!(
                    "changes in storage pool '{}' are not known: {why}",
                    pool.id.name
                );
            }
        }
    }

    async fn look_quietly(self: &Arc<Self>, pool: &Arc<Pool>) -> Result<()> {
        let _look = pool.look_turn().await?;
        self.look_through(pool, false).await
    }

    /// Looks at some names in a pool, and tells of what is new.
    pub(crate) async fn look_at(&self, pool: &Arc<Pool>, names: Vec<Arc<str>>) -> Result<()> {
        let _look = pool.look_turn().await?;
        self.look_now(pool, names).await
    }

    /// The same, for whoever has the turn to look.
    pub(crate) async fn look_now(&self, pool: &Arc<Pool>, names: Vec<Arc<str>>) -> Result<()> {
        let (folder, known) = (pool.folder()?, pool.volumes()?);
        let id = pool.id.clone();
        let looked = pool.hands.run("looking at files", QUICK, move || {
            let found = look_at_each(&folder, &id, &known, names);
            let fault = |error| error::system(format!("directory '{}'", folder.path()), &error);
            Ok::<_, Error>((found.map_err(fault)?, folder.space().ok()))
        });
        let (found, space) = looked.await??;
        pool.found(&self.table.hub, found, space);
        Ok(())
    }
}

type Looked = Vec<(Arc<str>, Option<Arc<crate::look::Volume>>)>;

fn look_at_each(
    folder: &Folder,
    pool: &virtbus_api::storage::StoragePoolId,
    known: &Volumes,
    names: Vec<Arc<str>>,
) -> std::io::Result<Looked> {
    let looked = names.into_iter().map(|name| {
        let volume = look(folder, pool, &name, known.get(&name))?;
        Ok((name, volume))
    });
    looked.collect()
}
