//! The task behind an [`Agent`](super::Agent): one request at a time, beat first.
//!
//! ```text
//!           ┌──────── idle: throw away what comes ◀────────────┐
//!           ▼                                                  │
//!   0xFF + guest-sync-delimited N ──▶ skip to 0xFF ──▶ N? ──▶ command ──▶ reply line
//! ```
//!
//! A request is given up when its deadline passes or its caller is gone; the next one begins
//! with the beat again, so nothing of the old one can be taken for an answer.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::AgentLimits;
use crate::connection::{read_some, write_line};
use crate::error::{CloseReason, MonitorError};
use crate::framing::Lines;
use crate::wire::{self, Message};

/// The agent puts this byte before the answer to `guest-sync-delimited`, and takes it as
/// "forget what you have read so far".
const SENTINEL: u8 = 0xff;

/// How many lines that are no answer are read over while waiting for one.
const STRAY_LINES: usize = 1000;

/// Whether an answer is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Reply,
    /// Silence for so long is success.
    FailureOnly(Duration),
}

/// A command on its way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) line: Vec<u8>,
    pub(super) want: Want,
    pub(super) deadline: Instant,
    /// What the deadline was made of, for the error.
    pub(super) within: Duration,
    pub(super) answer: oneshot::Sender<Result<Box<RawValue>, MonitorError>>,
}

/// Why a request has no answer.
enum Failure {
    /// The connection is gone, and the command may have reached the agent.
    Closed(CloseReason),
    /// The connection is gone, and the command was not sent.
    NotSent(CloseReason),
    /// This request failed; the next may do better.
    Request(MonitorError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                Self::Closed(CloseReason::EndOfFile)
            }
            _ => Self::Closed(CloseReason::Io(error.to_string())),
        }
    }
}

/// The socket and what was read from it.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    lines: Lines,
    limits: AgentLimits,
    next_sync: u64,
}

impl Channel {
    pub(super) fn new(stream: UnixStream, limits: AgentLimits) -> Self {
        // An agent may still answer what an earlier connection asked for: start from a number
        // that was not used before. 52 bits, because the agent's JSON may go through doubles.
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |since| since.as_micros() as u64);
        Self {
            stream,
            lines: Lines::new(limits.line),
            limits,
            next_sync: micros & ((1 << 52) - 1),
        }
    }

    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        closed: watch::Sender<Option<CloseReason>>,
        mut guest_down: watch::Receiver<u64>,
    ) {
        let reason = loop {
            let request = tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => request,
                    None => break CloseReason::Requested,
                },
                reason = self.idle() => break reason,
            };
            guest_down.borrow_and_update();
            if let Err(reason) = self.serve(request, &mut guest_down).await {
                break reason;
            }
        };
        tracing::debug!(%reason, "guest agent connection ended");
        // Before the queue closes, so that whoever waits can read the reason.
        closed.send_replace(Some(reason));
    }

    /// Reads what nobody asked for, slowly, until the connection ends. Cancel safe.
    async fn idle(&mut self) -> CloseReason {
        const REST: Duration = Duration::from_millis(50);
        loop {
            match read_some(&self.stream, |_| ()).await {
                Ok(0) => return CloseReason::EndOfFile,
                // A guest that writes without end shall not keep us busy without end.
                Ok(_) => sleep(REST).await,
                Err(error) => return CloseReason::Io(error.to_string()),
            }
        }
    }

    /// Works on one request. An error ends the connection.
    async fn serve(
        &mut self,
        request: Request,
        guest_down: &mut watch::Receiver<u64>,
    ) -> Result<(), CloseReason> {
        let Request {
            name,
            line,
            want,
            deadline,
            within,
            mut answer,
        } = request;
        let result = tokio::select! {
            // The caller is gone; what may still come is skipped by the next beat.
            () = answer.closed() => return Ok(()),
            result = self.converse(&name, &line, want, deadline, within) => result,
            // What was wanted, whether or not the command got through.
            _ = guest_down.changed(), if matches!(want, Want::FailureOnly(_)) => Ok(nothing()),
        };
        let (result, end) = match result {
            Ok(reply) => (Ok(reply), Ok(())),
            Err(Failure::Request(error)) => (Err(error), Ok(())),
            Err(Failure::NotSent(reason)) => {
                (Err(MonitorError::Closed(reason.clone())), Err(reason))
            }
            Err(Failure::Closed(reason)) => {
                let answer = match want {
                    // The guest is gone with its machine, as was wanted.
                    Want::FailureOnly(_) if reason == CloseReason::EndOfFile => Ok(nothing()),
                    Want::FailureOnly(_) | Want::Reply => Err(MonitorError::Closed(reason.clone())),
                };
                (answer, Err(reason))
            }
        };
        // A caller that is gone does not want to know.
        let _ = answer.send(result);
        end
    }

    async fn converse(
        &mut self,
        name: &str,
        line: &[u8],
        want: Want,
        deadline: Instant,
        within: Duration,
    ) -> Result<Box<RawValue>, Failure> {
        let sync_deadline = deadline.min(Instant::now() + self.limits.sync);
        timeout_at(sync_deadline, self.find_beat())
            .await
            .map_err(|_| Failure::Request(MonitorError::AgentNotResponding))?
            .map_err(|failure| match failure {
                Failure::Closed(reason) => Failure::NotSent(reason),
                other => other,
            })?;
        let (until, late) = match want {
            Want::Reply => (
                deadline,
                Err(Failure::Request(MonitorError::Timeout {
                    command: name.to_owned(),
                    after: within,
                })),
            ),
            Want::FailureOnly(silence) => (Instant::now() + silence, Ok(nothing())),
        };
        match timeout_at(until, self.exchange(name, line)).await {
            Ok(result) => result,
            Err(_) => late,
        }
    }

    /// Sends the sentinel with a fresh number and reads until that number comes back.
    async fn find_beat(&mut self) -> Result<(), Failure> {
        self.next_sync += 1;
        let number = self.next_sync;
        let arguments = format!("{{\"id\":{number}}}");
        let arguments = RawValue::from_string(arguments)
            .map_err(|error| Failure::Request(MonitorError::InvalidCommand(error)))?;
        let mut line = vec![SENTINEL];
        line.extend(wire::request(
            "guest-sync-delimited",
            Some(&arguments),
            None,
        ));

        self.lines = Lines::new(self.limits.line);
        write_line(&self.stream, &line, None).await?;
        loop {
            while !self.lines.skip_past(SENTINEL) {
                self.read_more().await?;
            }
            let Ok(line) = self.next_line().await? else {
                continue;
            };
            if let Ok(Message::Reply { result: Ok(id), .. }) = wire::parse(&line)
                && id.get().parse() == Ok(number)
            {
                return Ok(());
            }
        }
    }

    async fn exchange(&mut self, name: &str, line: &[u8]) -> Result<Box<RawValue>, Failure> {
        write_line(&self.stream, line, None).await?;
        for _ in 0..STRAY_LINES {
            let line = match self.next_line().await? {
                Ok(line) => line,
                Err(limit) => {
                    return Err(Failure::Request(unexpected(
                        name,
                        format!("a line exceeded {limit} bytes"),
                    )));
                }
            };
            match wire::parse(&line) {
                Ok(Message::Reply { result, .. }) => {
                    return result.map(ToOwned::to_owned).map_err(|source| {
                        Failure::Request(MonitorError::Command {
                            command: name.to_owned(),
                            source,
                        })
                    });
                }
                Ok(Message::Greeting(_) | Message::Event { .. } | Message::Unknown) => {}
                Err(source) => {
                    return Err(Failure::Request(MonitorError::UnexpectedReply {
                        command: name.to_owned(),
                        source,
                    }));
                }
            }
        }
        Err(Failure::Request(unexpected(
            name,
            format!("{STRAY_LINES} lines that are no answer"),
        )))
    }

    /// The next line; the inner error is the limit that it exceeded, everything read is
    /// forgotten then.
    async fn next_line(&mut self) -> Result<Result<Vec<u8>, usize>, Failure> {
        loop {
            match self.lines.next_line() {
                Ok(Some(line)) => return Ok(Ok(line)),
                Ok(None) => self.read_more().await?,
                Err(error) => {
                    self.lines = Lines::new(self.limits.line);
                    return Ok(Err(error.limit));
                }
            }
        }
    }

    async fn read_more(&mut self) -> Result<(), Failure> {
        match read_some(&self.stream, |bytes| self.lines.push(bytes)).await? {
            0 => Err(Failure::Closed(CloseReason::EndOfFile)),
            _ => Ok(()),
        }
    }
}

/// The answer that was not waited for.
fn nothing() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

fn unexpected(name: &str, what: String) -> MonitorError {
    MonitorError::UnexpectedReply {
        command: name.to_owned(),
        source: serde::de::Error::custom(what),
    }
}
