//! From a [`Cmd`] to everything that the new process needs, made ready before it exists: between
//! its birth and its program it may not allocate.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use rustix::process::Signal;

use super::{Cmd, CmdError, Limit, Resource, Stdio, Step, User};

/// What the new process does and becomes. Owns all that it points to.
pub(super) struct Plan {
    pub(super) program: CString,
    pub(super) argv: Vec<CString>,
    pub(super) envp: Vec<CString>,
    pub(super) current_dir: Option<CString>,
    /// The descriptors that get the numbers 0, 1, 2, …
    pub(super) fds: Vec<Source>,
    pub(super) cgroups: Vec<OwnedFd>,
    pub(super) user: Option<User>,
    pub(super) group: Group,
    pub(super) umask: Option<u32>,
    pub(super) rlimits: Vec<(Resource, Limit)>,
    pub(super) oom_score_adj: Option<Vec<u8>>,
    pub(super) parent_death_signal: Option<i32>,
}

/// Where the process stands among process groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Inherited,
    Own,
    OwnSession,
}

/// A descriptor of the daemon that the process gets.
pub(super) enum Source {
    Owned(OwnedFd),
    /// One of the daemon's own standard streams.
    Standard(RawFd),
}

impl Source {
    pub(super) fn raw(&self) -> RawFd {
        match self {
            Self::Owned(fd) => fd.as_raw_fd(),
            Self::Standard(number) => *number,
        }
    }
}

/// The daemon's ends of the pipes.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// Checks and converts. Takes the descriptors out of `cmd`.
pub(super) fn prepare(cmd: &mut Cmd) -> Result<(Plan, Pipes), CmdError> {
    let arguments = convert(cmd)
        .map_err(|reason| CmdError::start(&cmd.program, Step::Arguments, invalid(reason)))?;
    cmd.started = true;
    let mut pipes = Pipes::default();
    let fds = open_streams(cmd, &mut pipes)
        .map_err(|source| CmdError::start(&cmd.program, Step::Streams, source))?;
    let plan = Plan {
        program: arguments.program,
        argv: arguments.argv,
        envp: arguments.envp,
        current_dir: arguments.current_dir,
        fds,
        cgroups: std::mem::take(&mut cmd.cgroups),
        user: cmd.user.take().filter(|user| !is_unneeded(user)),
        group: match (cmd.new_session, cmd.new_group) {
            (true, _) => Group::OwnSession,
            (false, true) => Group::Own,
            (false, false) => Group::Inherited,
        },
        umask: cmd.umask,
        rlimits: std::mem::take(&mut cmd.rlimits),
        oom_score_adj: cmd
            .oom_score_adj
            .map(|adjustment| adjustment.to_string().into_bytes()),
        parent_death_signal: cmd.parent_death_signal.map(Signal::as_raw),
    };
    Ok((plan, pipes))
}

struct Arguments {
    program: CString,
    argv: Vec<CString>,
    envp: Vec<CString>,
    current_dir: Option<CString>,
}

fn convert(cmd: &Cmd) -> Result<Arguments, &'static str> {
    if cmd.started {
        return Err("the command was started before");
    }
    if !cmd.program.is_absolute() {
        return Err("the program's path is not absolute");
    }
    let program = c_string(cmd.program.as_os_str())?;
    let mut argv = vec![program.clone()];
    for arg in &cmd.args {
        argv.push(c_string(arg)?);
    }
    let mut envp = Vec::with_capacity(cmd.env.len());
    for (name, value) in &cmd.env {
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err("an environment variable's name is empty or contains '='");
        }
        let mut pair = name.clone();
        pair.push("=");
        pair.push(value);
        envp.push(c_string(&pair)?);
    }
    let current_dir = match &cmd.current_dir {
        Some(dir) => Some(c_string(dir.as_os_str())?),
        None => None,
    };
    Ok(Arguments {
        program,
        argv,
        envp,
        current_dir,
    })
}

fn c_string(text: &OsStr) -> Result<CString, &'static str> {
    CString::new(text.as_bytes()).map_err(|_| "a NUL byte cannot be passed to a program")
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// An unprivileged daemon cannot change to the user it already is, and need not.
fn is_unneeded(user: &User) -> bool {
    let own_uid = rustix::process::geteuid();
    !own_uid.is_root()
        && own_uid.as_raw() == user.uid
        && rustix::process::getegid().as_raw() == user.gid
}

fn open_streams(cmd: &mut Cmd, pipes: &mut Pipes) -> io::Result<Vec<Source>> {
    let mut fds = Vec::with_capacity(3 + cmd.passed_fds.len());
    fds.push(match cmd.stdin.take().unwrap_or(Stdio::Null) {
        Stdio::Piped => {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            pipes.stdin = Some(write);
            Source::Owned(read)
        }
        other => open_stream(other, 0)?,
    });
    let stdout = cmd.stdout.take().unwrap_or(Stdio::Null);
    fds.push(open_writer(stdout, 1, &mut pipes.stdout)?);
    let stderr = cmd.stderr.take().unwrap_or(Stdio::Null);
    fds.push(open_writer(stderr, 2, &mut pipes.stderr)?);
    fds.extend(cmd.passed_fds.drain(..).map(Source::Owned));
    Ok(fds)
}

fn open_writer(stdio: Stdio, number: RawFd, pipe: &mut Option<OwnedFd>) -> io::Result<Source> {
    match stdio {
        Stdio::Piped => {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            *pipe = Some(read);
            Ok(Source::Owned(write))
        }
        other => open_stream(other, number),
    }
}

fn open_stream(stdio: Stdio, number: RawFd) -> io::Result<Source> {
    match stdio {
        Stdio::Fd(fd) => Ok(Source::Owned(fd)),
        Stdio::Inherit => Ok(Source::Standard(number)),
        Stdio::Null | Stdio::Piped => {
            let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
            let null = rustix::fs::open("/dev/null", flags, Mode::empty())?;
            Ok(Source::Owned(null))
        }
    }
}
