//! Running a program to its end and taking what it writes.

use std::borrow::Cow;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::{Child, Cmd, CmdError, ExitStatus, Stdio};
use crate::process::ProcessError;

/// How much of standard error is kept: the end of it.
const STDERR_KEPT: usize = 64 * 1024;
/// One read.
const CHUNK: usize = 64 * 1024;
/// After the program's end at most this much is read from a pipe: as much as one can be made to
/// hold without privileges. What comes later is from somebody who inherited it.
const DRAIN_MOST: usize = 1024 * 1024;
/// How long to wait for a killed program; longer only if the kernel holds it.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// What a program that ended has left.
#[derive(Debug)]
pub struct Output {
    /// The program.
    pub program: PathBuf,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output, complete.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, or the last 64 KiB of it.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Turns an exit status other than 0, or a signal, into [`CmdError::Failed`].
    pub fn success(self) -> Result<Self, CmdError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.into_failure())
        }
    }

    /// [`CmdError::Failed`] with this status, also for a status that only the caller knows to be
    /// a failure.
    pub fn into_failure(self) -> CmdError {
        CmdError::Failed {
            program: self.program,
            status: self.status,
            stderr: self.stderr,
        }
    }

    /// Standard output as text; bytes that are not UTF-8 become U+FFFD.
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text, likewise.
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

impl Cmd {
    /// Runs the program to its end and checks that it succeeded.
    ///
    /// As [`Cmd::output`], and any status but 0 is [`CmdError::Failed`].
    pub async fn run(&mut self, timeout: Duration) -> Result<Output, CmdError> {
        self.output(timeout).await?.success()
    }

    /// Runs the program to its end, whatever its exit status, and takes its output.
    ///
    /// Streams that were set by hand stay as they are; the others are taken, with
    /// [`Cmd::input`]'s bytes as standard input. A background process that the program leaves
    /// behind does not hold this up, even if it holds the pipes.
    ///
    /// If this future is dropped, the program and its process group are killed.
    ///
    /// # Errors
    ///
    /// [`CmdError::Timeout`] and [`CmdError::TooMuchOutput`] after killing the program with its
    /// process group; [`CmdError::Start`] if it did not run.
    pub async fn output(&mut self, timeout: Duration) -> Result<Output, CmdError> {
        let deadline = Instant::now() + timeout;
        let input = self.input.take();
        if input.is_some() {
            self.stdin = Some(Stdio::Piped);
        }
        self.stdout.get_or_insert(Stdio::Piped);
        self.stderr.get_or_insert(Stdio::Piped);
        self.new_group = true;
        let limit = self.output_limit;

        let mut guard = KillOnDrop(Some(self.spawn()?));
        let child = guard.child();
        let mut streams = Streams::open(child, input.unwrap_or_default(), limit)
            .map_err(|source| CmdError::watch(child.program(), source))?;
        match streams.serve(child, deadline).await {
            Ok(status) => {
                let program = child.program().to_owned();
                guard.disarm();
                Ok(Output {
                    program,
                    status,
                    stdout: streams.stdout.kept,
                    stderr: streams.stderr.kept,
                })
            }
            Err(trouble) => {
                let program = child.program().to_owned();
                guard.kill().await;
                Err(match trouble {
                    Trouble::Late => CmdError::Timeout {
                        program,
                        timeout,
                        stderr: streams.stderr.kept,
                    },
                    Trouble::TooMuch => CmdError::TooMuchOutput { program, limit },
                    Trouble::Io(source) => CmdError::Watch { program, source },
                    Trouble::Cmd(error) => error,
                })
            }
        }
    }
}

enum Trouble {
    Late,
    TooMuch,
    Io(io::Error),
    Cmd(CmdError),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Streams {
    stdin: Option<pipe::Sender>,
    input: Vec<u8>,
    written: usize,
    stdout: Collector,
    stderr: Collector,
}

impl Streams {
    fn open(child: &mut Child, input: Vec<u8>, limit: usize) -> io::Result<Self> {
        let stdin = child.take_stdin();
        let stdout = child.take_stdout();
        let stderr = child.take_stderr();
        Ok(Self {
            stdin: stdin.map(pipe::Sender::from_owned_fd).transpose()?,
            input,
            written: 0,
            stdout: Collector {
                pipe: stdout.map(pipe::Receiver::from_owned_fd).transpose()?,
                kept: Vec::new(),
                keep: Keep::All { limit },
            },
            stderr: Collector {
                pipe: stderr.map(pipe::Receiver::from_owned_fd).transpose()?,
                kept: Vec::new(),
                keep: Keep::Tail,
            },
        })
    }

    /// Feeds and empties the pipes until the program has ended.
    async fn serve(&mut self, child: &mut Child, deadline: Instant) -> Result<ExitStatus, Trouble> {
        let late = tokio::time::sleep_until(deadline);
        tokio::pin!(late);
        let status = loop {
            self.close_fed();
            tokio::select! {
                status = child.wait() => break status.map_err(Trouble::Cmd)?,
                ready = readable(self.stdout.pipe.as_ref()) => {
                    ready?;
                    self.stdout.read()?;
                }
                ready = readable(self.stderr.pipe.as_ref()) => {
                    ready?;
                    self.stderr.read()?;
                }
                ready = writable(self.stdin.as_ref()) => {
                    ready?;
                    self.write()?;
                }
                () = &mut late => return Err(Trouble::Late),
            }
        };
        self.stdout.drain()?;
        self.stderr.drain()?;
        Ok(status)
    }

    /// Closes standard input when all is written: that is how the program learns of the end.
    fn close_fed(&mut self) {
        if self.written >= self.input.len() {
            self.stdin = None;
        }
    }

    fn write(&mut self) -> Result<(), Trouble> {
        let (Some(pipe), Some(rest)) = (&self.stdin, self.input.get(self.written..)) else {
            return Ok(());
        };
        match pipe.try_write(rest) {
            Ok(count) => self.written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The program does not want to read on; its status will tell whether that is bad.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.stdin = None,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

enum Keep {
    All { limit: usize },
    Tail,
}

struct Collector {
    pipe: Option<pipe::Receiver>,
    kept: Vec<u8>,
    keep: Keep,
}

impl Collector {
    /// One read of what is there.
    fn read(&mut self) -> Result<(), Trouble> {
        let Some(pipe) = &self.pipe else {
            return Ok(());
        };
        let mut chunk = vec![0; CHUNK];
        match pipe.try_read(&mut chunk) {
            Ok(count) => self.take(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what the program left in the pipe, without waiting for others who may hold it.
    fn drain(&mut self) -> Result<(), Trouble> {
        let mut chunk = vec![0; CHUNK];
        let mut drained = 0;
        while let Some(pipe) = &self.pipe
            && drained < DRAIN_MOST
        {
            // Not by way of tokio, which reads only when its reactor has already seen data.
            let Some(count) = read_now(pipe.as_fd(), &mut chunk)? else {
                break;
            };
            drained += count;
            self.take(chunk.get(..count).unwrap_or_default())?;
        }
        self.pipe = None;
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if bytes.is_empty() {
            self.pipe = None;
            return Ok(());
        }
        self.kept.extend_from_slice(bytes);
        match self.keep {
            Keep::All { limit } if self.kept.len() > limit => Err(Trouble::TooMuch),
            Keep::All { .. } => Ok(()),
            Keep::Tail => {
                let excess = self.kept.len().saturating_sub(STDERR_KEPT);
                self.kept.drain(..excess);
                Ok(())
            }
        }
    }
}

/// The bytes that are there, or `None` if there are none now.
fn read_now(fd: BorrowedFd<'_>, chunk: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut *chunk)) {
        Ok(count) => Ok(Some(count)),
        Err(rustix::io::Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

async fn readable(pipe: Option<&pipe::Receiver>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.readable().await,
        None => std::future::pending().await,
    }
}

async fn writable(pipe: Option<&pipe::Sender>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.writable().await,
        None => std::future::pending().await,
    }
}

/// Kills the program and its process group unless it ended properly.
struct KillOnDrop(Option<Child>);

impl KillOnDrop {
    fn child(&mut self) -> &mut Child {
        self.0
            .as_mut()
            .expect("taken by disarm and kill only, which come last")
    }

    fn disarm(&mut self) {
        self.0 = None;
    }

    async fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            kill_group(&mut child);
            // A program that the kernel does not let go is left to the list of orphans.
            let _ = tokio::time::timeout(KILL_PATIENCE, child.wait()).await;
        }
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            kill_group(&mut child);
        }
    }
}

/// The leader has not been waited for, so its pid and with it the group's number are still its.
fn kill_group(child: &mut Child) {
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    let group = Pid::from_raw(child.pid())
        .map(|leader| rustix::process::kill_process_group(leader, Signal::KILL));
    if !matches!(group, Some(Ok(()))) {
        let result: Result<(), ProcessError> = child.signal(Signal::KILL);
        if let Err(error) = result {
            tracing::warn!(program = %child.program().display(), %error, "cannot kill, ignoring");
        }
    }
}
