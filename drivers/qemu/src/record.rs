//! What a guest's status tells of what was done on the host for its run, and of the file that its memory is being written to, so that
//! whoever finds the status can undo it.
//!
//! Forms of files that are kept between releases: members are added with a default, and none changes its meaning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use virtbus_api::Uuid;

/// A process that serves a guest beside QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Helper {
    /// Its number.
    pub(crate) pid: i32,
    /// When it started, clock ticks since boot.
    pub(crate) start_time: u64,
}

/// The emulator of a TPM, as the status tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TpmEmulator {
    /// Its program.
    pub(crate) program: PathBuf,
    /// Where it keeps its state, and works.
    pub(crate) state: PathBuf,
    /// Its process; none until it runs.
    #[serde(default)]
    pub(crate) process: Option<Helper>,
}

/// What was done on the host for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The security driver's record.
    #[serde(default)]
    pub(crate) confined: Option<String>,
    /// Tap devices that are to be removed.
    #[serde(default)]
    pub(crate) taps: Vec<String>,
    /// Processes beside QEMU that are to be ended, as earlier releases noted them.
    #[serde(default)]
    pub(crate) helpers: Vec<Helper>,
    /// Emulators of TPMs that are to be ended.
    #[serde(default)]
    pub(crate) tpms: Vec<TpmEmulator>,
    /// Ports of virtual networks that the guest's interfaces are plugged into, by UUID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) network_ports: Vec<Uuid>,
    /// Ports that graphics listen on, reserved for the run.
    #[serde(default)]
    pub(crate) ports: Vec<u16>,
}

/// What a file in the making is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// The guest is saved to where a client wants it.
    #[default]
    Save,
    /// The guest is saved to where the domain's next start finds it.
    ManagedSave,
    /// The guest's memory is dumped, and the guest goes on.
    Dump,
}

/// A file in the making, as it is noted in the guest's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saving {
    #[serde(flatten)]
    /// The file.
    pub(crate) target: Target,
    /// Whether the guest is to run again: it ran before, and nobody has suspended it since.
    pub(crate) running: bool,
    #[serde(default)]
    /// What it is for.
    pub(crate) purpose: Purpose,
}

impl Saving {
    /// For a guest that is looked at when this is noted.
    pub(crate) const fn new(target: Target, purpose: Purpose) -> Self {
        Self {
            target,
            running: false,
            purpose,
        }
    }

    /// Whether the domain's next start is to find it.
    pub(crate) fn managed(&self) -> bool {
        self.purpose == Purpose::ManagedSave
    }

    /// The guest is to stay halted, whatever it did before. Returns whether that is new.
    pub(crate) fn stay_halted(&mut self) -> bool {
        std::mem::take(&mut self.running)
    }
}

/// With whose rights a file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Rights {
    /// The daemon's.
    #[default]
    Daemon,
    /// Those of the guests' user.
    Guest,
}

/// What makes room for a file in the making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Room {
    /// Whatever has its name.
    #[default]
    Anything,
    /// Nothing has it.
    Nothing,
    /// The file with this device and inode.
    This(u64, u64),
}

/// A file in the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The name that it is to have.
    pub(crate) path: PathBuf,
    /// The name that it has until it is whole, in the same directory. Empty in the note of an earlier release, whose files had none.
    #[serde(default)]
    pub(crate) temporary: PathBuf,
    /// Tells this file from every other one. Nil in such a note, and then no file is this one.
    #[serde(default)]
    pub(crate) identity: Uuid,
    /// The guest whose memory it is; nil where a client has no part in it.
    #[serde(default)]
    pub(crate) guest: Uuid,
    /// With whose rights it is made.
    #[serde(default)]
    pub(crate) rights: Rights,
    /// What makes room for it.
    #[serde(default)]
    pub(crate) room: Room,
    /// Device and inode of its directory; none in notes of earlier releases.
    #[serde(default)]
    pub(crate) dir: Option<(u64, u64)>,
}
