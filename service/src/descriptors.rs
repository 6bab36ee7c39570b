//! How many file descriptors the daemon may open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// As many as the unit asks for. More are of no use, and programs that close all they might have take longer to start.
const ENOUGH: u64 = 65_536;

/// Asks for as many as may be had, since guests and callers need more than the thousand that a shell gives; how many there are now.
pub(crate) fn raise_limit() -> usize {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors is not known, taking it for 1024");
            return 1024;
        }
    };
    let wanted = hard.min(ENOUGH).max(soft);
    let now = match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors stays at {soft}, ignoring");
            soft
        }
    };
    usize::try_from(now).unwrap_or(usize::MAX)
}
