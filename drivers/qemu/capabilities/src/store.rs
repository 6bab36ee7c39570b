//! Gives the capabilities of emulators: from memory while the binary is as it was, else from disk,
//! else by asking the emulator. However many callers want the same, it is found out once.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Capabilities;
use super::cache::{self, Host, Key, Kind};
use super::kvm::{self, KvmProblem, KvmUsability};
use super::looks::Looks;
use super::probe::{self, ProbeError, ProbeFailure, ProbeOptions};

/// How long a failure is remembered, so that a broken emulator is not started for each call.
const FAILURE_REMEMBERED: Duration = Duration::from_secs(5);

/// The capabilities of all emulators that somebody asked about.
#[derive(Debug)]
pub struct CapabilitiesStore {
    cache_dir: Option<PathBuf>,
    options: ProbeOptions,
    host: Host,
    looks: Looks,
    capabilities: Flights<Capabilities>,
    kvm: Flights<KvmUsability>,
}

impl CapabilitiesStore {
    /// A store that keeps its files in `cache_dir` (made when needed), or none.
    pub fn new(cache_dir: Option<PathBuf>, options: ProbeOptions) -> Self {
        Self {
            cache_dir,
            options,
            host: Host::now(),
            looks: Looks::default(),
            capabilities: Flights::default(),
            kvm: Flights::default(),
        }
    }

    /// Does `look`, which looks at the file at `path`, on a thread where it may block; at most 10 s are waited for it. Cancel
    /// safe: a look that was begun goes on without its caller.
    ///
    /// # Errors
    /// `TimedOut` if it does not end, or if too many others have not ended.
    pub async fn look<T: Send + 'static>(
        &self,
        path: &Path,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        self.looks.look(path, look).await
    }

    /// What an emulator can do. Two `stat` calls while it is in memory; well under a millisecond
    /// from disk; a tenth of a second if the emulator must be asked. Cancel safe: what was begun
    /// for one caller goes on for others and later ones.
    ///
    /// # Errors
    /// [`ProbeError`], which names the binary; the same for a few seconds.
    pub async fn get(&self, binary: &Path) -> Result<Arc<Capabilities>, Arc<ProbeError>> {
        let key = self.key(binary).await?;
        let (dir, options) = (self.cache_dir.clone(), self.options.clone());
        let work = |key: Key| async move {
            if let Some(found) = load(dir.clone(), Kind::Capabilities, key.clone()).await {
                return Ok(found);
            }
            let found = probe::probe(key.binary(), &options).await?;
            save(dir, Kind::Capabilities, key, &found).await;
            Ok(found)
        };
        self.capabilities.get(binary, key, work).await
    }

    /// What is in memory, without waiting for more than two `stat` calls; `None` also if the binary changed since.
    pub fn peek(&self, binary: &Path) -> Option<Arc<Capabilities>> {
        let key = Key::now(binary, &self.host, &self.options).ok()?;
        self.capabilities.peek(binary, &key)
    }

    /// Whether guests of this emulator run under KVM. Really runs one, once for each boot of the
    /// host: a tenth of a second where KVM works, two seconds and more where it does not.
    ///
    /// # Errors
    /// As [`CapabilitiesStore::get`]; that KVM does not work is not an error.
    pub async fn kvm(&self, binary: &Path) -> Result<Arc<KvmUsability>, Arc<ProbeError>> {
        let capabilities = self.get(binary).await?;
        let key = self.key(binary).await?;
        let (dir, options) = (self.cache_dir.clone(), self.options.clone());
        let work = |key: Key| async move {
            if let Some(found) = load(dir.clone(), Kind::Kvm, key.clone()).await {
                return Ok(found);
            }
            let found = kvm::probe(&capabilities, &options).await;
            // What is quickly found out again, or may pass, is not worth a file.
            match &found {
                KvmUsability::Usable | KvmUsability::Unusable(KvmProblem::DoesNotRun { .. }) => {
                    save(dir, Kind::Kvm, key, &found).await;
                }
                KvmUsability::Unusable(_) => {}
            }
            Ok(found)
        };
        self.kvm.get(binary, key, work).await
    }

    async fn key(&self, binary: &Path) -> Result<Key, Arc<ProbeError>> {
        let (path, host, options) = (binary.to_owned(), self.host.clone(), self.options.clone());
        let look = move || Key::now(&path, &host, &options);
        let key = self.looks.look(binary, look).await.flatten();
        key.map_err(|source| {
            Arc::new(ProbeError {
                binary: binary.to_owned(),
                stderr: String::new(),
                source: ProbeFailure::Stat(source),
            })
        })
    }
}

async fn load<T>(dir: Option<PathBuf>, kind: Kind, key: Key) -> Option<T>
where
    T: serde::de::DeserializeOwned + Send + 'static,
{
    let load = tokio::task::spawn_blocking(move || cache::load(&dir?, kind, &key));
    // A panic there is a bug, and as good as no file.
    load.await.ok().flatten()
}

async fn save<T>(dir: Option<PathBuf>, kind: Kind, key: Key, value: &T)
where
    T: serde::Serialize + Clone + Send + 'static,
{
    let Some(dir) = dir else { return };
    let value = value.clone();
    let save = tokio::task::spawn_blocking(move || cache::store(&dir, kind, &key, &value));
    let _ = save.await;
}

type Outcome<T> = Result<Arc<T>, Arc<ProbeError>>;

/// Work in progress and done, by binary. Everybody who wants the same waits for the same task.
#[derive(Debug)]
struct Flights<T>(Mutex<Flying<T>>);

#[derive(Debug)]
struct Flying<T> {
    slots: HashMap<PathBuf, Slot<T>>,
    /// Ended with this value.
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Slot<T> {
    key: Key,
    outcome: watch::Receiver<Option<(Outcome<T>, Instant)>>,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::new(Flying {
            slots: HashMap::new(),
            tasks: JoinSet::new(),
        }))
    }
}

impl<T> Slot<T> {
    /// Whether it still answers for the binary as it is now.
    fn holds(&self, key: &Key) -> bool {
        let failed_long_ago = match &*self.outcome.borrow() {
            Some((Err(_), at)) => at.elapsed() > FAILURE_REMEMBERED,
            Some((Ok(_), _)) => false,
            // Under way, unless its task is gone.
            None => self.outcome.has_changed().is_err(),
        };
        self.key == *key && !failed_long_ago
    }
}

impl<T: Send + Sync + 'static> Flights<T> {
    async fn get<F>(&self, binary: &Path, key: Key, work: impl FnOnce(Key) -> F) -> Outcome<T>
    where
        F: Future<Output = Result<T, ProbeError>> + Send + 'static,
    {
        let mut outcome = {
            let mut flying = self.lock();
            while flying.tasks.try_join_next().is_some() {}
            let held = flying.slots.get(binary).filter(|slot| slot.holds(&key));
            if let Some(slot) = held {
                slot.outcome.clone()
            } else {
                let (sender, outcome) = watch::channel(None);
                let work = work(key.clone());
                flying.tasks.spawn(async move {
                    let result = work.await.map(Arc::new).map_err(Arc::new);
                    sender.send_replace(Some((result, Instant::now())));
                });
                let slot = Slot {
                    key,
                    outcome: outcome.clone(),
                };
                flying.slots.insert(binary.to_owned(), slot);
                outcome
            }
        };
        let aborted = || {
            Arc::new(ProbeError {
                binary: binary.to_owned(),
                stderr: String::new(),
                source: ProbeFailure::Aborted,
            })
        };
        match outcome.wait_for(Option::is_some).await {
            Ok(done) => match &*done {
                Some((result, _)) => result.clone(),
                None => Err(aborted()),
            },
            Err(_) => Err(aborted()),
        }
    }

    fn peek(&self, binary: &Path, key: &Key) -> Option<Arc<T>> {
        let flying = self.lock();
        let slot = flying.slots.get(binary).filter(|slot| slot.key == *key)?;
        match &*slot.outcome.borrow() {
            Some((Ok(found), _)) => Some(Arc::clone(found)),
            Some((Err(_), _)) | None => None,
        }
    }

    /// The maps are whole after every statement, so a panic elsewhere leaves them usable.
    fn lock(&self) -> MutexGuard<'_, Flying<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
