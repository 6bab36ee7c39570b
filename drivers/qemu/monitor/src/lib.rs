//! Talks to one QEMU process over QMP, and to the agent within its guest.
//!
//! [`Monitor`] is a handle that many tasks may use at once; [`Events`] tells what happens, in
//! order, and ends with exactly one [`Notification::Closed`]. Typed commands are in
//! [`commands`], typed events in [`event`], the guest agent's client in [`agent`].
//!
//! Whatever a monitor keeps is private to this crate. It knows nothing of domains, does not
//! start QEMU, does not connect or reconnect (it is handed a connected socket), and never
//! decides what an event means for a guest. QEMU is treated as hostile: nothing that it sends
//! can block a caller past its deadline, grow memory without bound, or panic.

pub mod agent;
mod command;
pub mod commands;
mod connection;
mod error;
pub mod event;
mod framing;
#[cfg(test)]
mod qemu_tests;
pub mod recording;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub use command::{Command, Nothing, Secret, Timestamp};
use connection::{EventLimits, Outgoing, RawEvent, Shared};
pub use error::{CloseReason, CommandError, MonitorError};
use framing::Lines;
use wire::Message;

/// Bounds on a monitor connection. The defaults fit every QEMU that we know.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest line that is taken, in bytes. Default 16 MiB; QEMU's longest known reply, its
    /// schema, has about 200 KiB.
    pub line: usize,
    /// How many events may wait to be received before the connection is closed. Default 4096.
    pub events: usize,
    /// How many commands may wait to be written; further callers queue up within their deadline.
    /// Default 64.
    pub commands: usize,
    /// How long greeting and negotiation may take together. Default 30 s.
    pub greeting: Duration,
    /// How long a command may take unless it or its caller says otherwise. Default 30 s.
    pub command: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 16 << 20,
            events: 4096,
            commands: 64,
            greeting: Duration::from_secs(30),
            command: Duration::from_secs(30),
        }
    }
}

/// A connection to one QEMU's monitor. Clones share it; it closes when the last one is dropped
/// or [`Monitor::close`] is called.
#[derive(Debug, Clone)]
pub struct Monitor(Arc<Handle>);

/// What all clones of a [`Monitor`] share; the connection ends with it.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Outgoing>,
    limits: Limits,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
    }
}

/// What [`Events::recv`] gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// Something happened in QEMU.
    Event {
        /// When, by QEMU's account.
        timestamp: Timestamp,
        /// What.
        event: event::Event,
    },
    /// The connection ended. Comes exactly once, last.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Receives what happens on one monitor connection.
///
/// If it is dropped, events are discarded and commands go on working.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    channel: mpsc::Receiver<RawEvent>,
    /// What was received and given back.
    earlier: VecDeque<Notification>,
    ended: bool,
}

impl Events {
    /// Waits for the next notification; `None` after [`Notification::Closed`]. Cancel safe.
    pub async fn recv(&mut self) -> Option<Notification> {
        if let Some(earlier) = self.earlier.pop_front() {
            return Some(earlier);
        }
        if self.ended {
            return None;
        }
        let Some(raw) = self.channel.recv().await else {
            self.ended = true;
            let reason = self.shared.closed().unwrap_or(CloseReason::EndOfFile);
            return Some(Notification::Closed { reason });
        };
        self.shared
            .event_bytes
            .fetch_sub(raw.weight(), Ordering::Relaxed);
        Some(Notification::Event {
            timestamp: raw.timestamp,
            event: event::Event::from_raw(raw.name, raw.data),
        })
    }

    /// Gives back what was received, in its order, for somebody else to receive it first.
    pub fn give_back(&mut self, received: impl IntoIterator<Item = Notification>) {
        let mut received: VecDeque<_> = received.into_iter().collect();
        received.append(&mut self.earlier);
        self.earlier = received;
    }
}

impl Monitor {
    /// Waits for QEMU's greeting on `stream` and negotiates. Must be called within a tokio
    /// runtime, which then runs the connection's task.
    ///
    /// # Errors
    /// [`MonitorError::NoGreeting`] if it takes longer than `limits.greeting`; what else can go
    /// wrong on a connection. The stream is closed then.
    pub async fn open(stream: UnixStream, limits: Limits) -> Result<(Self, Events), MonitorError> {
        let deadline = Instant::now() + limits.greeting;
        let late = |_| MonitorError::NoGreeting(limits.greeting);
        let lines = timeout_at(deadline, greeting(&stream, limits.line))
            .await
            .map_err(late)?
            .map_err(MonitorError::Closed)?;

        let shared = Shared::new();
        let (queue, outgoing) = mpsc::channel(limits.commands.max(1));
        let (event_sender, channel) = mpsc::channel(limits.events.max(1));
        let event_limits = EventLimits {
            count: limits.events,
            bytes: limits.line.saturating_mul(2),
        };
        let connection = connection::run(
            stream,
            lines,
            Arc::clone(&shared),
            outgoing,
            event_sender,
            event_limits,
        );
        // Owned by the handle: it ends when the last clone is dropped.
        tokio::spawn(connection);
        let monitor = Self(Arc::new(Handle {
            shared: Arc::clone(&shared),
            queue,
            limits,
        }));
        let events = Events {
            shared,
            channel,
            earlier: VecDeque::new(),
            ended: false,
        };
        match monitor
            .execute_until("qmp_capabilities", None, None, deadline, limits.greeting)
            .await
        {
            Ok(_) => Ok((monitor, events)),
            Err(error) if error.is_timeout() => Err(MonitorError::NoGreeting(limits.greeting)),
            Err(error) => Err(error),
        }
    }

    /// Runs a command and waits for its reply, at most as long as the command or else the
    /// monitor's limits say. Cancel safe; whether a cancelled command takes effect is not known.
    ///
    /// # Errors
    /// QEMU's own ([`MonitorError::Command`]); silence ([`MonitorError::Timeout`], after which
    /// the monitor is unresponsive until anything arrives); the end of the connection.
    pub async fn execute<C: Command>(&self, command: &C) -> Result<C::Reply, MonitorError> {
        let within = C::DEADLINE.unwrap_or(self.0.limits.command);
        self.execute_within(command, within).await
    }

    /// Like [`Monitor::execute`] with a deadline of the caller's.
    pub async fn execute_within<C: Command>(
        &self,
        command: &C,
        within: Duration,
    ) -> Result<C::Reply, MonitorError> {
        let reply = self
            .execute_encoded(C::NAME, Some(&encode(command)?), None, within)
            .await?;
        decode(C::NAME, &reply)
    }

    /// Like [`Monitor::execute`], passing a file descriptor along with the command (`getfd`,
    /// `add-fd`). Our copy is closed once it was sent or the command is given up.
    pub async fn execute_with_fd<C: Command>(
        &self,
        command: &C,
        fd: OwnedFd,
    ) -> Result<C::Reply, MonitorError> {
        let within = C::DEADLINE.unwrap_or(self.0.limits.command);
        let reply = self
            .execute_encoded(C::NAME, Some(&encode(command)?), Some(fd), within)
            .await?;
        decode(C::NAME, &reply)
    }

    /// Passes a command through as JSON text, `{"execute": …, "arguments": {…}, "id": …}`, and
    /// gives QEMU's answer as JSON text with the id that came with the command.
    ///
    /// # Errors
    /// [`MonitorError::InvalidCommand`] if the text is not of that form. QEMU's own errors are
    /// answers here: `{"error": {"class": …, "desc": …}, "id": …}`.
    pub async fn execute_raw(&self, text: &str) -> Result<String, MonitorError> {
        let raw: wire::RawCommand =
            serde_json::from_str(text).map_err(MonitorError::InvalidCommand)?;
        let result = self
            .execute_encoded(
                &raw.execute,
                raw.arguments.as_deref(),
                None,
                self.0.limits.command,
            )
            .await;
        let result = match result {
            Ok(value) => Ok(value),
            Err(MonitorError::Command { source, .. }) => Err(source),
            Err(other) => return Err(other),
        };
        Ok(wire::answer(&result, raw.id.as_deref()))
    }

    /// Runs a command that is known by name only, with its arguments as JSON, and gives the reply
    /// as JSON.
    pub async fn execute_json(
        &self,
        name: &str,
        arguments: &RawValue,
    ) -> Result<Box<RawValue>, MonitorError> {
        self.execute_encoded(name, Some(arguments), None, self.0.limits.command)
            .await
    }

    /// False from the moment a command timed out until anything arrives from QEMU, and after the
    /// connection ended.
    pub fn is_responsive(&self) -> bool {
        !self.0.shared.is_unresponsive() && !self.is_closed()
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.0.shared.closed().is_some()
    }

    /// Ends the connection, also for all clones. QEMU is not told and goes on running. Commands
    /// that wait fail, and the notification comes on [`Events`].
    pub fn close(&self) {
        self.0.shared.stop.notify_one();
    }

    async fn execute_encoded(
        &self,
        name: &str,
        arguments: Option<&RawValue>,
        fd: Option<OwnedFd>,
        within: Duration,
    ) -> Result<Box<RawValue>, MonitorError> {
        if self.0.shared.is_unresponsive() {
            return Err(match self.0.shared.closed() {
                Some(reason) => MonitorError::Closed(reason),
                None => MonitorError::Unresponsive {
                    command: name.to_owned(),
                },
            });
        }
        let deadline = Instant::now() + within;
        self.execute_until(name, arguments, fd, deadline, within)
            .await
    }

    async fn execute_until(
        &self,
        name: &str,
        arguments: Option<&RawValue>,
        fd: Option<OwnedFd>,
        deadline: Instant,
        within: Duration,
    ) -> Result<Box<RawValue>, MonitorError> {
        let mut registered = self.0.shared.register().map_err(MonitorError::Closed)?;
        // The name only: arguments may hold secrets.
        tracing::trace!(command = name, id = registered.id, "monitor command");
        let line = wire::request(name, arguments, Some(registered.id));
        if line.len() > self.0.limits.line {
            return Err(MonitorError::CommandTooLong {
                size: line.len(),
                limit: self.0.limits.line,
            });
        }
        let outgoing = Outgoing {
            id: registered.id,
            line,
            fd,
        };
        let answer = async {
            // Fails only when the connection is gone, and then the answer says why.
            let _ = self.0.queue.send(outgoing).await;
            registered.answer().await
        };
        let answer = match timeout_at(deadline, answer).await {
            Ok(answer) => Some(answer),
            Err(_) => registered.give_up(),
        };
        match answer {
            Some(Ok(Ok(reply))) => Ok(reply),
            Some(Ok(Err(source))) => Err(MonitorError::Command {
                command: name.to_owned(),
                source,
            }),
            Some(Err(reason)) => Err(MonitorError::Closed(reason)),
            None => Err(MonitorError::Timeout {
                command: name.to_owned(),
                after: within,
            }),
        }
    }
}

/// Reads until the greeting was seen and returns what came after it.
async fn greeting(stream: &UnixStream, limit: usize) -> Result<Lines, CloseReason> {
    let mut lines = Lines::new(limit);
    loop {
        let line = lines
            .next_line()
            .map_err(|error| CloseReason::LineTooLong { limit: error.limit })?;
        if let Some(line) = line {
            return match wire::parse(&line) {
                Ok(Message::Greeting(greeting)) => {
                    tracing::debug!(package = greeting.version.package, "monitor greeting");
                    Ok(lines)
                }
                Ok(_) => Err(CloseReason::Garbage("no greeting".to_owned())),
                Err(error) => Err(CloseReason::Garbage(error.to_string())),
            };
        }
        match connection::read_some(stream, |bytes| lines.push(bytes)).await {
            Ok(0) => return Err(CloseReason::EndOfFile),
            Ok(_) => {}
            Err(error) => return Err(CloseReason::Io(error.to_string())),
        }
    }
}

pub(crate) fn encode<C: Command>(command: &C) -> Result<Box<RawValue>, MonitorError> {
    serde_json::value::to_raw_value(command).map_err(MonitorError::InvalidCommand)
}

pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    command: &str,
    reply: &RawValue,
) -> Result<T, MonitorError> {
    serde_json::from_str(reply.get()).map_err(|source| MonitorError::UnexpectedReply {
        command: command.to_owned(),
        source,
    })
}
