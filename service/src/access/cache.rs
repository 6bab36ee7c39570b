//! Answers of polkit, kept for a few seconds: a page that lists a hundred guests asks the same thing hundreds of times.
//!
//! Whoever asks what is being asked already waits for that answer, so that the hundreds that come at once are one question. An
//! answer that was asked for before everything was forgotten is not kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use virtbus_api::access::Permission;

use super::subject::Subject;

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
    pub(crate) caller: Subject,
    pub(crate) action: Action,
    pub(crate) details: Vec<(&'static str, String)>,
}

impl Question {
    /// Whether the caller has one of the coarse actions.
    pub(crate) const fn coarse(caller: Subject, action: &'static str) -> Self {
        Self {
            caller,
            action: Action::Coarse(action),
            details: Vec::new(),
        }
    }
}

/// An answer, or the place for one that is being asked for.
#[derive(Debug)]
struct Slot<A> {
    since: Instant,
    answer: OnceCell<A>,
}

impl<A> Slot<A> {
    fn new(answer: OnceCell<A>) -> Self {
        Self {
            since: Instant::now(),
            answer,
        }
    }

    fn is_fresh(&self) -> bool {
        self.since.elapsed() < LIFETIME
    }
}

/// Answers by question.
#[derive(Debug)]
pub(crate) struct Cache<A>(Mutex<HashMap<Question, Arc<Slot<A>>>>);

impl<A> Default for Cache<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Copy> Cache<A> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Question, Arc<Slot<A>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer: a fresh one, the one that is being asked for, or what `ask` gives. No answer is not kept, and the next
    /// one asks again.
    pub(crate) async fn get_or_ask(
        &self,
        question: &Question,
        ask: impl AsyncFnOnce() -> Option<A>,
    ) -> Option<A> {
        let slot = self.slot(question);
        let answer = slot.answer.get_or_try_init(async || ask().await.ok_or(()));
        answer.await.ok().copied()
    }

    /// The answer that is being asked for, or what `ask` gives. It is not kept: whoever comes when it is there asks again.
    pub(crate) async fn ask_together(
        &self,
        question: &Question,
        ask: impl AsyncFnOnce() -> Option<A>,
    ) -> Option<A> {
        let slot = {
            let mut answers = self.lock();
            let new = || Arc::new(Slot::new(OnceCell::new()));
            Arc::clone(answers.entry(question.clone()).or_insert_with(new))
        };
        let answer = slot.answer.get_or_try_init(async || ask().await.ok_or(()));
        let answer = answer.await.ok().copied();
        let mut answers = self.lock();
        if answers
            .get(question)
            .is_some_and(|known| Arc::ptr_eq(known, &slot))
        {
            answers.remove(question);
        }
        answer
    }

    fn slot(&self, question: &Question) -> Arc<Slot<A>> {
        let mut answers = self.lock();
        if let Some(slot) = answers.get(question).filter(|slot| slot.is_fresh()) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot::new(OnceCell::new()));
        keep(&mut answers, question.clone(), Arc::clone(&slot));
        slot
    }

    /// Keeps an answer that was had in another way.
    pub(crate) fn put(&self, question: Question, answer: A) {
        let slot = Arc::new(Slot::new(OnceCell::new_with(Some(answer))));
        keep(&mut self.lock(), question, slot);
    }

    /// Forgets everything: polkit's rules have changed.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}

fn keep<A>(answers: &mut HashMap<Question, Arc<Slot<A>>>, question: Question, slot: Arc<Slot<A>>) {
    if answers.len() >= CAPACITY {
        answers.retain(|_, slot| slot.is_fresh());
        if answers.len() >= CAPACITY {
            answers.clear();
        }
    }
    answers.insert(question, slot);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    fn question() -> Question {
        Question {
            caller: Subject::Bus(":1.7".into()),
            action: Action::Coarse("look"),
            details: Vec::new(),
        }
    }

    #[tokio::test]
    async fn those_who_ask_the_same_at_once_are_one_question() {
        let (cache, asked) = (Arc::new(Cache::default()), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = (0..10)
            .map(|_| {
                let (cache, asked) = (Arc::clone(&cache), Arc::clone(&asked));
                tokio::spawn(async move {
                    let ask = async || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        Some(7)
                    };
                    cache.get_or_ask(&question(), ask).await
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), Some(7));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_is_asked_together_is_asked_once_and_not_kept() {
        let (cache, go) = (Arc::new(Cache::default()), Arc::new(Notify::new()));
        let first = {
            let (cache, go) = (Arc::clone(&cache), Arc::clone(&go));
            let ask = async move || {
                go.notified().await;
                Some(1)
            };
            tokio::spawn(async move { cache.ask_together(&question(), ask).await })
        };
        while cache.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        let second = {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move { cache.ask_together(&question(), async || Some(2)).await })
        };
        tokio::task::yield_now().await;
        go.notify_one();
        assert_eq!(first.await.unwrap(), Some(1));
        assert_eq!(second.await.unwrap(), Some(1));
        let third = cache.ask_together(&question(), async || Some(3)).await;
        assert_eq!(third, Some(3));
        assert!(cache.lock().is_empty());
    }

    #[tokio::test]
    async fn no_answer_is_asked_for_again() {
        let cache = Cache::default();
        assert_eq!(cache.get_or_ask(&question(), async || None).await, None);
        let answer = cache.get_or_ask(&question(), async || Some(1)).await;
        assert_eq!(answer, Some(1));
        let kept = cache.get_or_ask(&question(), async || Some(2)).await;
        assert_eq!(kept, Some(1));
        cache.put(question(), 3);
        let put = cache.get_or_ask(&question(), async || None).await;
        assert_eq!(put, Some(3));
    }

    #[tokio::test]
    async fn an_answer_from_before_everything_was_forgotten_is_not_kept() {
        let (cache, go) = (Arc::new(Cache::default()), Arc::new(Notify::new()));
        let before = {
            let (cache, go) = (Arc::clone(&cache), Arc::clone(&go));
            let ask = async move || {
                go.notified().await;
                Some("old")
            };
            tokio::spawn(async move { cache.get_or_ask(&question(), ask).await })
        };
        while cache.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        cache.clear();
        go.notify_one();
        assert_eq!(before.await.unwrap(), Some("old"));
        let after = cache.get_or_ask(&question(), async || Some("new")).await;
        assert_eq!(after, Some("new"));
    }
}
