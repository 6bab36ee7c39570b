//! Streams: content that goes through descriptors which calls have given to a client.
//!
//! A client knows a stream by the inode number of its descriptor, which no other open socket has. How a stream ended is kept for a while, so that
//! it can be asked for.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::FutureExt;
use rustix::fs::fstat;
use tokio::runtime::Handle;
use tokio::sync::SetOnce;
use tokio::task::AbortHandle;
use virtbus_api::storage::Transfer;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};

/// Of so many streams of a connection it is known how they ended.
const KEPT: usize = 64;

/// The streams of one connection to the bus.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// By number, the oldest first.
    known: Mutex<Vec<(u64, Arc<Stream>)>>,
    /// How many are under way.
    pub(crate) count: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Stream {
    end: SetOnce<Result<u64>>,
    task: OnceLock<AbortHandle>,
}

impl Streams {
    fn known(&self) -> MutexGuard<'_, Vec<(u64, Arc<Stream>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a transfer go on in the runtime, and holds something until it has ended. The descriptor for the client.
    ///
    /// # Errors
    /// Those of looking at the descriptor.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        transfer: Transfer,
        held: T,
        runtime: &Handle,
    ) -> io::Result<OwnedFd> {
        let Transfer {
            descriptor,
            completion,
        } = transfer;
        let number = fstat(&descriptor)?.st_ino;
        let stream = Arc::new(Stream::default());
        let ending = Arc::clone(&stream);
        let task = runtime.spawn(async move {
            let ended = AssertUnwindSafe(completion).catch_unwind().await;
            let ended = ended
                .unwrap_or_else(|_| Err(Error::internal("internal error; see the daemon's log")));
            if let Err(error) = &ended {
                tracing::info!(stream = number, %error, "a stream ended: {error}");
            }
            // It may have been aborted just before.
            let _ = ending.end.set(ended);
            drop(held);
        });
        // Nobody else has it yet.
        let _ = stream.task.set(task.abort_handle());
        let mut known = self.known();
        known.retain(|(other, _)| *other != number);
        if known.len() >= KEPT
            && let Some(at) = known
                .iter()
                .position(|(_, stream)| stream.end.initialized())
        {
            known.remove(at);
        }
        known.push((number, stream));
        Ok(descriptor)
    }

    fn get(&self, number: u64) -> Result<Arc<Stream>> {
        let known = self.known();
        let found = known.iter().find(|(other, _)| *other == number);
        found
            .map(|(_, stream)| Arc::clone(stream))
            .ok_or_else(|| Error::invalid_argument(format!("unknown stream {number}")))
    }

    /// Waits for the end of a stream: how many bytes it was.
    ///
    /// # Errors
    /// What broke it off; that there is no such stream.
    pub(crate) async fn finish(&self, number: u64) -> Result<u64> {
        self.get(number)?.end.wait().await.clone()
    }

    /// Breaks a stream off.
    ///
    /// # Errors
    /// That it has ended, or that there is no such stream.
    pub(crate) fn abort(&self, number: u64) -> Result<()> {
        let stream = self.get(number)?;
        let aborted = Error::new(
            ErrorCode::OperationAborted,
            ErrorDomain::Streams,
            format!("stream {number} was aborted"),
        );
        if stream.end.set(Err(aborted)).is_err() {
            let text = format!("stream {number} has ended already");
            return Err(Error::operation_invalid(text));
        }
        if let Some(task) = stream.task.get() {
            task.abort();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use virtbus_api::Result;

    use super::*;

    /// Begins a stream that ends so; its number.
    fn begin(
        streams: &Streams,
        held: &Arc<()>,
        end: impl Future<Output = Result<u64>> + Send + 'static,
    ) -> (OwnedFd, u64) {
        let (near, _) = std::os::unix::net::UnixStream::pair().unwrap();
        let transfer = Transfer::new(near.into(), end);
        let held = Arc::clone(held);
        let descriptor = streams.begin(transfer, held, &Handle::current()).unwrap();
        let number = fstat(&descriptor).unwrap().st_ino;
        (descriptor, number)
    }

    #[tokio::test]
    async fn the_end_of_a_stream_is_told_and_what_is_held_for_it_is_given_back() {
        let (streams, held) = (Streams::default(), Arc::new(()));
        let (_one, number) = begin(&streams, &held, ready(Ok(5)));
        assert_eq!(streams.finish(number).await, Ok(5));
        let (_other, number) = begin(&streams, &held, ready(Err(Error::internal("lost"))));
        assert_eq!(streams.finish(number).await, Err(Error::internal("lost")));
        let (_third, number) = begin(&streams, &held, async { panic!("as a test wants it") });
        assert!(streams.finish(number).await.is_err());
        let (_fourth, number) = begin(&streams, &held, pending());
        streams.abort(number).unwrap();
        let aborted = streams.finish(number).await.unwrap_err();
        assert_eq!(aborted.code, ErrorCode::OperationAborted);
        assert!(streams.abort(number).is_err());
        assert!(streams.finish(1).await.is_err());
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn only_ends_are_forgotten() {
        let (streams, held) = (Streams::default(), Arc::new(()));
        let (_under_way, number) = begin(&streams, &held, pending());
        let mut ended = Vec::new();
        for _ in 0..KEPT + 10 {
            let (descriptor, number) = begin(&streams, &held, ready(Ok(1)));
            streams.finish(number).await.unwrap();
            ended.push((descriptor, number));
        }
        assert_eq!(streams.known().len(), KEPT);
        assert!(streams.finish(ended[0].1).await.is_err());
        assert!(streams.finish(ended[KEPT + 9].1).await.is_ok());
        streams.abort(number).unwrap();
    }
}
