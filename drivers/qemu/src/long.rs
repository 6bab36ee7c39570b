//! The long job of a domain: how far it is, who may call it off, and what is kept of it when it is over.
//!
//! A long job has its turn like any other (`job.rs`). While it has it, everybody who may see the domain sees how far it is:
//! progress is part of what is published, so nobody has to ask again and again. What the job does is not known here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use virtbus_api::Result;
use virtbus_api::domain::{DomainEvent, DomainJobOperation, DomainJobType, JobInfo, JobProgress};
use virtbus_api::typed::{TypedParameter, TypedParameters};

use crate::core::Core;
use crate::domain::Domain;

/// How much there is to do and how much is done, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) total: u64,
    pub(crate) remaining: u64,
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

/// A job as far as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    operation: DomainJobOperation,
    kind: DomainJobType,
    elapsed: Duration,
    amounts: Amounts,
}

impl Report {
    /// As `virDomainJobInfo`.
    pub(crate) fn info(&self) -> JobInfo {
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
    pub(crate) fn stats(&self) -> TypedParameters {
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

    /// What kind of job it is, or how it ended.
    pub(crate) const fn kind(&self) -> DomainJobType {
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

/// A long job under way.
#[derive(Debug)]
struct Long {
    operation: DomainJobOperation,
    since: Instant,
    amounts: Amounts,
    /// Told when somebody wants it ended; none if it cannot be.
    cancelled: Option<watch::Sender<bool>>,
}

/// What came of calling a job off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calling {
    /// It was told.
    Off,
    /// It is of a kind that goes on to its end.
    InVain,
    /// There is none.
    Nothing,
}

/// The long jobs of one domain: at most one under way, and the last one that was done.
#[derive(Debug, Default)]
pub(crate) struct LongJobs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    current: Option<Long>,
    completed: Option<Report>,
}

impl LongJobs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job that is under way.
    pub(crate) fn current(&self) -> Option<Report> {
        let state = self.state();
        let long = state.current.as_ref()?;
        Some(Report {
            operation: long.operation,
            kind: DomainJobType::Unbounded,
            elapsed: long.since.elapsed(),
            amounts: long.amounts,
        })
    }

    /// The last job that was done; forgotten unless it is to be kept for the next who asks.
    pub(crate) fn completed(&self, keep: bool) -> Option<Report> {
        let mut state = self.state();
        if keep {
            state.completed
        } else {
            state.completed.take()
        }
    }

    /// Calls the job off.
    pub(crate) fn cancel(&self) -> Calling {
        match &self.state().current {
            Some(Long {
                cancelled: Some(told),
                ..
            }) => {
                told.send_replace(true);
                Calling::Off
            }
            Some(_) => Calling::InVain,
            None => Calling::Nothing,
        }
    }
}

/// The long job that has its turn now; over when it is dropped.
pub(crate) struct Underway {
    core: Arc<Core>,
    domain: Arc<Domain>,
    operation: DomainJobOperation,
    cancelled: watch::Receiver<bool>,
}

impl Underway {
    /// Begins a job that goes on to its end. The caller has the domain's turn.
    pub(crate) fn begin(
        core: &Arc<Core>,
        domain: &Arc<Domain>,
        operation: DomainJobOperation,
    ) -> Self {
        let (_, cancelled) = watch::channel(false);
        Self::new(core, domain, operation, None, cancelled)
    }

    /// Begins a job that watches whether it is called off ([`Underway::cancelled`]). The caller has the domain's turn.
    pub(crate) fn begin_cancellable(
        core: &Arc<Core>,
        domain: &Arc<Domain>,
        operation: DomainJobOperation,
    ) -> Self {
        let (sender, cancelled) = watch::channel(false);
        Self::new(core, domain, operation, Some(sender), cancelled)
    }

    fn new(
        core: &Arc<Core>,
        domain: &Arc<Domain>,
        operation: DomainJobOperation,
        sender: Option<watch::Sender<bool>>,
        cancelled: watch::Receiver<bool>,
    ) -> Self {
        domain.long.state().current = Some(Long {
            operation,
            since: Instant::now(),
            amounts: Amounts::default(),
            cancelled: sender,
        });
        let underway = Self {
            core: Arc::clone(core),
            domain: Arc::clone(domain),
            operation,
            cancelled,
        };
        underway.publish(Some(0), Vec::new());
        underway
    }

    /// Tells how far it is.
    pub(crate) fn progress(&self, amounts: Amounts) {
        if let Some(long) = &mut self.domain.long.state().current {
            long.amounts = amounts;
        }
        self.publish(Some(amounts.percent()), Vec::new());
    }

    /// Waits until somebody wants it ended. Cancel safe.
    pub(crate) async fn cancelled(&self) {
        let mut cancelled = self.cancelled.clone();
        if cancelled.wait_for(|set| *set).await.is_err() {
            // Nobody can call it off any more.
            std::future::pending::<()>().await;
        }
    }

    /// It is done: what it did is kept, and told.
    pub(crate) fn completed(self) {
        let report = self.domain.long.current().map(|mut report| {
            report.kind = DomainJobType::Completed;
            report.amounts.remaining = 0;
            report
        });
        let Some(report) = report else { return };
        self.domain.long.state().completed = Some(report);
        self.publish(Some(100), vec![DomainEvent::JobCompleted(report.stats())]);
    }

    fn publish(&self, percent: Option<u32>, events: Vec<DomainEvent>) {
        let job = percent.map(|percent| JobProgress {
            operation: self.operation,
            percent,
        });
        let published: Result<()> = self.domain.change(&self.core.hub, |inner| {
            inner.job = job;
            Ok(((), events))
        });
        if let Err(error) = published {
            tracing::error!(domain = %self.domain.name(), %error, "a job's progress cannot be told, ignoring");
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.domain.long.state().current = None;
        self.publish(None, Vec::new());
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
