//! What a running guest is told by, and by what those who have to do with a run reach each other.

use tokio::sync::{mpsc, oneshot};
use virtbus_qemu_monitor::event::MigrationStatus;

/// Why a run was ended from here; decides what its end is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ending {
    /// Nobody ended it.
    #[default]
    None,
    /// Somebody destroyed it.
    Destroyed,
    /// It was saved.
    Saved,
    /// It was dumped, and is to count as crashed.
    Crashed,
}

/// How the guest's stream is doing, as its events tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Flow {
    /// Nothing was told yet.
    #[default]
    Idle,
    /// A migration has this status.
    Migration(MigrationStatus),
    /// A dump ended, and why it failed if it did.
    Dumped(Option<String>),
}

/// What is asked of the watcher of a run.
pub(crate) enum Request {
    /// Answer once all events that have arrived are handled.
    Barrier(oneshot::Sender<()>),
}

/// Reaches the watcher of one run.
#[derive(Debug, Clone)]
pub(crate) struct Handle(mpsc::UnboundedSender<Request>);

impl Handle {
    /// A handle and what the watcher takes from it.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Waits until the events that had arrived when this was called have been handled. Whoever sent a command and has its
    /// answer calls this, and can then tell what the events made of the state.
    pub(crate) async fn settled(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.0.send(Request::Barrier(sender)).is_ok() {
            // An error means that the guest has ended, which settles everything.
            let _ = receiver.await;
        }
    }
}
