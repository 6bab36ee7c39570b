//! Turns at polkit, which answers one question after the other: each user has a few, so that one who asks ten thousand things
//! holds up nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many questions of one user may be on their way. polkit answers about a thousand in a second, so somebody else's question waits
/// eight milliseconds for them; more would not be answered any faster.
const OF_A_USER: usize = 8;

/// So many questions may be on their way in all: a bus lets no client wait for more than 128 answers, unless it is configured to.
const IN_ALL: usize = 64;

/// The queues of all users.
pub(super) struct Turns {
    all: Arc<Semaphore>,
    users: Mutex<HashMap<u32, Weak<Semaphore>>>,
    dialogs: Mutex<HashMap<u32, Weak<Semaphore>>>,
}

/// A question's turn, over when it is dropped.
pub(super) struct Turn {
    _user: OwnedSemaphorePermit,
    _all: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(IN_ALL)),
            users: Mutex::default(),
            dialogs: Mutex::default(),
        }
    }

    /// Waits for a question's turn: among those of its user first, then, with a few others of his at most, among those of all. Cancel
    /// safe.
    pub(super) async fn question(&self, uid: u32) -> Turn {
        let user = acquire(of(&self.users, uid, OF_A_USER)).await;
        let all = acquire(Arc::clone(&self.all)).await;
        Turn {
            _user: user,
            _all: Some(all),
        }
    }

    /// Waits for a dialog's turn: a user sees one at a time. Dialogs wait for people, and so take no turn from questions. Cancel safe.
    pub(super) async fn dialog(&self, uid: u32) -> Turn {
        Turn {
            _user: acquire(of(&self.dialogs, uid, 1)).await,
            _all: None,
        }
    }
}

/// The queue of a user, kept while somebody is in it.
fn of(queues: &Mutex<HashMap<u32, Weak<Semaphore>>>, uid: u32, size: usize) -> Arc<Semaphore> {
    let mut queues = queues.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = queues.get(&uid).and_then(Weak::upgrade) {
        return queue;
    }
    queues.retain(|_, queue| queue.strong_count() > 0);
    let queue = Arc::new(Semaphore::new(size));
    queues.insert(uid, Arc::downgrade(&queue));
    queue
}

async fn acquire(queue: Arc<Semaphore>) -> OwnedSemaphorePermit {
    queue
        .acquire_owned()
        .await
        .expect("these semaphores are never closed")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_user_s_questions_leave_room_for_another_s() {
        let turns = Turns::new();
        let held: Vec<Turn> = (0..OF_A_USER)
            .map(|_| turns.question(1000).now_or_never().expect("there is room"))
            .collect();
        assert!(turns.question(1000).now_or_never().is_none());
        assert!(turns.question(1001).now_or_never().is_some());
        drop(held);
        assert!(turns.question(1000).now_or_never().is_some());
    }

    #[test]
    fn users_take_turns_where_all_have_many() {
        let turns = Turns::new();
        let _held: Vec<Turn> = (0..IN_ALL / OF_A_USER)
            .flat_map(|user| (0..OF_A_USER).map(move |_| u32::try_from(user).unwrap()))
            .map(|user| turns.question(user).now_or_never().expect("there is room"))
            .collect();
        assert!(turns.question(99).now_or_never().is_none());
        // Waiting for a person keeps nobody's question.
        assert!(turns.dialog(99).now_or_never().is_some());
    }

    #[test]
    fn a_user_sees_one_dialog_at_a_time() {
        let turns = Turns::new();
        let first = turns.dialog(1000).now_or_never().expect("there is room");
        assert!(turns.dialog(1000).now_or_never().is_none());
        assert!(turns.dialog(1001).now_or_never().is_some());
        drop(first);
        assert!(turns.dialog(1000).now_or_never().is_some());
    }
}
