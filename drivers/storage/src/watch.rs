//! Directories of pools that are watched: a file that appears, changes or goes is looked at, and so is a volume that is announced.
//!
//! Where the kernel cannot tell of changes (a server's clients change something, too many directories are watched), a refresh does it.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use virtbus_api::{Error, Result};
use virtbus_util::readiness::{Interest, wait_until};

use crate::core::Core;
use crate::error;
use crate::folder::{Folder, TEMPORARY};
use crate::hands::QUICK;
use crate::look::{Volumes, look};
use crate::pool::Pool;

/// Of more names than this the whole directory is looked through.
const MOST_NAMES: usize = 2048;

/// What is to be looked at in a pool.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    names: BTreeSet<Arc<str>>,
    all: bool,
    /// A task looks at it, and takes what comes meanwhile.
    is_followed: bool,
}

impl Pending {
    fn add(&mut self, name: Option<&str>) {
        match name {
            Some(name) if self.names.len() < MOST_NAMES => {
                self.names.insert(name.into());
            }
            _ => self.all = true,
        }
    }

    /// What is to be done next: nothing, everything, or these names.
    fn take(&mut self) -> Option<Option<BTreeSet<Arc<str>>>> {
        let names = std::mem::take(&mut self.names);
        if std::mem::take(&mut self.all) {
            return Some(None);
        }
        if names.is_empty() {
            self.is_followed = false;
            return None;
        }
        Some(Some(names))
    }
}

/// Hears from the kernel what changes.
#[derive(Debug)]
pub(crate) struct Watcher {
    inotify: Inotify,
    watched: Mutex<Watched>,
}

/// Who wants to hear of what happens in which directory. One directory may be two pools', or a pool's and another's parent.
type Watched = HashMap<WatchDescriptor, Vec<Wish>>;

/// What a pool wants to hear of a directory.
#[derive(Debug)]
struct Wish {
    pool: Weak<Pool>,
    /// Of its parent only this: its own name. The kernel tells of a directory that is held by nothing else that it was removed.
    only: Option<OsString>,
}

/// In addition to what is watched of the directory already (`IN_MASK_ADD`), which has no name here.
const fn mask_add() -> AddWatchFlags {
    AddWatchFlags::from_bits_retain(0x2000_0000)
}

/// What is heard of the directory above a pool's.
fn above() -> AddWatchFlags {
    AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_ONLYDIR
}

fn within() -> AddWatchFlags {
    AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

impl Watcher {
    /// One that watches nothing yet; nothing if the kernel gives none, which is logged.
    pub(crate) fn new() -> Option<Arc<Self>> {
        match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
            Ok(inotify) => Some(Arc::new(Self {
                inotify,
                watched: Mutex::default(),
            })),
            Err(errno) => {
                tracing::warn!(
                    "directories of storage pools cannot be watched, and have to be refreshed: {errno}"
                );
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a directory for a pool, and the one above it. Blocks.
    fn add(&self, pool: &Weak<Pool>, folder: &Folder) -> Result<(), Errno> {
        let path = folder.held_path();
        let own = folder.path().rsplit('/').find(|part| !part.is_empty());
        let interests = [
            (path.clone(), within(), None),
            (format!("{path}/.."), above(), own.map(OsString::from)),
        ];
        for (path, what, only) in interests {
            // The directory may be slow, so no lock is held. What is heard before it is known for whom is looked at afterwards.
            let watch = self.inotify.add_watch(path.as_str(), what | mask_add())?;
            let pool = Weak::clone(pool);
            self.lock()
                .entry(watch)
                .or_default()
                .push(Wish { pool, only });
        }
        Ok(())
    }

    fn forget(&self, pool: &Arc<Pool>) {
        self.lock().retain(|watch, interests| {
            interests.retain(|one| !std::ptr::eq(one.pool.as_ptr(), Arc::as_ptr(pool)));
            if interests.is_empty() {
                // An error says that the kernel does not watch it any more.
                let _ = self.inotify.rm_watch(*watch);
            }
            !interests.is_empty()
        });
    }

    /// The pools in which something changed, with the names.
    fn heard(&self, event: &InotifyEvent) -> Vec<(Arc<Pool>, Option<String>)> {
        let mut watched = self.lock();
        let all = event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
        let interests: Vec<&Wish> = if all {
            watched.values().flatten().collect()
        } else {
            watched.get(&event.wd).into_iter().flatten().collect()
        };
        let changed = interests.into_iter().filter_map(|interest| {
            let pool = interest.pool.upgrade()?;
            match (&interest.only, &event.name) {
                _ if all => Some((pool, None)),
                (Some(only), Some(name)) => (only == name).then_some((pool, None)),
                (_, None) => Some((pool, None)),
                (None, Some(name)) => {
                    let name = name.to_str()?;
                    (!name.starts_with(TEMPORARY)).then(|| (pool, Some(name.to_owned())))
                }
            }
        });
        let changed = changed.collect();
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            watched.remove(&event.wd);
        }
        changed
    }
}

/// Follows what the watcher hears, for as long as there is the driver.
pub(crate) async fn follow(watcher: Arc<Watcher>, core: Weak<Core>) {
    loop {
        let ready = wait_until(watcher.inotify.as_fd(), Interest::READABLE, || Ok(true));
        if let Err(why) = ready.await {
            tracing::error!("directories of storage pools are not watched any more: {why}");
            return;
        }
        let events = match watcher.inotify.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => continue,
            Err(errno) => {
                tracing::error!("directories of storage pools are not watched any more: {errno}");
                return;
            }
        };
        let Some(core) = core.upgrade() else {
            return;
        };
        for event in &events {
            for (pool, name) in watcher.heard(event) {
                core.look_later(&pool, name.as_deref());
            }
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
