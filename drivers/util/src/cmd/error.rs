//! What can go wrong with a program, from before its start to after its end.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ExitStatus;

/// How much of standard error an error message carries, in characters.
const MESSAGE_TAIL: usize = 1000;

/// Why a program did not do what it was run for. Every variant names the program.
#[derive(Debug, thiserror::Error)]
pub enum CmdError {
    /// It did not come to run at all.
    #[error("cannot start '{program}': cannot {step}")]
    Start {
        /// The program.
        program: PathBuf,
        /// What failed.
        step: Step,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Reading from, writing to or waiting for it failed.
    #[error("lost contact with '{program}'")]
    Watch {
        /// The program.
        program: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// It took too long and was killed.
    #[error("'{program}' did not finish within {timeout:?}{}", tail(.stderr))]
    Timeout {
        /// The program.
        program: PathBuf,
        /// How long it was given.
        timeout: Duration,
        /// What it had written to standard error.
        stderr: Vec<u8>,
    },
    /// It wrote too much and was killed.
    #[error("'{program}' wrote more than {limit} bytes")]
    TooMuchOutput {
        /// The program.
        program: PathBuf,
        /// What was allowed.
        limit: usize,
    },
    /// It ran and reported failure.
    #[error("'{program}' failed with {status}{}", tail(.stderr))]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it had written to standard error, or the end of it.
        stderr: Vec<u8>,
    },
}

impl CmdError {
    pub(super) fn start(program: &Path, step: Step, source: io::Error) -> Self {
        Self::Start {
            program: program.to_owned(),
            step,
            source,
        }
    }

    pub(super) fn watch(program: &Path, source: io::Error) -> Self {
        Self::Watch {
            program: program.to_owned(),
            source,
        }
    }

    /// Whether the program could not be started because its file is not there.
    pub fn is_missing_program(&self) -> bool {
        match self {
            Self::Start { step, source, .. } => {
                *step == Step::Execute && source.kind() == io::ErrorKind::NotFound
            }
            Self::Watch { .. }
            | Self::Timeout { .. }
            | Self::TooMuchOutput { .. }
            | Self::Failed { .. } => false,
        }
    }
}

/// A step on the way to a running program. Written so that "cannot" fits before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// Checks that need no kernel: absolute path, no NUL bytes, sane variable names.
    Arguments = 1,
    /// Pipes, `/dev/null`.
    Streams,
    /// The new process itself.
    Process,
    /// setsid or setpgid.
    Session,
    /// The control group.
    Cgroup,
    /// The out-of-memory adjustment.
    OomScore,
    /// Giving descriptors their numbers and closing the others.
    Descriptors,
    /// setrlimit.
    ResourceLimit,
    /// Supplementary groups.
    Groups,
    /// The group id.
    Gid,
    /// The user id.
    Uid,
    /// The working directory.
    CurrentDir,
    /// The signal at the parent's death.
    ParentDeathSignal,
    /// The program file.
    Execute,
}

impl Step {
    /// All steps, in the order in which they are taken.
    pub const ALL: [Self; 14] = [
        Self::Arguments,
        Self::Streams,
        Self::Process,
        Self::Session,
        Self::Cgroup,
        Self::OomScore,
        Self::Descriptors,
        Self::ResourceLimit,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::CurrentDir,
        Self::ParentDeathSignal,
        Self::Execute,
    ];

    pub(super) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|step| *step as u32 == number)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arguments => "use the arguments",
            Self::Streams => "open its standard streams",
            Self::Process => "create a process",
            Self::Session => "create a session",
            Self::Cgroup => "enter its control group",
            Self::OomScore => "set its out-of-memory adjustment",
            Self::Descriptors => "arrange its file descriptors",
            Self::ResourceLimit => "set its resource limits",
            Self::Groups => "set its supplementary groups",
            Self::Gid => "set its group id",
            Self::Uid => "set its user id",
            Self::CurrentDir => "enter its working directory",
            Self::ParentDeathSignal => "tie its life to the daemon's",
            Self::Execute => "execute the file",
        })
    }
}

/// The last lines of what a program said, on one line, safe for a log or a terminal.
pub(super) fn one_line(bytes: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let mut joined: Vec<char> = lines
        .join("; ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if joined.len() > limit {
        joined.drain(..joined.len() - limit);
        joined.insert(0, '…');
    }
    joined.into_iter().collect()
}

fn tail(stderr: &[u8]) -> String {
    let text = one_line(stderr, MESSAGE_TAIL);
    if text.is_empty() {
        text
    } else {
        format!(": {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_distinct_numbers() {
        for step in Step::ALL {
            assert_eq!(Step::from_number(step as u32), Some(step));
        }
        assert_eq!(Step::from_number(0), None);
        assert_eq!(Step::from_number(99), None);
    }

    #[test]
    fn tail_is_one_clean_line() {
        assert_eq!(
            one_line(b"warn: x\r\n\nerror: \x1b[31mno\xff\n", 100),
            "warn: x; error:  [31mno\u{fffd}"
        );
        assert_eq!(one_line(b"0123456789", 4), "…6789");
        assert_eq!(one_line(b"\n \n", 4), "");
    }
}
