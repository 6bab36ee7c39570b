//! What a status file tells of a running guest.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use virtbus_api::Uuid;
use virtbus_api::domain::{DomainState, PausedReason, RunningReason, ShutdownReason};
use virtbus_util::process::{self, ProcessId};

/// A run that is about to begin.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The domain.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// The number of the run.
    pub id: u32,
    /// The folder of the run's sockets and files.
    pub dir: PathBuf,
    /// The definition as it runs, with its secrets, as text.
    pub definition: String,
}

/// All that a new daemon needs to know of a running guest. What a driver has beside ([`Status::own`]) is reached as if it were the status's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status<O> {
    /// The domain.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// The number of the run.
    pub id: u32,
    state: SavedState,
    /// The guest is about to run for the first time: the state is what it is to be, and a new daemon brings it there.
    #[serde(default)]
    release: bool,
    /// Whether the file does not say all of this yet, because it could not be written.
    #[serde(skip)]
    pub(super) unwritten: bool,
    /// The guest's process; none while it is being started.
    pub pid: Option<i32>,
    /// When that process started, clock ticks since boot.
    pub start_time: Option<u64>,
    /// The boot of the host that it runs in; empty if that is not known.
    pub boot_id: String,
    /// The folder of the run's sockets and files.
    pub dir: PathBuf,
    /// Its scope or control group.
    pub place: Option<String>,
    /// The definition as it runs, with its secrets, as text.
    pub definition: String,
    /// What the driver has beside all that.
    #[serde(flatten)]
    pub own: O,
}

impl<O> Deref for Status<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.own
    }
}

impl<O> DerefMut for Status<O> {
    fn deref_mut(&mut self) -> &mut O {
        &mut self.own
    }
}

impl<O> Status<O> {
    /// The status of a guest that is about to be started.
    pub fn starting(run: NewRun, own: O) -> Self {
        Self {
            uuid: run.uuid,
            name: run.name,
            id: run.id,
            state: SavedState::of(DomainState::Paused(PausedReason::StartingUp)),
            release: false,
            unwritten: false,
            pid: None,
            start_time: None,
            boot_id: process::boot_id().unwrap_or_default(),
            dir: run.dir,
            place: None,
            definition: run.definition,
            own,
        }
    }

    /// The state.
    pub fn state(&self) -> DomainState {
        self.state.to_state()
    }

    /// Sets the state. From that of a start to a running one, it is what the guest is to be as soon as it is released.
    pub fn set_state(&mut self, state: DomainState) {
        self.release = self.is_starting() && matches!(state, DomainState::Running(_));
        self.state = SavedState::of(state);
    }

    /// Whether the guest is to be released for the first time.
    pub const fn is_to_be_released(&self) -> bool {
        self.release
    }

    /// The guest has been released. Returns whether that was news.
    pub const fn released(&mut self) -> bool {
        std::mem::replace(&mut self.release, false)
    }

    /// Whether the guest has not been released, nor been meant to stand, yet.
    pub fn is_starting(&self) -> bool {
        self.state() == DomainState::Paused(PausedReason::StartingUp)
    }

    /// The guest's process, if it got one.
    pub fn process(&self) -> Option<ProcessId> {
        Some(ProcessId {
            pid: self.pid?,
            start_time: self.start_time?,
        })
    }

    /// Whether the guest can be there in this boot of the host. Where boots cannot be told apart, the start time of its process tells.
    pub fn may_be_in(&self, boot: &str) -> bool {
        boot.is_empty() || self.boot_id.is_empty() || self.boot_id == boot
    }
}

/// The state of a running guest as it is written down: libvirt's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct SavedState {
    state: i32,
    reason: i32,
}

impl SavedState {
    fn of(state: DomainState) -> Self {
        let (state, reason) = state.numbers();
        Self { state, reason }
    }

    fn to_state(self) -> DomainState {
        let running = || {
            RunningReason::ALL
                .iter()
                .find(|reason| **reason as i32 == self.reason)
        };
        let paused = || {
            PausedReason::ALL
                .iter()
                .find(|reason| **reason as i32 == self.reason)
        };
        match self.state {
            1 => DomainState::Running(running().copied().unwrap_or(RunningReason::Unknown)),
            4 => DomainState::Shutdown(ShutdownReason::User),
            6 => DomainState::Crashed {
                panicked: self.reason == 1,
            },
            7 => DomainState::PmSuspended,
            _ => DomainState::Paused(paused().copied().unwrap_or(PausedReason::Unknown)),
        }
    }
}
