//! One daemon per set of directories: two that know the same guests would each take the other's starts for leftovers.
//!
//! The bus name keeps a second daemon off the same bus only; a session and a private bus may well share directories.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;
use virtbus_util::dirs::Dirs;
use virtbus_util::file::{self, DirLock, FileError};

/// A daemon that was told to end gives its directories up within a second or two; the next one may have been called already.
const PATIENCE: Duration = Duration::from_secs(3);
/// The kernel tells nobody that a lock is free.
const AGAIN: Duration = Duration::from_millis(20);

/// Why the directories cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnershipError {
    #[error(
        "another virtbusd{} uses the directory '{}'; end that one, or give this one a directory of its own with --state-dir",
        .holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        .path.display()
    )]
    Taken { path: PathBuf, holder: Option<i32> },
    #[error(transparent)]
    File(#[from] FileError),
}

/// Takes the directories for this process, for as long as it lives: what is still under way when the daemon ends may write there up to
/// the very end. They are made where they are not there.
///
/// # Errors
/// If another daemon has one of them, or one cannot be made.
pub(crate) async fn take(dirs: &Dirs) -> Result<(), OwnershipError> {
    // What is defined, what is saved, what runs. The rest is of no consequence.
    let mut paths = vec![&dirs.config, &dirs.state, &dirs.runtime];
    paths.sort();
    paths.dedup();
    let until = Instant::now() + PATIENCE;
    for path in paths {
        file::ensure_dir(path, 0o755, None)?;
        std::mem::forget(lock(path, until).await?);
    }
    Ok(())
}

async fn lock(path: &Path, until: Instant) -> Result<DirLock, OwnershipError> {
    loop {
        match DirLock::acquire(path) {
            Err(FileError::Locked { .. }) if Instant::now() < until => {
                tokio::time::sleep(AGAIN).await;
            }
            Err(FileError::Locked { path }) => {
                let holder = DirLock::holder(&path);
                return Err(OwnershipError::Taken { path, holder });
            }
            lock => return Ok(lock?),
        }
    }
}
