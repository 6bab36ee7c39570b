//! The jobs of one domain: whose turn it is, waiting for it, and what runs in its turn.
//!
//! A job runs in a task of its own, so a caller that goes away does not leave half of it undone. Only a job's turn is waited for in the
//! caller's own future, and giving that up harms nobody.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use virtbus_api::domain::{BlockJobInfo, DomainJobOperation};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};

use super::kind::{Job, Kind};
use super::progress::{Aborting, Audience, BlockProgress, Progress, Progresses, Report};
use super::queue::{Full, Id, Place, Queue};

/// So many jobs may wait for one domain; the next is refused.
pub const WAITING: usize = 64;

/// The jobs of one domain. A clone is the same table.
#[derive(Clone)]
pub struct Jobs {
    errors: ErrorDomain,
    queue: Arc<Mutex<Queue<oneshot::Sender<()>>>>,
    progresses: Progresses,
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs")
            .field("running", &self.queue().running())
            .finish_non_exhaustive()
    }
}

/// A job's turn. The job is over when this is dropped.
#[derive(Debug)]
pub struct Turn {
    jobs: Jobs,
    id: Id,
    job: Job,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let woken = self.jobs.queue().leave(self.id, Instant::now());
        wake(woken);
    }
}

fn wake(woken: Vec<oneshot::Sender<()>>) {
    for one in woken {
        // Whoever does not wait any more gives its turn back itself.
        let _ = one.send(());
    }
}

impl Jobs {
    /// No jobs. `errors` is the part of the system that its refusals are said to come from.
    #[must_use]
    pub fn new(errors: ErrorDomain) -> Self {
        Self {
            errors,
            queue: Arc::default(),
            progresses: Progresses::default(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<oneshot::Sender<()>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, job: Job, place: Place) -> Result<(Turn, oneshot::Receiver<()>), Full> {
        let (sender, admitted) = oneshot::channel();
        let now = Instant::now();
        let (id, woken) = self.queue().ask(job, place, sender, now)?;
        wake(woken);
        let jobs = self.clone();
        Ok((Turn { jobs, id, job }, admitted))
    }

    /// Waits for the turn of a job of the domain with this name, at most `limit`. Cancel safe.
    ///
    /// # Errors
    /// `OperationTimeout`, which names the job in the way and tells for how long that has run; `ResourceBusy` if too many jobs wait already.
    pub async fn turn(&self, domain: &str, job: Job, limit: Duration) -> Result<Turn> {
        let most = WAITING;
        let (turn, admitted) = self.ask(job, Place::Last { most }).map_err(|Full| {
            Error::new(
                ErrorCode::ResourceBusy,
                self.errors,
                format!(
                    "{} of domain '{domain}' is refused: {WAITING} calls are waiting for the domain already",
                    job.name
                ),
            )
        })?;
        if tokio::time::timeout(limit, admitted).await.is_ok() {
            return Ok(turn);
        }
        let in_the_way = {
            let queue = self.queue();
            let other = queue.in_the_way(turn.id);
            other.map(|other| (other.job.name, other.since.elapsed().as_secs()))
        };
        // Its turn may have come just now.
        let Some((other, seconds)) = in_the_way else {
            return Ok(turn);
        };
        Err(Error::new(
            ErrorCode::OperationTimeout,
            self.errors,
            format!(
                "{} waited {} s for domain '{domain}', which is busy with {other} for {seconds} s",
                job.name,
                limit.as_secs(),
            ),
        ))
    }

    /// Runs `work` as a job, in a task of its own, and waits for its answer.
    ///
    /// # Errors
    /// As [`Jobs::turn`]; those of `work`; `InternalError` if it panics.
    pub async fn run<T, F>(&self, domain: &str, job: Job, limit: Duration, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let with_turn = |turn| async move {
            let answer = work.await;
            drop(turn);
            answer
        };
        self.run_with(domain, job, limit, with_turn).await
    }

    /// Runs `work` as a job, likewise, and gives it its turn: to take steps in, to tell how far it is, or to keep.
    ///
    /// # Errors
    /// As [`Jobs::run`].
    pub async fn run_with<T, F>(
        &self,
        domain: &str,
        job: Job,
        limit: Duration,
        work: impl FnOnce(Turn) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let turn = self.turn(domain, job, limit).await?;
        match tokio::spawn(work(turn)).await {
            Ok(answer) => answer,
            Err(error) => {
                let name = job.name;
                tracing::error!(domain, job = name, %error, "internal error in {name} of domain '{domain}': {error}");
                Err(Error::internal(format!(
                    "internal error in {name} of domain '{domain}'; see the daemon's log"
                )))
            }
        }
    }

    /// Since when the guest has been busy with a job.
    #[must_use]
    pub fn busy(&self) -> Option<Duration> {
        let queue = self.queue();
        let mut running = queue.running().iter();
        let first = running.find(|running| running.job.occupies_guest())?;
        Some(first.since.elapsed())
    }

    /// How far the long job is, if there is one.
    #[must_use]
    pub fn long(&self) -> Option<Report> {
        self.progresses.long()
    }

    /// The last long job that was done. It is forgotten by that, unless it is to be kept for the next who asks.
    #[must_use]
    pub fn completed(&self, keep: bool) -> Option<Report> {
        self.progresses.completed(keep)
    }

    /// Tells the long job to end before it is done. Never waits.
    pub fn abort(&self) -> Aborting {
        self.progresses.abort()
    }

    /// The jobs on disks that are under way, with the targets of their disks.
    #[must_use]
    pub fn blocks(&self) -> Vec<(Arc<str>, BlockJobInfo)> {
        self.progresses.blocks()
    }
}

impl Turn {
    /// Begins a step of this long job: until what is returned is dropped, no job runs that is about the guest, but for questions that had
    /// begun. It goes before all jobs that wait. What may run beside a long job has a deadline of its own, and so this has none. Cancel
    /// safe.
    pub async fn step(&self) -> Self {
        let job = Job::new(self.job.name, &[Kind::Step]);
        let asked = self.jobs.ask(job, Place::First);
        let (step, admitted) = asked.expect("steps are never refused");
        // The sender goes with the step, so this ends by its turn only.
        let _ = admitted.await;
        step
    }

    /// Begins to tell how far this job is. There is one such progress of a domain, that of its long job; `can_abort`: somebody watches
    /// [`Progress::aborted`].
    #[must_use]
    pub fn progress(
        &self,
        operation: DomainJobOperation,
        can_abort: bool,
        audience: Arc<dyn Audience>,
    ) -> Progress {
        let all = self.jobs.progresses.clone();
        Progress::begin(all, operation, can_abort, audience)
    }

    /// Lists a job on the disk with this target until what is returned is dropped.
    #[must_use]
    pub fn block_progress(&self, disk: &str, info: BlockJobInfo) -> BlockProgress {
        BlockProgress::begin(self.jobs.progresses.clone(), disk, info)
    }
}

#[cfg(test)]
mod tests;
