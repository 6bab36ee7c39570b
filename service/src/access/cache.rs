//! Answers of polkit, kept for a few seconds: a page that lists a hundred guests asks the same thing hundreds of times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use virtbus_api::access::{Permission, Verdict};

/// How long an answer is good for. Whoever leaves the bus never comes back under the same name, and polkit tells when its
/// rules change; this is for what it does not tell, such as a changed group.
const LIFETIME: Duration = Duration::from_secs(5);

/// More answers than this are not kept.
const CAPACITY: usize = 32 * 1024;

/// The action that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// One of libvirt's access control.
    Fine(Permission),
    /// One of the two of libvirt's sockets.
    Coarse(&'static str),
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) caller: Arc<str>,
    pub(crate) action: Action,
    pub(crate) details: Vec<(&'static str, String)>,
}

/// Answers by question.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<HashMap<Question, (Verdict, Instant)>>);

impl Cache {
    fn lock(&self) -> MutexGuard<'_, HashMap<Question, (Verdict, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, if there is a fresh one.
    pub(crate) fn get(&self, question: &Question) -> Option<Verdict> {
        let answers = self.lock();
        let (verdict, since) = answers.get(question)?;
        (since.elapsed() < LIFETIME).then_some(*verdict)
    }

    /// Keeps an answer.
    pub(crate) fn put(&self, question: Question, verdict: Verdict) {
        let mut answers = self.lock();
        if answers.len() >= CAPACITY {
            answers.retain(|_, (_, since)| since.elapsed() < LIFETIME);
            if answers.len() >= CAPACITY {
                answers.clear();
            }
        }
        answers.insert(question, (verdict, Instant::now()));
    }

    /// Forgets everything: polkit's rules have changed.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}
