//! Other processes, by their ids: which are stopped, and stopping them.

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
