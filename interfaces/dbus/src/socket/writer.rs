//! The way out of the socket: many small messages with one write, none copied.
//!
//! What is in the socket has lost its turn: it leaves in the order in which it was written, and a bus takes 2 KiB of a connection before it
//! looks at the next one. So little is put there, and who comes next is decided where messages wait ([`outbox`](crate::outbox)).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg, sockopt};
use tokio::io::Interest;
use tokio::net::UnixStream;
use zbus::Message;
use zbus::connection::socket::WriteHalf;
use zbus::export::async_trait::async_trait;

/// Messages that go with one write at most.
const MESSAGES: usize = 32;

/// Bytes that the socket takes ahead of the bus (`SO_SNDBUF`); the kernel doubles the figure, and counts its own books in. While one client
/// makes ten thousand calls, the answer to another one's comes after 20 ms; with what the kernel gives by itself (104 KiB), after 100 ms.
const BUFFER: usize = 16 << 10;

/// Bytes for a message that is longer than that: nothing gets in between its parts, and a few of them are sooner gone than many.
const LONG_BUFFER: usize = 104 << 10;

/// Descriptors that the kernel takes with one write (`SCM_MAX_FD`).
const DESCRIPTORS: usize = 253;

/// The half that messages are sent through.
#[derive(Debug)]
pub(super) struct Writer {
    stream: Arc<UnixStream>,
    /// What the socket was told to take ahead of the bus, bytes; 0 before it was told anything.
    buffer: usize,
}

impl Writer {
    pub(super) fn new(stream: Arc<UnixStream>) -> Self {
        Self { stream, buffer: 0 }
    }

    /// Has the socket take as much ahead as is right when the longest of some messages has so many bytes.
    fn prepare_for(&mut self, longest: usize) -> io::Result<()> {
        let buffer = if longest > BUFFER {
            LONG_BUFFER
        } else {
            BUFFER
        };
        if self.buffer != buffer {
            sockopt::set_socket_send_buffer_size(self.stream.as_fd(), buffer)?;
            self.buffer = buffer;
        }
        Ok(())
    }

    /// Writes what the socket takes once there is room; how much it was.
    async fn write(
        &self,
        bytes: &[IoSlice<'_>],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty()
                && !control.push(SendAncillaryMessage::ScmRights(descriptors))
            {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "too many file descriptors for one message",
                ));
            }
            let sent = sendmsg(
                self.stream.as_fd(),
                bytes,
                &mut control,
                SendFlags::NOSIGNAL,
            )?;
            Ok(sent)
        };
        self.stream.async_io(Interest::WRITABLE, send).await
    }
}

#[async_trait]
impl WriteHalf for Writer {
    async fn send_message(&mut self, message: &Message) -> zbus::Result<()> {
        self.send_messages(std::slice::from_ref(message)).await
    }

    async fn send_messages(&mut self, mut messages: &[Message]) -> zbus::Result<()> {
        while let Some(first) = messages.first() {
            let mut bytes = 0;
            let joins = |(at, message): &(usize, &Message)| {
                let joins = *at == 0 || (bytes < BUFFER && message.data().fds().is_empty());
                bytes += message.data().len();
                joins
            };
            let count = messages
                .iter()
                .take(MESSAGES)
                .enumerate()
                .take_while(joins)
                .count();
            let (batch, rest) = messages.split_at(count);
            let lengths = batch.iter().map(|message| message.data().len());
            self.prepare_for(lengths.max().unwrap_or_default())?;
            // Descriptors travel with the first byte of a write, so they are those of its first message.
            let descriptors: Vec<BorrowedFd<'_>> =
                first.data().fds().iter().map(AsFd::as_fd).collect();
            let mut descriptors = &descriptors[..];
            let mut slices = [IoSlice::new(&[]); MESSAGES];
            for (slice, message) in slices.iter_mut().zip(batch) {
                *slice = IoSlice::new(message.data());
            }
            let mut left = &mut slices[..count];
            while !left.is_empty() {
                let written = self.write(left, descriptors).await?;
                descriptors = &[];
                IoSlice::advance_slices(&mut left, written);
            }
            messages = rest;
        }
        Ok(())
    }

    async fn sendmsg(
        &mut self,
        buffer: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        self.write(&[IoSlice::new(buffer)], descriptors).await
    }

    async fn close(&mut self) -> io::Result<()> {
        rustix::net::shutdown(self.stream.as_fd(), rustix::net::Shutdown::Both)?;
        Ok(())
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many messages of this length a socket takes that nobody reads from.
    async fn taken(length: usize) -> usize {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut writer = Writer::new(Arc::new(ours));
        let text = "x".repeat(length);
        let message = Message::signal("/", "org.libvirt.Test", "Told").build(&(text,));
        let message = message.unwrap();
        let mut taken = 0;
        while futures_util::FutureExt::now_or_never(writer.send_message(&message)).is_some() {
            taken += 1;
        }
        taken
    }

    #[tokio::test]
    async fn little_is_put_where_there_are_no_turns_any_more() {
        let short = taken(2 << 10).await * (2 << 10);
        assert!((1..=2 * BUFFER).contains(&short), "{short}");
        let long = taken(BUFFER + 1).await * BUFFER;
        assert!(long > 2 * BUFFER, "{long}");
    }
}
