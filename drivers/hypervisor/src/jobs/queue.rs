//! Jobs that run and jobs that wait, in the order of asking. No time passes here and nobody is woken: whoever has the queue does that.
//!
//! A job that waits goes before later ones that it excludes, so questions that keep coming do not starve a change. The exception is one that
//! waits for a *long* job: what may run beside that is not held up for hours by somebody who asked for something else before.

use std::borrow::Borrow;
use std::collections::VecDeque;

use tokio::time::Instant;

use super::kind::Job;
use super::rule::admits;

/// A job of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(u64);

/// Where a job that is asked for waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind all others; refused if so many wait already.
    Last { most: usize },
    /// Before all others: it is part of a job that runs, which the others may be waiting for.
    First,
}

/// A job that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) id: Id,
    pub(super) job: Job,
    pub(super) since: Instant,
}

impl Borrow<Job> for Running {
    fn borrow(&self) -> &Job {
        &self.job
    }
}

#[derive(Debug)]
struct Waiting<W> {
    id: Id,
    job: Job,
    wake: W,
}

impl<W> Borrow<Job> for Waiting<W> {
    fn borrow(&self) -> &Job {
        &self.job
    }
}

/// Too many jobs wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// The jobs of a domain. `W` is what wakes whoever waits for one.
#[derive(Debug)]
pub(super) struct Queue<W> {
    running: Vec<Running>,
    waiting: VecDeque<Waiting<W>>,
    last: u64,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self {
            running: Vec::new(),
            waiting: VecDeque::new(),
            last: 0,
        }
    }
}

impl<W> Queue<W> {
    /// Takes a job in. Whoever waits for a job that runs from now on is to be woken, this one included.
    pub(super) fn ask(
        &mut self,
        job: Job,
        place: Place,
        wake: W,
        now: Instant,
    ) -> Result<(Id, Vec<W>), Full> {
        self.last += 1;
        let id = Id(self.last);
        let waiting = Waiting { id, job, wake };
        match place {
            Place::Last { .. } => self.waiting.push_back(waiting),
            Place::First => self.waiting.push_front(waiting),
        }
        let admitted = self.admit(now);
        if let Place::Last { most } = place
            && self.waiting.len() > most
            && self.waiting.back().is_some_and(|last| last.id == id)
        {
            self.waiting.pop_back();
            return Err(Full);
        }
        Ok((id, admitted))
    }

    /// A job is over, or is not waited for any more. Those whose turn comes by that are to be woken.
    pub(super) fn leave(&mut self, id: Id, now: Instant) -> Vec<W> {
        self.running.retain(|running| running.id != id);
        self.waiting.retain(|waiting| waiting.id != id);
        self.admit(now)
    }

    /// The jobs that run, in the order in which they began.
    pub(super) fn running(&self) -> &[Running] {
        &self.running
    }

    /// The running job that a waiting one waits for in the end: itself, or behind another that waits for it.
    pub(super) fn in_the_way(&self, id: Id) -> Option<&Running> {
        let mut at = self.waiting.iter().position(|waiting| waiting.id == id)?;
        loop {
            let job = &self.waiting[at].job;
            if let Err(running) = admits(&self.running, job) {
                return Some(running);
            }
            // Each step goes to an earlier one, so this ends.
            at = self.waiting.iter().take(at).position(|earlier| {
                !self.waits_for_long(&earlier.job) && admits([&earlier.job], job).is_err()
            })?;
        }
    }

    fn waits_for_long(&self, job: &Job) -> bool {
        let long = self.running.iter().filter(|running| running.job.is_long());
        admits(long, job).is_err()
    }

    /// Lets those run that may.
    fn admit(&mut self, now: Instant) -> Vec<W> {
        let mut admitted = Vec::new();
        let mut first: Vec<Job> = Vec::new();
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at) {
            let job = waiting.job;
            if admits(&self.running, &job).is_ok() && admits(&first, &job).is_ok() {
                if let Some(Waiting { id, job, wake }) = self.waiting.remove(at) {
                    let since = now;
                    self.running.push(Running { id, job, since });
                    admitted.push(wake);
                }
                continue;
            }
            if !self.waits_for_long(&job) {
                first.push(job);
            }
            at += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests;
