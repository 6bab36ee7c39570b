//! The user as whom guests run, and emulators while they are asked what they can do.

use serde::{Deserialize, Serialize};

/// As whom guests run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestUser {
    /// The user's number.
    pub uid: u32,
    /// The main group's number.
    pub gid: u32,
    /// Further groups, such as `kvm`.
    pub groups: Vec<u32>,
}
