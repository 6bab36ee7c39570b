//! How far long jobs are, who may abort them, and what is kept of the last one that was done.
//!
//! A progress belongs to a job that runs, and is read without waiting. That of a long job is told to an [`Audience`] besides, so nobody has to
//! ask again and again. Jobs on disks ([`BlockProgress`]) are listed apart: a domain may have one for each disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use virtbus_api::domain::{BlockJobInfo, DomainJobOperation, DomainJobType, JobInfo, JobProgress};
use virtbus_api::typed::{TypedParameter, TypedParameters};

/// How much there is to do and how much of it is left, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// All of it.
    pub total: u64,
    /// What is left; may be more than there was at first.
    pub remaining: u64,
}

impl Amounts {
    const fn processed(self) -> u64 {
        self.total.saturating_sub(self.remaining)
    }

    fn percent(self) -> u32 {
        let done = u128::from(self.processed()) * 100;
        let percent = done.checked_div(u128::from(self.total)).unwrap_or(0);
        u32::try_from(percent).unwrap_or(100)
    }
}

/// A long job as far as it came.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    operation: DomainJobOperation,
    kind: DomainJobType,
    elapsed: Duration,
    amounts: Amounts,
}

impl Report {
    /// As `virDomainJobInfo`.
    #[must_use]
    pub fn info(&self) -> JobInfo {
        let Amounts { total, remaining } = self.amounts;
        let processed = self.amounts.processed();
        JobInfo {
            kind: self.kind,
            time_elapsed: millis(self.elapsed),
            time_remaining: self.time_remaining(),
            data_total: total,
            data_processed: processed,
            data_remaining: remaining,
            mem_total: total,
            mem_processed: processed,
            mem_remaining: remaining,
            ..JobInfo::NONE
        }
    }

    /// As typed parameters, by the names of `virDomainGetJobStats`.
    #[must_use]
    pub fn stats(&self) -> TypedParameters {
        let info = self.info();
        let mut stats = vec![
            TypedParameter::new("operation", self.operation.number()),
            TypedParameter::new("time_elapsed", info.time_elapsed),
        ];
        if self.kind == DomainJobType::Completed {
            stats.push(TypedParameter::new("success", true));
        } else {
            stats.push(TypedParameter::new("time_remaining", info.time_remaining));
        }
        let amounts = [
            ("data_total", info.data_total),
            ("data_processed", info.data_processed),
            ("data_remaining", info.data_remaining),
            ("memory_total", info.mem_total),
            ("memory_processed", info.mem_processed),
            ("memory_remaining", info.mem_remaining),
        ];
        stats.extend(
            amounts
                .into_iter()
                .map(|(name, amount)| TypedParameter::new(name, amount)),
        );
        stats
    }

    /// How the job is doing, or how it ended.
    #[must_use]
    pub const fn kind(&self) -> DomainJobType {
        self.kind
    }

    /// At the speed so far; 0 while that is not known. Milliseconds.
    fn time_remaining(&self) -> u64 {
        let (done, left) = (self.amounts.processed(), self.amounts.remaining);
        let elapsed = u128::from(millis(self.elapsed));
        (elapsed * u128::from(left))
            .checked_div(u128::from(done))
            .and_then(|millis| u64::try_from(millis).ok())
            .unwrap_or(0)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What came of aborting a long job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aborting {
    /// It was told to end.
    Told,
    /// It cannot be aborted.
    Impossible,
    /// There is none.
    Nothing,
}

/// Who hears how far a long job is.
pub trait Audience: Send + Sync {
    /// The job is so far; none: it is over. `completed` has its statistics if it was done.
    fn hear(&self, job: Option<JobProgress>, completed: Option<TypedParameters>);
}

/// How the long job of a domain is doing.
#[derive(Debug)]
struct Underway {
    operation: DomainJobOperation,
    since: Instant,
    amounts: Amounts,
    /// Told when somebody wants it ended; none if it cannot be.
    aborted: Option<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct State {
    /// The long job.
    long: Option<Underway>,
    /// What is known of the last long job that was done.
    completed: Option<Report>,
    /// The jobs on disks, by disk.
    blocks: Vec<(Arc<str>, BlockJobInfo)>,
}

/// How far the jobs of one domain are. A clone is the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Progresses(Arc<Mutex<State>>);

impl Progresses {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the long job is, if there is one.
    pub(super) fn long(&self) -> Option<Report> {
        self.state().long.as_ref().map(|underway| Report {
            operation: underway.operation,
            kind: DomainJobType::Unbounded,
            elapsed: underway.since.elapsed(),
            amounts: underway.amounts,
        })
    }

    /// The last long job that was done; forgotten unless it is to be kept.
    pub(super) fn completed(&self, keep: bool) -> Option<Report> {
        let mut state = self.state();
        if keep {
            state.completed
        } else {
            state.completed.take()
        }
    }

    /// Tells the long job to end before it is done.
    pub(super) fn abort(&self) -> Aborting {
        match &self.state().long {
            Some(Underway {
                aborted: Some(told),
                ..
            }) => {
                told.send_replace(true);
                Aborting::Told
            }
            Some(_) => Aborting::Impossible,
            None => Aborting::Nothing,
        }
    }

    /// The jobs on disks.
    pub(super) fn blocks(&self) -> Vec<(Arc<str>, BlockJobInfo)> {
        self.state().blocks.clone()
    }

    fn set_block(&self, disk: &Arc<str>, info: Option<BlockJobInfo>) {
        let blocks = &mut self.state().blocks;
        blocks.retain(|(other, _)| other != disk);
        blocks.extend(info.map(|info| (Arc::clone(disk), info)));
    }
}

/// The progress of a domain's long job. The job is over for readers when this is dropped.
pub struct Progress {
    all: Progresses,
    operation: DomainJobOperation,
    aborted: watch::Receiver<bool>,
    audience: Arc<dyn Audience>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

impl Progress {
    pub(super) fn begin(
        all: Progresses,
        operation: DomainJobOperation,
        can_abort: bool,
        audience: Arc<dyn Audience>,
    ) -> Self {
        let (sender, aborted) = watch::channel(false);
        all.state().long = Some(Underway {
            operation,
            since: Instant::now(),
            amounts: Amounts::default(),
            aborted: can_abort.then_some(sender),
        });
        let progress = Self {
            all,
            operation,
            aborted,
            audience,
        };
        progress.tell(0, None);
        progress
    }

    /// Tells how far the job is.
    pub fn set(&self, amounts: Amounts) {
        if let Some(underway) = &mut self.all.state().long {
            underway.amounts = amounts;
        }
        self.tell(amounts.percent(), None);
    }

    /// Waits until somebody wants the job ended. Cancel safe.
    pub async fn aborted(&self) {
        let mut aborted = self.aborted.clone();
        if aborted.wait_for(|set| *set).await.is_err() {
            // Nobody can abort it.
            std::future::pending::<()>().await;
        }
    }

    /// The job is done: what it did is kept, and told.
    pub fn completed(self) {
        let report = self.all.long().map(|mut report| {
            report.kind = DomainJobType::Completed;
            report.amounts.remaining = 0;
            report
        });
        let Some(report) = report else { return };
        self.all.state().completed = Some(report);
        self.tell(100, Some(report.stats()));
    }

    fn tell(&self, percent: u32, completed: Option<TypedParameters>) {
        let operation = self.operation;
        let job = JobProgress { operation, percent };
        self.audience.hear(Some(job), completed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.all.state().long = None;
        self.audience.hear(None, None);
    }
}

/// The progress of a job on a disk. It is listed until this is dropped.
#[derive(Debug)]
pub struct BlockProgress {
    all: Progresses,
    disk: Arc<str>,
}

impl BlockProgress {
    pub(super) fn begin(all: Progresses, disk: &str, info: BlockJobInfo) -> Self {
        let disk = disk.into();
        let progress = Self { all, disk };
        progress.set(info);
        progress
    }

    /// Tells how far the job is.
    pub fn set(&self, info: BlockJobInfo) {
        self.all.set_block(&self.disk, Some(info));
    }
}

impl Drop for BlockProgress {
    fn drop(&mut self) {
        self.all.set_block(&self.disk, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_of_what_there_is() {
        let of = |total, remaining| Amounts { total, remaining }.percent();
        assert_eq!(of(0, 0), 0);
        assert_eq!(of(200, 200), 0);
        assert_eq!(of(200, 1), 99);
        assert_eq!(of(200, 0), 100);
        // More remains than there was at first: the guest has grown.
        assert_eq!(of(200, 300), 0);
        assert_eq!(of(u64::MAX, u64::MAX / 2), 50);
    }

    #[test]
    fn what_remains_takes_as_long_as_what_was_done() {
        let report = Report {
            operation: DomainJobOperation::Save,
            kind: DomainJobType::Unbounded,
            elapsed: Duration::from_millis(300),
            amounts: Amounts {
                total: 400,
                remaining: 100,
            },
        };
        assert_eq!(report.info().time_remaining, 100);
        assert_eq!(report.info().data_processed, 300);
        let nothing_done = Report {
            amounts: Amounts {
                total: 400,
                remaining: 400,
            },
            ..report
        };
        assert_eq!(nothing_done.info().time_remaining, 0);
    }
}
