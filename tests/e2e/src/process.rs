//! Other processes, by their ids: what memory they have, which are stopped, and stopping them.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{LIMIT, wait_until};

/// A process id as system calls take it.
///
/// # Panics
/// When it is no process id.
#[must_use]
pub fn pid(number: u32) -> Pid {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    pid.expect("a process id")
}

/// A figure of `/proc/PID/status` in KiB, such as `VmRSS`, all memory that is in use, or `RssAnon`, what of it is no file's.
///
/// # Panics
/// When there is no such process, or it has no such figure.
#[must_use]
pub fn memory(pid: u32, figure: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("the process has memory")
}

/// Stops a process, so that it hangs; all of its threads have stopped when this returns.
///
/// # Panics
/// When it cannot be signalled, or does not stop in time.
pub async fn stop(pid: Pid) {
    kill_process(pid, Signal::STOP).expect("the process can be signalled");
    wait_until("a process to stop", LIMIT, || is_stopped(pid)).await;
}

/// Whether a process is there and stopped, with all of its threads.
#[must_use]
pub fn is_stopped(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    // The state follows the name in parentheses, which may itself contain some.
    stat.is_ok_and(|stat| {
        let state = stat.rsplit(')').next().unwrap_or_default();
        state.trim_start().starts_with('T')
    })
}
