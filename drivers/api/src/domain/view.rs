//! What is known of a domain: the value that names it, and the immutable snapshot that reads are answered from.

use std::borrow::Cow;
use std::sync::Arc;

use super::{DomainState, JobProgress, ListAllDomainsFlags};
use crate::Uuid;
use crate::filter::{Filtered, passes};

/// Names a domain by value. The UUID decides; name and number are what they were when the value was made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DomainId {
    /// Unique on the host and for ever.
    pub uuid: Uuid,
    /// Unique on the connection.
    pub name: Arc<str>,
    /// The number of the running domain, none when it is off.
    pub id: Option<u32>,
}

/// What is known of a domain at one moment, published whole and never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainView {
    /// Which domain.
    pub id: DomainId,
    /// What it is doing.
    pub state: DomainState,
    /// `hvm`, `exe`, …: the definition's `<os><type>`.
    pub os_type: Cow<'static, str>,
    /// Whether it has a definition that outlives its run.
    pub persistent: bool,
    /// Whether it is started with the host.
    pub autostart: bool,
    /// Whether the persistent definition was changed while it ran.
    pub updated: bool,
    /// Whether its memory was saved by the daemon, to be restored by the next start.
    pub managed_save: bool,
    /// The name of its scheduler and how many parameters that has, if its processor time can be tuned.
    pub scheduler: Option<(Cow<'static, str>, u32)>,
    /// How many snapshots it has.
    pub snapshots: u32,
    /// How many checkpoints it has.
    pub checkpoints: u32,
    /// The long job that is under way.
    pub job: Option<JobProgress>,
}

impl DomainView {
    /// Whether it is running, paused, or in another state with a hypervisor behind it.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.state.is_active()
    }
}

impl Filtered<ListAllDomainsFlags> for DomainView {
    fn matches(&self, flags: ListAllDomainsFlags) -> bool {
        use ListAllDomainsFlags as F;
        if flags.is_empty() {
            return true;
        }
        let (running, paused, shutoff) = (
            matches!(self.state, DomainState::Running(_)),
            matches!(self.state, DomainState::Paused(_)),
            matches!(self.state, DomainState::Shutoff(_)),
        );
        passes(
            flags,
            &[
                &[
                    (F::ACTIVE, self.is_active()),
                    (F::INACTIVE, !self.is_active()),
                ],
                &[
                    (F::PERSISTENT, self.persistent),
                    (F::TRANSIENT, !self.persistent),
                ],
                &[
                    (F::RUNNING, running),
                    (F::PAUSED, paused),
                    (F::SHUTOFF, shutoff),
                    (F::OTHER, !running && !paused && !shutoff),
                ],
                &[
                    (F::MANAGEDSAVE, self.managed_save),
                    (F::NO_MANAGEDSAVE, !self.managed_save),
                ],
                &[
                    (F::AUTOSTART, self.autostart),
                    (F::NO_AUTOSTART, !self.autostart),
                ],
                &[
                    (F::HAS_SNAPSHOT, self.snapshots > 0),
                    (F::NO_SNAPSHOT, self.snapshots == 0),
                ],
                &[
                    (F::HAS_CHECKPOINT, self.checkpoints > 0),
                    (F::NO_CHECKPOINT, self.checkpoints == 0),
                ],
            ],
        )
    }
}
