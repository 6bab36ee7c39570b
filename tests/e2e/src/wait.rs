//! Waiting for facts outside this process, with a bound.
//!
//! Polls, because files, processes and console output of others announce nothing; where an
//! event exists (a signal on the bus), wait for that one instead. The limits that callers
//! give are for an idle machine: they are stretched here.

use std::time::{Duration, Instant};

/// What an idle machine needs at most for an order to be followed, by a guest too.
pub const LIMIT: Duration = Duration::from_secs(12);

/// How often a fact is looked at.
const POLL: Duration = Duration::from_millis(20);

/// What limits are multiplied by, since test machines are often busy.
const PATIENCE: u32 = 5;

/// The time that is really allowed where an idle machine needs at most `limit`.
#[must_use]
pub fn patient(limit: Duration) -> Duration {
    limit * PATIENCE
}

/// Looks until `look` sees something, and returns that.
///
/// # Panics
/// When nothing was seen for five times `limit`; the text names `what` was waited for.
pub async fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    wait_for_async(what, limit, async || look()).await
}

/// The same for something that has to be asked for.
///
/// # Panics
/// As [`wait_for`]. The limit also ends a `look` that does not come back.
pub async fn wait_for_async<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begin = Instant::now();
    let seen = tokio::time::timeout(patient(limit), async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(POLL).await;
        }
    });
    match seen.await {
        Ok(seen) => seen,
        Err(_) => panic!("waited {:?} in vain for {what}", begin.elapsed()),
    }
}

/// Looks until something holds.
///
/// # Panics
/// As [`wait_for`].
pub async fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, limit, || holds().then_some(())).await;
}
