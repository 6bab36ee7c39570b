//! Jobs: one change of a domain at a time, in the order of asking, with an end to waiting.
//!
//! A job runs in a task of its own, so a caller that goes away does not leave half of it undone. Only a job's turn is
//! waited for in the caller's own future, and giving that up harms nobody. Ending a domain is no job: it never waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};

/// How many jobs may wait for one domain; the next is refused.
const QUEUE: usize = 64;

#[derive(Debug)]
struct Current {
    name: &'static str,
    since: Instant,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Current>,
    waiting: usize,
}

/// The queue of one domain's jobs.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    turn: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

/// A job's turn; the next job's comes when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    state: Arc<Mutex<State>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.state).current = None;
    }
}

struct Waiting<'a>(&'a Mutex<State>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(self.0).waiting -= 1;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            state: Arc::default(),
        }
    }
}

impl Jobs {
    /// Waits for the turn of a job called `name`, at most `limit`. Cancel safe.
    ///
    /// # Errors
    /// `OperationTimeout` naming the job that is in the way; `ResourceBusy` if too many wait already.
    pub(crate) async fn turn(
        &self,
        domain: &str,
        name: &'static str,
        limit: Duration,
    ) -> Result<Turn> {
        let waiting = {
            let mut state = lock(&self.state);
            if state.waiting >= QUEUE {
                return Err(Error::new(
                    ErrorCode::ResourceBusy,
                    ErrorDomain::Qemu,
                    format!("{QUEUE} calls wait for domain '{domain}' already"),
                ));
            }
            state.waiting += 1;
            Waiting(&self.state)
        };
        let permit = tokio::time::timeout(limit, Arc::clone(&self.turn).acquire_owned()).await;
        drop(waiting);
        let permit = match permit {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(Error::internal("a domain's job queue is closed")),
            Err(_) => return Err(self.busy(domain, name, limit)),
        };
        let mut state = lock(&self.state);
        state.current = Some(Current {
            name,
            since: Instant::now(),
        });
        Ok(Turn {
            _permit: permit,
            state: Arc::clone(&self.state),
        })
    }

    /// The job that is under way and for how long.
    pub(crate) fn current(&self) -> Option<(&'static str, Duration)> {
        lock(&self.state)
            .current
            .as_ref()
            .map(|job| (job.name, job.since.elapsed()))
    }

    fn busy(&self, domain: &str, name: &str, limit: Duration) -> Error {
        let current = self.current();
        let (other, seconds) = current.map_or(("another call", 0), |(other, since)| {
            (other, since.as_secs())
        });
        Error::new(
            ErrorCode::OperationTimeout,
            ErrorDomain::Qemu,
            format!(
                "{name} waited {} s for domain '{domain}', which is busy with {other} for {seconds} s",
                limit.as_secs()
            ),
        )
    }

    /// Runs `work` as a job, in a task of its own, and waits for its answer.
    pub(crate) async fn run<T, F>(
        &self,
        domain: &str,
        name: &'static str,
        limit: Duration,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let turn = self.turn(domain, name, limit).await?;
        let task = tokio::spawn(async move {
            let answer = work.await;
            drop(turn);
            answer
        });
        match task.await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(domain, job = name, %error, "a job ended by a mistake of the daemon");
                Err(Error::internal(format!(
                    "{name} of domain '{domain}' ended by a mistake of the daemon"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_in_the_way_is_named_when_waiting_ends() {
        let jobs = Jobs::default();
        let turn = jobs
            .turn("web", "DomainCreate", Duration::from_secs(1))
            .await
            .unwrap();
        let error = jobs
            .turn("web", "DomainSuspend", Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::OperationTimeout);
        assert!(error.message.contains("DomainCreate"), "{error}");
        drop(turn);
        assert!(
            jobs.turn("web", "DomainSuspend", Duration::from_secs(1))
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_job_that_panics_frees_the_domain() {
        let jobs = Jobs::default();
        let limit = Duration::from_secs(1);
        let broken = async move {
            if limit.as_secs() == 1 {
                panic!("on purpose")
            } else {
                Ok(())
            }
        };
        assert_eq!(
            jobs.run("web", "DomainReset", limit, broken)
                .await
                .unwrap_err()
                .code,
            ErrorCode::InternalError
        );
        assert!(
            jobs.run("web", "DomainReset", limit, async { Ok(()) })
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_stop_its_job() {
        let jobs = Jobs::default();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let limit = Duration::from_secs(1);
        let work = async move {
            let _ = gone.await;
            let _ = sender.send(());
            Ok(())
        };
        {
            let mut run = std::pin::pin!(jobs.run("web", "DomainCreate", limit, work));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(run.as_mut().poll(&mut context).is_pending());
        }
        go.send(()).unwrap();
        receiver.await.unwrap();
    }
}
