//! The way out of the socket: many small messages with one write, none copied.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;
use zbus::Message;
use zbus::connection::socket::WriteHalf;
use zbus::export::async_trait::async_trait;

/// Messages that go with one write at most, and bytes after which no further message joins it. A bus takes about as much at once.
const MESSAGES: usize = 32;
const BYTES: usize = 64 << 10;

/// Descriptors that the kernel takes with one write (`SCM_MAX_FD`).
const DESCRIPTORS: usize = 253;

/// The half that messages are sent through.
#[derive(Debug)]
pub(super) struct Writer {
    stream: Arc<UnixStream>,
}

impl Writer {
    pub(super) fn new(stream: Arc<UnixStream>) -> Self {
        Self { stream }
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
                let joins = *at == 0 || (bytes < BYTES && message.data().fds().is_empty());
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
