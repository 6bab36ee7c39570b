//! A caller as polkit knows it.

use std::sync::Arc;

use glib::object::Cast;
use polkit::{SystemBusName, UnixProcess};
use virtbus_api::access::Caller;

/// Whom polkit is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// A client of the system bus, by its unique name.
    Bus(Arc<str>),
    /// A process of this host.
    Process { pid: u32, start_time: u64, uid: u32 },
}

impl Subject {
    /// None for those whom polkit cannot know: clients whose user the bus does not tell, and people on other hosts.
    pub(crate) fn of(caller: &Caller) -> Option<Self> {
        match caller {
            Caller::Bus { client, uid, .. } => uid.map(|_| Self::Bus(Arc::clone(client.name()))),
            Caller::Process {
                pid,
                start_time,
                uid,
                ..
            } => Some(Self::Process {
                pid: *pid,
                start_time: *start_time,
                uid: *uid,
            }),
            Caller::Remote { .. } => None,
        }
    }

    /// What polkit's library takes; nothing for numbers that no process or user has.
    pub(crate) fn of_polkit(&self) -> Option<polkit::Subject> {
        Some(match self {
            Self::Bus(name) => SystemBusName::new(name).upcast(),
            Self::Process {
                pid,
                start_time,
                uid,
            } => {
                let (pid, uid) = (i32::try_from(*pid).ok()?, i32::try_from(*uid).ok()?);
                UnixProcess::new_for_owner(pid, *start_time, uid).upcast()
            }
        })
    }
}
