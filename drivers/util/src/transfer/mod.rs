//! Content that goes through a descriptor to somebody else's process, or comes from there, such that both ends know whether it was whole.
//!
//! The descriptor is a *socket*, and not a pipe, because the end of a pipe looks alike whether everything was written or the writer has died.
//!
//! - Who reads ([`Sender`] writes) gets all the bytes and then the end, or `ECONNRESET` in place of the end if something is missing: also if this
//!   process was killed. Linux resets a connection whose other end is closed with something unread in it; so one byte is put into the way back
//!   before the descriptor is given away, and taken out when all is sent.
//! - Who writes ([`Receiver`] reads) shuts the socket down for writing when all is written, and may read from it then: eight bytes, which are the
//!   number of bytes that came (big-endian), as soon as these are on disk. The end without them: something failed. Who does not care closes the
//!   descriptor.
//!
//! **Holes.** What has no data need not be sent. With [`Framing::Runs`] the content is a sequence of records: a letter, and a number of eight
//! bytes (big-endian). `D`: so many bytes of data, which follow. `H`: a hole of so many bytes. `E`: the end, with the length of all runs
//! together; a stream that ends without it is not whole. Handing out the file itself instead, opened for reading, would let the reader seek to
//! its holes (`SEEK_HOLE`). But such a descriptor reads past the part that was asked for and for as long as its owner likes; it takes locks
//! that QEMU heeds; it cannot be had for writing, nor of what is not a file of this host. Records do for all of these.

mod copy;
mod ends;
#[cfg(test)]
mod tests;

pub use copy::{Content, Run, receive, send};
pub use ends::{Framing, Piece, Receiver, Sender};
