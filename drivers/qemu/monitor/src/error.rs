//! What can go wrong between the driver and a monitor or guest agent.
//!
//! Only describes failures; turning them into the public API's error codes is the driver's affair.

use std::time::Duration;

/// Why a connection to QEMU or a guest agent came to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The other side closed the connection; for QEMU this usually means that it exited.
    #[error("the other side closed the connection")]
    EndOfFile,
    /// Reading or writing failed.
    #[error("reading or writing failed: {0}")]
    Io(String),
    /// A line was longer than allowed.
    #[error("a line exceeded {limit} bytes")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Something arrived that is not part of the protocol.
    #[error("not understood: {0}")]
    Garbage(String),
    /// Events arrived faster than the driver took them.
    #[error("more than {limit} events were waiting")]
    EventOverflow {
        /// How many events may wait.
        limit: usize,
    },
    /// This side closed it.
    #[error("closed on request")]
    Requested,
}

/// QEMU's (or the guest agent's) own answer that a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{desc}")]
pub struct CommandError {
    /// QMP's error class, such as `GenericError`, `CommandNotFound` or `DeviceNotFound`.
    pub class: String,
    /// QEMU's text for a person.
    pub desc: String,
}

impl CommandError {
    /// The class for a command that this QEMU does not have.
    pub const COMMAND_NOT_FOUND: &'static str = "CommandNotFound";
    /// The class for a device, node or object that does not exist.
    pub const DEVICE_NOT_FOUND: &'static str = "DeviceNotFound";
    /// The class for a device that exists but is not in use (balloon and a few others).
    pub const DEVICE_NOT_ACTIVE: &'static str = "DeviceNotActive";

    /// Whether the command is not known to the other side.
    pub fn is_command_not_found(&self) -> bool {
        self.class == Self::COMMAND_NOT_FOUND
    }

    /// Whether what the command named does not exist.
    pub fn is_device_not_found(&self) -> bool {
        self.class == Self::DEVICE_NOT_FOUND
    }
}

/// Why a call of the monitor or guest agent did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The greeting or the capability negotiation did not arrive in time.
    #[error("no QMP greeting within {0:?}")]
    NoGreeting(Duration),
    /// The command was refused or failed; the connection is fine.
    #[error("command '{command}' failed")]
    Command {
        /// The command's name.
        command: String,
        /// What the other side said.
        source: CommandError,
    },
    /// No answer came within the deadline. Whether the command took effect is not known.
    #[error("no answer to command '{command}' within {after:?}")]
    Timeout {
        /// The command's name.
        command: String,
        /// The deadline that passed.
        after: Duration,
    },
    /// An earlier command timed out and nothing was heard since; nothing was sent.
    #[error("command '{command}' was not sent: the other side does not answer")]
    Unresponsive {
        /// The command's name.
        command: String,
    },
    /// The guest agent did not react to the synchronisation that comes before each command.
    #[error("the guest agent does not answer")]
    AgentNotResponding,
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed(#[source] CloseReason),
    /// An answer came, but not of the form that belongs to the command.
    #[error("unexpected answer to command '{command}'")]
    UnexpectedReply {
        /// The command's name.
        command: String,
        /// What did not fit.
        source: serde_json::Error,
    },
    /// The command cannot be put into JSON, or the text handed in is not a QMP command.
    #[error("not a monitor command")]
    InvalidCommand(#[source] serde_json::Error),
    /// The text handed in is larger than the other side takes.
    #[error("the command has {size} bytes, more than the {limit} allowed")]
    CommandTooLong {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl MonitorError {
    /// The other side's own error, if that is what this is.
    pub fn command_error(&self) -> Option<&CommandError> {
        match self {
            Self::Command { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether the command does not exist in this QEMU or guest agent.
    pub fn is_command_not_found(&self) -> bool {
        self.command_error()
            .is_some_and(CommandError::is_command_not_found)
    }

    /// Whether the connection is gone, so that no later command can succeed.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// Whether the other side was silent (as opposed to refusing or being gone).
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::Timeout { .. }
                | Self::Unresponsive { .. }
                | Self::NoGreeting(_)
                | Self::AgentNotResponding
        )
    }
}
