//! Who asks.

use std::sync::Arc;

use super::Client;

/// Who asks, as the interface that the call came by knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A client of a message bus.
    Bus {
        /// The client, by its unique name on the bus.
        client: Client,
        /// Its user; none where the bus could not tell, and the caller is let into nothing.
        uid: Option<u32>,
        /// Whether a dialog may be shown, because the caller said that it waits for one.
        interactive: bool,
    },
    /// A process of this host, by a socket.
    Process {
        /// The client: a connection to a socket.
        client: Client,
        /// Its id.
        pid: u32,
        /// When it began, in clock ticks since the host did (field 22 of `/proc/PID/stat`): ids are used again.
        start_time: u64,
        /// Its user.
        uid: u32,
        /// Whether a dialog may be shown.
        interactive: bool,
    },
    /// Somebody on another host, who was authenticated.
    Remote {
        /// The client: a connection over a network.
        client: Client,
        /// By which name: the distinguished name of a certificate, or a name of SASL.
        identity: Arc<str>,
    },
}

impl Caller {
    /// The client that the call came from.
    #[must_use]
    pub const fn client(&self) -> &Client {
        match self {
            Self::Bus { client, .. }
            | Self::Process { client, .. }
            | Self::Remote { client, .. } => client,
        }
    }

    /// The user on this host, where there is one and it is known.
    #[must_use]
    pub const fn uid(&self) -> Option<u32> {
        match self {
            Self::Bus { uid, .. } => *uid,
            Self::Process { uid, .. } => Some(*uid),
            Self::Remote { .. } => None,
        }
    }

    /// Whether a dialog may be shown.
    #[must_use]
    pub const fn is_interactive(&self) -> bool {
        match self {
            Self::Bus { interactive, .. } | Self::Process { interactive, .. } => *interactive,
            Self::Remote { .. } => false,
        }
    }

    /// The same caller, who is asked nothing.
    #[must_use]
    pub fn without_dialogs(&self) -> Self {
        let mut caller = self.clone();
        match &mut caller {
            Self::Bus { interactive, .. } | Self::Process { interactive, .. } => {
                *interactive = false;
            }
            Self::Remote { .. } => {}
        }
        caller
    }
}
