//! The threads on which documents of clients are read: a few at a time, so that neither those who send large ones hold up
//! the calls of others, nor many of them together take the memory of the host.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use tokio::sync::Semaphore;
use virtbus_api::{Error, Result};
use virtbus_util::memory;

use crate::core::blocking;

/// So many documents are read at a time at most, however many processors there are.
const MOST: usize = 4;

/// After a document that is longer, memory is given back, bytes.
const LARGE: usize = 256 << 10;

/// Turns at reading.
#[derive(Debug)]
pub(crate) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Semaphore::new(processors.clamp(2, MOST))))
    }
}

impl Readers {
    /// Does `work`, which reads a document of so many bytes and waits for nothing, in its turn. A caller that goes away gives its turn up, or
    /// keeps it until the work that was begun is done.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.0).acquire_owned().await;
        let turn = turn.map_err(|_| Error::internal("documents are not read any more"))?;
        blocking(move || {
            let _turn = turn;
            let done = work();
            if bytes > LARGE {
                memory::give_back();
            }
            done
        })
        .await
    }
}
