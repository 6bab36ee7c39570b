//! A pool: what is known of it, published under its own lock, and who may change it.
//!
//! ```text
//!              create: run noted, storage made accessible, directory looked through
//!   inactive ─────────────────────────────────────────────────────────────────────▶ active (`Run`)
//!       ◀──────────────────────────────────────────────────────────────────────────
//!              destroy: no job of a volume, storage given back, note removed
//! ```
//!
//! The lock is held for moments only, and while what was changed is announced. Whoever reads waits for no job and no disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turns, OwnedMutexGuard};
use tokio::time::timeout;
use virtbus_api::event::{Event, EventHub};
use virtbus_api::object::{Kind, View};
use virtbus_api::storage::{
    StoragePoolEvent, StoragePoolId, StoragePoolInfo, StoragePoolLifecycle, StoragePoolState,
    StoragePoolView, StorageVolView,
};
use virtbus_api::{Error, Result, Uuid};
use virtbus_conf_base::Bytes;
use virtbus_conf_storage::storage_pool::StoragePool as Definition;

use crate::error;
use crate::folder::{Folder, Space};
use crate::hands::Hands;
use crate::jobs::Jobs;
use crate::look::{Scan, Volume, Volumes};
use crate::pending::Pending;

/// So long one job of a pool waits for another one.
const PATIENCE: Duration = Duration::from_secs(15);

/// A pool that is active.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its directory; let go while its storage is given back.
    pub(crate) folder: Option<Arc<Folder>>,
    pub(crate) volumes: Arc<Volumes>,
    pub(crate) space: Space,
    /// Why its directory could not be looked through at last.
    pub(crate) trouble: Option<String>,
}

/// What is known of a pool.
#[derive(Debug)]
struct Known {
    view: Arc<StoragePoolView>,
    /// What was told of it last; nothing while it is in no list.
    announced: Option<Arc<StoragePoolView>>,
    /// The definition in use: that of the run, or else the stored one.
    definition: Arc<Definition>,
    /// The stored one for the next start, where it is another.
    next: Option<Arc<Definition>>,
    persistent: bool,
    autostart: bool,
    is_building: bool,
    run: Option<Run>,
}

/// A pool.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) id: StoragePoolId,
    known: Mutex<Known>,
    /// One change of the pool itself at a time.
    turns: Arc<Turns<()>>,
    /// One look at the directory at a time, from the look until what was found is published: what was found later is published later.
    looking: Arc<Turns<()>>,
    /// How often its directory was begun to be looked through.
    looks: AtomicU64,
    /// What is to be looked at because the kernel told of it.
    pending: Mutex<Pending>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) hands: Hands,
}

/// What names a pool with this definition.
pub(crate) fn id_of(definition: &Definition) -> StoragePoolId {
    StoragePoolId {
        uuid: definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
        name: definition.name.as_deref().unwrap_or_default().into(),
    }
}

/// The directory of a pool.
pub(crate) fn target_path(definition: &Definition) -> Option<&str> {
    definition.target.as_ref()?.path.as_deref()
}

impl Known {
    fn is_shown(&self) -> bool {
        self.persistent || self.run.is_some()
    }

    /// Tells what is new: of the pool, of volumes that came with it, and what happened. Of what goes is told last.
    fn publish<'a>(
        &mut self,
        hub: &EventHub,
        came: impl IntoIterator<Item = &'a Arc<StorageVolView>>,
        events: &[StoragePoolEvent],
    ) {
        let before = self.announced.take();
        let after = self.is_shown().then(|| {
            let view = StoragePoolView {
                id: self.view.id.clone(),
                active: self.run.is_some(),
                persistent: self.persistent,
                autostart: self.autostart,
                pool_type: self.definition.kind.as_str().into(),
            };
            if *self.view != view {
                self.view = Arc::new(view);
            }
            Arc::clone(&self.view)
        });
        if before.is_none() && after.is_none() {
            return;
        }
        let goes = after.is_none();
        let changed = (before != after).then(|| Event::Changed {
            before: before.map(View::from),
            after: after.clone().map(View::from),
        });
        self.announced = after;
        if let Some(changed) = changed.as_ref().filter(|_| !goes) {
            hub.publish(changed);
        }
        announce(hub, [], came);
        for event in events {
            hub.publish(&Event::StoragePool(self.view.id.clone(), *event));
        }
        if let Some(changed) = changed.as_ref().filter(|_| goes) {
            hub.publish(changed);
        }
    }
}

/// Tells that volumes went or came.
fn announce<'a>(
    hub: &EventHub,
    gone: impl IntoIterator<Item = &'a Arc<StorageVolView>>,
    came: impl IntoIterator<Item = &'a Arc<StorageVolView>>,
) {
    let view = |view: &Arc<StorageVolView>| Some(View::from(Arc::clone(view)));
    for gone in gone {
        hub.publish(&Event::Changed {
            before: view(gone),
            after: None,
        });
    }
    for came in came {
        hub.publish(&Event::Changed {
            before: None,
            after: view(came),
        });
    }
}

impl Pool {
    /// A pool that is off.
    pub(crate) fn new(definition: Definition, persistent: bool, autostart: bool) -> Self {
        let id = id_of(&definition);
        let view = StoragePoolView {
            id: id.clone(),
            active: false,
            persistent,
            autostart,
            pool_type: definition.kind.as_str().into(),
        };
        Self {
            known: Mutex::new(Known {
                view: Arc::new(view),
                announced: None,
                definition: Arc::new(definition),
                next: None,
                persistent,
                autostart,
                is_building: false,
                run: None,
            }),
            turns: Arc::default(),
            looking: Arc::default(),
            looks: AtomicU64::new(0),
            pending: Mutex::default(),
            jobs: Arc::default(),
            hands: Hands::new(Arc::clone(&id.name)),
            id,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self, what: &str) -> Error {
        error::invalid(format!("storage pool '{}' {what}", self.id.name))
    }

    /// The turn to change the pool itself.
    ///
    /// # Errors
    /// `OperationTimeout` if something else is done with it for long.
    pub(crate) async fn turn(&self) -> Result<OwnedMutexGuard<()>> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).lock_owned()).await;
        turn.map_err(|_| {
            let name = &self.id.name;
            error::slow(format!("storage pool '{name}' is being started, stopped, built or changed, which takes long"))
        })
    }

    /// The turn to look at the directory, or to change names in it.
    ///
    /// # Errors
    /// `OperationTimeout` if the directory does not answer.
    pub(crate) async fn look_turn(&self) -> Result<OwnedMutexGuard<()>> {
        let turn = timeout(PATIENCE, Arc::clone(&self.looking).lock_owned()).await;
        turn.map_err(|_| {
            let name = &self.id.name;
            error::slow(format!("the directory of storage pool '{name}' is being looked through, and does not answer"))
        })
    }

    /// What is known of it, if it is in lists.
    pub(crate) fn view(&self) -> Option<Arc<StoragePoolView>> {
        let known = self.lock();
        known.is_shown().then(|| Arc::clone(&known.view))
    }

    /// Whether it is not in lists, and nothing is done with it: then it can be forgotten.
    pub(crate) fn is_over(&self) -> bool {
        !self.lock().is_shown()
    }

    /// The definition in use, or the one for the next start.
    pub(crate) fn definition(&self, of_next: bool) -> Arc<Definition> {
        let known = self.lock();
        let next = known.next.as_ref().filter(|_| of_next);
        Arc::clone(next.unwrap_or(&known.definition))
    }

    /// The definition with what is known now.
    pub(crate) fn shown(&self, of_next: bool) -> Definition {
        let known = self.lock();
        let next = known.next.as_ref().filter(|_| of_next);
        let mut shown = (**next.unwrap_or(&known.definition)).clone();
        if let Some(run) = &known.run {
            shown.capacity = Bytes::new(run.space.capacity);
            shown.allocation = Bytes::new(run.space.allocation());
            shown.available = Bytes::new(run.space.available);
        }
        shown
    }

    /// Numbers about it.
    pub(crate) fn info(&self) -> StoragePoolInfo {
        let known = self.lock();
        let space = known.run.as_ref().map_or(Space::default(), |run| run.space);
        let state = match &known.run {
            _ if known.is_building => StoragePoolState::Building,
            None => StoragePoolState::Inactive,
            Some(run) if run.trouble.is_some() => StoragePoolState::Inaccessible,
            Some(_) => StoragePoolState::Running,
        };
        StoragePoolInfo {
            state,
            capacity: space.capacity,
            allocation: space.allocation(),
            available: space.available,
        }
    }

    /// `OperationInvalid` unless it is off.
    pub(crate) fn check_inactive(&self) -> Result<()> {
        match &self.lock().run {
            None => Ok(()),
            Some(_) => Err(self.wrong("is already active")),
        }
    }

    /// `OperationInvalid` unless it has a stored definition.
    pub(crate) fn check_persistent(&self) -> Result<()> {
        self.lock()
            .persistent
            .then_some(())
            .ok_or_else(|| self.wrong("is transient"))
    }

    /// Its directory.
    ///
    /// # Errors
    /// `OperationInvalid` unless it is active.
    pub(crate) fn folder(&self) -> Result<Arc<Folder>> {
        let known = self.lock();
        let run = known.run.as_ref();
        run.and_then(|run| run.folder.clone())
            .ok_or_else(|| self.wrong("is not active"))
    }

    /// Lets its directory go, which could not be unmounted otherwise.
    pub(crate) fn let_go(&self) {
        if let Some(run) = &mut self.lock().run {
            run.folder = None;
        }
    }

    /// Holds its directory again.
    pub(crate) fn hold(&self, folder: Arc<Folder>) {
        if let Some(run) = &mut self.lock().run {
            run.folder = Some(folder);
        }
    }

    /// What is to be looked at because the kernel told of it.
    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often its directory was begun to be looked through.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Acquire)
    }

    /// It is looked through from now on.
    pub(crate) fn look_begins(&self) {
        self.looks.fetch_add(1, Ordering::AcqRel);
    }

    /// Its volumes.
    ///
    /// # Errors
    /// `OperationInvalid` unless it is active.
    pub(crate) fn volumes(&self) -> Result<Arc<Volumes>> {
        let known = self.lock();
        let run = known.run.as_ref();
        run.map(|run| Arc::clone(&run.volumes))
            .ok_or_else(|| self.wrong("is not active"))
    }

    /// One of its volumes.
    ///
    /// # Errors
    /// `NoStorageVol`; `OperationInvalid` unless the pool is active.
    pub(crate) fn volume(&self, name: &str) -> Result<Arc<Volume>> {
        let volumes = self.volumes()?;
        let volume = volumes.get(name).cloned();
        volume.ok_or_else(|| Error::not_found(Kind::StorageVol, "name", name))
    }

    /// A definition was stored.
    pub(crate) fn defined(&self, hub: &EventHub, definition: Definition) {
        let mut known = self.lock();
        known.persistent = true;
        let definition = Arc::new(definition);
        if known.run.is_some() {
            known.next = Some(definition);
        } else {
            known.definition = definition;
        }
        let event = StoragePoolEvent::Lifecycle(StoragePoolLifecycle::Defined);
        known.publish(hub, [], &[event]);
    }

    /// Its definition is not stored any more.
    pub(crate) fn undefined(&self, hub: &EventHub) {
        let mut known = self.lock();
        known.persistent = false;
        known.autostart = false;
        known.next = None;
        let event = StoragePoolEvent::Lifecycle(StoragePoolLifecycle::Undefined);
        known.publish(hub, [], &[event]);
    }

    /// It is started with the host from now on, or not.
    pub(crate) fn set_autostart(&self, hub: &EventHub, autostart: bool) {
        let mut known = self.lock();
        known.autostart = autostart;
        known.publish(hub, [], &[]);
    }

    /// It is being built from now on, or not; `event` if something came of it.
    pub(crate) fn building(
        &self,
        hub: &EventHub,
        is_building: bool,
        event: Option<StoragePoolLifecycle>,
    ) {
        let mut known = self.lock();
        known.is_building = is_building;
        let events: Vec<_> = event.map(StoragePoolEvent::Lifecycle).into_iter().collect();
        known.publish(hub, [], &events);
    }

    /// It is there, and nobody was told: for pools that a new daemon finds.
    pub(crate) fn show(&self, hub: &EventHub) {
        self.lock().publish(hub, [], &[]);
    }

    /// It is active, by this definition.
    pub(crate) fn started(
        &self,
        hub: &EventHub,
        definition: Arc<Definition>,
        folder: Arc<Folder>,
        scan: Scan,
        event: Option<StoragePoolLifecycle>,
    ) {
        let mut known = self.lock();
        if known.persistent && known.next.is_none() && known.definition != definition {
            known.next = Some(Arc::clone(&known.definition));
        }
        known.definition = definition;
        let volumes = Arc::new(scan.volumes);
        known.run = Some(Run {
            folder: Some(folder),
            volumes: Arc::clone(&volumes),
            space: scan.space,
            trouble: None,
        });
        let events: Vec<_> = event.map(StoragePoolEvent::Lifecycle).into_iter().collect();
        known.publish(hub, volumes.values().map(|volume| &volume.view), &events);
    }

    /// It is off.
    pub(crate) fn stopped(&self, hub: &EventHub) {
        let mut known = self.lock();
        if let Some(run) = known.run.take() {
            announce(hub, run.volumes.values().map(|volume| &volume.view), []);
        }
        if let Some(next) = known.next.take() {
            known.definition = next;
        }
        let event = StoragePoolEvent::Lifecycle(StoragePoolLifecycle::Stopped);
        known.publish(hub, [], &[event]);
    }

    /// Its directory was looked through, which is an event of its own if `tell` says so.
    pub(crate) fn refreshed(&self, hub: &EventHub, folder: Arc<Folder>, scan: Scan, tell: bool) {
        let mut known = self.lock();
        let Some(run) = &mut known.run else {
            return;
        };
        let volumes = Arc::new(scan.volumes);
        let before = std::mem::replace(&mut run.volumes, Arc::clone(&volumes));
        (run.folder, run.space, run.trouble) = (Some(folder), scan.space, None);
        let differs = |from: &Volumes, volume: &Volume| {
            let other = from.get(&volume.view.id.name);
            other.is_none_or(|other| other.view != volume.view)
        };
        let gone = before.values().filter(|volume| differs(&volumes, volume));
        let came = volumes.values().filter(|volume| differs(&before, volume));
        announce(hub, gone.map(|volume| &volume.view), []);
        let event = [StoragePoolEvent::Refresh];
        let events: &[StoragePoolEvent] = if tell { &event } else { &[] };
        known.publish(hub, came.map(|volume| &volume.view), events);
    }

    /// Its directory could not be looked through.
    pub(crate) fn troubled(&self, trouble: &str) {
        let mut known = self.lock();
        if let Some(run) = &mut known.run
            && run.trouble.as_deref() != Some(trouble)
        {
            tracing::warn!(
                pool = %self.id.name,
                "storage pool '{}' cannot be looked through: {trouble}",
                self.id.name
            );
            run.trouble = Some(trouble.to_owned());
        }
    }

    /// Some of its names were looked at.
    pub(crate) fn found(
        &self,
        hub: &EventHub,
        found: Vec<(Arc<str>, Option<Arc<Volume>>)>,
        space: Option<Space>,
    ) {
        let mut known = self.lock();
        let Some(run) = &mut known.run else {
            return;
        };
        if let Some(space) = space {
            run.space = space;
        }
        for (name, volume) in found {
            let before = run.volumes.get(&name).cloned();
            let is_same = match (&before, &volume) {
                (Some(before), Some(after)) => Arc::ptr_eq(before, after),
                (None, None) => true,
                _ => false,
            };
            if is_same {
                continue;
            }
            let volumes = Arc::make_mut(&mut run.volumes);
            match &volume {
                Some(volume) => volumes.insert(name, Arc::clone(volume)),
                None => volumes.remove(&name),
            };
            let views = [&before, &volume].map(|one| one.as_ref().map(|one| &one.view));
            if views[0] != views[1] {
                announce(hub, views[0], views[1]);
            }
        }
    }
}
