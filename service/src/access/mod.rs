//! Who decides about callers: polkit on the system bus, plain ownership elsewhere.

mod cache;
mod polkit;
mod rules;
mod subject;
mod turns;

use async_trait::async_trait;
use virtbus_api::access::{Authorizer, Caller, Object, ObjectClass, Permission, Verdict};

pub(crate) use polkit::Polkit;

/// Lets root and the daemon's own user do everything, and others nothing: for a session bus or a private one, whose
/// clients polkit does not know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    uid: u32,
}

impl Owner {
    /// Ownership by the user that this process runs as.
    pub(crate) fn current() -> Self {
        Self {
            uid: nix::unistd::geteuid().as_raw(),
        }
    }

    /// Whether this user is root or that one; none is a user of whom nobody knows.
    pub(crate) fn is(self, uid: Option<u32>) -> bool {
        uid.is_some_and(|uid| uid == 0 || uid == self.uid)
    }
}

#[async_trait]
impl Authorizer for Owner {
    async fn check(&self, caller: &Caller, _: Permission, _: &dyn Object) -> Verdict {
        if self.is(caller.uid()) {
            Verdict::Granted
        } else {
            Verdict::Denied
        }
    }

    fn tells_apart(&self, _: ObjectClass) -> bool {
        false
    }
}
