//! The way out: replies and signals in one order.
//!
//! Whoever has a message puts it into the queue; whoever finds nobody writing writes what is there. A reply is written at once by
//! the task that made it, so that a read costs no hop between threads; a signal only wakes the writer, because it is queued
//! while its object is locked. As both take the same queue, a signal queued before a reply leaves before it.
//!
//! A reply that tells a state was made from what was known a moment ago. If a change was signalled since, the reply would put
//! the client's picture back; so it is followed by those signals once more, for that client only ([`Watch`]).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::sync::Notify;
use zbus::{Connection, Message, Structure};

/// How many messages are handed to the socket at once.
const BATCH: usize = 64;

/// The queue and who writes it.
pub(crate) struct Outbox {
    bus: Connection,
    queue: Mutex<Queue>,
    /// Told when a signal was queued.
    wake: Notify,
    /// Told when the queue has become short again.
    short: Notify,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Message>,
    writing: bool,
    /// Signals that were queued while somebody makes a reply that tells a state.
    watches: Vec<(u64, Vec<Message>)>,
    last_watch: u64,
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
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a signal. Does not write, and so may be called under a lock.
    pub(crate) fn signal(&self, message: Message) {
        let mut queue = self.lock();
        for (_, signals) in &mut queue.watches {
            signals.push(message.clone());
        }
        queue.messages.push_back(message);
        drop(queue);
        self.wake.notify_one();
    }

    /// Remembers what is signalled from now on, until the reply that is being made has been queued.
    pub(crate) fn watch(self: &Arc<Self>) -> Watch {
        let mut queue = self.lock();
        queue.last_watch += 1;
        let number = queue.last_watch;
        queue.watches.push((number, Vec::new()));
        drop(queue);
        Watch {
            outbox: Arc::clone(self),
            number,
        }
    }

    /// Queues a reply that tells a state, and behind it what was signalled while it was made, for its receiver.
    pub(crate) fn reply_with_news(self: &Arc<Self>, message: Message, watch: &Watch) {
        let mut queue = self.lock();
        let watched = queue
            .watches
            .iter_mut()
            .find(|(number, _)| *number == watch.number);
        let news = watched.map(|(_, signals)| std::mem::take(signals));
        let news = news.unwrap_or_default();
        let again: Vec<Message> = {
            let header = message.header();
            let receiver = header.destination().map(zbus::names::BusName::as_str);
            news.iter()
                .filter_map(|signal| addressed(signal, receiver?))
                .collect()
        };
        queue.messages.push_back(message);
        queue.messages.extend(again);
        drop(queue);
        self.write_now();
    }

    /// Queues a reply and writes as far as the socket takes it; the rest goes on in the background.
    pub(crate) fn reply(self: &Arc<Self>, message: Message) {
        self.lock().messages.push_back(message);
        self.write_now();
    }

    fn write_now(self: &Arc<Self>) {
        {
            let mut queue = self.lock();
            if queue.writing || queue.messages.is_empty() {
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
    async fn write(&self) {
        loop {
            let batch: Vec<Message> = {
                let mut queue = self.lock();
                if queue.messages.is_empty() {
                    queue.writing = false;
                    return;
                }
                let count = queue.messages.len().min(BATCH);
                queue.messages.drain(..count).collect()
            };
            if let Err(error) = self.bus.send_all(&batch).await {
                // The bus is gone; the reading side ends the service.
                tracing::debug!(%error, "cannot write to the bus");
                let mut queue = self.lock();
                queue.messages.clear();
                queue.writing = false;
                self.short.notify_waiters();
                return;
            }
            self.short.notify_waiters();
        }
    }

    /// Writes signals as they are queued, for as long as it is polled.
    pub(crate) async fn write_signals(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            self.write_now();
        }
    }

    /// Waits until no more than `most` messages are queued: the pressure of a bus that does not read reaches those who call.
    pub(crate) async fn at_most(&self, most: usize) {
        loop {
            let short = self.short.notified();
            tokio::pin!(short);
            short.as_mut().enable();
            if self.lock().messages.len() <= most {
                return;
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
                if queue.messages.is_empty() && !queue.writing {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A signal that carries state, for one receiver.
fn addressed(signal: &Message, receiver: &str) -> Option<Message> {
    const STATE: [&str; 3] = ["PropertiesChanged", "InterfacesAdded", "InterfacesRemoved"];
    let header = signal.header();
    let member = header
        .member()
        .filter(|name| STATE.contains(&name.as_str()))?;
    let body = signal.body();
    let content: Structure<'_> = body.deserialize().ok()?;
    let built = Message::signal(header.path()?, header.interface()?, member)
        .destination(receiver)
        .build(&content);
    built
        .inspect_err(|error| tracing::error!(%error, "a signal cannot be repeated"))
        .ok()
}
