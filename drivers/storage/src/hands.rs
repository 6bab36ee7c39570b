//! Threads for what may hang: each pool has few of its own, so that a directory that does not answer holds up what is done in its pool, and
//! nothing else.
//!
//! A thread that hangs in the kernel is left behind and ends when the kernel lets go; until then it counts as one of its pool's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};
use virtbus_api::{Error, Result};

use crate::error;

/// What is done in a directory takes microseconds. So long is waited for it.
pub(crate) const QUICK: Duration = Duration::from_secs(15);
/// Looking through a directory with very many images on a slow disk.
pub(crate) const SCAN: Duration = Duration::from_secs(180);
/// Content of any size is written.
pub(crate) const LONG: Duration = Duration::from_secs(7 * 24 * 3600);

/// So many threads may do something short at the same time.
const MOST_QUICK: usize = 4;
/// So many may write content.
const MOST_LONG: usize = 16;

/// A thread needs little: nothing in it calls itself.
const STACK: usize = 512 << 10;

/// The threads of one pool.
#[derive(Debug)]
pub(crate) struct Hands {
    pool: Arc<str>,
    quick: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Hands {
    /// Those of a pool, by its name.
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self {
            pool,
            quick: Arc::new(Semaphore::new(MOST_QUICK)),
            long: Arc::new(Semaphore::new(MOST_LONG)),
        }
    }

    /// Has work done that may hang, within a limit: one of those above, or a shorter one.
    ///
    /// # Errors
    /// `OperationTimeout` if it has not ended, or has not begun because too many hang already. It may still be done later.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        what: &str,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let turns = if limit >= LONG {
            &self.long
        } else {
            &self.quick
        };
        let turn = timeout_at(deadline, Arc::clone(turns).acquire_owned()).await;
        let turn = turn.map_err(|_| self.slow(what, limit))?;
        let (sender, answer) = oneshot::channel();
        let body = move || {
            let _turn = turn;
            let _ = sender.send(work());
        };
        let started = std::thread::Builder::new()
            .name("storage".to_owned())
            .stack_size(STACK)
            .spawn(body);
        started.map_err(|error| error::system("no thread can be started", &error))?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(Error::internal(format!("{what}: the thread failed"))),
            Err(_) => Err(self.slow(what, limit)),
        }
    }

    fn slow(&self, what: &str, limit: Duration) -> Error {
        error::slow(format!(
            "{what}: the storage of pool '{}' has not answered for {} s",
            self.pool,
            limit.as_secs()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_hangs_holds_up_its_own_pool_only() {
        let (stuck, well) = (Hands::new("stuck".into()), Hands::new("well".into()));
        let short = Duration::from_millis(20);
        let (release, wait) = mpsc::channel::<()>();
        let wait = Arc::new(std::sync::Mutex::new(wait));
        for _ in 0..MOST_QUICK {
            let wait = Arc::clone(&wait);
            let hung = stuck.run("look", short, move || {
                let _ = wait.lock().map(|wait| wait.recv());
            });
            assert!(hung.await.is_err());
        }
        let more = stuck.run("look", short, || ()).await.unwrap_err();
        assert!(more.message.contains("'stuck'"), "{more}");
        assert_eq!(well.run("look", QUICK, || 1).await.unwrap(), 1);
        drop(release);
        assert_eq!(stuck.run("look", QUICK, || 2).await.unwrap(), 2);
    }
}
