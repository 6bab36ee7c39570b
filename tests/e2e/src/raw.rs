//! A client that writes to the bus and never reads: what a careless or hostile one does.
//!
//! Speaks just enough of the protocol to be let in. For calls whose answer matters there is
//! [`crate::Client`].

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use zbus::Message;

/// How long a write may find the bus not reading before it counts as stuck.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// A connection whose answers stay unread.
#[derive(Debug)]
pub struct RawClient {
    stream: UnixStream,
}

impl RawClient {
    /// Connects to the bus at `address` and says hello.
    ///
    /// # Errors
    /// Those of the socket, or that the bus refused.
    pub fn connect(address: &str) -> io::Result<RawClient> {
        let refused = |text: &str| io::Error::other(format!("{text}: {address}"));
        let path = address
            .split([':', ',', ';'])
            .find_map(|part| part.strip_prefix("path="))
            .ok_or_else(|| refused("no socket path in the address"))?;
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(WRITE_LIMIT))?;
        stream.set_write_timeout(Some(WRITE_LIMIT))?;
        // The user id in decimal, each digit in hexadecimal.
        let uid = rustix::process::getuid().as_raw().to_string();
        let uid: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
        stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes())?;
        let mut answer = String::new();
        // The bus sends one line and then waits, so nothing beyond it is swallowed.
        BufReader::new((&stream).take(256)).read_line(&mut answer)?;
        if !answer.starts_with("OK ") {
            return Err(refused("the bus refused the user"));
        }
        stream.write_all(b"BEGIN\r\n")?;
        let hello = Message::method_call("/org/freedesktop/DBus", "Hello")
            .destination("org.freedesktop.DBus")
            .interface("org.freedesktop.DBus")
            .build(&())
            .map_err(io::Error::other)?;
        let mut client = RawClient { stream };
        client.send(&hello)?;
        Ok(client)
    }

    /// Writes a message, and reads nothing.
    ///
    /// # Errors
    /// When the bus closed the connection, or did not read for 30 seconds.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        self.stream.write_all(message.data())
    }
}
