//! The thread of the bus: it reads calls, and answers what is known.
//!
//! What takes a driver longer than the first look at a call goes on on other threads (`virtbus_dbus::Service` sees to that), so a driver
//! that waits for a disk holds up no read. And a message is answered by the thread that took it from the socket: handing it from
//! one thread to another costs more than most answers do.

use std::future::Future;
use std::{io, thread};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread with a runtime of its own, which ends when this is dropped.
pub(crate) struct BusThread {
    runtime: Handle,
    _end: oneshot::Sender<()>,
}

impl BusThread {
    /// Starts it.
    ///
    /// # Errors
    /// Whatever keeps threads from being started.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("virtbusd-bus".to_owned())
            // The other end is dropped, never used.
            .spawn(move || drop(runtime.block_on(ended)))?;
        Ok(Self {
            runtime: handle,
            _end: end,
        })
    }

    /// Runs `work` there, also if nobody waits for it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(work)
    }
}
