//! From a file into a transfer, and back.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

use super::ends::{CHUNK, Piece, Receiver, Sender};

/// A run of data, or a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Whether it is a hole.
    pub is_hole: bool,
    /// Where it ends, at most where was asked.
    pub end: u64,
}

/// Where content is, found by position in bytes. All of these may block.
pub trait Content: Send + Sync + 'static {
    /// The run that is at a position, looked at up to `end`.
    ///
    /// # Errors
    /// Those of the medium.
    fn run(&self, at: u64, end: u64) -> io::Result<Run>;

    /// Reads some bytes; 0 at its end.
    ///
    /// # Errors
    /// Those of the medium.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all of these bytes.
    ///
    /// # Errors
    /// Those of the medium.
    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()>;

    /// Makes so many bytes a hole, or zeroes where there can be none.
    ///
    /// # Errors
    /// Those of the medium.
    fn clear(&self, at: u64, length: u64) -> io::Result<()>;

    /// Waits until everything is where it survives a power failure.
    ///
    /// # Errors
    /// Those of the medium.
    fn sync(&self) -> io::Result<()>;
}

impl Content for File {
    fn run(&self, at: u64, end: u64) -> io::Result<Run> {
        let hole = |end| Run { is_hole: true, end };
        let data = |end| Run {
            is_hole: false,
            end,
        };
        match seek(self, SeekFrom::Data(at)) {
            Ok(next) if next > at => return Ok(hole(next.min(end))),
            Ok(_) => {}
            Err(Errno::NXIO) => {
                // Nothing but a hole is left, up to the end of the file. Reading tells that there is nothing behind that.
                let length = self.metadata()?.len();
                return Ok(if at < length {
                    hole(length.min(end))
                } else {
                    data(end)
                });
            }
            // It cannot tell.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(data(end)),
            Err(error) => return Err(error.into()),
        }
        let next = seek(self, SeekFrom::Hole(at))?;
        Ok(data(next.min(end)))
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, at)
    }

    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(data, at)
    }

    fn clear(&self, at: u64, length: u64) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(self, flags, at, length) {
            Ok(()) => {
                // A hole at the end makes the file longer as well.
                let end = at.saturating_add(length);
                let meta = self.metadata()?;
                if meta.is_file() && meta.len() < end {
                    self.set_len(end)?;
                }
                Ok(())
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => write_zeroes(self, at, length),
            Err(error) => Err(error.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

fn write_zeroes(file: &File, mut at: u64, mut length: u64) -> io::Result<()> {
    let zeroes = vec![0; CHUNK];
    while length > 0 {
        let now = usize::try_from(length).map_or(CHUNK, |left| left.min(CHUNK));
        file.write_all_at(&zeroes[..now], at)?;
        (at, length) = (at + now as u64, length - now as u64);
    }
    Ok(())
}

/// Of a hole so many bytes are made at once: where there can be none, they are written, and a transfer can be broken off only in between.
const HOLE: u64 = 256 << 20;

/// Does something that may block.
async fn block<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Sends a range of the content. How many bytes that was. A thread is taken for each piece only, and none while the reader takes its time.
///
/// # Errors
/// Those of the content; that it ends before the range does; `BrokenPipe` if nobody reads any more. The reader is told that something is missing.
pub async fn send<C: Content>(
    content: Arc<C>,
    range: Range<u64>,
    mut sender: Sender,
) -> io::Result<u64> {
    let (mut at, end) = (range.start, range.end);
    while at < end {
        let source = Arc::clone(&content);
        let piece = block(move || {
            let run = source.run(at, end)?;
            let length = run.end - at;
            if run.is_hole {
                return Ok(Piece::Hole(length));
            }
            let mut data = vec![0; usize::try_from(length).map_or(CHUNK, |left| left.min(CHUNK))];
            let read = source.read_at(&mut data, at)?;
            data.truncate(read);
            Ok(Piece::Data(data))
        });
        match piece.await? {
            Piece::Hole(length) => {
                sender.hole(length).await?;
                at += length;
            }
            Piece::Data(data) if data.is_empty() => {
                let text = format!("the content ends at byte {at}, not {end}");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            Piece::Data(data) => {
                sender.data(&data).await?;
                at += data.len() as u64;
            }
        }
    }
    sender.finish().await
}

/// Takes what comes into a range of the content, and tells the writer when it is safe there. How many bytes that was.
///
/// # Errors
/// Those of the content; `StorageFull` for more than the range takes; that what came is not whole. What came until then is there.
pub async fn receive<C: Content>(
    content: Arc<C>,
    range: Range<u64>,
    mut receiver: Receiver,
) -> io::Result<u64> {
    let mut at = range.start;
    while let Some(piece) = receiver.next().await? {
        let length = match &piece {
            Piece::Data(data) => data.len() as u64,
            Piece::Hole(length) => *length,
        };
        if length > range.end - at {
            let text = format!(
                "more came than the {} bytes that fit",
                range.end - range.start
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        match piece {
            Piece::Data(data) => {
                let target = Arc::clone(&content);
                block(move || target.write_at(&data, at)).await?;
                at += length;
            }
            Piece::Hole(_) => {
                let end = at + length;
                while at < end {
                    let (target, now) = (Arc::clone(&content), (end - at).min(HOLE));
                    block(move || target.clear(at, now)).await?;
                    at += now;
                }
            }
        }
    }
    block(move || content.sync()).await?;
    let taken = at - range.start;
    receiver.acknowledge(taken).await?;
    Ok(taken)
}
