//! The log of one guest: how QEMU was started, what it wrote to standard error, how it ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much of QEMU's last words an error shows, bytes.
const TAIL: u64 = 1024;

/// Opens a guest's log for appending, made if it is not there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .mode(0o600)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0))
        .open(path)
}

/// A disk for logs that is slower than this holds up nobody.
const PATIENCE: Duration = Duration::from_secs(1);

/// Appends a line of ours. A log that cannot be written stops nothing.
pub(crate) async fn append(path: PathBuf, line: String) {
    let writing = tokio::task::spawn_blocking(move || {
        let written = open(&path).and_then(|mut log| writeln!(log, "{} virtbusd: {line}", now()));
        if let Err(error) = written {
            tracing::debug!(path = %path.display(), %error, "a guest's log cannot be written");
        }
    });
    if tokio::time::timeout(PATIENCE, writing).await.is_err() {
        tracing::warn!("a guest's log takes long to be written, ignoring");
    }
}

/// Seconds since 1970, which needs no time zone.
pub(crate) fn now() -> String {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{}.{:03}", elapsed.as_secs(), elapsed.subsec_millis())
}

/// What was written to the log after `start`, at most the last kilobyte, on one line.
pub(crate) fn since(log: &mut File, start: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let end = log.seek(SeekFrom::End(0))?;
        log.seek(SeekFrom::Start(start.max(end.saturating_sub(TAIL))))?;
        let mut bytes = Vec::new();
        log.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = {
        let mut read = read;
        read()
    }
    .unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}
