//! Who decides about callers: polkit on the system bus, plain ownership elsewhere.

mod cache;
mod polkit;
mod rules;

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
}

#[async_trait]
impl Authorizer for Owner {
    async fn check(&self, caller: &Caller, _: Permission, _: &dyn Object) -> Verdict {
        match caller.uid {
            Some(uid) if uid == 0 || uid == self.uid => Verdict::Granted,
            _ => Verdict::Denied,
        }
    }

    fn tells_apart(&self, _: ObjectClass) -> bool {
        false
    }
}
