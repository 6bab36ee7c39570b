//! The one way in which programs are run.
//!
//! ```no_run
//! # async fn example() -> Result<(), virtbus_util::cmd::CmdError> {
//! use std::time::Duration;
//! use virtbus_util::cmd::Cmd;
//!
//! let output = Cmd::new("/usr/bin/qemu-img")
//!     .args(["info", "--output=json", "/srv/disk.qcow2"])
//!     .run(Duration::from_secs(30))
//!     .await?;
//! println!("{}", output.stdout_text());
//! # Ok(())
//! # }
//! ```
//!
//! A program is named by its absolute path and gets a list of arguments; no shell takes part. Its
//! environment holds only what [`Cmd::env`] gave and what [`Cmd::new`] lists, its signals are all
//! unblocked and at their defaults, and it has no file descriptors but the standard three and
//! those of [`Cmd::pass_fd`].
//!
//! Starting a program does not copy the daemon's address space (see `sys`), so it costs the same
//! however large the daemon is. The exception is a program that runs as another user.
//!
//! This module does not search `PATH`, does not parse output, and never retries.

mod child;
mod display;
mod error;
mod output;
mod plan;
#[expect(
    unsafe_code,
    reason = "a process cannot be made by safe calls: between clone and exec only system calls \
              may be made, and no safe crate offers that without copying the address space"
)]
mod sys;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub use child::{Child, ExitStatus};
pub use error::{CmdError, Step};
pub use output::Output;

/// The number of the first descriptor that [`Cmd::pass_fd`] gives out.
const FIRST_PASSED_FD: i32 = 3;

/// Output beyond this many bytes is an error, unless [`Cmd::output_limit`] says otherwise.
const DEFAULT_OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// Where one of the standard streams leads.
#[derive(Debug)]
pub enum Stdio {
    /// `/dev/null`.
    Null,
    /// The daemon's own.
    Inherit,
    /// A pipe, whose other end is in [`Child`].
    Piped,
    /// This descriptor.
    Fd(OwnedFd),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self::Fd(fd)
    }
}

impl From<std::fs::File> for Stdio {
    fn from(file: std::fs::File) -> Self {
        Self::Fd(file.into())
    }
}

/// A resource whose use the kernel limits (setrlimit(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Size of core dumps, in bytes.
    Core,
    /// Size of files the process writes, in bytes.
    FileSize,
    /// Memory that may be locked, in bytes.
    MemLock,
    /// File descriptors.
    NoFile,
    /// Processes and threads of the user.
    NProc,
}

/// The most of a [`Resource`] that a program may use; soft and hard limit are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// This much.
    Max(u64),
    /// No limit.
    Unlimited,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// A program to be run, once.
///
/// The methods that set something may be called in any order; all of them only take note, and
/// what is wrong is told when the program is started.
#[derive(Debug)]
pub struct Cmd {
    program: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    current_dir: Option<PathBuf>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    input: Option<Vec<u8>>,
    passed_fds: Vec<OwnedFd>,
    user: Option<User>,
    new_session: bool,
    new_group: bool,
    umask: Option<u32>,
    rlimits: Vec<(Resource, Limit)>,
    oom_score_adj: Option<i16>,
    cgroups: Vec<OwnedFd>,
    parent_death_signal: Option<rustix::process::Signal>,
    output_limit: usize,
    started: bool,
}

impl Cmd {
    /// A program by its absolute path.
    ///
    /// The environment begins with `LC_ALL=C` (messages and numbers are to be read by programs)
    /// and `PATH` with the system's directories (for what helpers run in their turn). The
    /// standard streams lead to `/dev/null`.
    pub fn new(program: impl AsRef<Path>) -> Self {
        let env = [
            ("LC_ALL", "C"),
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
        ];
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: env
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            current_dir: None,
            stdin: None,
            stdout: None,
            stderr: None,
            input: None,
            passed_fds: Vec::new(),
            user: None,
            new_session: false,
            new_group: false,
            umask: None,
            rlimits: Vec::new(),
            oom_score_adj: None,
            cgroups: Vec::new(),
            parent_death_signal: None,
            output_limit: DEFAULT_OUTPUT_LIMIT,
            started: false,
        }
    }

    /// Adds one argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the program's environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env
            .insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Removes a variable that [`Cmd::new`] or [`Cmd::env`] set.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.env.remove(name.as_ref());
        self
    }

    /// Where the program starts (default: where the daemon is, which is `/` for a service). The
    /// program's user must be allowed to enter it.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.current_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Where standard input comes from.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Where standard output goes.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Where standard error goes.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// What [`Cmd::output`] and [`Cmd::run`] write to the program's standard input.
    pub fn input(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.input = Some(bytes.into());
        self
    }

    /// Hands a descriptor to the program and returns the number that it has there: 3 for the
    /// first, 4 for the second, and so on. The daemon's copy is closed when the program has been
    /// started or this value is dropped.
    pub fn pass_fd(&mut self, fd: OwnedFd) -> i32 {
        let passed = i32::try_from(self.passed_fds.len()).unwrap_or(i32::MAX - FIRST_PASSED_FD);
        self.passed_fds.push(fd);
        FIRST_PASSED_FD + passed
    }

    /// Runs the program as this user and group, with these supplementary groups and no others.
    /// Needs root, except where it is the daemon's own user and group.
    pub fn user(&mut self, uid: u32, gid: u32, groups: &[u32]) -> &mut Self {
        self.user = Some(User {
            uid,
            gid,
            groups: groups.to_vec(),
        });
        self
    }

    /// Makes the program the leader of a new session, away from the daemon's terminal and signals.
    pub fn new_session(&mut self) -> &mut Self {
        self.new_session = true;
        self
    }

    /// Sets the file mode creation mask (default: the daemon's).
    pub fn umask(&mut self, mask: u32) -> &mut Self {
        self.umask = Some(mask);
        self
    }

    /// Limits a resource; both the soft and the hard limit are set.
    pub fn rlimit(&mut self, resource: Resource, limit: Limit) -> &mut Self {
        self.rlimits.push((resource, limit));
        self
    }

    /// Sets how readily the kernel kills the program when memory runs out: -1000 (never) to 1000.
    pub fn oom_score_adj(&mut self, adjustment: i16) -> &mut Self {
        self.oom_score_adj = Some(adjustment);
        self
    }

    /// Moves the program into a control group before it runs its first instruction. The
    /// descriptor is the group's `cgroup.procs`, open for writing. May be called once per
    /// hierarchy.
    pub fn join_cgroup(&mut self, procs: OwnedFd) -> &mut Self {
        self.cgroups.push(procs);
        self
    }

    /// Sends this signal to the program when the daemon dies. For helpers that make no sense
    /// without it; never for guests. Programs with set-user-id or capabilities on the file do not
    /// get it.
    pub fn parent_death_signal(&mut self, signal: rustix::process::Signal) -> &mut Self {
        self.parent_death_signal = Some(signal);
        self
    }

    /// How many bytes of standard output [`Cmd::output`] takes before it gives up (default:
    /// 16 MiB).
    pub fn output_limit(&mut self, bytes: usize) -> &mut Self {
        self.output_limit = bytes;
        self
    }

    /// The program's path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments so far, without the program's own name.
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// The command for a log: quoted so that a shell would read it back, one option a line.
    pub fn display(&self) -> impl std::fmt::Display + '_ {
        display::Display(self)
    }

    /// Starts the program. When this returns, it runs: what can be wrong before its first
    /// instruction (no such file, no permission, no such directory) is an error here.
    ///
    /// Blocks for as long as the kernel takes to load the program, normally less than a
    /// millisecond.
    ///
    /// # Errors
    ///
    /// [`CmdError::Start`], with the step that failed; then no process is left. A `Cmd` starts
    /// once, since its descriptors are given away.
    pub fn spawn(&mut self) -> Result<Child, CmdError> {
        child::reap_orphans();
        let (plan, pipes) = plan::prepare(self)?;
        let started = if plan.parent_death_signal.is_some() {
            sys::spawn_from_keeper(plan)
        } else {
            sys::spawn(&plan)
        };
        let (pid, pidfd) = started
            .map_err(|failure| CmdError::start(&self.program, failure.step, failure.source))?;
        tracing::debug!(program = %self.program.display(), pid, "started");
        Ok(Child::new(self.program.clone(), pid, pidfd, pipes))
    }
}

#[cfg(test)]
mod tests;
