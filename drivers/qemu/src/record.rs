//! What a guest's status tells of what was done on the host for its run, so that whoever finds the status can undo it.
//!
//! Forms of files that are kept between releases: members are added with a default, and none changes its meaning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
    /// Ports that graphics listen on, reserved for the run.
    #[serde(default)]
    pub(crate) ports: Vec<u16>,
}
