//! What the parts of the driver share, and the turns by which a pool is changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use virtbus_api::providers::SecretValues;
use virtbus_api::{Error, Result};

use crate::error;
use crate::notify::Watcher;
use crate::pool::Pool;
use crate::store::Store;
use crate::table::Table;

/// The disk with the driver's own files has so long.
const DISK: Duration = Duration::from_secs(30);

/// What the parts of the driver share.
pub(crate) struct Core {
    pub(crate) table: Arc<Table>,
    store: Arc<Store>,
    pub(crate) watcher: Option<Arc<Watcher>>,
    pub(crate) secrets: Option<Arc<dyn SecretValues>>,
    /// What names begin with of volumes that this daemon has not finished.
    pub(crate) temporary: Arc<str>,
}

/// The turn to change a pool. A pool that is in no list when it ends is forgotten.
pub(crate) struct Turn {
    table: Arc<Table>,
    pool: Arc<Pool>,
    _guard: OwnedMutexGuard<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.table.forget(&self.pool);
    }
}

impl Core {
    pub(crate) fn new(
        store: Arc<Store>,
        watcher: Option<Arc<Watcher>>,
        secrets: Option<Arc<dyn SecretValues>>,
        temporary: Arc<str>,
    ) -> Self {
        Self {
            table: Arc::new(Table::new()),
            store,
            watcher,
            secrets,
            temporary,
        }
    }

    /// The turn to change a pool.
    ///
    /// # Errors
    /// `OperationTimeout` if something else is done with it for long; `NoStoragePool` if it is gone by then.
    pub(crate) async fn turn(&self, pool: &Arc<Pool>) -> Result<Turn> {
        let guard = pool.turn().await?;
        self.table.check_there(pool)?;
        Ok(Turn {
            table: Arc::clone(&self.table),
            pool: Arc::clone(pool),
            _guard: guard,
        })
    }

    /// Runs work on the driver's own files, with a deadline.
    ///
    /// # Errors
    /// As [`on_disk`].
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        on_disk(&self.store, work).await
    }
}

/// Runs work on the driver's own files, with a deadline. It goes on when nobody waits for it any more.
///
/// # Errors
/// Those of the work; `OperationTimeout`.
pub(crate) async fn on_disk<T: Send + 'static>(
    store: &Arc<Store>,
    work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
) -> Result<T> {
    let store = Arc::clone(store);
    let work = tokio::task::spawn_blocking(move || work(&store));
    match timeout(DISK, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failed)) => Err(Error::internal(format!(
            "a task of the storage driver failed: {failed}"
        ))),
        Err(_) => Err(error::slow(format!(
            "the disk with the definitions of storage pools has not answered for {} s",
            DISK.as_secs()
        ))),
    }
}
