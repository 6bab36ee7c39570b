//! The kinds of jobs, and what each of them needs. All of it is data; [`super::rule`] is what follows from it.
//!
//! The kinds are libvirt's, with one more: a job that changes nothing but the stored definition ([`Kind::Define`]) holds up no job of the
//! guest. libvirt's two kinds of agent jobs are one here, since each excludes the other and neither excludes anything else.

/// What a job does, as far as other jobs have to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Asks the hypervisor something, and changes nothing.
    Query,
    /// Changes the guest, or what is on the host for it.
    Modify,
    /// Halts the guest's CPUs.
    Suspend,
    /// Changes how a migration to another host goes on: its speed, its downtime, the switch to post-copy.
    SteerMigration,
    /// What a long job does while it must be alone with the guest. Only the long job itself asks for it, by `Turn::step`.
    Step,
    /// Changes the stored definition, or whether the domain starts with the host.
    Define,
    /// Asks the guest's agent, which answers one question at a time.
    Agent,
    /// Copies or merges disks in the background.
    Block,
    /// Ends a long job before it is done.
    Abort,
    /// Ends the guest.
    Destroy,
    /// Takes long. A domain has one such job at a time.
    Long(Long),
}

/// A job that takes long and names what may run beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Long {
    /// The guest is being started, or restored from a file.
    Start,
    /// The guest's memory is being saved to a file.
    Save,
    /// The guest's memory is being dumped to a file.
    Dump,
    /// The guest goes to another host.
    MigrationOut,
    /// The guest comes from another host.
    MigrationIn,
    /// A snapshot is being made, reverted to or deleted.
    Snapshot,
    /// Disks are being backed up.
    Backup,
}

/// What only so many jobs may use at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// The guest, by way of its hypervisor.
    Guest,
    /// The definition on disk.
    Definition,
    /// The guest's agent.
    Agent,
}

/// What a job of some kind needs for as long as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it is never held up, and holds up nobody.
    Nothing,
    /// This, together with others that share it.
    Shared(Lane),
    /// This for itself.
    Alone(Lane),
    /// That no other long job runs, and in [`Lane::Guest`] none but jobs of these kinds.
    Beside(&'static [Kind]),
}

impl Kind {
    pub(super) const fn need(self) -> Need {
        match self {
            Self::Query => Need::Shared(Lane::Guest),
            Self::Modify | Self::Suspend | Self::SteerMigration | Self::Step => {
                Need::Alone(Lane::Guest)
            }
            Self::Define => Need::Alone(Lane::Definition),
            Self::Agent => Need::Alone(Lane::Agent),
            Self::Block | Self::Abort | Self::Destroy => Need::Nothing,
            Self::Long(long) => Need::Beside(long.beside()),
        }
    }
}

impl Long {
    /// The jobs of the guest that may run beside it.
    ///
    /// These are libvirt's, but that a guest may be suspended while it is saved or dumped: it stays halted then if it is still there
    /// afterwards.
    const fn beside(self) -> &'static [Kind] {
        use Kind as K;
        match self {
            Self::Start | Self::MigrationIn | Self::Snapshot => &[K::Step],
            Self::Save | Self::Dump => &[K::Step, K::Query, K::Suspend],
            Self::MigrationOut => &[K::Step, K::Query, K::Suspend, K::SteerMigration],
            Self::Backup => &[K::Step, K::Query, K::Suspend, K::Modify],
        }
    }
}

/// A job: what it is called where it is in somebody's way, and of which kinds it is.
///
/// A job of several kinds runs when each of them may: what takes away a definition and the guest's state with it is of the kinds
/// [`Kind::Modify`] and [`Kind::Define`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Its name, as the API's: `Suspend`.
    pub name: &'static str,
    /// What it does.
    pub kinds: &'static [Kind],
}

impl Job {
    /// A job called `name` of these kinds.
    #[must_use]
    pub const fn new(name: &'static str, kinds: &'static [Kind]) -> Self {
        Self { name, kinds }
    }

    /// Whether it is a long one.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.kinds.iter().any(|kind| matches!(kind, Kind::Long(_)))
    }

    /// Whether it keeps the guest busy, alone or in part.
    pub(super) fn occupies_guest(&self) -> bool {
        self.kinds.iter().any(|kind| {
            matches!(
                kind.need(),
                Need::Shared(Lane::Guest) | Need::Alone(Lane::Guest) | Need::Beside(_)
            )
        })
    }
}
