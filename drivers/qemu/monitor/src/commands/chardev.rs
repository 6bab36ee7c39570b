//! Character devices: what consoles, serial ports and channels are connected to.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Nothing;
use crate::command::{Command, commands};

use super::replies;

commands! {
    /// The character devices.
    QueryChardev = "query-chardev" -> Vec<Chardev>;
    /// Removes a character device that no front end uses.
    ChardevRemove(
        /// Its id.
        id: String,
    ) = "chardev-remove" -> Nothing;
}

/// Adds a character device.
#[derive(Debug, Clone, Serialize)]
pub struct ChardevAdd {
    /// Its id.
    pub id: String,
    /// `{"type": …, "data": {…}}`.
    pub backend: Box<RawValue>,
}

impl Command for ChardevAdd {
    const NAME: &'static str = "chardev-add";
    type Reply = ChardevReturn;
}

replies! {
    /// A character device.
    Chardev {
        /// Its id.
        label: String,
        /// What it is connected to, as QEMU writes it; `pty:/dev/pts/4` for a terminal.
        filename: String,
        /// Whether a front end in the guest has it open.
        #[serde(default)]
        frontend_open: bool,
    }
    /// What adding a character device made.
    ChardevReturn {
        /// The terminal's name, for `pty`.
        pty: Option<String>,
    }
}
