//! The way in of the socket: takes what comes apart into messages, and hands on those that the library can take, each user's and
//! each sender's in turn.
//!
//! The bus sends what comes to it in the order in which it comes: ten thousand messages of one client are before the first one of another. So
//! what the socket has is taken in before one message is chosen, and the users have their turns, and among a user's the senders; messages of
//! one sender stay in their order.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;
use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;

use super::header::{FIXED, Header, Lengths};
use super::{Arrivals, Sender};
use crate::rounds::ByUser;

/// What is read at once: many small messages, or a part of a large one.
const BUFFER: usize = 64 << 10;

/// The longest header that is looked through. Ours have a few hundred bytes; a path has no limit.
const LONGEST_HEADER: usize = 1 << 20;

/// Bytes of messages that may wait for their turn here; while there are more, nothing is read. One message may be larger. Twenty
/// thousand ordinary calls.
const ROOM: usize = 4 << 20;

/// Descriptors that the kernel hands over with one read (`SCM_MAX_FD`).
const DESCRIPTORS: usize = 253;

/// After a message of this size the dispatcher has its turn, so that large ones do not pile up before it.
const LARGE: usize = 64 << 10;

/// A whole message, or the beginning of one.
#[derive(Debug, Default)]
struct Taken {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    sender: Box<[u8]>,
}

/// The half that messages are received through.
#[derive(Debug)]
pub(super) struct Reader {
    stream: Arc<UnixStream>,
    arriving: Arriving,
    /// Messages that wait for their turn, and how many bytes they have.
    waiting: ByUser<Sender, Box<[u8]>, Taken>,
    waiting_bytes: usize,
    /// The message that is handed on, and how far it is.
    handed: (Taken, usize),
    /// Whether the dispatcher is to have its turn before the next message.
    yields: bool,
}

impl Reader {
    pub(super) fn new(stream: Arc<UnixStream>, arrivals: Arc<Arrivals>) -> Self {
        Self {
            stream,
            arriving: Arriving::new(arrivals),
            waiting: ByUser::default(),
            waiting_bytes: 0,
            handed: (Taken::default(), 0),
            yields: false,
        }
    }

    /// The next message: takes in what the socket has, and chooses. Waits if there is none. Cancel safe.
    async fn next(&mut self) -> io::Result<Taken> {
        loop {
            while self.waiting_bytes < ROOM {
                if let Some(mut taken) = self.arriving.take()? {
                    self.waiting_bytes += taken.bytes.len();
                    let name = std::mem::take(&mut taken.sender);
                    let sender = self.arriving.arrivals.senders().of(&name);
                    self.waiting.push(sender, &name, taken);
                } else if !self.arriving.receive(&self.stream)? {
                    break;
                }
            }
            if let Some(taken) = self.waiting.next() {
                self.waiting_bytes -= taken.bytes.len();
                return Ok(taken);
            }
            self.stream.readable().await?;
        }
    }

    /// Hands on what of the message fits.
    fn hand_on(&mut self, buffer: &mut [u8]) -> usize {
        let (taken, at) = &mut self.handed;
        let count = buffer.len().min(taken.bytes.len() - *at);
        buffer[..count].copy_from_slice(&taken.bytes[*at..*at + count]);
        *at += count;
        if *at == taken.bytes.len() {
            self.handed = (Taken::default(), 0);
        }
        count
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if buffer.is_empty() {
            return Ok((0, Vec::new()));
        }
        let mut descriptors = Vec::new();
        if self.handed.0.bytes.is_empty() {
            if std::mem::take(&mut self.yields) {
                tokio::task::yield_now().await;
            }
            while self.arriving.greets {
                let count = self.arriving.greeting(buffer);
                if count > 0 {
                    return Ok((count, descriptors));
                }
                if self.arriving.greets && !self.arriving.receive(&self.stream)? {
                    self.stream.readable().await?;
                }
            }
            let mut taken = self.next().await?;
            self.yields = taken.bytes.len() >= LARGE;
            descriptors = std::mem::take(&mut taken.descriptors);
            self.handed = (taken, 0);
        }
        Ok((self.hand_on(buffer), descriptors))
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// What was read and is not a whole message yet.
#[derive(Debug)]
struct Arriving {
    arrivals: Arc<Arrivals>,
    /// What was read and not looked at is `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the next bytes are of the handshake, or of the first message.
    greets: bool,
    now: Now,
    /// Descriptors that were read, by the write that they came with; none where the kernel could not hand all of them over.
    descriptors: VecDeque<Option<Vec<OwnedFd>>>,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum Now {
    /// A message's header.
    Header,
    /// A message that is handed on: so many bytes are left of it.
    Message(Taken, usize),
    /// A message that is left out: so many bytes are left of it.
    LeftOut(usize),
}

impl Arriving {
    fn new(arrivals: Arc<Arrivals>) -> Self {
        Self {
            arrivals,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            greets: true,
            now: Now::Header,
            descriptors: VecDeque::new(),
        }
    }

    /// Reads what the socket has, as far as there is room; `false` if it has nothing.
    fn receive(&mut self, stream: &UnixStream) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            // A long header, which has its limit.
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match receive(stream, &mut self.buffer[self.end..], &mut self.descriptors) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the bus closed the connection",
            )),
            Ok(count) => {
                self.end += count;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// What was looked at makes room.
    fn pass(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > BUFFER {
                self.buffer.truncate(BUFFER);
                self.buffer.shrink_to_fit();
            }
        }
    }

    /// Hands on a line of the handshake, no further than to its end, so that the library never has half a message in its hands; or finds
    /// that the handshake is over.
    fn greeting(&mut self, buffer: &mut [u8]) -> usize {
        let held = self.held();
        if matches!(held.first(), Some(b'l' | b'B')) {
            self.greets = false;
            return 0;
        }
        let line = held
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(held.len(), |at| at + 1);
        let count = line.min(buffer.len());
        buffer[..count].copy_from_slice(&held[..count]);
        self.pass(count);
        count
    }

    /// The next whole message of what was read; none if there is only a part of one.
    fn take(&mut self) -> io::Result<Option<Taken>> {
        loop {
            match &mut self.now {
                Now::Header => {
                    if !self.header()? {
                        return Ok(None);
                    }
                }
                Now::LeftOut(left) => {
                    let count = (*left).min(self.end - self.start);
                    *left -= count;
                    if *left > 0 {
                        self.pass(count);
                        return Ok(None);
                    }
                    self.now = Now::Header;
                    self.pass(count);
                }
                Now::Message(taken, left) => {
                    let count = (*left).min(self.end - self.start);
                    let bytes = &self.buffer[self.start..self.start + count];
                    taken.bytes.extend_from_slice(bytes);
                    *left -= count;
                    let whole = (*left == 0).then(|| std::mem::take(taken));
                    self.pass(count);
                    if whole.is_some() {
                        self.now = Now::Header;
                    }
                    return Ok(whole);
                }
            }
        }
    }

    /// Looks at a header, and decides what is done with its message; `false` if it is not there yet.
    fn header(&mut self) -> io::Result<bool> {
        let held = &mut self.buffer[self.start..self.end];
        if held.len() < FIXED {
            return Ok(false);
        }
        let Some(lengths) = Lengths::read(held) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the bus sent a malformed message",
            ));
        };
        let whole = lengths.header + lengths.body;
        if lengths.header > LONGEST_HEADER {
            tracing::warn!(
                bytes = lengths.header,
                "a message has too long a header, ignoring"
            );
            self.now = Now::LeftOut(whole);
            return Ok(true);
        }
        let Some(bytes) = held.get_mut(..lengths.header) else {
            return Ok(false);
        };
        let header = match Header::read(bytes, lengths) {
            Ok(header) => header,
            Err(why) => {
                tracing::warn!("a message cannot be read because {why}, ignoring");
                self.now = Now::LeftOut(whole);
                return Ok(true);
            }
        };
        let said = header.descriptors();
        let mut descriptors = if said == 0 {
            Vec::new()
        } else {
            self.descriptors.pop_front().flatten().unwrap_or_default()
        };
        if descriptors.len() != said || !header.takes_descriptors() || !self.arrivals.enter(said) {
            descriptors = Vec::new();
        }
        header.set_descriptors(bytes, descriptors.len());
        let taken = Taken {
            // Of what is not filled yet nothing is taken from the host.
            bytes: Vec::with_capacity(whole),
            descriptors,
            sender: header.sender(bytes).into(),
        };
        self.now = Now::Message(taken, whole);
        Ok(true)
    }
}

/// Reads what the socket has. Descriptors belong to the message that ends the bytes they are read with, or begins there:
/// a bus sends those of one message with its first byte, and the kernel ends a read behind them.
fn receive(
    stream: &UnixStream,
    buffer: &mut [u8],
    descriptors: &mut VecDeque<Option<Vec<OwnedFd>>>,
) -> io::Result<usize> {
    let read = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(buffer)];
        let received = recvmsg(
            stream.as_fd(),
            &mut slices,
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let mut set = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                set.extend(rights);
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            // The process has no more of them: the message they belong to goes on without any.
            descriptors.push_back(None);
        } else if !set.is_empty() {
            descriptors.push_back(Some(set));
        }
        Ok(received.bytes)
    };
    stream.try_io(Interest::READABLE, read)
}
