//! The threads on which documents of clients are read: a few at a time, so that neither those who send large ones hold up
//! the calls of others, nor many of them together take the memory of the host. Large ones are read one at a time, with a low priority.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use tokio::sync::{Semaphore, oneshot};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::memory;

use crate::outside::blocking;

/// So many documents are read at a time at most, however many processors there are.
const MOST: usize = 4;

/// A longer document is large, bytes. Memory is given back after it.
const LARGE: usize = 256 << 10;

/// How nice a thread is to others that reads a large document: its share of a busy processor is about a tenth of theirs.
const NICE: i32 = 10;

/// Turns at reading.
#[derive(Debug)]
pub(crate) struct Readers {
    usual: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Default for Readers {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            usual: Arc::new(Semaphore::new(processors.clamp(2, MOST))),
            large: Arc::new(Semaphore::new(1)),
        }
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
        let is_large = bytes > LARGE;
        let turns = if is_large { &self.large } else { &self.usual };
        let turn = Arc::clone(turns).acquire_owned().await;
        let turn = turn.map_err(|_| Error::internal("documents are not read any more"))?;
        let work = move || {
            let _turn = turn;
            work()
        };
        if is_large {
            with_low_priority(work).await
        } else {
            blocking(work).await
        }
    }
}

/// Does `work` in a thread of its own that leaves the processors to others, and gives the memory back that it took.
async fn with_low_priority<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, done) = oneshot::channel();
    let body = move || {
        // Of this thread only. Where it cannot be lowered, the work is done all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        let result = work();
        memory::give_back();
        // Whoever waited may be gone.
        let _ = sender.send(result);
    };
    thread::Builder::new()
        .name("document".to_owned())
        .spawn(body)
        .map_err(|error| {
            let message = format!("cannot start a thread that reads a document: {error}");
            Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
        })?;
    done.await.unwrap_or_else(|_| {
        Err(Error::internal(
            "a document was not read to its end by a mistake of the daemon; its log tells more",
        ))
    })
}
