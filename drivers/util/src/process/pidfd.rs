//! A handle on one process. It never comes to mean another process, it becomes readable when the
//! process exits, and closing it does nothing to the process.
//!
//! The exit *status* belongs to the parent: see [`crate::cmd::Child`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::ProcessError;
use crate::readiness::{self, Interest};

/// A process, by file descriptor.
#[derive(Debug)]
pub struct Pidfd {
    pid: i32,
    fd: OwnedFd,
}

impl Pidfd {
    /// Opens the process that has `pid` now.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Gone`] if there is none. A pid that was read some time ago may belong to
    /// another process by now; [`super::ProcessId::open`] is the safe way then.
    pub fn open(pid: i32) -> Result<Self, ProcessError> {
        let raw = raw_pid(pid)?;
        match rustix::process::pidfd_open(raw, PidfdFlags::empty()) {
            Ok(fd) => Ok(Self { pid, fd }),
            // EINVAL is what a thread that leads no process gets.
            Err(Errno::SRCH | Errno::INVAL) => Err(ProcessError::Gone(pid)),
            Err(errno) => Err(ProcessError::Handle {
                action: "open",
                pid,
                source: errno.into(),
            }),
        }
    }

    /// Takes a pidfd that something else opened for `pid`.
    pub(crate) fn from_fd(pid: i32, fd: OwnedFd) -> Self {
        Self { pid, fd }
    }

    /// The pid, for logs and files.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal. A process that is gone is [`ProcessError::Gone`]; a zombie takes the signal
    /// and nothing happens.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        match rustix::process::pidfd_send_signal(&self.fd, signal) {
            Ok(()) => Ok(()),
            Err(Errno::SRCH) => Err(ProcessError::Gone(self.pid)),
            Err(errno) => Err(self.failed("signal", errno.into())),
        }
    }

    /// Whether the process has exited (its parent may not have reaped it yet).
    pub fn has_exited(&self) -> Result<bool, ProcessError> {
        self.poll().map_err(|source| self.failed("watch", source))
    }

    /// Waits until the process has exited. May be dropped and called again at any time.
    ///
    /// Needs a tokio runtime with IO enabled.
    pub async fn exited(&self) -> Result<(), ProcessError> {
        // A descriptor of its own: the same one cannot be waited for twice at a time.
        let own = self
            .fd
            .try_clone()
            .map_err(|source| self.failed("watch", source))?;
        readiness::wait_until(own.as_fd(), Interest::READABLE, || self.poll())
            .await
            .map_err(|source| self.failed("watch", source))
    }

    /// Another handle on the same process.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            pid: self.pid,
            fd: self.fd.try_clone()?,
        })
    }

    fn poll(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let now = Timespec::default();
        let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&now)))?;
        Ok(ready > 0)
    }

    fn failed(&self, action: &'static str, source: io::Error) -> ProcessError {
        ProcessError::Handle {
            action,
            pid: self.pid,
            source,
        }
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn raw_pid(pid: i32) -> Result<Pid, ProcessError> {
    if pid <= 0 {
        return Err(ProcessError::BadPid(pid));
    }
    Pid::from_raw(pid).ok_or(ProcessError::BadPid(pid))
}
