//! Looks at files whose paths come from elsewhere: a file system that hangs keeps a few threads, and nobody who asks about
//! another file.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A look takes microseconds; whoever has waited so long waits for a file system that does not answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Looks at the same path at the same time, and at all of them. Those that never end stay among them.
const OF_A_PATH: usize = 4;
const ALTOGETHER: usize = 32;

/// Looks under way.
#[derive(Debug)]
pub(crate) struct Looks {
    all: Arc<Semaphore>,
    by_path: Mutex<HashMap<PathBuf, Arc<Semaphore>>>,
    deadline: Duration,
}

impl Default for Looks {
    fn default() -> Self {
        Self::within(DEADLINE)
    }
}

impl Looks {
    fn within(deadline: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALTOGETHER)),
            by_path: Mutex::default(),
            deadline,
        }
    }

    /// Does `look`, which looks at the file at `path`, on a thread where it may block. Cancel safe: a look that was begun goes
    /// on without its caller.
    ///
    /// # Errors
    /// `TimedOut` if that does not end, or if too many others have not ended.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        path: &Path,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let turns = self.turns(path);
        let whole = async {
            let closed = |_| io::Error::other("no files are looked at any more");
            let own = turns.acquire_owned().await.map_err(closed)?;
            let shared = Arc::clone(&self.all)
                .acquire_owned()
                .await
                .map_err(closed)?;
            let looking = tokio::task::spawn_blocking(move || {
                let _turns = (own, shared);
                look()
            });
            looking.await.map_err(io::Error::other)
        };
        timeout(self.deadline, whole).await.unwrap_or_else(|_| {
            let message = format!("its file system did not answer within {:?}", self.deadline);
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        })
    }

    fn turns(&self, path: &Path) -> Arc<Semaphore> {
        // Whole after every statement, so a panic elsewhere leaves it usable.
        let mut by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        // A look under way holds its path's entry by its turn.
        by_path.retain(|_, turns| Arc::strong_count(turns) > 1);
        let turns = by_path
            .entry(path.to_owned())
            .or_insert_with(|| Arc::new(Semaphore::new(OF_A_PATH)));
        Arc::clone(turns)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_path_that_hangs_holds_up_no_other() {
        let looks = Looks::within(Duration::from_millis(200));
        let hangs: Vec<_> = (0..OF_A_PATH * 3)
            .map(|_| {
                let (end, ended) = mpsc::channel::<()>();
                (end, ended)
            })
            .collect();
        let mut ends = Vec::new();
        let mut looking = Vec::new();
        for (end, ended) in hangs {
            ends.push(end);
            // Ends with the sender, as the look of a process that is killed would.
            looking.push(looks.look(Path::new("/hangs"), move || ended.recv().is_ok()));
        }
        for hung in futures_util::future::join_all(looking).await {
            assert_eq!(hung.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        for number in 0..100 {
            let other = PathBuf::from(format!("/other/{number}"));
            assert_eq!(looks.look(&other, move || number).await.unwrap(), number);
        }
        drop(ends);
        // The file system answers again.
        let again = Looks::look(&looks, Path::new("/hangs"), || 7);
        assert_eq!(again.await.unwrap(), 7);
        assert!(looks.by_path.lock().unwrap().len() <= 1);
    }
}
