//! The log of one guest: how its process was started, what that wrote to standard error, how it ended.
//!
//! The process writes to the file itself, so that nothing is lost while no daemon runs, and could write without end. So a log that has
//! become long is put aside, at each start and every few seconds while the guest runs; the newest of those put aside are kept.
//! Names of guests are not for everybody, so the folder of logs can be passed through and not listed. What is written there is the driver's
//! affair.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use virtbus_util::file;

/// How much an error shows of what a process wrote last, bytes.
const TAIL: u64 = 1024;

/// A log that is longer is put aside, bytes: a thousand starts with their command lines.
const LONGEST: u64 = 2 << 20;

/// So many older logs are kept beside the one that is written: `NAME.log.1` is the newest.
const KEPT: u32 = 2;

/// How often the length of a running guest's log is looked at. Guests' processes hardly ever write; one that writes all it can has gigabytes
/// at most before it is noticed.
const LOOK: Duration = Duration::from_secs(5);

/// Opens a guest's log for appending, made if it is not there. Blocks.
///
/// # Errors
/// What the kernel has against it; a symbolic link in its place is not followed.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags())
        .open(path)
}

fn flags() -> i32 {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    flags.bits().cast_signed()
}

/// Opens the log of a run that begins, in its folder, after a long one was put aside. Blocks.
///
/// # Errors
/// If the folder or the file cannot be made.
pub fn begin(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        file::ensure_dir(dir, 0o711, None).map_err(io::Error::other)?;
    }
    let is_long = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.len() > LONGEST);
    if is_long {
        make_room(path)?;
        std::fs::rename(path, older(path, 1))?;
    }
    open(path)
}

/// Removes a guest's log with the older ones. Blocks.
///
/// # Errors
/// If one of them stays.
pub fn remove(path: &Path) -> Result<(), file::FileError> {
    for number in 1..=KEPT {
        file::remove(&older(path, number))?;
    }
    file::remove(path).map(drop)
}

/// Keeps the log of a running guest from growing without end.
#[derive(Debug)]
pub struct Bound {
    path: PathBuf,
    looked: Instant,
}

impl Bound {
    /// For the log at this path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            looked: Instant::now(),
        }
    }

    /// Looks, if it is time to. Waits for nothing.
    pub fn look(&mut self) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let path = self.path.clone();
        // A single look, done in no time unless the disk hangs.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = cut(&path) {
                tracing::warn!(path = %path.display(), %error, "the log '{}' cannot be kept short, ignoring: {error}", path.display());
            }
        });
    }
}

/// Puts the end of a long log aside and empties it. Its writer has it open and goes on at its new end.
fn cut(path: &Path) -> io::Result<()> {
    let facts = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        facts => facts?,
    };
    if !facts.is_file() || facts.len() <= LONGEST {
        return Ok(());
    }
    let mut log = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags())
        .open(path)?;
    let length = log.metadata()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(LONGEST)))?;
    make_room(path)?;
    let mut aside = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(older(path, 1))?;
    let copied = io::copy(&mut (&mut log).take(LONGEST), &mut aside);
    // Also if the disk is full: then above all.
    log.set_len(0)?;
    copied?;
    writeln!(
        &log,
        "{} virtbusd: the log became long, and begins anew",
        now()
    )
}

/// Moves older logs on, so that the newest place is free. The oldest one goes.
fn make_room(path: &Path) -> io::Result<()> {
    for number in (1..=KEPT).rev() {
        let from = older(path, number);
        let moved = if number == KEPT {
            std::fs::remove_file(from)
        } else {
            std::fs::rename(from, older(path, number + 1))
        };
        match moved {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn older(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// A disk for logs that is slower than this holds up nobody.
const PATIENCE: Duration = Duration::from_secs(1);

/// Appends a line of ours. A log that cannot be written stops nothing.
pub async fn append(path: PathBuf, line: String) {
    let named = path.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let written = open(&path).and_then(|mut log| writeln!(log, "{} virtbusd: {line}", now()));
        if let Err(error) = written {
            tracing::debug!(path = %path.display(), %error, "the log '{}' cannot be written: {error}", path.display());
        }
    });
    if tokio::time::timeout(PATIENCE, writing).await.is_err() {
        let path = named.display();
        tracing::warn!(%path, "the log '{path}' takes long to be written, ignoring");
    }
}

/// The time in UTC, as RFC 3339 has it, to the millisecond.
#[must_use]
pub fn now() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    written(elapsed.unwrap_or_default())
}

fn written(since_1970: Duration) -> String {
    let (days, rest) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut day) = (1970, days);
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if day < length {
            break;
        }
        day -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let millisecond = since_1970.subsec_millis();
    let day = day + 1;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// What was written to the log after `start`, at most the last kilobyte, on one line.
pub fn since(log: &mut File, start: u64) -> String {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn fill(path: &Path, with: u8) {
        let mut log = open(path).unwrap();
        let bytes = vec![with; usize::try_from(LONGEST).unwrap()];
        log.write_all(&bytes).unwrap();
        log.write_all(b"last").unwrap();
    }

    #[test]
    fn long_logs_are_put_aside_at_a_start_and_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/web.log");
        for with in [b'a', b'b', b'c', b'd'] {
            drop(begin(&path).unwrap());
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
            fill(&path, with);
        }
        let folder = std::fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(folder.mode() & 0o7777, 0o711);
        begin(&path).unwrap();
        let first = |number| std::fs::read(older(&path, number)).unwrap()[0];
        assert_eq!((first(1), first(2)), (b'd', b'c'));
        assert!(!older(&path, 3).exists());
        remove(&path).unwrap();
        assert_eq!(
            std::fs::read_dir(dir.path().join("log")).unwrap().count(),
            0
        );
    }

    #[test]
    fn a_log_that_is_being_written_is_cut_and_keeps_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let mut writer = begin(&path).unwrap();
        writer.write_all(b"short").unwrap();
        cut(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        fill(&path, b'x');
        cut(&path).unwrap();
        let aside = std::fs::read(older(&path, 1)).unwrap();
        assert_eq!(aside.len() as u64, LONGEST);
        assert!(aside.ends_with(b"last"));
        writer.write_all(b"goes on").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("begins anew\ngoes on"), "{text}");
        cut(&dir.path().join("none")).unwrap();
    }
}
