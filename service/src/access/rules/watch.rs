//! Keeps what the rules look at true: a thread reads them whenever a file in their directories changes, and whoever hears that polkit has
//! read them anew has them read here as well ([`Watched::look_again`]).
//!
//! Whoever asks ([`Watched::rules`]) reads memory only. Where changes cannot be heard of, polkit is asked about each object by
//! itself, which is always right.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::{DIRECTORIES, Installed};

/// The rules as they are now.
pub(in crate::access) struct Watched {
    rules: RwLock<Arc<Installed>>,
    /// Told after each change of what the rules look at. That they answer otherwise than before is told by polkit.
    changed: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Held from before they are read until that is known: what was read earlier never comes later.
    reading: Mutex<()>,
    /// Changes are not noticed, so that what is read is no evidence.
    has_given_up: AtomicBool,
}

impl Watched {
    /// Reads the rules and begins to watch them; `changed` is called, on a thread of its own, after each change has been read.
    pub(in crate::access) fn start(changed: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let watched = Arc::new(Self {
            // Until they are read.
            rules: RwLock::new(Arc::new(Installed::unknown(String::new()))),
            changed: OnceLock::new(),
            reading: Mutex::default(),
            has_given_up: AtomicBool::new(false),
        });
        let _ = watched.changed.set(Box::new(changed));
        // Before the first look, so that no change is missed in between.
        let first = listen();
        match first {
            Ok(inotify) => {
                watched.look_again();
                let weak = Arc::downgrade(&watched);
                let spawned = std::thread::Builder::new()
                    .name("polkit-rules".to_owned())
                    .spawn(move || follow(&weak, inotify));
                if let Err(error) = spawned {
                    watched.give_up(&error);
                }
            }
            Err(errno) => watched.give_up(&errno),
        }
        watched
    }

    /// What the rules look at.
    pub(in crate::access) fn rules(&self) -> Arc<Installed> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the rules: polkit may have other ones than before.
    pub(in crate::access) fn look_again(&self) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has_given_up.load(Ordering::Relaxed) {
            self.publish(Installed::read());
        }
    }

    fn publish(&self, rules: Installed) {
        {
            let mut known = self.rules.write().unwrap_or_else(PoisonError::into_inner);
            if **known == rules {
                return;
            }
            if let Some(cause) = rules.why_anything() {
                tracing::info!("polkit is asked for each object separately: {cause}");
            }
            if let Some(cause) = rules.why_not_last() {
                tracing::warn!(
                    "org.libvirt.unix.manage grants nothing, as polkit's defaults cannot be distinguished from rules that require a password: {cause}"
                );
            }
            *known = Arc::new(rules);
        }
        if let Some(changed) = self.changed.get() {
            changed();
        }
    }

    fn give_up(&self, error: &dyn std::fmt::Display) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_given_up.store(true, Ordering::Relaxed);
        let cause = format!("changes of its rules cannot be noticed: {error}");
        self.publish(Installed::unknown(cause));
    }
}

/// Reads the rules after each change, until nobody has them any more.
fn follow(watched: &Weak<Watched>, mut inotify: Inotify) {
    loop {
        let heard = loop {
            match inotify.read_events() {
                Err(Errno::EINTR) => {}
                heard => break heard,
            }
        };
        let Some(watched) = watched.upgrade() else {
            return;
        };
        // Anew, as a directory that is watched may have gone or another have come, and before the look.
        match heard.and_then(|_| listen()) {
            Ok(again) => inotify = again,
            Err(errno) => return watched.give_up(&errno),
        }
        watched.look_again();
    }
}

/// Listens for changes in the directories of rules; where one is not there, for its coming.
fn listen() -> Result<Inotify, Errno> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    for directory in DIRECTORIES {
        let directory = Path::new(directory);
        while let Err(errno) = inotify.add_watch(directory, within()) {
            if !is_missing(errno) {
                return Err(errno);
            }
            listen_above(&inotify, directory)?;
            // It may have come before it was listened for.
            if !directory.exists() {
                break;
            }
        }
    }
    Ok(inotify)
}

/// Listens in the nearest directory above that is there.
fn listen_above(inotify: &Inotify, directory: &Path) -> Result<(), Errno> {
    for above in directory.ancestors().skip(1) {
        match inotify.add_watch(above, coming()) {
            Ok(_) => return Ok(()),
            Err(errno) if is_missing(errno) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ENOENT)
}

const fn is_missing(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR)
}

/// What happens to rules.
fn within() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_MOVE_SELF
}

/// What brings a directory.
fn coming() -> AddWatchFlags {
    AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
}
