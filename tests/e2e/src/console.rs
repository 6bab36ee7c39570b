//! What a guest has said on its serial console, which is a file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::guest::{READY, TICK};
use crate::wait::{LIMIT, wait_until};

/// The console of a guest.
#[derive(Debug, Clone)]
pub struct Console(PathBuf);

impl Console {
    /// The console that goes to a file, which may not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Console {
        Console(path)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All that was said; nothing if the guest was never there.
    #[must_use]
    pub fn text(&self) -> String {
        let said = fs::read(&self.0).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// How often `words` were said.
    #[must_use]
    pub fn times(&self, words: &str) -> usize {
        self.text().matches(words).count()
    }

    /// Waits until `words` were said.
    ///
    /// # Panics
    /// When they are not in time.
    pub async fn wait_for(&self, words: &str) {
        let what = format!("'{words}' in {}", self.0.display());
        wait_until(&what, LIMIT, || self.times(words) > 0).await;
    }

    /// Waits until the guest, which was told to [`TICK`], counts on; it must not have begun anew.
    ///
    /// # Panics
    /// When it does not count, or has booted more than once.
    pub async fn wait_for_ticks(&self) {
        let before = self.times(TICK);
        wait_until("the guest to count on", LIMIT, || {
            self.times(TICK) > before + 1
        })
        .await;
        let boots = self.times(READY);
        assert!(boots <= 1, "it booted {boots} times");
    }
}
