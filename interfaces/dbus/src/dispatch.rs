//! The reading side: takes each call off the bus, and lets it be answered.
//!
//! One task reads, and never waits for anything but the next message. What is declared to be answered from memory is polled once as it
//! arrives: its reply is on the socket before the next message is looked at. Everything else, and what has to
//! wait after all, goes on in [turns](crate::turns) on other threads, within its sender's [limits](crate::limits). A sender's writes
//! to one object enter the driver in the order in which they were sent. Calls with long messages have turns and a thread of their own,
//! whose priority is low: they do not take the processors from others.

#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::SemaphorePermit;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use virtbus_api::access::Caller;
use virtbus_api::connections::{Connections, Follower};
use virtbus_api::storage::Transfer;
use virtbus_api::{Error, ErrorCode, ErrorDomain};
use zbus::message::{Flags, Header, Type};
use zbus::{Message, MessageStream};

use crate::answer::{self, Order, answer};
use crate::declare::Kind;
use crate::error::{Failure, Protocol};
use crate::limits::{Charge, Counted, Limits, Load, Whose};
use crate::nodes::Nodes;
use crate::outbox::{Outbox, Watch};
use crate::peers::{Clients, Peer, Peers};
use crate::receipts::Receipts;
use crate::socket::{Arrivals, WITHOUT_DESCRIPTORS};
use crate::standard;
use crate::standard::log_control::LogControl;
use crate::turns::Turns;

/// Steps of calls that are gone at once: more would only wait for processors.
const STEPS_AT_ONCE: usize = 4;

/// A call with a longer message, bytes, is not looked at where all others would wait for it.
const SHORT: usize = 64 << 10;

/// How nice the thread is to others that looks at long messages: its share of a busy processor is about a tenth of theirs.
const NICE: i32 = 10;

/// What every call needs.
pub(crate) struct Shared {
    pub(crate) bus: zbus::Connection,
    /// By which the bus is asked, where no call waits before the answer.
    pub(crate) questions: zbus::Connection,
    me: Weak<Self>,
    pub(crate) outbox: Arc<Outbox>,
    /// Where work goes on that a call begins.
    runtime: Handle,
    pub(crate) nodes: Nodes,
    log_control: OnceLock<Arc<dyn LogControl>>,
    pub(crate) peers: Arc<Peers>,
    arrivals: Arc<Arrivals>,
    receipts: Arc<Receipts>,
    pub(crate) turns: Arc<Turns>,
    /// Turns of calls whose messages are long.
    long: Arc<Turns>,
    pub(crate) limits: Limits,
    /// What all users but root have under way.
    all: Arc<crate::limits::Account>,
    /// Events that wait until it is known who of these may hear of them.
    pub(crate) events: Arc<AtomicUsize>,
    /// Streams of all users but root that are under way.
    streams: Arc<AtomicUsize>,
    /// Calls taken so far, and calls not yet answered or streams under way: whether the service is idle.
    taken: AtomicU64,
    open: AtomicU64,
    /// Messages are read: somebody may listen.
    running: AtomicBool,
}

/// The objects on one bus connection.
#[derive(Clone)]
pub struct Service {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// A service of `connections` on `bus`, which was [connected](crate::connect) with `arrivals`, for `clients`; of the connections that come from
    /// now on.
    /// What calls start, and what does not answer at the first look, goes on in the runtime that this is called in, wherever
    /// [`Service::run`] runs.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(
        bus: zbus::Connection,
        arrivals: Arc<Arrivals>,
        clients: &Clients,
        connections: &Arc<Connections>,
        limits: Limits,
    ) -> Self {
        let receipts = Arc::new(Receipts::of(&clients.0));
        let outbox = Arc::new(Outbox::new(bus.clone()));
        let questions = arrivals.questions().unwrap_or(&bus).clone();
        let shared = Arc::new_cyclic(|me| Shared {
            me: Weak::clone(me),
            bus,
            questions,
            outbox,
            runtime: Handle::current(),
            nodes: Nodes::new(connections),
            log_control: OnceLock::new(),
            peers: Arc::clone(&clients.0),
            arrivals,
            receipts,
            turns: Turns::new(),
            long: Turns::new(),
            limits,
            all: Arc::default(),
            events: Arc::default(),
            streams: Arc::default(),
            taken: AtomicU64::new(0),
            open: AtomicU64::new(0),
            running: AtomicBool::new(false),
        });
        let follower: Arc<dyn Follower> = shared.clone();
        connections.follow(Arc::downgrade(&follower));
        tokio::spawn(Peers::watch(
            Arc::downgrade(&shared.peers),
            shared.questions.clone(),
        ));
        Self { shared }
    }

    /// Serves how the program logs, at the path that is the same for every service. Only the first that is given counts.
    pub fn serve_log_control(&self, control: Arc<dyn LogControl>) {
        let _ = self.shared.log_control.set(control);
    }

    /// Reads and answers until the bus connection ends. `messages` must have been made before any name was requested, so
    /// that no call is missed.
    ///
    /// # Errors
    /// If the connection ends with an error.
    pub async fn run(&self, mut messages: MessageStream) -> zbus::Result<()> {
        watch_leavers(&self.shared.bus).await?;
        self.shared.running.store(true, Ordering::Relaxed);
        // Ended when this is dropped.
        let mut helpers = JoinSet::new();
        helpers.spawn(Arc::clone(&self.shared.outbox).write_signals());
        let at_once = std::thread::available_parallelism().map_or(STEPS_AT_ONCE, usize::from);
        for _ in 0..at_once.clamp(2, STEPS_AT_ONCE) {
            helpers.spawn_on(Arc::clone(&self.shared.turns).give(), &self.shared.runtime);
        }
        // Ends the thread when it is dropped.
        let _looking = self.look_at_long_calls()?;
        loop {
            let limits = &self.shared.limits;
            let (messages_at_most, bytes_at_most) = (limits.queued_messages, limits.unsent.all);
            let outbox = &self.shared.outbox;
            outbox.at_most(messages_at_most, bytes_at_most).await;
            match messages.next().await {
                Some(Ok(message)) => self.take(message),
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    }

    /// Gives calls with long messages their turns, in a thread of its own, until the value is dropped.
    fn look_at_long_calls(&self) -> std::io::Result<oneshot::Sender<()>> {
        let (end, ended) = oneshot::channel::<()>();
        let (long, runtime) = (Arc::clone(&self.shared.long), self.shared.runtime.clone());
        let look = move || {
            // Of this thread only. Where it cannot be lowered, the calls are answered all the same.
            let _ = rustix::process::setpriority_process(None, NICE);
            // What a call begins goes on in the runtime, with the priority of the others.
            runtime.block_on(futures_util::future::select(Box::pin(long.give()), ended));
        };
        let thread = std::thread::Builder::new().name("virtbusd-long".to_owned());
        thread.spawn(look)?;
        Ok(end)
    }

    /// Waits until every message so far is on the socket.
    pub async fn flush(&self) {
        self.shared.outbox.drained().await;
    }

    /// How many calls have been taken, and whether all of them are answered.
    #[must_use]
    pub fn activity(&self) -> (u64, bool) {
        (
            self.shared.taken.load(Ordering::Relaxed),
            self.shared.open.load(Ordering::Relaxed) == 0,
        )
    }

    fn take(&self, message: Message) {
        self.shared.arrivals.leave(message.data().fds().len());
        match message.message_type() {
            Type::MethodCall => self.call(message),
            Type::Signal => self.hear(&message),
            Type::MethodReturn | Type::Error => {}
        }
    }

    /// A client has left the bus.
    fn hear(&self, message: &Message) {
        let header = message.header();
        if header
            .member()
            .is_some_and(|member| member.as_str() == "NameOwnerChanged")
            && header
                .sender()
                .is_some_and(|sender| sender.as_str() == "org.freedesktop.DBus")
        {
            let body = message.body();
            if let Ok((name, _, new)) = body.deserialize::<(&str, &str, &str)>()
                && new.is_empty()
            {
                self.shared.peers.gone(name);
            }
        }
    }

    fn call(&self, message: Message) {
        let shared = &self.shared;
        shared.taken.fetch_add(1, Ordering::Relaxed);
        let (peer, kind, is_without_descriptors) = {
            let header = message.header();
            let kind = answer::kind(&header);
            let flags = header.primary().flags();
            if kind != Kind::Write && flags.contains(Flags::NO_REPLY_EXPECTED) {
                // Nobody would have the answer, and nothing else comes of it.
                return;
            }
            let sender = header.sender().map_or("", |sender| sender.as_str());
            let lost = flags.bits() & WITHOUT_DESCRIPTORS != 0 && answer::has_descriptors(&header);
            (shared.peers.get(sender), kind, lost)
        };
        if is_without_descriptors {
            let text = "too many file descriptors are under way, or there were not as many with the call as it says";
            let failure = Failure::protocol(Protocol::LimitsExceeded, text);
            shared.refuse(&message, &failure, &peer);
            return;
        }
        let _in_runtime = shared.runtime.enter();
        if shared.peers.have_grown() {
            let shared = Arc::clone(shared);
            tokio::spawn(async move { shared.peers.look_over(&shared.questions).await });
        }
        let may_be_answered_at_once = kind == Kind::Memory
            && message.data().len() <= SHORT
            && peer.known_user().is_some()
            && peer.has_room(shared.limits.unsent)
            && shared.receipts.are_in_order(&peer, &shared.limits);
        let begun = if may_be_answered_at_once {
            let mut call = Call::new(shared, &message, &peer, Order::None);
            if let Some(answered) = (&mut call.work).now_or_never() {
                call.finish(answered);
                return;
            }
            Some(call)
        } else {
            None
        };
        let charge = match shared.admit(&message, &peer) {
            Ok(charge) => charge,
            Err(failure) => {
                // What it began to ask polkit has its turn there until polkit has answered, also if nobody waits for it.
                drop(begun);
                shared.refuse(&message, &failure, &peer);
                return;
            }
        };
        match begun {
            // It may have what others wait for, and must go on.
            Some(call) => shared.go_on(call, charge, true),
            None => {
                let order = match kind {
                    Kind::Write => Order::take(&peer, &message.header()),
                    Kind::Memory | Kind::Read => Order::None,
                };
                let call = Call::new(shared, &message, &peer, order);
                shared.go_on(call, charge, false);
            }
        }
    }
}

/// A call that is being answered.
struct Call {
    shared: Arc<Shared>,
    message: Message,
    peer: Arc<Peer>,
    work: BoxFuture<'static, Answered>,
}

/// An answer, and what was signalled while it was made if it tells a state.
type Answered = (Result<Message, Failure>, Option<Watch>);

impl Call {
    fn new(shared: &Arc<Shared>, message: &Message, peer: &Arc<Peer>, order: Order) -> Self {
        let tells_state = tells_state(&message.header());
        let work = {
            let (shared, message, peer) = (Arc::clone(shared), message.clone(), Arc::clone(peer));
            async move {
                // Begins before anything is read.
                let watch = tells_state.then(|| shared.outbox.watch(&peer.name));
                (answer(shared, message, peer, order).await, watch)
            }
        };
        let work = AssertUnwindSafe(work)
            .catch_unwind()
            .map(|answered| answered.unwrap_or_else(|_| (Err(panicked()), None)));
        Self {
            shared: Arc::clone(shared),
            message: message.clone(),
            peer: Arc::clone(peer),
            work: Box::pin(work),
        }
    }

    fn finish(&self, (result, watch): Answered) {
        self.shared
            .finish(&self.message, result, &self.peer, watch.as_ref());
    }
}

/// Something is under way until this is dropped.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a call asks for what clients keep a picture of, with signals that tell its changes.
fn tells_state(call: &Header<'_>) -> bool {
    let member = call.member().map_or("", |member| member.as_str());
    match member {
        "GetManagedObjects" => true,
        "Get" | "GetAll" => call
            .interface()
            .is_none_or(|interface| interface.as_str() == standard::properties::NAME),
        _ => false,
    }
}

/// Asks the bus to tell when a client leaves.
async fn watch_leavers(bus: &zbus::Connection) -> zbus::Result<()> {
    if !bus.is_bus() {
        return Ok(());
    }
    let rule = "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
                member='NameOwnerChanged',arg2=''";
    bus.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "AddMatch",
        &(rule,),
    )
    .await?;
    Ok(())
}

fn panicked() -> Failure {
    Failure::protocol(Protocol::Failed, "internal error; see the daemon's log")
}

impl Shared {
    /// Itself, for those whom it keeps.
    pub(crate) const fn me(&self) -> &Weak<Self> {
        &self.me
    }

    /// Whether messages are read already.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// Puts a call that is not answered at once on the books.
    fn admit(&self, message: &Message, peer: &Arc<Peer>) -> Result<Charge, Failure> {
        let data = message.data();
        let mut charge = Charge::new(Load {
            bytes: data.len(),
            descriptors: data.fds().len(),
        });
        charge.to(&peer.account, &self.limits, Whose::Connection)?;
        if peer.known_user().is_some() {
            self.admit_user(&mut charge, peer)?;
        }
        Ok(charge)
    }

    /// Puts it on the books of the peer's user, who is known by now.
    fn admit_user(&self, charge: &mut Charge, peer: &Peer) -> Result<(), Failure> {
        let Some(user) = peer.known_user().filter(|user| !user.is_root()) else {
            return Ok(());
        };
        charge.to(&user.account, &self.limits, Whose::User)?;
        charge.to(&self.all, &self.limits, Whose::All)
    }

    /// Lets a call go on in its peer's turns.
    fn go_on(self: &Arc<Self>, call: Call, mut charge: Charge, has_begun: bool) {
        let open = Open::new(self);
        let (shared, peer) = (Arc::clone(self), Arc::clone(&call.peer));
        let length = call.message.data().len();
        let work = async move {
            let mut call = call;
            let may_go_on = if has_begun {
                Ok(())
            } else {
                shared.may_go_on(&call.peer, &mut charge).await
            };
            match may_go_on {
                Ok(()) => {
                    let answered = (&mut call.work).await;
                    // What was signalled before is heard before.
                    call.peer.hearing.is_quiet().await;
                    call.finish(answered);
                }
                Err(failure) => call.finish((Err(failure), None)),
            }
            drop(open);
        };
        let turns = if length > SHORT {
            &self.long
        } else {
            &self.turns
        };
        turns.go_on(peer, Box::pin(work));
    }

    /// Waits until the peer may be given more; an error if it may not.
    async fn may_go_on(&self, peer: &Arc<Peer>, charge: &mut Charge) -> Result<(), Failure> {
        if peer.known_user().is_none() {
            self.peers.user_of(peer, &self.questions).await?;
            self.admit_user(charge, peer)?;
        }
        peer.room(self.limits.unsent).await;
        self.receipts
            .check(&self.questions, &self.peers, peer, &self.limits)
            .await
    }

    /// Waits for the peer's user to have a turn at an answer that has every object, and for room for it: whoever asks for a thousand of them has
    /// few in memory at a time.
    ///
    /// # Errors
    /// That the peer may not be given more.
    pub(crate) async fn turn_at_pictures<'p>(
        &'p self,
        peer: &'p Arc<Peer>,
    ) -> Result<SemaphorePermit<'p>, Failure> {
        let turn = self.peers.user_or_unknown(peer).pictures.acquire().await;
        let turn = turn.map_err(|_| panicked())?;
        peer.room(self.limits.unsent).await;
        self.receipts
            .check(&self.questions, &self.peers, peer, &self.limits)
            .await?;
        Ok(turn)
    }

    /// Refuses a call of which nothing was begun. Who sends ten thousand calls is answered with few writes: others wait meanwhile.
    fn refuse(&self, call: &Message, failure: &Failure, peer: &Arc<Peer>) {
        let header = call.header();
        if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
            return;
        }
        match failure.reply(&header) {
            Ok(reply) => self.outbox.reply_later(reply, peer),
            Err(error) => tracing::error!(%error, "a reply cannot be built"),
        }
    }

    /// Sends the reply, if one is wanted.
    fn finish(
        &self,
        call: &Message,
        result: Result<Message, Failure>,
        peer: &Arc<Peer>,
        watch: Option<&Watch>,
    ) {
        let header = call.header();
        if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
            return;
        }
        let with_news = |reply: Message| match watch {
            Some(watch) => self.outbox.reply_with_news(reply, peer, watch),
            None => {
                self.outbox.reply(reply, peer);
                Ok(())
            }
        };
        let Err(failure) = result.and_then(with_news) else {
            return;
        };
        match failure.reply(&header) {
            Ok(reply) => self.outbox.reply(reply, peer),
            Err(error) => tracing::error!(%error, "a reply cannot be built"),
        }
    }

    /// Makes room for a stream of the peer's, until what is returned is dropped. The service is not idle meanwhile.
    ///
    /// # Errors
    /// `ResourceBusy` if the peer, or its user, has as many under way as it may.
    fn room_for_stream(self: &Arc<Self>, peer: &Peer) -> virtbus_api::Result<(Counted, Open)> {
        let most = self.limits.streams;
        let mut counts = vec![(&peer.streams.count, most.connection)];
        if let Some(user) = peer.known_user().filter(|user| !user.is_root()) {
            counts.extend([(&user.streams, most.user), (&self.streams, most.all)]);
        }
        let counted = Counted::with(counts).ok_or_else(|| {
            let text = format!(
                "too many streams are under way already; the limits are {} of a connection and {} of a user",
                most.connection, most.user
            );
            Error::new(ErrorCode::ResourceBusy, ErrorDomain::Streams, text)
        })?;
        Ok((counted, Open::new(self)))
    }

    /// Has the content of a stream go through the descriptor that the peer gets. Nothing is begun if there is no room for it.
    ///
    /// # Errors
    /// Those of `transfer`; `ResourceBusy` if the peer, or its user, has as many streams under way as it may.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        peer: &Peer,
        transfer: impl Future<Output = virtbus_api::Result<Transfer>>,
    ) -> virtbus_api::Result<OwnedFd> {
        let room = self.room_for_stream(peer)?;
        let begun = peer.streams.begin(transfer.await?, room, &self.runtime);
        begun.map_err(|error| {
            Error::internal(format!(
                "the descriptor of a stream cannot be used: {error}"
            ))
        })
    }

    /// How the program logs, if that is served.
    pub(crate) fn log_control(&self) -> Option<&dyn LogControl> {
        self.log_control.get().map(|control| &**control)
    }

    /// The caller of a call that goes on, as the guard sees it: who it is was found out before.
    pub(crate) fn caller(peer: &Peer, header: &Header<'_>) -> Caller {
        Caller::Bus {
            client: peer.client.clone(),
            uid: peer.known_uid(),
            interactive: header
                .primary()
                .flags()
                .contains(Flags::ALLOW_INTERACTIVE_AUTH),
        }
    }
}
