//! Starts an emulator that runs nothing, asks it what it can do, and ends it.
//!
//! Where KVM is there, a second one that must emulate is asked at the same time, because which
//! CPU features can be had depends on it. Neither outlives this process or the deadline.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::MemfdFlags;
use rustix::process::Signal;
use tokio::net::UnixStream;
use tokio::time::timeout;
use virtbus_qemu_monitor::commands::introspect::QueryTarget;
use virtbus_qemu_monitor::{Limits, Monitor, MonitorError};
use virtbus_util::cmd::{Child, Cmd, CmdError, Limit, Resource};

use super::answers::{Answers, Question};
use super::distill::{self, Accelerator, DistillError};
use super::{Capabilities, arch};
use crate::GuestUser;

/// How much an emulator may say about what is wrong, in bytes.
const STDERR_LIMIT: u64 = 64 * 1024;
/// How much of that goes into an error, in characters.
const STDERR_TAIL: usize = 1000;

/// How emulators are asked.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// As whom they run, which is as guests do, with all groups: `/dev/kvm` is a group's. The daemon's own user if absent.
    pub user: Option<GuestUser>,
    /// How long the whole may take. Default 30 s.
    pub deadline: Duration,
    /// The kernel's way to KVM. Default `/dev/kvm`.
    pub kvm_node: PathBuf,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            user: None,
            deadline: Duration::from_secs(30),
            kvm_node: PathBuf::from("/dev/kvm"),
        }
    }
}

/// Why it is not known what an emulator can do.
#[derive(Debug, thiserror::Error)]
#[error("cannot find out what emulator '{binary}' can do{}", said(.stderr))]
pub struct ProbeError {
    /// The binary.
    pub binary: PathBuf,
    /// The end of what it wrote to standard error.
    pub stderr: String,
    /// What went wrong.
    #[source]
    pub source: ProbeFailure,
}

/// What can go wrong with an emulator that is to tell about itself.
#[derive(Debug, thiserror::Error)]
pub enum ProbeFailure {
    /// The file is not there or cannot be looked at.
    #[error("cannot look at the file")]
    Stat(#[source] std::io::Error),
    /// Sockets or files for it could not be made.
    #[error("cannot prepare its start")]
    Prepare(#[source] std::io::Error),
    /// It did not start.
    #[error("it does not start")]
    Start(#[source] CmdError),
    /// It does not speak QMP.
    #[error("it does not answer")]
    Monitor(#[source] MonitorError),
    /// It took too long.
    #[error("it did not answer all within {0:?}")]
    Deadline(Duration),
    /// What it said makes no sense.
    #[error("its answers make no sense")]
    Distill(#[source] DistillError),
    /// The task that asked ended before it had an answer.
    #[error("the probe was given up")]
    Aborted,
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() {
        String::new()
    } else {
        format!(" ({stderr})")
    }
}

/// Asks an emulator what it can do. Costs two or three round trips with one process, or two
/// processes side by side.
///
/// # Errors
/// [`ProbeError`], which names the binary and carries what it wrote to standard error.
pub(crate) async fn probe(
    binary: &Path,
    options: &ProbeOptions,
) -> Result<Capabilities, ProbeError> {
    let both = async {
        if may_use_kvm(binary) && options.kvm_node.exists() {
            let best = ask_all(binary, "kvm:tcg", options);
            let emulated = ask_about_tcg(binary, options);
            let (best, emulated) = tokio::join!(best, emulated);
            Ok((best?, Some(emulated)))
        } else {
            Ok((ask_all(binary, "tcg", options).await?, None))
        }
    };
    let (answers, emulated) = match timeout(options.deadline, both).await {
        Ok(result) => result?,
        Err(_) => {
            let failure = ProbeFailure::Deadline(options.deadline);
            return Err(error(binary, failure, String::new()));
        }
    };
    let distilled = |failure| error(binary, ProbeFailure::Distill(failure), String::new());
    let (_, kvm) = distill::target(&answers).map_err(distilled)?;
    let emulated = match emulated {
        // An emulator without emulation says so and exits before it greets.
        Some(Err(failure)) if kvm && exited(&failure) => {
            tracing::debug!(binary = %binary.display(), error = %failure, "no emulation");
            None
        }
        Some(Err(failure)) if kvm => return Err(failure),
        Some(Err(_)) | None => None,
        Some(Ok(answers)) => Some(answers),
    };
    distill::distill(binary.to_owned(), &answers, emulated.as_ref()).map_err(distilled)
}

fn exited(error: &ProbeError) -> bool {
    matches!(&error.source, ProbeFailure::Monitor(error) if error.is_closed())
}

fn error(binary: &Path, source: ProbeFailure, stderr: String) -> ProbeError {
    ProbeError {
        binary: binary.to_owned(),
        stderr,
        source,
    }
}

/// Whether the emulated architecture may be one that the host's processor runs, by the name.
pub(crate) fn may_use_kvm(binary: &Path) -> bool {
    let name = binary.file_name().unwrap_or_default().to_string_lossy();
    let Some(target) = name.strip_prefix("qemu-system-") else {
        return true;
    };
    let host = arch::to_qemu(arch::host());
    !arch::TARGETS.contains(&target)
        || target == host
        || matches!(
            (host, target),
            ("x86_64", "i386") | ("aarch64", "arm") | ("ppc64", "ppc") | ("mips64el", "mipsel")
        )
}

async fn ask_all(
    binary: &Path,
    accelerators: &str,
    options: &ProbeOptions,
) -> Result<Answers, ProbeError> {
    let emulator = Emulator::start(binary, accelerators, options)
        .map_err(|failure| error(binary, failure, String::new()))?;
    let asked = async {
        let monitor = emulator.monitor().await?;
        let mut answers = Answers::default();
        let first = distill::first_questions().map_err(ProbeFailure::Distill)?;
        ask(&mut answers, &monitor, &first).await?;
        let (target, kvm) = distill::target(&answers).map_err(ProbeFailure::Distill)?;
        let accelerator = if kvm {
            Accelerator::Kvm
        } else {
            Accelerator::Tcg
        };
        let mut second = distill::property_questions(&answers).map_err(ProbeFailure::Distill)?;
        second
            .extend(distill::model_questions(&target, accelerator).map_err(ProbeFailure::Distill)?);
        ask(&mut answers, &monitor, &second).await?;
        Ok(answers)
    };
    let result = asked.await;
    emulator.finish(result).await
}

async fn ask_about_tcg(binary: &Path, options: &ProbeOptions) -> Result<Answers, ProbeError> {
    let emulator = Emulator::start(binary, "tcg", options)
        .map_err(|failure| error(binary, failure, String::new()))?;
    let asked = async {
        let monitor = emulator.monitor().await?;
        let mut answers = Answers::default();
        let mut first = distill::accelerator_questions().map_err(ProbeFailure::Distill)?;
        let target = Question::of(&QueryTarget {}).map_err(DistillError::Question);
        first.push(target.map_err(ProbeFailure::Distill)?);
        ask(&mut answers, &monitor, &first).await?;
        let (target, _) = distill::target(&answers).map_err(ProbeFailure::Distill)?;
        let models = distill::model_questions(&target, Accelerator::Tcg);
        ask(
            &mut answers,
            &monitor,
            &models.map_err(ProbeFailure::Distill)?,
        )
        .await?;
        Ok(answers)
    };
    let result = asked.await;
    emulator.finish(result).await
}

async fn ask(
    answers: &mut Answers,
    monitor: &Monitor,
    questions: &[Question],
) -> Result<(), ProbeFailure> {
    answers
        .ask(monitor, questions)
        .await
        .map_err(ProbeFailure::Monitor)
}

/// A running emulator, killed on drop.
struct Emulator {
    binary: PathBuf,
    child: Child,
    stream: std::os::unix::net::UnixStream,
    stderr: File,
    limits: Limits,
}

impl Emulator {
    fn start(
        binary: &Path,
        accelerators: &str,
        options: &ProbeOptions,
    ) -> Result<Self, ProbeFailure> {
        let (ours, theirs) =
            std::os::unix::net::UnixStream::pair().map_err(ProbeFailure::Prepare)?;
        ours.set_nonblocking(true).map_err(ProbeFailure::Prepare)?;
        let (stderr, stderr_copy) = stderr_file().map_err(ProbeFailure::Prepare)?;
        let mut cmd = Cmd::new(binary);
        let fd = cmd.pass_fd(theirs.into());
        cmd.args(["-S", "-no-user-config", "-nodefaults", "-display", "none"])
            .args(["-machine", &format!("none,accel={accelerators}")])
            .args(["-chardev", &format!("socket,id=monitor,fd={fd}")])
            .args(["-mon", "chardev=monitor,mode=control"])
            .stderr(stderr_copy)
            .rlimit(Resource::FileSize, Limit::Max(STDERR_LIMIT))
            .rlimit(Resource::Core, Limit::Max(0))
            .parent_death_signal(Signal::KILL);
        if let Some(user) = &options.user {
            cmd.user(user.uid, user.gid, &user.groups);
        }
        let child = cmd.spawn().map_err(ProbeFailure::Start)?;
        Ok(Self {
            binary: binary.to_owned(),
            child,
            stream: ours,
            stderr,
            limits: Limits {
                greeting: options.deadline,
                command: options.deadline,
                ..Limits::default()
            },
        })
    }

    async fn monitor(&self) -> Result<Monitor, ProbeFailure> {
        let stream = self.stream.try_clone().map_err(ProbeFailure::Prepare)?;
        let stream = UnixStream::from_std(stream).map_err(ProbeFailure::Prepare)?;
        let (monitor, _) = Monitor::open(stream, self.limits)
            .await
            .map_err(ProbeFailure::Monitor)?;
        Ok(monitor)
    }

    /// Ends the emulator and adds what it complained about to a failure.
    async fn finish(
        mut self,
        result: Result<Answers, ProbeFailure>,
    ) -> Result<Answers, ProbeError> {
        // It has nothing to lose, and asking it nicely would cost a round trip.
        let _ = self.child.signal(Signal::KILL);
        let _ = self.child.wait().await;
        result.map_err(|failure| error(&self.binary, failure, tail(&mut self.stderr)))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Already ended in the usual case, and then this does nothing.
        let _ = self.child.signal(Signal::KILL);
    }
}

/// A file in memory for standard error: never full for the writer, never waited for.
pub(crate) fn stderr_file() -> std::io::Result<(File, OwnedFd)> {
    let fd = rustix::fs::memfd_create("virtbus-probe-stderr", MemfdFlags::CLOEXEC)?;
    let file = File::from(fd);
    let copy = file.try_clone()?;
    Ok((file, copy.into()))
}

/// The last words, on one line.
pub(crate) fn tail(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(STDERR_LIMIT).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let line: Vec<char> = lines
        .join("; ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let skip = line.len().saturating_sub(STDERR_TAIL);
    line[skip..]
        .iter()
        .collect::<String>()
        .trim_matches([';', ' '])
        .to_owned()
}
