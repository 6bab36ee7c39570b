//! The socket to the bus: the library sees only messages that it can take, and descriptors only as far as there is room for them.
//!
//! The library ends the connection, and with it the service, over one message that it cannot make sense of, or whose
//! descriptors the kernel did not deliver because the process has no more. Anybody can send the one, and bring about the other.
//! So what comes from the bus is looked through on its way in (`reader`): a message that cannot be handed on is left out, and
//! one whose descriptors are missing or too many goes on without them, which the dispatcher answers with an error.
//!
//! Messages have their turns by user, as far as it is known whose the senders are ([`Senders`]). Whose they are, and what else is asked of
//! the bus, is asked by a connection of its own: there the answer has nothing before it, whatever is under way to the service.
//!
//! Other transports than sockets of this host are left to the library; no bus is reached by one unless somebody says so.

mod header;
mod reader;
mod writer;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio::net::UnixStream;
use zbus::address::Transport;
use zbus::address::transport::UnixSocket;
use zbus::connection::Builder;
use zbus::connection::socket::{Socket, Split};
use zbus::{Address, Connection, MessageStream};

pub(crate) use header::WITHOUT_DESCRIPTORS;
use reader::Reader;
use writer::Writer;

/// Messages that may wait between the socket and the dispatcher. The dispatcher waits for nothing but a bus that does not read, so
/// more would only take memory; what does not fit stays in the socket, and then with the bus.
const QUEUE: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// Whose connections are whose, by unique name, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Senders(RwLock<HashMap<Box<[u8]>, u32>>);

/// Who sends a message, as far as it matters for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sender {
    Bus,
    User(u32),
    Unknown,
}

impl Senders {
    /// It is known now whose a connection is.
    pub(crate) fn come(&self, name: &str, uid: u32) {
        let mut senders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        senders.insert(name.as_bytes().into(), uid);
    }

    /// A connection has left the bus.
    pub(crate) fn leave(&self, name: &str) {
        let mut senders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        senders.remove(name.as_bytes());
    }

    fn of(&self, name: &[u8]) -> Sender {
        if name == b"org.freedesktop.DBus" {
            return Sender::Bus;
        }
        let senders = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match senders.get(name) {
            Some(uid) => Sender::User(*uid),
            None => Sender::Unknown,
        }
    }
}

/// What the socket and the dispatcher share: the descriptors that came with messages which the dispatcher has not taken yet, whose the
/// senders are, and the connection by which the bus is asked.
#[derive(Debug)]
pub struct Arrivals {
    waiting: AtomicUsize,
    most: usize,
    senders: Arc<Senders>,
    questions: OnceLock<Connection>,
}

impl Arrivals {
    /// Room for `most` descriptors.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            waiting: AtomicUsize::new(0),
            most,
            senders: Arc::default(),
            questions: OnceLock::new(),
        })
    }

    /// Whose connections are whose.
    pub(crate) const fn senders(&self) -> &Arc<Senders> {
        &self.senders
    }

    /// The connection by which the bus is asked, if it was [`connect`] that connected.
    pub(crate) fn questions(&self) -> Option<&Connection> {
        self.questions.get()
    }

    /// Takes room for these, if there is.
    fn enter(&self, count: usize) -> bool {
        let entered = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                waiting
                    .checked_add(count)
                    .filter(|waiting| *waiting <= self.most)
            });
        entered.is_ok()
    }

    /// The dispatcher has taken a message with these.
    pub(crate) fn leave(&self, count: usize) {
        if count > 0 {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
        }
    }
}

/// Connects to the bus at `address`, twice, and begins to read: what [`Service::run`](crate::Service::run) takes, from the first message on.
///
/// # Errors
/// Those of the socket and of the bus.
pub async fn connect(
    address: Address,
    arrivals: &Arc<Arrivals>,
) -> zbus::Result<(Connection, MessageStream)> {
    let questions = Builder::address(address.clone()).build().await?;
    let _ = arrivals.questions.set(questions);
    let builder = match stream(&address).await? {
        Some(stream) => Builder::socket(BusSocket {
            stream,
            arrivals: Arc::clone(arrivals),
        }),
        None => Builder::address(address),
    };
    let bus = builder.max_queued(QUEUE).build().await?;
    // Before any name is taken, so that no call is missed.
    let messages = MessageStream::from(&bus);
    Ok((bus, messages))
}

/// The socket of the address, if it is one of this host.
async fn stream(address: &Address) -> zbus::Result<Option<UnixStream>> {
    let Transport::Unix(unix) = address.transport() else {
        return Ok(None);
    };
    let stream = match unix.path() {
        UnixSocket::File(path) => UnixStream::connect(path).await?,
        UnixSocket::Abstract(name) => {
            let name = SocketAddr::from_abstract_name(name.as_bytes())?;
            let stream = std::os::unix::net::UnixStream::connect_addr(&name)?;
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)?
        }
        _ => return Ok(None),
    };
    Ok(Some(stream))
}

/// A socket that the library drives.
struct BusSocket {
    stream: UnixStream,
    arrivals: Arc<Arrivals>,
}

impl Socket for BusSocket {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let stream = Arc::new(self.stream);
        Split::new(
            Reader::new(Arc::clone(&stream), self.arrivals),
            Writer::new(stream),
        )
    }
}
