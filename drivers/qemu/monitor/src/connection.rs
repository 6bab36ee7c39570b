//! One QMP connection: the task that reads and writes, the table of commands in flight, and what
//! becomes of both when the connection ends.
//!
//! ```text
//!  callers ──queue (bounded)──▶ writer ──▶ socket ──▶ QEMU
//!     ▲                                                │
//!     └──oneshot── pending table ◀── reader ◀──────────┘
//!                  event channel ◀──┘   (bounded by count and bytes, never waited for)
//! ```
//!
//! Reader and writer are two futures of one task. The task ends when the other side closes, when
//! something not understood arrives, when events overflow, or when the last handle is gone; it
//! then closes the socket, fails every pending command and, last, closes the event channel.
//! A command whose caller went away before it was written is never written; if it was written,
//! its reply is dropped when it comes.
//!
//! This module knows no particular command and no event's meaning.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde_json::value::RawValue;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot};

use super::command::Timestamp;
use super::error::{CloseReason, CommandError};
use super::framing::Lines;
use super::wire::{self, Message};

/// What comes back for one command.
pub(crate) type Answer = Result<Result<Box<RawValue>, CommandError>, CloseReason>;

/// A command on its way to the socket.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: u64,
    pub(crate) line: Vec<u8>,
    pub(crate) fd: Option<OwnedFd>,
}

/// An event as it came.
#[derive(Debug)]
pub(crate) struct RawEvent {
    pub(crate) name: String,
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) timestamp: Timestamp,
}

impl RawEvent {
    /// How much memory it stands for.
    pub(crate) fn weight(&self) -> usize {
        const OVERHEAD: usize = 64;
        OVERHEAD + self.name.len() + self.data.as_ref().map_or(0, |data| data.get().len())
    }
}

/// How much may wait to be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventLimits {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

/// What callers, the task and the event receiver share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Ends the connection when notified.
    pub(crate) stop: Notify,
    /// Bytes of events that wait in the channel.
    pub(crate) event_bytes: AtomicUsize,
}

#[derive(Debug)]
struct State {
    next_id: u64,
    pending: BTreeMap<u64, Pending>,
    /// Set when a command timed out, cleared when anything arrives.
    unresponsive: bool,
    closed: Option<CloseReason>,
}

#[derive(Debug)]
struct Pending {
    written: bool,
    answer: oneshot::Sender<Answer>,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                next_id: 1,
                pending: BTreeMap::new(),
                unresponsive: false,
                closed: None,
            }),
            stop: Notify::new(),
            event_bytes: AtomicUsize::new(0),
        })
    }

    /// The state is a plain table, whole after every statement, so a panic elsewhere cannot
    /// leave it half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a command into the table; the guard takes it out again.
    pub(crate) fn register(self: &Arc<Self>) -> Result<Registered, CloseReason> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        let id = state.next_id;
        state.next_id += 1;
        let pending = Pending {
            written: false,
            answer: sender,
        };
        state.pending.insert(id, pending);
        drop(state);
        Ok(Registered {
            shared: Arc::clone(self),
            id,
            answer,
        })
    }

    /// Why the connection ended, once it has.
    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.state().closed.clone()
    }

    /// Whether a command timed out and nothing came since.
    pub(crate) fn is_unresponsive(&self) -> bool {
        self.state().unresponsive
    }

    /// Something arrived.
    fn heard(&self) {
        self.state().unresponsive = false;
    }

    /// Whether the command is still wanted; if so it counts as written from now on.
    fn begin_write(&self, id: u64) -> bool {
        self.state()
            .pending
            .get_mut(&id)
            .map(|pending| pending.written = true)
            .is_some()
    }

    fn answer(&self, id: Option<u64>, result: Result<Box<RawValue>, CommandError>) {
        let mut state = self.state();
        // QEMU leaves the id out only when it could not read the command at all. Answers come
        // in order, so it must be the oldest one it was sent.
        let id = id.or_else(|| {
            result.as_ref().err()?;
            let mut written = state.pending.iter().filter(|(_, p)| p.written);
            written.next().map(|(id, _)| *id)
        });
        if let Some(pending) = id.and_then(|id| state.pending.remove(&id)) {
            // A caller that is gone does not want to know.
            let _ = pending.answer.send(Ok(result));
        }
    }

    /// Ends it: every command that waits fails, every later one is refused.
    fn close(&self, reason: &CloseReason) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| reason.clone());
        for (_, pending) in std::mem::take(&mut state.pending) {
            let _ = pending.answer.send(Err(reason.clone()));
        }
    }
}

/// A place in the table of pending commands, given up on drop.
#[derive(Debug)]
pub(crate) struct Registered {
    shared: Arc<Shared>,
    pub(crate) id: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Registered {
    /// Waits for the answer. Cancel safe.
    pub(crate) async fn answer(&mut self) -> Answer {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.shared.closed().unwrap_or(CloseReason::EndOfFile)),
        }
    }

    /// The deadline passed: gives an answer that came at the last moment, or else gives up and
    /// marks the connection unresponsive.
    ///
    /// Both under one lock, because the mark is only taken away by something that arrives later:
    /// if the answer is still to come (or something written before it is still to be answered),
    /// something will.
    pub(crate) fn give_up(&mut self) -> Option<Answer> {
        let mut state = self.shared.state();
        if state.pending.remove(&self.id).is_some() {
            state.unresponsive = true;
            return None;
        }
        self.answer.try_recv().ok()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.state().pending.remove(&self.id);
    }
}

/// Runs the connection until it ends. Everything that arrived with the greeting is in `lines`.
pub(crate) async fn run(
    stream: UnixStream,
    mut lines: Lines,
    shared: Arc<Shared>,
    mut queue: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<RawEvent>,
    limits: EventLimits,
) {
    let reason = tokio::select! {
        // Both futures live as long as the connection, so nothing half done is ever dropped
        // while it goes on.
        reason = read(&stream, &mut lines, &shared, &events, limits) => reason,
        reason = write(&stream, &shared, &mut queue) => reason,
        () = shared.stop.notified() => CloseReason::Requested,
    };
    drop(stream);
    tracing::debug!(%reason, "monitor connection ended");
    shared.close(&reason);
    // The event channel closes here, after the reason can be read.
    drop(events);
}

async fn read(
    stream: &UnixStream,
    lines: &mut Lines,
    shared: &Shared,
    events: &mpsc::Sender<RawEvent>,
    limits: EventLimits,
) -> CloseReason {
    loop {
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => return CloseReason::LineTooLong { limit: error.limit },
            };
            if let Err(reason) = dispatch(&line, shared, events, limits) {
                return reason;
            }
        }
        match read_some(stream, |bytes| lines.push(bytes)).await {
            Ok(0) => return CloseReason::EndOfFile,
            Ok(_) => {}
            Err(error) => return CloseReason::Io(error.to_string()),
        }
    }
}

/// Waits until something can be read and hands it to `take`; gives its size, 0 at the end of the
/// stream. Cancel safe.
pub(crate) async fn read_some(
    stream: &UnixStream,
    mut take: impl FnMut(&[u8]),
) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match try_read(stream, &mut take) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A peer that exits with something unread in its queue; the same thing to us.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            other => return other,
        }
    }
}

/// The buffer lives here and not in the future, which waits most of its life.
fn try_read(stream: &UnixStream, take: &mut impl FnMut(&[u8])) -> io::Result<usize> {
    let mut chunk = [0; 16 * 1024];
    let size = stream.try_read(&mut chunk)?;
    take(&chunk[..size]);
    Ok(size)
}

fn dispatch(
    line: &[u8],
    shared: &Shared,
    events: &mpsc::Sender<RawEvent>,
    limits: EventLimits,
) -> Result<(), CloseReason> {
    let message = wire::parse(line).map_err(|error| CloseReason::Garbage(error.to_string()))?;
    shared.heard();
    match message {
        Message::Reply { id, result } => shared.answer(id, result.map(ToOwned::to_owned)),
        Message::Event {
            name,
            data,
            timestamp,
        } => {
            let event = RawEvent {
                name: name.into_owned(),
                data: data.map(ToOwned::to_owned),
                timestamp,
            };
            enqueue(event, shared, events, limits)?;
        }
        Message::Greeting(_) | Message::Unknown => {}
    }
    Ok(())
}

fn enqueue(
    event: RawEvent,
    shared: &Shared,
    events: &mpsc::Sender<RawEvent>,
    limits: EventLimits,
) -> Result<(), CloseReason> {
    let overflow = CloseReason::EventOverflow {
        limit: limits.count,
    };
    let weight = event.weight();
    if shared.event_bytes.fetch_add(weight, Ordering::Relaxed) + weight > limits.bytes {
        return Err(overflow);
    }
    match events.try_send(event) {
        Ok(()) => Ok(()),
        Err(mpsc::error::TrySendError::Full(_)) => Err(overflow),
        // Nobody listens; the replies still matter.
        Err(mpsc::error::TrySendError::Closed(event)) => {
            shared
                .event_bytes
                .fetch_sub(event.weight(), Ordering::Relaxed);
            Ok(())
        }
    }
}

async fn write(
    stream: &UnixStream,
    shared: &Shared,
    queue: &mut mpsc::Receiver<Outgoing>,
) -> CloseReason {
    while let Some(outgoing) = queue.recv().await {
        if !shared.begin_write(outgoing.id) {
            continue;
        }
        if let Err(error) = write_line(stream, &outgoing.line, outgoing.fd).await {
            // What QEMU still sent before it went away is worth more than "broken pipe": the
            // reader meets the end of file itself.
            if error.kind() == io::ErrorKind::BrokenPipe {
                std::future::pending::<()>().await;
            }
            return CloseReason::Io(error.to_string());
        }
    }
    CloseReason::Requested
}

/// Writes the whole line; the descriptor travels with its first byte. Not cancel safe.
pub(crate) async fn write_line(
    stream: &UnixStream,
    line: &[u8],
    mut fd: Option<OwnedFd>,
) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        let size = stream
            .async_io(Interest::WRITABLE, || send(stream, rest, fd.as_ref()))
            .await?;
        fd = None;
        rest = rest.get(size..).unwrap_or_default();
    }
    Ok(())
}

fn send(stream: &UnixStream, bytes: &[u8], fd: Option<&OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = fd.map(|fd| [fd.as_fd()]);
    if let Some(fds) = &fds {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    let sent = rustix::net::sendmsg(
        stream,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
    )?;
    Ok(sent)
}
