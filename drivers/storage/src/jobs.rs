//! What is being done with the volumes of a pool: several may read one at the same time, and one alone may change it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use virtbus_api::Result;

use crate::error;

/// So long one job waits for another one of the same volume.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is done with one volume now.
#[derive(Debug)]
struct Busy {
    /// What the last one that came does, such as "being cloned".
    what: &'static str,
    /// How many read it; none while it is changed.
    readers: usize,
}

#[derive(Debug, Default)]
struct State {
    busy: BTreeMap<Arc<str>, Busy>,
    is_closed: bool,
}

/// The jobs of one pool.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    state: Mutex<State>,
    ended: Notify,
}

/// A job. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Held {
    jobs: Arc<Jobs>,
    volume: Arc<str>,
}

/// Why a job cannot begin now.
enum Wait {
    Closed,
    For(&'static str),
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_begin(&self, volume: &Arc<str>, what: &'static str, reads: bool) -> Result<(), Wait> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Wait::Closed);
        }
        let readers = usize::from(reads);
        match state.busy.entry(Arc::clone(volume)) {
            Entry::Vacant(free) => {
                free.insert(Busy { what, readers });
            }
            Entry::Occupied(mut there) if reads && there.get().readers > 0 => {
                there.get_mut().readers += 1;
            }
            Entry::Occupied(there) => return Err(Wait::For(there.get().what)),
        }
        Ok(())
    }

    async fn begin(
        self: &Arc<Self>,
        volume: &Arc<str>,
        what: &'static str,
        reads: bool,
    ) -> Result<Held> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // From here on no end is missed.
            ended.as_mut().enable();
            let in_the_way = match self.try_begin(volume, what, reads) {
                Ok(()) => {
                    return Ok(Held {
                        jobs: Arc::clone(self),
                        volume: Arc::clone(volume),
                    });
                }
                Err(Wait::Closed) => {
                    return Err(error::invalid("the storage pool is being stopped"));
                }
                Err(Wait::For(what)) => what,
            };
            if timeout_at(deadline, ended).await.is_err() {
                return Err(error::slow(format!("volume '{volume}' is {in_the_way}")));
            }
        }
    }

    /// Begins to read a volume.
    ///
    /// # Errors
    /// `OperationTimeout` if it is being changed for long; `OperationInvalid` if the pool is being stopped.
    pub(crate) async fn read(
        self: &Arc<Self>,
        volume: &Arc<str>,
        what: &'static str,
    ) -> Result<Held> {
        self.begin(volume, what, true).await
    }

    /// Begins to change a volume, or to make it.
    ///
    /// # Errors
    /// `OperationTimeout` if something else is done with it for long; `OperationInvalid` if the pool is being stopped.
    pub(crate) async fn change(
        self: &Arc<Self>,
        volume: &Arc<str>,
        what: &'static str,
    ) -> Result<Held> {
        self.begin(volume, what, false).await
    }

    /// Lets no job begin any more, unless one is under way: that one is told, by volume.
    pub(crate) fn close(&self) -> Result<(), (Arc<str>, &'static str)> {
        let mut state = self.lock();
        if let Some((volume, busy)) = state.busy.first_key_value() {
            return Err((Arc::clone(volume), busy.what));
        }
        state.is_closed = true;
        Ok(())
    }

    /// Lets jobs begin again.
    pub(crate) fn open(&self) {
        self.lock().is_closed = false;
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().busy.is_empty()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.jobs.lock();
        if let Entry::Occupied(mut busy) = state.busy.entry(Arc::clone(&self.volume)) {
            if busy.get().readers > 1 {
                busy.get_mut().readers -= 1;
            } else {
                busy.remove();
            }
        }
        drop(state);
        self.jobs.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_read_and_one_changes() {
        let jobs = Arc::new(Jobs::default());
        let (one, other): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let first = jobs.read(&one, "being downloaded").await.unwrap();
        let second = jobs.read(&one, "being cloned").await.unwrap();
        let refused = jobs.change(&one, "being resized").await.unwrap_err();
        assert!(
            refused.message.contains("'a' is being downloaded"),
            "{refused}"
        );
        let free = jobs.change(&other, "being resized").await.unwrap();
        assert_eq!(jobs.close().unwrap_err().0, one);
        let waiting = tokio::spawn({
            let (jobs, one) = (Arc::clone(&jobs), Arc::clone(&one));
            async move { jobs.change(&one, "being wiped").await.map(drop) }
        });
        tokio::task::yield_now().await;
        drop((first, second, free));
        waiting.await.unwrap().unwrap();
        jobs.close().unwrap();
        assert!(jobs.read(&one, "being read").await.is_err());
        jobs.open();
        assert!(jobs.read(&one, "being read").await.is_ok());
        assert!(jobs.is_empty());
    }
}
