//! Fair turns: calls that have to wait, or to work, go on here, each user's and each connection's in turn.
//!
//! The runtime takes tasks as they come, so ten thousand calls of one client would be before the first of another. Here each step of a
//! call (up to where it waits next) is a turn: users have theirs one after the other, and among the calls of a user the
//! connections. A call that waits for a guest or a password takes no turn meanwhile.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use tokio::sync::Semaphore;

use crate::peers::Peer;
use crate::rounds::ByUser;

/// A call on its way.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whose turn it is.
pub(crate) struct Turns {
    ready: Mutex<Ready>,
    /// As many permits as calls are ready.
    count: Semaphore,
}

/// The calls that are ready for a step, by user and connection.
type Ready = ByUser<Option<u32>, Arc<str>, Arc<Call>>;

/// The call waits for something.
const WAITING: u8 = 0;
/// It waits for its turn.
const READY: u8 = 1;
/// It has its turn.
const RUNNING: u8 = 2;
/// It has its turn, and what it was going to wait for has come already.
const WOKEN: u8 = 3;
/// It is over.
const DONE: u8 = 4;

struct Call {
    peer: Arc<Peer>,
    turns: Arc<Turns>,
    state: AtomicU8,
    work: Mutex<Option<Work>>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        Self::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let next = |state| match state {
            WAITING => Some(READY),
            RUNNING => Some(WOKEN),
            _ => None,
        };
        if self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
            == Ok(WAITING)
        {
            self.turns.queue(Arc::clone(self));
        }
    }
}

impl Call {
    /// Goes one step.
    fn step(self: &Arc<Self>) {
        // Before what it waits for is looked at: who brings that looks at the state afterwards.
        self.state.swap(RUNNING, Ordering::SeqCst);
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let waker = Waker::from(Arc::clone(self));
        let is_over = work.as_mut().is_none_or(|work| {
            work.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        });
        if is_over {
            self.state.store(DONE, Ordering::Release);
            *work = None;
            return;
        }
        drop(work);
        let waits =
            self.state
                .compare_exchange(RUNNING, WAITING, Ordering::AcqRel, Ordering::Acquire);
        if waits.is_err() {
            self.state.store(READY, Ordering::Release);
            self.turns.queue(Arc::clone(self));
        }
    }
}

impl Turns {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Mutex::default(),
            count: Semaphore::new(0),
        })
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call go on, when it is its peer's turn.
    pub(crate) fn go_on(self: &Arc<Self>, peer: Arc<Peer>, work: Work) {
        self.queue(Arc::new(Call {
            peer,
            turns: Arc::clone(self),
            state: AtomicU8::new(READY),
            work: Mutex::new(Some(work)),
        }));
    }

    fn queue(&self, call: Arc<Call>) {
        let peer = Arc::clone(&call.peer);
        self.ready().push(peer.known_uid(), &peer.name, call);
        self.count.add_permits(1);
    }

    /// Gives turns for as long as it is polled. Several may do so at once.
    pub(crate) async fn give(self: Arc<Self>) {
        while let Ok(permit) = self.count.acquire().await {
            permit.forget();
            let call = self.ready().next();
            // One that panics where its own guard does not reach takes nobody else's turns with it.
            if let Some(call) = call
                && std::panic::catch_unwind(AssertUnwindSafe(|| call.step())).is_err()
            {
                tracing::error!(
                    peer = &*call.peer.name,
                    "call was aborted by an internal error and is not answered"
                );
            }
            // The runtime's other tasks have theirs too.
            tokio::task::yield_now().await;
        }
    }
}

/// Pending once: whoever waits for this goes on with its next turn.
pub(crate) async fn next_turn() {
    let mut came = false;
    std::future::poll_fn(|context| {
        if came {
            return std::task::Poll::Ready(());
        }
        came = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs all that is ready, and what becomes so.
    fn run(turns: &Turns) {
        loop {
            let call = turns.ready().next();
            match call {
                Some(call) => call.step(),
                None => break,
            }
        }
    }

    fn log(log: &Arc<Mutex<Vec<String>>>, text: String) {
        log.lock().unwrap().push(text);
    }

    #[test]
    fn users_have_their_turns_and_then_connections() {
        let turns = Turns::new();
        let order = Arc::default();
        let peers = [
            Peer::known(":1.1", Some(1000)),
            Peer::known(":1.2", Some(1000)),
            Peer::known(":1.3", Some(1001)),
        ];
        // One connection comes first, and with many.
        for (peer, calls) in [(0, 4), (1, 2), (2, 2)] {
            for number in 0..calls {
                let order = Arc::clone(&order);
                let work = async move { log(&order, format!("{peer}-{number}")) };
                turns.go_on(Arc::clone(&peers[peer]), Box::pin(work));
            }
        }
        run(&turns);
        let order = order.lock().unwrap().clone();
        assert_eq!(
            order,
            ["0-0", "2-0", "1-0", "2-1", "0-1", "1-1", "0-2", "0-3"]
        );
        assert!(turns.ready().next().is_none());
        assert!(turns.ready().is_empty());
    }

    #[test]
    fn each_step_is_a_turn() {
        let turns = Turns::new();
        let order = Arc::default();
        for name in [":1.1", ":1.2"] {
            let order = Arc::clone(&order);
            let work = async move {
                for step in 0..3 {
                    log(&order, format!("{name} {step}"));
                    next_turn().await;
                }
            };
            turns.go_on(Peer::known(name, Some(1000)), Box::pin(work));
        }
        run(&turns);
        let order = order.lock().unwrap().clone();
        let expected = [":1.1 0", ":1.2 0", ":1.1 1", ":1.2 1", ":1.1 2", ":1.2 2"];
        assert_eq!(order, expected);
    }

    #[tokio::test]
    async fn a_call_that_panics_ends_alone() {
        let turns = Turns::new();
        let giving = tokio::spawn(Arc::clone(&turns).give());
        let peer = Peer::known(":1.1", None);
        turns.go_on(Arc::clone(&peer), Box::pin(async { panic!("meant") }));
        let (done, is_done) = tokio::sync::oneshot::channel();
        let work = async move {
            let _ = done.send(());
        };
        turns.go_on(peer, Box::pin(work));
        is_done.await.unwrap();
        giving.abort();
    }

    #[tokio::test]
    async fn a_call_goes_on_when_what_it_waits_for_comes() {
        let turns = Turns::new();
        let giving = tokio::spawn(Arc::clone(&turns).give());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let work = async move {
            tokio::task::yield_now().await;
            let _ = done.send(receiver.await);
        };
        turns.go_on(Peer::known(":1.1", None), Box::pin(work));
        tokio::task::yield_now().await;
        sender.send(7).unwrap();
        assert_eq!(is_done.await.unwrap(), Ok(7));
        giving.abort();
    }
}
