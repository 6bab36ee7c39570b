//! Whether this process may have the threads that it needs.
//!
//! The runtime panics where it cannot start one; an administrator who set a limit gets an error here instead.

use std::io;
use std::sync::mpsc;
use std::thread::Builder;

/// Threads beside the workers: of the bus, of its library, of polkit and its rules, and a few that may block.
const BESIDE: usize = 8;

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot start {wanted} threads, only {started} (see the limit of processes, ulimit -u, and TasksMax= of the unit)"
)]
pub(crate) struct ThreadsError {
    wanted: usize,
    started: usize,
    source: io::Error,
}

/// Starts as many threads as the daemon needs at least, all at once, and ends them again.
///
/// # Errors
/// If there cannot be so many.
pub(crate) fn expect(workers: usize) -> Result<(), ThreadsError> {
    let wanted = workers + BESIDE;
    let mut kept = Vec::with_capacity(wanted);
    for started in 0..wanted {
        let (end, ended) = mpsc::channel::<()>();
        let thread = Builder::new().spawn(move || {
            // The other end is dropped, never used.
            let _ = ended.recv();
        });
        match thread {
            Ok(thread) => kept.push((end, thread)),
            Err(source) => {
                return Err(ThreadsError {
                    wanted,
                    started,
                    source,
                });
            }
        }
    }
    for (end, thread) in kept {
        drop(end);
        // It does nothing that could panic.
        let _ = thread.join();
    }
    Ok(())
}
