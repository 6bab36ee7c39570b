//! Talks to the QEMU guest agent through a virtio serial channel.
//!
//! The agent's protocol looks like QMP but has no greeting, no ids and no events, and the other
//! side is a program within the guest that may be absent, stuck, restarted in the middle of a
//! line, or hostile. So commands run strictly one after the other, and each begins by finding the
//! beat again: byte 0xFF and `guest-sync-delimited` with a fresh number; whatever comes before
//! 0xFF and that number is thrown away. Nothing that a guest sends ends the connection or blocks
//! a caller past its deadline.
//!
//! Whether an agent is there at all is told by QEMU (`VSERPORT_CHANGE`), not here. The commands
//! are in [`commands`].

mod channel;
pub mod commands;

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::command::Command;
use super::error::{CloseReason, MonitorError};
use super::{decode, encode, wire};
use channel::{Channel, Request, Want};
use commands::Shutdown;
pub use commands::ShutdownMode;

/// How long an agent may take to complain about a shutdown that it cannot do.
const SILENCE: Duration = Duration::from_secs(5);

/// Bounds on a guest agent connection.
#[derive(Debug, Clone, Copy)]
pub struct AgentLimits {
    /// The longest line that is taken, in bytes. Default 16 MiB.
    pub line: usize,
    /// How long the agent may take to find the beat before a command. Default 5 s.
    pub sync: Duration,
    /// How long a command may take unless it or its caller says otherwise. Default 30 s.
    pub command: Duration,
    /// How many callers may wait their turn; further ones wait outside. Default 16.
    pub callers: usize,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            line: 16 << 20,
            sync: Duration::from_secs(5),
            command: Duration::from_secs(30),
            callers: 16,
        }
    }
}

/// A connection to a guest's agent. Clones share it; it closes when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Agent {
    queue: mpsc::Sender<Request>,
    closed: watch::Receiver<Option<CloseReason>>,
    guest_down: Arc<watch::Sender<u64>>,
    limits: AgentLimits,
}

impl Agent {
    /// Takes a connected socket. Sends nothing yet. Must be called within a tokio runtime, which
    /// then runs the connection's task.
    pub fn open(stream: UnixStream, limits: AgentLimits) -> Self {
        let (queue, requests) = mpsc::channel(limits.callers.max(1));
        let (closed_sender, closed) = watch::channel(None);
        let (guest_down, guest_down_receiver) = watch::channel(0);
        let channel = Channel::new(stream, limits);
        // Owned by the handles: it ends when the last of them closes the queue.
        tokio::spawn(channel.run(requests, closed_sender, guest_down_receiver));
        Self {
            queue,
            closed,
            guest_down: Arc::new(guest_down),
            limits,
        }
    }

    /// Runs a command and waits for its reply. Cancel safe; a cancelled command may still take
    /// effect.
    ///
    /// # Errors
    /// The agent's own ([`MonitorError::Command`]); [`MonitorError::AgentNotResponding`] if it
    /// did not find the beat (the command was not sent then); [`MonitorError::Timeout`] if it
    /// did not answer the command itself; the end of the connection.
    pub async fn execute<C: Command>(&self, command: &C) -> Result<C::Reply, MonitorError> {
        let within = C::DEADLINE.unwrap_or(self.limits.command);
        self.execute_within(command, within).await
    }

    /// Like [`Agent::execute`] with a deadline of the caller's, which includes waiting for other
    /// callers' commands.
    pub async fn execute_within<C: Command>(
        &self,
        command: &C,
        within: Duration,
    ) -> Result<C::Reply, MonitorError> {
        let arguments = encode(command)?;
        let reply = self
            .request(C::NAME, Some(&arguments), Want::Reply, within)
            .await?;
        decode(C::NAME, &reply)
    }

    /// Shuts the guest down, halts or reboots it. Succeeds when the guest goes down, or when the
    /// agent did not complain for a few seconds: it answers only if it fails.
    ///
    /// # Errors
    /// As [`Agent::execute`], [`MonitorError::Timeout`] excepted.
    pub async fn shutdown(&self, mode: ShutdownMode) -> Result<(), MonitorError> {
        self.execute_without_reply(&Shutdown { mode }, SILENCE)
            .await
    }

    /// Runs a command that the agent answers only if it fails (`guest-shutdown`,
    /// `guest-suspend-*`). Succeeds when the guest goes down ([`Agent::guest_went_down`] or the
    /// end of the connection), or if nothing was heard for `silence` after it was sent.
    ///
    /// # Errors
    /// As [`Agent::execute`], [`MonitorError::Timeout`] excepted.
    pub async fn execute_without_reply<C: Command>(
        &self,
        command: &C,
        silence: Duration,
    ) -> Result<(), MonitorError> {
        let arguments = encode(command)?;
        let within = self.limits.command.saturating_add(silence);
        let want = Want::FailureOnly(silence);
        self.request(C::NAME, Some(&arguments), want, within)
            .await
            .map(drop)
    }

    /// Passes a command through as JSON text and gives the agent's answer as JSON text. The
    /// agent's own errors are answers here.
    pub async fn execute_raw(&self, text: &str, within: Duration) -> Result<String, MonitorError> {
        let raw: wire::RawCommand =
            serde_json::from_str(text).map_err(MonitorError::InvalidCommand)?;
        let answer = self
            .request(&raw.execute, raw.arguments.as_deref(), Want::Reply, within)
            .await;
        let result = match answer {
            Ok(value) => Ok(value),
            Err(MonitorError::Command { source, .. }) => Err(source),
            Err(other) => return Err(other),
        };
        Ok(wire::answer(&result, raw.id.as_deref()))
    }

    /// To be called when QEMU announced that the guest shut down, reset or suspended: whoever
    /// waits for that in [`Agent::execute_without_reply`] is done.
    pub fn guest_went_down(&self) {
        self.guest_down.send_modify(|count| *count += 1);
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.closed.borrow().is_some()
    }

    /// Waits for the end of the connection. Cancel safe.
    pub async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.clone();
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(CloseReason::EndOfFile),
            Err(_) => CloseReason::EndOfFile,
        }
    }

    fn close_reason(&self) -> CloseReason {
        self.closed
            .borrow()
            .clone()
            .unwrap_or(CloseReason::EndOfFile)
    }

    async fn request(
        &self,
        name: &str,
        arguments: Option<&RawValue>,
        want: Want,
        within: Duration,
    ) -> Result<Box<RawValue>, MonitorError> {
        let line = wire::request(name, arguments, None);
        if line.len() > self.limits.line {
            return Err(MonitorError::CommandTooLong {
                size: line.len(),
                limit: self.limits.line,
            });
        }
        let deadline = Instant::now() + within;
        let (answer, receiver) = oneshot::channel();
        let request = Request {
            name: name.to_owned(),
            line,
            want,
            deadline,
            within,
            answer,
        };
        let timeout = || MonitorError::Timeout {
            command: name.to_owned(),
            after: within,
        };
        match timeout_at(deadline, self.queue.send(request)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(MonitorError::Closed(self.close_reason())),
            Err(_) => return Err(timeout()),
        }
        // The channel keeps the deadline while it works on the request and knows best what it
        // was waiting for; this one is for the time in the queue.
        const GRACE: Duration = Duration::from_millis(100);
        match timeout_at(deadline + GRACE, receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(MonitorError::Closed(self.close_reason())),
            Err(_) => Err(timeout()),
        }
    }
}

#[cfg(test)]
mod tests;
