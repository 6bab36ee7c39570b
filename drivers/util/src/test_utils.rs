//! What this crate's own unit tests share. Compiled for tests only.

use std::io::Write;

/// Whether the tests run as root. If not, says that `test` is skipped, on standard error and in
/// the file that `VIRTBUS_SKIP_LOG` names (the test runner counts its lines).
pub(crate) fn is_root_or_skip(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(test, "needs root");
    }
    root
}

/// Records that `test` could not run here, and why.
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os("VIRTBUS_SKIP_LOG") {
        let mut log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        writeln!(log, "{test}: {reason}").unwrap();
    }
}
