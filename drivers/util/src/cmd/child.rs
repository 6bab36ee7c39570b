//! A program that runs, and how it ended.
//!
//! Dropping a [`Child`] does nothing to the program. Its status is then collected by the next
//! start of any program, so that no more than a few zombies can gather.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus};

use super::CmdError;
use super::plan::Pipes;
use crate::process::{Pidfd, ProcessError, ProcessId};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether a core dump was written.
        core_dumped: bool,
    },
}

impl ExitStatus {
    /// Whether it exited with status 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The exit status, if it ended by itself.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Signaled { .. } => None,
        }
    }

    fn from_wait(status: &WaitIdStatus) -> Self {
        match status.terminating_signal() {
            Some(signal) => Self::Signaled {
                signal,
                core_dumped: status.dumped(),
            },
            // Only exits are waited for, so what was not killed has exited.
            None => Self::Exited(status.exit_status().unwrap_or_default()),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signaled {
                signal,
                core_dumped,
            } => {
                write!(f, "signal {signal}")?;
                if let Some(name) = signal_name(*signal) {
                    write!(f, " ({name})")?;
                }
                if *core_dumped {
                    f.write_str(", core dumped")?;
                }
                Ok(())
            }
        }
    }
}

/// A program that this daemon started.
#[derive(Debug)]
pub struct Child {
    program: PathBuf,
    pidfd: Option<Pidfd>,
    pid: i32,
    status: Option<ExitStatus>,
    pipes: Pipes,
}

impl Child {
    pub(super) fn new(program: PathBuf, pid: i32, pidfd: Pidfd, pipes: Pipes) -> Self {
        Self {
            program,
            pidfd: Some(pidfd),
            pid,
            status: None,
            pipes,
        }
    }

    /// The process id. Once [`Child::wait`] has answered, another process may get it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The program's path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A handle of its own, for watching and signalling the process elsewhere. It does not
    /// collect the status.
    pub fn pidfd(&self) -> io::Result<Pidfd> {
        self.handle().try_clone()
    }

    /// What to write down to find this process again after a restart of the daemon.
    pub fn process_id(&self) -> Result<ProcessId, ProcessError> {
        ProcessId::of(self.pid)
    }

    /// The pipe to standard input, if it was [`super::Stdio::Piped`]; once.
    pub fn take_stdin(&mut self) -> Option<OwnedFd> {
        self.pipes.stdin.take()
    }

    /// The pipe from standard output, likewise.
    pub fn take_stdout(&mut self) -> Option<OwnedFd> {
        self.pipes.stdout.take()
    }

    /// The pipe from standard error, likewise.
    pub fn take_stderr(&mut self) -> Option<OwnedFd> {
        self.pipes.stderr.take()
    }

    /// Sends a signal. Sending one to a program that has ended does nothing.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        if self.status.is_some() {
            return Ok(());
        }
        match self.handle().signal(signal) {
            Err(ProcessError::Gone(_)) => Ok(()),
            other => other,
        }
    }

    /// Waits until the program has ended. May be dropped and called again at any time; answers the
    /// same for ever after.
    ///
    /// Needs a tokio runtime with IO enabled. No SIGCHLD handler takes part, and other children of
    /// the daemon are left alone.
    pub async fn wait(&mut self) -> Result<ExitStatus, CmdError> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            self.handle()
                .exited()
                .await
                .map_err(|error| CmdError::watch(&self.program, io::Error::other(error)))?;
        }
    }

    /// How the program ended, or `None` while it runs.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, CmdError> {
        if self.status.is_none() {
            self.status = reap(self.handle().as_fd())
                .map_err(|source| CmdError::watch(&self.program, source))?;
        }
        Ok(self.status)
    }

    pub(super) fn handle(&self) -> &Pidfd {
        self.pidfd
            .as_ref()
            .expect("the handle is taken by drop only")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status.is_none()
            && let Some(pidfd) = self.pidfd.take()
        {
            ORPHANS
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(pidfd);
            reap_orphans();
        }
    }
}

/// Programs whose [`Child`] was dropped before they ended.
static ORPHANS: Mutex<Vec<Pidfd>> = Mutex::new(Vec::new());

/// Collects the status of orphans that have ended.
pub(super) fn reap_orphans() {
    let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    orphans.retain(|orphan| matches!(reap(orphan.as_fd()), Ok(None)));
}

/// Collects a process that is known to end at once.
pub(super) fn reap_now(process: &Pidfd) {
    let id = WaitId::PidFd(process.as_fd());
    // There is nothing to be done about a failure, and nothing depends on it.
    let _ =
        rustix::io::retry_on_intr(|| rustix::process::waitid(id.clone(), WaitIdOptions::EXITED));
}

fn reap(process: std::os::fd::BorrowedFd<'_>) -> io::Result<Option<ExitStatus>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status =
        rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(process), options))?;
    Ok(status.as_ref().map(ExitStatus::from_wait))
}

fn signal_name(signal: i32) -> Option<&'static str> {
    nix::sys::signal::Signal::try_from(signal)
        .ok()
        .map(nix::sys::signal::Signal::as_str)
}
