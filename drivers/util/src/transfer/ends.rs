//! The ends of a transfer that stay in this process.

use std::io;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;

use rustix::net::{Shutdown, shutdown};
use tokio::net::UnixStream;

/// How content goes through the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// As it is; holes are zeroes.
    Plain,
    /// As records of runs; see the [module](super).
    Runs,
}

const DATA: u8 = b'D';
const HOLE: u8 = b'H';
const END: u8 = b'E';

/// A record's letter and number.
const HEADER: usize = 9;

/// So many bytes are sent, or taken, at once.
pub(super) const CHUNK: usize = 256 << 10;

static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

/// Both ends of a socket, the first for this process.
fn pair() -> io::Result<(Socket, Socket)> {
    let (near, far) = Socket::pair()?;
    near.set_nonblocking(true)?;
    Ok((near, far))
}

async fn write_all(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads what is there, or waits for something. 0: there is no more.
async fn read(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Sends content. If it is dropped before [`Sender::finish`], the reader gets `ECONNRESET`.
#[derive(Debug)]
pub struct Sender {
    stream: UnixStream,
    framing: Framing,
    sent: u64,
}

impl Sender {
    /// A sender, and the descriptor for whoever reads.
    ///
    /// # Errors
    /// Those of making a socket.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(framing: Framing) -> io::Result<(Self, OwnedFd)> {
        let (near, far) = pair()?;
        // Left unread until all is sent; nothing else can come that way.
        io::Write::write_all(&mut &far, &[0])?;
        shutdown(&far, Shutdown::Write)?;
        let sender = Self {
            stream: UnixStream::from_std(near)?,
            framing,
            sent: 0,
        };
        Ok((sender, far.into()))
    }

    /// Sends data. Waits until the reader has taken most of it.
    ///
    /// # Errors
    /// `BrokenPipe` if nobody reads any more.
    pub async fn data(&mut self, data: &[u8]) -> io::Result<()> {
        let length = data.len() as u64;
        if self.framing == Framing::Runs && length > 0 {
            self.record(DATA, length).await?;
        }
        write_all(&self.stream, data).await?;
        self.sent = self.sent.saturating_add(length);
        Ok(())
    }

    /// Sends a hole of so many bytes.
    ///
    /// # Errors
    /// `BrokenPipe` if nobody reads any more.
    pub async fn hole(&mut self, length: u64) -> io::Result<()> {
        match self.framing {
            Framing::Runs => self.record(HOLE, length).await?,
            Framing::Plain => {
                let mut left = length;
                while left > 0 {
                    let now =
                        usize::try_from(left).map_or(ZEROES.len(), |left| left.min(ZEROES.len()));
                    write_all(&self.stream, &ZEROES[..now]).await?;
                    left -= now as u64;
                }
            }
        }
        self.sent = self.sent.saturating_add(length);
        Ok(())
    }

    /// All is sent: the reader gets the end. How many bytes it was, with holes.
    ///
    /// # Errors
    /// `BrokenPipe` if nobody reads any more.
    pub async fn finish(self) -> io::Result<u64> {
        if self.framing == Framing::Runs {
            self.record(END, self.sent).await?;
        }
        let mut stream = self.stream.into_std()?;
        stream.read_exact(&mut [0])?;
        Ok(self.sent)
    }

    async fn record(&self, letter: u8, length: u64) -> io::Result<()> {
        let mut header = [letter; HEADER];
        header[1..].copy_from_slice(&length.to_be_bytes());
        write_all(&self.stream, &header).await
    }
}

/// A piece of content that came.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Data.
    Data(Vec<u8>),
    /// A hole of so many bytes.
    Hole(u64),
}

/// Takes content. If it is dropped before [`Receiver::acknowledge`], the writer is told of no success.
#[derive(Debug)]
pub struct Receiver {
    stream: UnixStream,
    framing: Framing,
    /// What is left of the run that is being taken.
    left: u64,
    taken: u64,
}

impl Receiver {
    /// A receiver, and the descriptor for whoever writes.
    ///
    /// # Errors
    /// Those of making a socket.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(framing: Framing) -> io::Result<(Self, OwnedFd)> {
        let (near, far) = pair()?;
        let receiver = Self {
            stream: UnixStream::from_std(near)?,
            framing,
            left: 0,
            taken: 0,
        };
        Ok((receiver, far.into()))
    }

    /// The next piece; nothing at the end. To be waited for to the end: what was read of a record is lost otherwise.
    ///
    /// # Errors
    /// `UnexpectedEof` or `InvalidData` if it is not whole, or not made of records.
    pub async fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.framing == Framing::Plain {
            let data = self.take(CHUNK).await?;
            return Ok((!data.is_empty()).then_some(Piece::Data(data)));
        }
        while self.left == 0 {
            let (letter, length) = self.record().await?;
            match letter {
                DATA => {
                    self.count(length)?;
                    self.left = length;
                }
                HOLE => {
                    self.count(length)?;
                    return Ok(Some(Piece::Hole(length)));
                }
                END if length == self.taken => return Ok(None),
                END => {
                    return Err(invalid(format!(
                        "the end says {length} bytes, and {} came",
                        self.taken
                    )));
                }
                other => return Err(invalid(format!("unknown record {other:#04x}"))),
            }
        }
        let most = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        let data = self.take(most).await?;
        if data.is_empty() {
            return Err(early());
        }
        self.left -= data.len() as u64;
        Ok(Some(Piece::Data(data)))
    }

    /// All is where it belongs: tells the writer so, if that still listens.
    ///
    /// # Errors
    /// None that matter to what was taken: of a writer that has closed its end nothing is said.
    pub async fn acknowledge(self, bytes: u64) -> io::Result<()> {
        match write_all(&self.stream, &bytes.to_be_bytes()).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }

    fn count(&mut self, length: u64) -> io::Result<()> {
        let sum = self.taken.checked_add(length);
        self.taken = sum.ok_or_else(|| invalid("runs are longer than a file can be".to_owned()))?;
        Ok(())
    }

    async fn take(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut data = vec![0; most];
        let taken = read(&self.stream, &mut data).await?;
        data.truncate(taken);
        Ok(data)
    }

    async fn record(&self) -> io::Result<(u8, u64)> {
        let mut header = [0; HEADER];
        let mut there = 0;
        while there < HEADER {
            match read(&self.stream, &mut header[there..]).await? {
                0 => return Err(early()),
                more => there += more,
            }
        }
        let mut length = [0; 8];
        length.copy_from_slice(&header[1..]);
        Ok((header[0], u64::from_be_bytes(length)))
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn early() -> io::Error {
    let text = "the content ended before its end record";
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}
