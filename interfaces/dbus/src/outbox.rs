//! The way out: replies and signals in one order.
//!
//! Whoever has a message puts it into the queue; whoever finds nobody writing writes what is there. A reply is written at once by
//! the task that made it, so that a read costs no hop between threads; a signal only wakes the writer, because it is queued
//! while its object is locked. As both take the same queue, a signal queued before a reply leaves before it.
//!
//! A bus takes what is written piece by piece, so a megabyte of replies to one client would be before the next reply to another. What was
//! queued between two signals to everybody therefore leaves by user and receiver, each in turn; to each receiver in order. As little as possible
//! waits behind the queue, where there are no turns any more: in a batch that is handed over, and in the socket.
//!
//! A reply that tells a state was made from what was known a moment ago. If a change was signalled since, the reply would put
//! the client's picture back; so it is followed by those signals once more, for that client only ([`Watch`]).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::task::{Context, Waker};

use tokio::sync::Notify;
use zbus::{Connection, Message, Structure};

use crate::error::{Failure, Protocol};
use crate::peers::{Peer, User};
use crate::rounds::ByUser;

/// How many messages are handed to the socket at once, and bytes after which no further one joins them: what is handed over has lost its
/// turn, and all that comes later waits for it.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 16 << 10;

/// Bytes of signals that may wait. Beyond that they are no longer queued, and what changed is told in one piece when the bus reads again.
const MOST_SIGNALLED: usize = 8 << 20;

/// Signals that are kept to be repeated behind one reply.
const MOST_NEWS: usize = 4096;

/// Whoever has to be told that signals may be queued again.
pub(crate) trait Behind: Send + Sync {
    /// Queues what was held back.
    fn catch_up(&self);
}

/// The queue and who writes it.
pub(crate) struct Outbox {
    bus: Connection,
    queue: Mutex<Queue>,
    /// Told when a signal was queued.
    wake: Notify,
    /// Told when the queue has become short again.
    short: Notify,
    behind: RwLock<Vec<Weak<dyn Behind>>>,
}

/// Where a message goes.
#[derive(Clone)]
struct Way {
    /// None: to everybody.
    receiver: Option<Arc<Peer>>,
    is_signal: bool,
}

/// What one who makes a reply watches for.
struct Watched {
    /// To whom the reply goes.
    receiver: Arc<str>,
    signals: Vec<Message>,
}

/// A message with where it goes, and for whose bytes it counts.
struct Letter {
    message: Message,
    way: Way,
    user: Option<Arc<User>>,
}

impl Letter {
    fn new(message: Message, way: Way) -> Self {
        let receiver = way.receiver.as_ref().filter(|_| !way.is_signal);
        let user = receiver.and_then(|peer| peer.known_user()).cloned();
        Self { message, way, user }
    }

    fn bytes(&self) -> usize {
        self.message.data().len()
    }
}

/// What leaves together.
enum Part {
    /// A signal to everybody: what was queued before it leaves before it, what was queued after it after it.
    Signal(Letter),
    /// Messages to single receivers, by user and receiver.
    Addressed(ByUser<Option<u32>, Arc<str>, Letter>),
}

#[derive(Default)]
struct Queue {
    parts: VecDeque<Part>,
    /// How many messages.
    count: usize,
    /// Bytes of all of them, and of those that are signals.
    bytes: usize,
    signalled: usize,
    /// Signals are held back.
    is_behind: bool,
    writing: bool,
    /// Signals that were queued while somebody makes a reply that tells a state.
    watches: Vec<(u64, Watched)>,
    last_watch: u64,
}

impl Queue {
    fn push(&mut self, message: Message, way: Way) {
        let letter = Letter::new(message, way);
        let bytes = letter.bytes();
        self.bytes += bytes;
        self.count += 1;
        let Some(peer) = &letter.way.receiver else {
            self.signalled += bytes;
            self.parts.push_back(Part::Signal(letter));
            return;
        };
        if letter.way.is_signal {
            self.signalled += bytes;
        } else {
            peer.unsent.queued(bytes);
            if let Some(user) = &letter.user {
                user.unsent.queued(bytes);
            }
        }
        let (uid, name) = (peer.known_uid(), Arc::clone(&peer.name));
        if let Some(Part::Addressed(waiting)) = self.parts.back_mut() {
            waiting.push(uid, &name, letter);
        } else {
            let mut waiting = ByUser::default();
            waiting.push(uid, &name, letter);
            self.parts.push_back(Part::Addressed(waiting));
        }
    }

    fn pop(&mut self) -> Option<Letter> {
        loop {
            match self.parts.front_mut()? {
                Part::Signal(_) => {
                    let Some(Part::Signal(letter)) = self.parts.pop_front() else {
                        continue;
                    };
                    self.count -= 1;
                    return Some(letter);
                }
                Part::Addressed(waiting) => {
                    let next = waiting.next();
                    if next.is_some() {
                        self.count -= 1;
                        return next;
                    }
                    self.parts.pop_front();
                }
            }
        }
    }

    /// What goes to the socket next.
    fn batch(&mut self) -> Vec<Letter> {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        while letters.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some(letter) = self.pop()
        {
            bytes += letter.bytes();
            letters.push(letter);
        }
        letters
    }

    /// These are no longer here.
    fn left(&mut self, letters: &[Letter]) {
        for letter in letters {
            let bytes = letter.bytes();
            self.bytes -= bytes;
            if letter.way.is_signal {
                self.signalled -= bytes;
            } else if let Some(peer) = &letter.way.receiver {
                peer.unsent.sent(bytes);
                if let Some(user) = &letter.user {
                    user.unsent.sent(bytes);
                }
            }
        }
    }
}

/// Remembers what is signalled while a reply is made.
pub(crate) struct Watch {
    outbox: Arc<Outbox>,
    number: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut queue = self.outbox.lock();
        queue.watches.retain(|(number, _)| *number != self.number);
    }
}

impl Outbox {
    pub(crate) fn new(bus: Connection) -> Self {
        Self {
            bus,
            queue: Mutex::default(),
            wake: Notify::new(),
            short: Notify::new(),
            behind: RwLock::default(),
        }
    }

    /// Tells `behind` when signals may be queued again after some were not.
    pub(crate) fn when_behind(&self, behind: Weak<dyn Behind>) {
        self.behind
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(behind);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a signal, for everybody or for one peer. Does not write, and so may be called under a lock. False: too many wait,
    /// and the caller, who is told when to [catch up](Behind::catch_up), has to keep what it was about.
    pub(crate) fn signal(&self, message: Message, receiver: Option<&Arc<Peer>>) -> bool {
        let mut queue = self.lock();
        if queue.is_behind || queue.signalled > MOST_SIGNALLED {
            queue.is_behind = true;
            return false;
        }
        for (_, watched) in &mut queue.watches {
            let reaches = receiver.is_none_or(|peer| peer.name == watched.receiver);
            if reaches && watched.signals.len() <= MOST_NEWS {
                watched.signals.push(message.clone());
            }
        }
        let way = Way {
            receiver: receiver.cloned(),
            is_signal: true,
        };
        queue.push(message, way);
        drop(queue);
        self.wake.notify_one();
        true
    }

    /// Remembers what is signalled from now on, until the reply that is being made has been queued.
    pub(crate) fn watch(self: &Arc<Self>, receiver: &Arc<str>) -> Watch {
        let mut queue = self.lock();
        queue.last_watch += 1;
        let number = queue.last_watch;
        let watched = Watched {
            receiver: Arc::clone(receiver),
            signals: Vec::new(),
        };
        queue.watches.push((number, watched));
        drop(queue);
        Watch {
            outbox: Arc::clone(self),
            number,
        }
    }

    /// Queues a reply that tells a state, and behind it what was signalled while it was made, for its receiver.
    ///
    /// # Errors
    /// That more was signalled than is kept; nothing was queued.
    pub(crate) fn reply_with_news(
        self: &Arc<Self>,
        message: Message,
        peer: &Arc<Peer>,
        watch: &Watch,
    ) -> Result<(), Failure> {
        let mut queue = self.lock();
        let watched = queue
            .watches
            .iter_mut()
            .find(|(number, _)| *number == watch.number);
        let news = watched.map(|(_, watched)| std::mem::take(&mut watched.signals));
        let news = news.unwrap_or_default();
        if news.len() > MOST_NEWS {
            let text = "too much changed while the answer was made";
            return Err(Failure::protocol(Protocol::LimitsExceeded, text));
        }
        let tell_state = news.iter().filter(|signal| tells_state(signal));
        let again: Vec<Message> = tell_state
            .filter_map(|signal| addressed(signal, &peer.name))
            .collect();
        let way = Way {
            receiver: Some(Arc::clone(peer)),
            is_signal: false,
        };
        for message in std::iter::once(message).chain(again) {
            queue.push(message, way.clone());
        }
        drop(queue);
        self.write_now();
        Ok(())
    }

    /// Queues a reply and writes as far as the socket takes it; the rest goes on in the background.
    pub(crate) fn reply(self: &Arc<Self>, message: Message, peer: &Arc<Peer>) {
        let way = Way {
            receiver: Some(Arc::clone(peer)),
            is_signal: false,
        };
        self.lock().push(message, way);
        self.write_now();
    }

    /// Queues a reply, which is written with others.
    pub(crate) fn reply_later(&self, message: Message, peer: &Arc<Peer>) {
        let way = Way {
            receiver: Some(Arc::clone(peer)),
            is_signal: false,
        };
        self.lock().push(message, way);
        self.wake.notify_one();
    }

    fn write_now(self: &Arc<Self>) {
        {
            let mut queue = self.lock();
            if queue.writing || queue.count == 0 {
                return;
            }
            queue.writing = true;
        }
        let outbox = Arc::clone(self);
        let mut writing: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async move { outbox.write().await });
        if writing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            // Polled again by the runtime, with a waker that counts.
            tokio::spawn(writing);
        }
    }

    /// Writes until the queue is empty. Only who set `writing` may call this.
    async fn write(self: &Arc<Self>) {
        loop {
            let letters = {
                let mut queue = self.lock();
                if queue.count == 0 {
                    queue.writing = false;
                    return;
                }
                queue.batch()
            };
            let messages: Vec<Message> = letters
                .iter()
                .map(|letter| letter.message.clone())
                .collect();
            let sent = self.bus.send_all(&messages).await;
            if let Err(error) = sent {
                // The bus is gone; the reading side ends the service.
                tracing::debug!(%error, "cannot write to the bus");
                let mut queue = self.lock();
                queue.left(&letters);
                while let Some(letter) = queue.pop() {
                    queue.left(&[letter]);
                }
                queue.writing = false;
                drop(queue);
                self.short.notify_waiters();
                return;
            }
            for letter in &letters {
                if let Some(peer) = &letter.way.receiver {
                    peer.add_unread(letter.bytes());
                }
            }
            let catches_up = {
                let mut queue = self.lock();
                queue.left(&letters);
                let catches_up = queue.is_behind && queue.signalled == 0;
                queue.is_behind &= !catches_up;
                catches_up
            };
            self.short.notify_waiters();
            if catches_up {
                self.catch_up();
            }
        }
    }

    fn catch_up(&self) {
        let behind = self
            .behind
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for behind in behind.iter().filter_map(Weak::upgrade) {
            behind.catch_up();
        }
    }

    /// Writes signals as they are queued, for as long as it is polled.
    pub(crate) async fn write_signals(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            self.write_now();
        }
    }

    /// Waits until signals may be queued again.
    pub(crate) async fn caught_up(&self) {
        loop {
            let short = self.short.notified();
            tokio::pin!(short);
            short.as_mut().enable();
            {
                let queue = self.lock();
                if !queue.is_behind && queue.signalled <= MOST_SIGNALLED {
                    return;
                }
            }
            short.await;
        }
    }

    /// Waits until no more than `most` messages and `bytes` of them are queued: the pressure of a bus that does not read reaches those who
    /// call.
    pub(crate) async fn at_most(&self, most: usize, bytes: usize) {
        loop {
            let short = self.short.notified();
            tokio::pin!(short);
            short.as_mut().enable();
            {
                let queue = self.lock();
                if queue.count <= most && queue.bytes <= bytes {
                    return;
                }
            }
            short.await;
        }
    }

    /// Waits until all that was queued has been handed to the socket.
    pub(crate) async fn drained(self: &Arc<Self>) {
        self.write_now();
        loop {
            {
                let queue = self.lock();
                if queue.count == 0 && !queue.writing {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Whether a signal tells of what clients keep a picture of.
fn tells_state(signal: &Message) -> bool {
    const STATE: [&str; 3] = ["PropertiesChanged", "InterfacesAdded", "InterfacesRemoved"];
    let header = signal.header();
    header
        .member()
        .is_some_and(|name| STATE.contains(&name.as_str()))
}

/// The same signal for one receiver.
pub(crate) fn addressed(signal: &Message, receiver: &str) -> Option<Message> {
    let header = signal.header();
    let signal_to = |content: &dyn Fn(zbus::message::Builder<'_>) -> zbus::Result<Message>| {
        let to = Message::signal(header.path()?, header.interface()?, header.member()?)
            .destination(receiver);
        Some(content(to))
    };
    let body = signal.body();
    let built = if body.is_empty() {
        signal_to(&|to| to.build(&()))
    } else {
        let content: Structure<'_> = body.deserialize().ok()?;
        signal_to(&|to| to.build(&content))
    };
    built?
        .inspect_err(|error| tracing::error!(%error, "a signal cannot be repeated"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(peer: &Arc<Peer>, number: u32) -> (Message, Way) {
        let way = Way {
            receiver: Some(Arc::clone(peer)),
            is_signal: false,
        };
        let message = Message::signal("/", "org.libvirt.Test", "Reply").build(&(number,));
        (message.unwrap(), way)
    }

    fn to_all(number: u32) -> (Message, Way) {
        let way = Way {
            receiver: None,
            is_signal: true,
        };
        let message = Message::signal("/", "org.libvirt.Test", "Told").build(&(number,));
        (message.unwrap(), way)
    }

    #[test]
    fn receivers_have_their_turns_between_two_signals_and_each_has_its_order() {
        let (greedy, other) = (
            Peer::known(":1.1", Some(1000)),
            Peer::known(":1.2", Some(1001)),
        );
        let mut queue = Queue::default();
        for (message, way) in [
            to(&greedy, 1),
            to(&greedy, 2),
            to(&greedy, 3),
            to(&other, 10),
            to_all(100),
            to(&greedy, 4),
            to(&other, 11),
            to(&other, 12),
        ] {
            queue.push(message, way);
        }
        assert_eq!(queue.count, 8);
        let mut left = Vec::new();
        let user = Arc::clone(greedy.known_user().unwrap());
        assert_eq!(user.unsent.bytes(), greedy.unsent.bytes());
        assert!(user.unsent.bytes() > 0);
        while let Some(letter) = queue.pop() {
            let number: u32 = letter.message.body().deserialize().unwrap();
            left.push(number);
            queue.left(&[letter]);
        }
        assert_eq!(left, [1, 10, 2, 3, 100, 4, 11, 12]);
        assert_eq!((queue.count, queue.bytes, queue.signalled), (0, 0, 0));
        assert_eq!((user.unsent.bytes(), greedy.unsent.bytes()), (0, 0));
    }

    #[test]
    fn connections_of_a_user_have_a_turn_together() {
        let greedy: Vec<_> = (1..4)
            .map(|number| Peer::known(&format!(":1.{number}"), Some(1000)))
            .collect();
        let root = Peer::known(":1.9", Some(0));
        let mut queue = Queue::default();
        for (number, peer) in (0..).zip(greedy.iter().chain(&greedy)) {
            let (message, way) = to(peer, number);
            queue.push(message, way);
        }
        let (message, way) = to(&root, 100);
        queue.push(message, way);
        let numbers = std::iter::from_fn(|| queue.pop());
        let numbers = numbers.map(|letter| letter.message.body().deserialize().unwrap());
        let numbers: Vec<u32> = numbers.collect();
        assert_eq!(numbers, [0, 100, 1, 2, 3, 4, 5]);
    }
}
