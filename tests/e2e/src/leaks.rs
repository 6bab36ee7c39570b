//! What a daemon left behind: processes, sockets, control groups.
//!
//! Everything a test starts carries the path of its directory or the name of its guest
//! somewhere, which is how leftovers are told from what other tests own. Looks only; ending
//! leftovers is [`end_processes`], for teardown.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::process::pid;

/// Deepest directory that is looked into, in the control groups and in a test's directory.
const DEPTH: usize = 12;

/// A process that names something of the test's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its command line, arguments separated by blanks.
    pub command: String,
}

/// The processes whose command line or working directory contains `needle`, but for this one.
///
/// A process that ended and was not waited for has no command line, so it is not among
/// them.
#[must_use]
pub fn processes(needle: &str) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| {
            Some(Process {
                pid,
                command: command_line(pid)?,
            })
        })
        .filter(|process| {
            process.command.contains(needle)
                || fs::read_link(format!("/proc/{}/cwd", process.pid))
                    .is_ok_and(|cwd| cwd.to_string_lossy().contains(needle))
        })
        .collect()
}

/// The sockets in the file system below `dir`.
#[must_use]
pub fn sockets(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(dir, DEPTH, &mut |path, kind| {
        if kind.is_socket() {
            found.push(path.to_owned());
        }
    });
    found
}

/// The control groups whose name contains `needle`, in whichever hierarchies are mounted.
#[must_use]
pub fn cgroups(needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(Path::new("/sys/fs/cgroup"), DEPTH, &mut |path, kind| {
        let name = path.file_name().and_then(|name| name.to_str());
        if kind.is_dir() && name.is_some_and(|name| name.contains(needle)) {
            found.push(path.to_owned());
        }
    });
    found
}

/// Kills every process whose command line contains `needle`.
///
/// Each is held by a descriptor and looked at once more before it is killed, so that no
/// stranger is hit that took over a process id.
pub fn end_processes(needle: &str) {
    for process in processes(needle) {
        let Ok(fd) = pidfd_open(pid(process.pid), PidfdFlags::empty()) else {
            continue;
        };
        if command_line(process.pid).is_some_and(|command| command.contains(needle)) {
            // Fails only if it has ended meanwhile.
            let _ = pidfd_send_signal(&fd, Signal::KILL);
        }
    }
}

fn command_line(pid: u32) -> Option<String> {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&raw).replace('\0', " ");
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

fn walk(dir: &Path, depth: usize, visit: &mut impl FnMut(&Path, fs::FileType)) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        visit(&entry.path(), kind);
        if kind.is_dir() && depth > 0 {
            walk(&entry.path(), depth - 1, visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn a_process_is_found_by_its_arguments_and_ended() {
        let needle = format!("virtbus-leak-{}", std::process::id());
        let mut child = Command::new("sh")
            .args(["-c", "read line", &needle])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Between fork and exec the child still has our own command line.
        let found = loop {
            let found = processes(&needle);
            if !found.is_empty() {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(found[0].pid, child.id());
        end_processes(&needle);
        assert!(!child.wait().unwrap().success());
        assert_eq!(processes(&needle), []);
    }

    #[test]
    fn sockets_are_found_below_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        let path = dir.path().join("run/monitor");
        let _listener = UnixListener::bind(&path).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        assert_eq!(sockets(dir.path()), [path]);
    }
}
