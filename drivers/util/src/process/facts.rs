//! Facts about a process, read from `/proc`. Formats are those of proc(5).
//!
//! Every answer may be stale when it arrives; hold a [`super::Pidfd`] where that matters.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::ProcessError;

/// What a process is doing, by the letter that the kernel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// `R`: on a processor or in the queue for one.
    Running,
    /// `S`: waits and can be interrupted.
    Sleeping,
    /// `D`: waits and cannot be interrupted, mostly for a disk.
    DiskSleep,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by a debugger.
    Traced,
    /// `Z`: has exited and nobody has asked for its status yet.
    Zombie,
    /// `X`: has exited and is being removed.
    Dead,
    /// `I`: an idle thread of the kernel.
    Idle,
    /// A letter that this program does not know.
    Other(char),
}

impl ProcessState {
    fn from_letter(letter: char) -> Self {
        match letter {
            'R' => Self::Running,
            'S' => Self::Sleeping,
            'D' => Self::DiskSleep,
            'T' => Self::Stopped,
            't' => Self::Traced,
            'Z' => Self::Zombie,
            'X' | 'x' => Self::Dead,
            'I' => Self::Idle,
            other => Self::Other(other),
        }
    }
}

/// Part of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The name of the executable, cut to 15 bytes, as the process may have changed it.
    pub comm: OsString,
    /// What it is doing.
    pub state: ProcessState,
    /// The parent's pid.
    pub ppid: i32,
    /// The process group.
    pub pgrp: i32,
    /// The session.
    pub session: i32,
    /// Time in user mode, in clock ticks (guest time included).
    pub utime: u64,
    /// Time in kernel mode, in clock ticks.
    pub stime: u64,
    /// How many threads it has.
    pub num_threads: u64,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Resident memory, in pages.
    pub rss_pages: u64,
    /// The processor it ran on last.
    pub processor: u32,
}

/// Reads `/proc/PID/stat`.
pub fn stat(pid: i32) -> Result<Stat, ProcessError> {
    let path = proc_path(pid, "stat")?;
    let bytes = read(pid, &path)?;
    parse_stat(&bytes).ok_or(ProcessError::Malformed { path })
}

/// The command line. Empty for zombies and kernel threads.
pub fn cmdline(pid: i32) -> Result<Vec<OsString>, ProcessError> {
    let path = proc_path(pid, "cmdline")?;
    Ok(split_nul(&read(pid, &path)?))
}

/// The environment that the process was started with, as `NAME=value`.
pub fn environment_of(pid: i32) -> Result<Vec<OsString>, ProcessError> {
    let path = proc_path(pid, "environ")?;
    Ok(split_nul(&read(pid, &path)?))
}

/// The file that the process runs. If it has been deleted or replaced, the kernel appends
/// ` (deleted)`.
pub fn executable(pid: i32) -> Result<PathBuf, ProcessError> {
    let path = proc_path(pid, "exe")?;
    fs::read_link(&path).map_err(|source| read_error(pid, &path, source))
}

/// Where the process works. If the directory has been removed, the kernel appends ` (deleted)`.
pub fn current_dir(pid: i32) -> Result<PathBuf, ProcessError> {
    let path = proc_path(pid, "cwd")?;
    fs::read_link(&path).map_err(|source| read_error(pid, &path, source))
}

/// The user whose the process is: its effective user id.
pub fn user(pid: i32) -> Result<u32, ProcessError> {
    let path = proc_path(pid, "status")?;
    let bytes = read(pid, &path)?;
    let text = String::from_utf8_lossy(&bytes);
    // "Uid:<tab>real<tab>effective<tab>saved<tab>of the file system"
    let ids = text.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok())
        .ok_or(ProcessError::Malformed { path })
}

/// The ids of the threads, ascending.
pub fn threads(pid: i32) -> Result<Vec<i32>, ProcessError> {
    let path = proc_path(pid, "task")?;
    let mut threads = Vec::new();
    for entry in fs::read_dir(&path).map_err(|source| read_error(pid, &path, source))? {
        let entry = entry.map_err(|source| read_error(pid, &path, source))?;
        if let Some(tid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            threads.push(tid);
        }
    }
    threads.sort_unstable();
    Ok(threads)
}

/// The kernel's identity of this boot of the host, a UUID in text.
pub fn boot_id() -> Result<String, ProcessError> {
    let path = PathBuf::from("/proc/sys/kernel/random/boot_id");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(ProcessError::Read { path, source }),
    }
}

fn proc_path(pid: i32, file: &str) -> Result<PathBuf, ProcessError> {
    if pid <= 0 {
        return Err(ProcessError::BadPid(pid));
    }
    Ok(PathBuf::from(format!("/proc/{pid}/{file}")))
}

fn read(pid: i32, path: &Path) -> Result<Vec<u8>, ProcessError> {
    fs::read(path).map_err(|source| read_error(pid, path, source))
}

fn read_error(pid: i32, path: &Path, source: io::Error) -> ProcessError {
    let gone = source.kind() == io::ErrorKind::NotFound
        || source.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error());
    if gone {
        ProcessError::Gone(pid)
    } else {
        ProcessError::Read {
            path: path.to_owned(),
            source,
        }
    }
}

fn split_nul(bytes: &[u8]) -> Vec<OsString> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes
        .split(|byte| *byte == 0)
        .map(|part| OsStr::from_bytes(part).to_owned())
        .collect()
}

/// The name in field 2 stands in parentheses and may itself hold anything, also `) R 1`: the last
/// closing parenthesis of the line ends it.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let comm = bytes.get(open + 1..close)?.to_vec();
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // `fields` begins with field 3 of proc(5).
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |index: usize| field(index)?.parse::<u64>().ok();
    let signed = |index: usize| field(index)?.parse::<i32>().ok();
    Some(Stat {
        comm: OsString::from_vec(comm),
        state: ProcessState::from_letter(field(3)?.chars().next()?),
        ppid: signed(4)?,
        pgrp: signed(5)?,
        session: signed(6)?,
        utime: number(14)?,
        stime: number(15)?,
        num_threads: number(20)?,
        start_time: number(22)?,
        rss_pages: number(24)?,
        processor: field(39)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_its_user_s() {
        let own = rustix::process::geteuid().as_raw();
        let pid = i32::try_from(std::process::id()).unwrap();
        assert_eq!(user(pid).unwrap(), own);
        assert!(user(i32::MAX).is_err());
    }

    const LINE: &str = "4242 (ev) R (il)) T 7 8 9 0 -1 4194304 1 2 3 4 50 60 7 8 20 0 3 0 \
                        987654 1000 77 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 5 0 0 0 0 0";

    #[test]
    fn stat_with_a_hostile_name() {
        let facts = parse_stat(LINE.as_bytes()).unwrap();
        assert_eq!(facts.comm, "ev) R (il)");
        assert_eq!(facts.state, ProcessState::Stopped);
        assert_eq!((facts.ppid, facts.pgrp, facts.session), (7, 8, 9));
        assert_eq!((facts.utime, facts.stime), (50, 60));
        assert_eq!((facts.num_threads, facts.start_time), (3, 987_654));
        assert_eq!((facts.rss_pages, facts.processor), (77, 5));
    }

    #[test]
    fn stat_cut_anywhere_is_no_panic() {
        for end in 0..LINE.len() {
            let _ = parse_stat(&LINE.as_bytes()[..end]);
        }
        assert!(parse_stat(b") (").is_none());
    }

    #[test]
    fn own_facts() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let facts = stat(pid).unwrap();
        assert!(facts.start_time > 0);
        assert!(threads(pid).unwrap().contains(&pid));
        assert!(!cmdline(pid).unwrap().is_empty());
        assert_eq!(executable(pid).unwrap(), std::env::current_exe().unwrap());
        assert_eq!(current_dir(pid).unwrap(), std::env::current_dir().unwrap());
        assert_eq!(boot_id().unwrap().len(), 36);
    }

    #[test]
    fn nul_separated_lists() {
        assert_eq!(split_nul(b"a\0\0b c\0"), ["a", "", "b c"]);
        assert_eq!(split_nul(b"cut"), ["cut"]);
        assert!(split_nul(b"").is_empty());
    }
}
