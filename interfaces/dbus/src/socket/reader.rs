//! The way in of the socket: takes what comes apart into messages, and hands on those that the library can take.

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

use super::Arrivals;
use super::header::{FIXED, Header, Lengths};

/// What is read at once: many small messages, or the beginning of a large one, whose rest is read to where it belongs.
const BUFFER: usize = 16 << 10;

/// The longest header that is looked through. Ours have a few hundred bytes; a path has no limit.
const LONGEST_HEADER: usize = 1 << 20;

/// Descriptors that the kernel hands over with one read (`SCM_MAX_FD`).
const DESCRIPTORS: usize = 253;

/// After a message of this size the dispatcher has its turn, so that large ones do not pile up before it.
const LARGE: usize = 64 << 10;

/// The half that messages are received through.
#[derive(Debug)]
pub(super) struct Reader {
    stream: Arc<UnixStream>,
    arrivals: Arc<Arrivals>,
    /// What was read and not handed on is `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    now: Now,
    /// Whether the dispatcher is to have its turn after this message.
    large: bool,
    /// Descriptors that were read, by the write that they came with; none where the kernel could not hand all of them over.
    descriptors: VecDeque<Option<Vec<OwnedFd>>>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// Lines of the handshake, or the first message.
    Greeting,
    /// A message's header.
    Header,
    /// A message that is handed on: so many bytes are left of it.
    Message(usize),
    /// A message that is left out: so many bytes are left of it.
    LeftOut(usize),
}

impl Reader {
    pub(super) fn new(stream: Arc<UnixStream>, arrivals: Arc<Arrivals>) -> Self {
        Self {
            stream,
            arrivals,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            now: Now::Greeting,
            large: false,
            descriptors: VecDeque::new(),
        }
    }

    /// Reads until the buffer holds `wanted` bytes.
    async fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if self.end - self.start >= wanted {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            let (stream, buffer) = (&self.stream, &mut self.buffer[self.end..]);
            self.end += receive(stream, buffer, &mut self.descriptors).await?;
        }
        Ok(())
    }

    /// Hands on what the buffer holds, `most` bytes at most.
    fn hand_on(&mut self, buffer: &mut [u8], most: usize) -> usize {
        let count = buffer.len().min(most).min(self.end - self.start);
        buffer[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            // One that had to be large for a header goes again.
            if self.buffer.len() > BUFFER {
                self.buffer.truncate(BUFFER);
                self.buffer.shrink_to_fit();
            }
        }
        count
    }

    /// Hands on a line of the handshake, or finds that it is over.
    async fn greeting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill(1).await?;
        let held = &self.buffer[self.start..self.end];
        if matches!(held.first(), Some(b'l' | b'B')) {
            self.now = Now::Header;
            return Ok(0);
        }
        // No further than to the end of the line, so that the library never has half a message in its hands.
        let line = held
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(held.len(), |at| at + 1);
        Ok(self.hand_on(buffer, line))
    }

    /// Reads a header, and decides what is done with its message; the descriptors that go with it.
    async fn header(&mut self) -> io::Result<Vec<OwnedFd>> {
        self.fill(FIXED).await?;
        let Some(lengths) = Lengths::read(&self.buffer[self.start..self.end]) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the bus sent what is no message",
            ));
        };
        let whole = lengths.header + lengths.body;
        if lengths.header > LONGEST_HEADER {
            tracing::warn!(
                bytes = lengths.header,
                "a message has too long a header, ignoring"
            );
            self.now = Now::LeftOut(whole);
            return Ok(Vec::new());
        }
        self.fill(lengths.header).await?;
        let bytes = &mut self.buffer[self.start..self.start + lengths.header];
        let header = match Header::read(bytes, lengths) {
            Ok(header) => header,
            Err(why) => {
                tracing::warn!("a message cannot be read because {why}, ignoring");
                self.now = Now::LeftOut(whole);
                return Ok(Vec::new());
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
        self.now = Now::Message(whole);
        self.large = whole >= LARGE;
        Ok(descriptors)
    }

    /// Passes over bytes of a message that is left out.
    async fn pass_over(&mut self, left: usize) -> io::Result<()> {
        self.fill(1).await?;
        let count = left.min(self.end - self.start);
        self.start += count;
        self.now = match left - count {
            0 => Now::Header,
            left => Now::LeftOut(left),
        };
        Ok(())
    }

    /// Hands on more of a message: what the buffer holds of it, else what the socket has, straight to where it belongs.
    async fn message(&mut self, buffer: &mut [u8], left: usize) -> io::Result<usize> {
        let count = if self.start < self.end {
            self.hand_on(buffer, left)
        } else if buffer.len() >= self.buffer.len() {
            let most = buffer.len().min(left);
            receive(&self.stream, &mut buffer[..most], &mut self.descriptors).await?
        } else {
            self.fill(1).await?;
            self.hand_on(buffer, left)
        };
        self.now = match left - count {
            0 => Now::Header,
            left => Now::Message(left),
        };
        if self.now == Now::Header && self.large {
            tokio::task::yield_now().await;
        }
        Ok(count)
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let mut descriptors = Vec::new();
        loop {
            let count = match self.now {
                Now::Greeting => self.greeting(buffer).await?,
                Now::Header => {
                    descriptors = self.header().await?;
                    0
                }
                Now::LeftOut(left) => {
                    self.pass_over(left).await?;
                    0
                }
                Now::Message(left) => self.message(buffer, left).await?,
            };
            if count > 0 {
                return Ok((count, descriptors));
            }
        }
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// Reads what the socket has, once it has something. Descriptors belong to the message that ends the bytes they are read with, or begins there:
/// a bus sends those of one message with its first byte, and the kernel ends a read behind them.
async fn receive(
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
    match stream.async_io(Interest::READABLE, read).await? {
        0 => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the bus closed the connection",
        )),
        count => Ok(count),
    }
}
