//! Answers of polkit, kept for a few seconds: a page that lists a hundred guests asks the same thing hundreds of times.
//!
//! Whoever asks what is being asked already waits for that answer, so that the hundreds that come at once are one question. An
//! answer that was asked for before everything was forgotten is not kept.
//!
//! What was asked about may be a name that a caller made up, so answers are few and short enough in all, and are thrown away when they
//! are no longer good for anything: also those of callers who have left, whom nobody tells of here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;
use virtbus_api::access::Permission;

use super::subject::Subject;

/// How long an answer is good for. Whoever leaves the bus never comes back under the same name, and polkit tells when its
/// rules change; this is for what it does not tell, such as a changed group.
const LIFETIME: Duration = Duration::from_secs(5);

/// More answers than this are not kept.
const CAPACITY: usize = 32 * 1024;

/// Nor so many that their questions have more bytes than this. An ordinary one has some 300, so only names that were made up come to it.
const CAPACITY_BYTES: usize = 16 << 20;

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

    /// Bytes that are in memory for as long as its answer is kept.
    fn bytes(&self) -> usize {
        let details = self.details.iter();
        let details = details.map(|detail| size_of_val(detail) + detail.1.len());
        size_of::<Self>() + details.sum::<usize>()
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

/// Answers by question, and what they take up.
#[derive(Debug)]
struct Answers<A> {
    slots: HashMap<Question, Arc<Slot<A>>>,
    bytes: usize,
    /// Somebody throws stale ones away from time to time.
    is_swept: bool,
}

impl<A> Default for Answers<A> {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            bytes: 0,
            is_swept: false,
        }
    }
}

impl<A> Answers<A> {
    fn insert(&mut self, question: Question, slot: Arc<Slot<A>>) {
        self.make_room(&question);
        let bytes = question.bytes();
        if self.slots.insert(question, slot).is_none() {
            self.bytes += bytes;
        }
    }

    /// Throws away what is stale if there is too much, or what the caller had who asks, or everything.
    fn make_room(&mut self, question: &Question) {
        let bytes = question.bytes();
        let is_full = |answers: &Self| {
            answers.slots.len() >= CAPACITY || answers.bytes + bytes > CAPACITY_BYTES
        };
        if is_full(self) {
            self.drop_stale();
        }
        if is_full(self) {
            self.retain(|asked, _| asked.caller != question.caller);
        }
        if is_full(self) {
            self.clear();
        }
    }

    fn remove(&mut self, question: &Question) {
        if self.slots.remove(question).is_some() {
            self.bytes -= question.bytes();
        }
    }

    fn retain(&mut self, keep: impl Fn(&Question, &Arc<Slot<A>>) -> bool) {
        self.slots.retain(|question, slot| {
            let keeps = keep(question, slot);
            if !keeps {
                self.bytes -= question.bytes();
            }
            keeps
        });
    }

    /// What is being asked is kept: who asks the same waits for it, and a person may take minutes.
    fn drop_stale(&mut self) {
        self.retain(|_, slot| slot.is_fresh() || Arc::strong_count(slot) > 1);
    }

    fn clear(&mut self) {
        self.slots.clear();
        self.bytes = 0;
    }
}

/// Answers by question.
#[derive(Debug)]
pub(crate) struct Cache<A>(Arc<Mutex<Answers<A>>>);

impl<A> Default for Cache<A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

fn lock<A>(answers: &Mutex<Answers<A>>) -> MutexGuard<'_, Answers<A>> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<A: Copy + Send + Sync + 'static> Cache<A> {
    fn lock(&self) -> MutexGuard<'_, Answers<A>> {
        lock(&self.0)
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
            if let Some(slot) = answers.slots.get(question) {
                Arc::clone(slot)
            } else {
                let slot = Arc::new(Slot::new(OnceCell::new()));
                self.keep(&mut answers, question.clone(), Arc::clone(&slot));
                slot
            }
        };
        let answer = slot.answer.get_or_try_init(async || ask().await.ok_or(()));
        let answer = answer.await.ok().copied();
        let mut answers = self.lock();
        if answers
            .slots
            .get(question)
            .is_some_and(|known| Arc::ptr_eq(known, &slot))
        {
            answers.remove(question);
        }
        answer
    }

    fn slot(&self, question: &Question) -> Arc<Slot<A>> {
        let mut answers = self.lock();
        if let Some(slot) = answers.slots.get(question).filter(|slot| slot.is_fresh()) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot::new(OnceCell::new()));
        self.keep(&mut answers, question.clone(), Arc::clone(&slot));
        slot
    }

    /// Keeps an answer that was had in another way.
    pub(crate) fn put(&self, question: Question, answer: A) {
        let slot = Arc::new(Slot::new(OnceCell::new_with(Some(answer))));
        self.keep(&mut self.lock(), question, slot);
    }

    /// Forgets everything: polkit's rules have changed.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn keep(&self, answers: &mut Answers<A>, question: Question, slot: Arc<Slot<A>>) {
        answers.insert(question, slot);
        if !std::mem::replace(&mut answers.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }
}

/// Throws stale answers away until there are none.
async fn sweep<A>(answers: Weak<Mutex<Answers<A>>>) {
    loop {
        tokio::time::sleep(LIFETIME).await;
        let Some(answers) = answers.upgrade() else {
            return;
        };
        let mut answers = lock(&answers);
        answers.drop_stale();
        if answers.slots.is_empty() {
            // A flood has left its room behind.
            answers.slots.shrink_to_fit();
            answers.is_swept = false;
            return;
        }
    }
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
        while cache.lock().slots.is_empty() {
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
        assert!(cache.lock().slots.is_empty());
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
        while cache.lock().slots.is_empty() {
            tokio::task::yield_now().await;
        }
        cache.clear();
        go.notify_one();
        assert_eq!(before.await.unwrap(), Some("old"));
        let after = cache.get_or_ask(&question(), async || Some("new")).await;
        assert_eq!(after, Some("new"));
    }

    fn about(name: String) -> Question {
        Question {
            details: vec![("sought", name)],
            ..question()
        }
    }

    #[tokio::test]
    async fn names_that_are_made_up_do_not_take_the_memory() {
        let cache = Cache::default();
        let other = Question {
            caller: Subject::Bus(":1.8".into()),
            ..question()
        };
        cache.put(other.clone(), 0);
        for number in 0..100 {
            cache.put(about(format!("{number}{}", "x".repeat(1 << 20))), number);
            let answers = cache.lock();
            let held = answers.slots.keys().map(Question::bytes).sum::<usize>();
            assert_eq!(answers.bytes, held);
            assert!(held <= CAPACITY_BYTES, "{held} bytes are kept");
        }
        // Not at the cost of somebody else.
        assert_eq!(cache.get_or_ask(&other, async || None).await, Some(0));
    }

    fn is_empty(cache: &Cache<i32>) -> bool {
        let answers = cache.lock();
        answers.slots.is_empty() && answers.bytes == 0
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_asks_any_more_is_thrown_away() {
        let cache = Cache::default();
        cache.put(about("gone".to_owned()), 1);
        tokio::time::sleep(LIFETIME * 2).await;
        assert!(is_empty(&cache));
        // And again.
        cache.put(about("gone".to_owned()), 1);
        tokio::time::sleep(LIFETIME * 3).await;
        assert!(is_empty(&cache));
        // What a person is being asked is not.
        let cache = Arc::new(cache);
        let asking = {
            let cache = Arc::clone(&cache);
            let ask = async || {
                tokio::time::sleep(LIFETIME * 20).await;
                Some(2)
            };
            tokio::spawn(async move { cache.ask_together(&question(), ask).await })
        };
        tokio::time::sleep(LIFETIME * 10).await;
        let same = cache.ask_together(&question(), async || Some(3)).await;
        assert_eq!((same, asking.await.unwrap()), (Some(2), Some(2)));
    }
}
