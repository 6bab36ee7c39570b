//! Processes that this daemon did or did not start: handles that cannot hit the wrong process, an
//! identity that survives a restart of the daemon, and facts from `/proc`.
//!
//! A pid alone names nothing for long, since the kernel uses it again. While the daemon runs, a
//! [`Pidfd`] stands for a process; in a file, a [`ProcessId`] does. This module starts nothing
//! (see [`crate::cmd`]) and reaps nothing.

mod facts;
mod pidfd;

use std::io;
use std::path::PathBuf;

pub use facts::{
    ProcessState, Stat, boot_id, cmdline, current_dir, environment_of, executable, stat, threads,
    user,
};
pub use pidfd::Pidfd;
pub use rustix::process::Signal;

/// Why a process could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A number that no process can have.
    #[error("{0} is not a process id")]
    BadPid(i32),
    /// There is no such process (any more).
    #[error("no process {0}")]
    Gone(i32),
    /// The kernel refused a handle on the process, or the handle failed.
    #[error("cannot {action} process {pid}")]
    Handle {
        /// What was tried: "open", "signal", "watch".
        action: &'static str,
        /// The process.
        pid: i32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A file of `/proc` could not be read.
    #[error("cannot read '{path}'")]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A file of `/proc` does not have the form that proc(5) describes.
    #[error("'{path}' is not in the expected form")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// Names one process among all that ran since the host booted.
///
/// Two processes may have had the same pid, but not the same pid and start time. Across a reboot
/// compare [`boot_id`] as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// The pid, as this process's pid namespace counts.
    pub pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
}

impl ProcessId {
    /// The identity of the process that has `pid` now.
    pub fn of(pid: i32) -> Result<Self, ProcessError> {
        Ok(Self {
            pid,
            start_time: stat(pid)?.start_time,
        })
    }

    /// A handle on this very process, or `None` if it is gone, also when another one has its pid.
    ///
    /// A zombie counts as there; [`Pidfd::has_exited`] tells.
    pub fn open(&self) -> Result<Option<Pidfd>, ProcessError> {
        // The handle first: once it is held, the pid cannot pass to another process between the
        // comparison and the use, except if it already had, and then the comparison sees it.
        let handle = match Pidfd::open(self.pid) {
            Ok(handle) => handle,
            Err(ProcessError::Gone(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        match stat(self.pid) {
            Ok(facts) if facts.start_time == self.start_time => Ok(Some(handle)),
            Ok(_) | Err(ProcessError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn identity_finds_the_same_process() {
        let id = ProcessId::of(own_pid()).unwrap();
        let handle = id.open().unwrap().unwrap();
        assert_eq!(handle.pid(), own_pid());
        assert!(!handle.has_exited().unwrap());
    }

    #[test]
    fn identity_refuses_a_reused_pid() {
        let mut id = ProcessId::of(own_pid()).unwrap();
        id.start_time += 1;
        assert!(id.open().unwrap().is_none());
    }

    #[test]
    fn identity_of_nobody() {
        // Above the kernel's largest possible pid (2^22).
        let nobody = 1 << 23;
        assert!(matches!(
            ProcessId::of(nobody),
            Err(ProcessError::Gone(pid)) if pid == nobody
        ));
        let id = ProcessId {
            pid: nobody,
            start_time: 1,
        };
        assert!(id.open().unwrap().is_none());
        assert!(matches!(ProcessId::of(0), Err(ProcessError::BadPid(0))));
        assert!(matches!(ProcessId::of(-1), Err(ProcessError::BadPid(-1))));
    }
}
