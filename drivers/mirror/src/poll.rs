//! Asking another host again and again.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use virtbus_api::event::{CloseReason, Event};
use virtbus_api::{Connection, Result};

/// How often another host is asked, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From one answer to the next question. One that takes longer than this to answer is asked after as much time again, so that it is asked at
    /// most half of the time.
    pub period: Duration,
    /// An answer may take so long.
    pub deadline: Duration,
    /// While questions fail, the time between two of them doubles, up to this.
    pub longest: Duration,
    /// After so many failures in a row the other host counts as gone.
    pub tries: u32,
}

impl Pace {
    /// The time until the next question, after one that took so long, and this many failures in a row.
    fn pause(&self, took: Duration, failures: u32) -> Duration {
        let most = self.longest.max(self.period);
        let doubled = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let pause = self.period.saturating_mul(doubled).min(most);
        pause.max(took)
    }
}

/// Ends the asking when it is dropped. The connection keeps it.
#[derive(Debug)]
#[must_use = "nothing is asked any more when this is dropped"]
pub struct Poll(AbortHandle);

impl Drop for Poll {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has `refresh` ask another host again and again, in a task of the runtime that this is called in, for as long as the connection is there and the result is kept.
/// If the other host does not answer any more, the connection's hub is told that it is closed ([`Event::Closed`]: `Keepalive` if the last question was not
/// answered in time, else `Error`), and nothing is asked from then on.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn poll<C, F>(
    connection: Weak<C>,
    pace: Pace,
    refresh: impl Fn(Arc<C>) -> F + Send + 'static,
) -> Poll
where
    C: Connection + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    Poll(tokio::spawn(ask(connection, pace, refresh)).abort_handle())
}

async fn ask<C, F>(connection: Weak<C>, pace: Pace, refresh: impl Fn(Arc<C>) -> F)
where
    C: Connection + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (mut failures, mut took) = (0, Duration::ZERO);
    loop {
        sleep(pace.pause(took, failures)).await;
        // Kept only while the question is under way.
        let Some(asked) = connection.upgrade().filter(|asked| asked.is_alive()) else {
            return;
        };
        let began = Instant::now();
        let answered = timeout(pace.deadline, refresh(Arc::clone(&asked))).await;
        took = began.elapsed();
        let (reason, why) = match answered {
            Ok(Ok(())) => {
                failures = 0;
                continue;
            }
            Ok(Err(error)) => (CloseReason::Error, error.message),
            Err(_) => {
                let why = format!("no answer within {:?}", pace.deadline);
                (CloseReason::Keepalive, why)
            }
        };
        failures += 1;
        let uri = asked.uri();
        if failures >= pace.tries {
            tracing::warn!(
                uri,
                failures,
                "connection to {uri} is given up after {failures} failed questions: {why}"
            );
            asked.events().publish(&Event::Closed(reason));
            return;
        }
        tracing::debug!(uri, failures, "{uri} did not answer: {why}");
    }
}
