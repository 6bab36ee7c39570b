//! What the kernel tells of directories that are watched (inotify).

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use crate::folder::{Folder, TEMPORARY};
use crate::pool::Pool;

/// Hears from the kernel what changes.
#[derive(Debug)]
pub(crate) struct Watcher {
    inotify: Inotify,
    watched: Mutex<Watched>,
}

/// A pool in which something changed: the name, or all of it.
type Change = (Arc<Pool>, Option<String>);

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

    /// Readable when something changed.
    pub(crate) fn readable(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// The pools in which something changed, with the names; nothing if there is nothing to be told now.
    ///
    /// # Errors
    /// If the kernel tells of nothing any more.
    pub(crate) fn take(&self) -> Result<Vec<Change>, Errno> {
        match self.inotify.read_events() {
            Ok(events) => Ok(events.iter().flat_map(|event| self.heard(event)).collect()),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(errno),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a directory for a pool, and the one above it. Blocks.
    ///
    /// # Errors
    /// If the kernel cannot.
    pub(crate) fn add(&self, pool: &Weak<Pool>, folder: &Folder) -> Result<(), Errno> {
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

    /// Watches nothing for a pool any more.
    pub(crate) fn forget(&self, pool: &Arc<Pool>) {
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
    fn heard(&self, event: &InotifyEvent) -> Vec<Change> {
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
