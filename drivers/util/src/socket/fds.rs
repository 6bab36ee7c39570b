//! Sending and receiving descriptors over a unix socket (SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The most descriptors in one message. The kernel would take 253.
pub const MAX_FDS: usize = 16;

const SPACE: usize = rustix::cmsg_space!(ScmRights(16));

/// Sends bytes, with descriptors attached to the first of them. The caller keeps its own copies.
///
/// Not cancel safe: if the future is dropped, part of the bytes may be sent.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] for no bytes or more than [`MAX_FDS`] descriptors.
pub async fn send_with_fds(
    stream: &UnixStream,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    if bytes.is_empty() || fds.len() > MAX_FDS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut rest = bytes;
    let mut fds = fds;
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_io(Interest::WRITABLE, || send(stream, rest, fds)) {
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                fds = &[];
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn send(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let slices = [IoSlice::new(bytes)];
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(rustix::net::sendmsg(
        stream.as_fd(),
        &slices,
        &mut ancillary,
        flags,
    )?)
}

/// What came in one message.
#[derive(Debug)]
pub struct Received {
    /// How many bytes were stored; 0 means that the other side has closed.
    pub count: usize,
    /// The descriptors that came along, close-on-exec.
    pub fds: Vec<OwnedFd>,
}

/// Receives bytes into `buffer`, and up to [`MAX_FDS`] descriptors with them. May be dropped at
/// any time.
pub async fn receive_with_fds(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<Received> {
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || receive(stream, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

fn receive(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let message = rustix::net::recvmsg(stream.as_fd(), &mut slices, &mut ancillary, flags)?;
    let mut fds = Vec::new();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    Ok(Received {
        count: message.bytes,
        fds,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn descriptors_travel_with_the_bytes() {
        let (left, right) = UnixStream::pair().unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        let sent = send_with_fds(&left, b"getfd", &[write.as_fd(), read.as_fd()]).await;
        sent.unwrap();
        drop((read, write));

        let mut buffer = [0; 64];
        let mut received = receive_with_fds(&right, &mut buffer).await.unwrap();
        assert_eq!(&buffer[..received.count], b"getfd");
        let mut read = File::from(received.fds.pop().unwrap());
        let mut write = File::from(received.fds.pop().unwrap());
        assert!(received.fds.is_empty());
        write.write_all(b"through").unwrap();
        drop(write);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");

        drop(left);
        let end = receive_with_fds(&right, &mut buffer).await.unwrap();
        assert_eq!(end.count, 0);
    }

    #[tokio::test]
    async fn more_than_the_socket_holds_arrives() {
        let (left, right) = UnixStream::pair().unwrap();
        let bytes = vec![7; 1 << 20];
        let mut buffer = vec![0; 1 << 16];
        let (sent, received) = tokio::join!(send_with_fds(&left, &bytes, &[]), async {
            let mut received = 0;
            while received < bytes.len() {
                received += receive_with_fds(&right, &mut buffer).await.unwrap().count;
            }
            received
        });
        sent.unwrap();
        assert_eq!(received, bytes.len());
    }

    #[tokio::test]
    async fn too_many_descriptors_are_refused() {
        let (left, _right) = UnixStream::pair().unwrap();
        let fds = [left.as_fd(); MAX_FDS + 1];
        let error = send_with_fds(&left, b"x", &fds).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(send_with_fds(&left, b"", &[]).await.is_err());
    }
}
