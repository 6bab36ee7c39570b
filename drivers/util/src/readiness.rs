//! Waiting for a descriptor to become readable or writable, for descriptors that tokio has no type
//! for (pidfds, netlink sockets, devices).
//!
//! Reads and writes nothing itself. The descriptor should be non-blocking if the caller goes on to
//! read it.

use std::io;
use std::os::fd::BorrowedFd;

use tokio::io::unix::AsyncFd;

pub use tokio::io::Interest;

/// Waits until `done` says so, asking it whenever the kernel reports the descriptor ready for
/// `interest`. May be dropped at any time.
///
/// # Errors
///
/// What `done` returns, or the kernel's refusal to watch this kind of descriptor (regular files,
/// for one).
///
/// # Panics
///
/// Outside of a tokio runtime with IO enabled.
pub async fn wait_until(
    fd: BorrowedFd<'_>,
    interest: Interest,
    mut done: impl FnMut() -> io::Result<bool>,
) -> io::Result<()> {
    // SAFETY: the borrow keeps the descriptor open and in place for as long as this future exists,
    // and the registration lives inside it; a `BorrowedFd` always answers with the same number.
    // tokio has no safe way to register a descriptor.
    let watch = unsafe { AsyncFd::register_with_interest(fd, interest) }?;
    loop {
        let mut ready = watch.ready(interest).await?;
        if done()? {
            return Ok(());
        }
        ready.clear_ready();
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn waits_for_the_other_end() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let waiting = wait_until(read.as_fd(), Interest::READABLE, || Ok(true));
        let (done, ()) = tokio::join!(waiting, async {
            rustix::io::write(&write, b"x").unwrap();
        });
        done.unwrap();
    }

    #[tokio::test]
    async fn regular_files_are_refused() {
        let file = tempfile::tempfile().unwrap();
        let result = wait_until(file.as_fd(), Interest::READABLE, || Ok(true)).await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
