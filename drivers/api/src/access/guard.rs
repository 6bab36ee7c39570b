//! The guard: asks the authorizer what a call needs, and what of a list may be seen.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Authorizer, Call, Caller, Object, Permission, Rule, Verdict, When};
use crate::{Error, ErrorCode, ErrorDomain, Result};

/// How many objects of a list an authorizer is asked about at once.
const AT_ONCE: usize = 64;

/// Asks the authorizer what a call needs.
#[derive(Clone)]
pub struct Guard {
    authorizer: Arc<dyn Authorizer>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// What of a call's arguments rules look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arguments {
    /// The flags, 0 where the call has none.
    pub flags: u32,
    /// The other argument that a rule names, if the call has it.
    pub named: Option<(&'static str, u32)>,
}

impl Arguments {
    fn meet(self, rule: &Rule) -> bool {
        match rule.when {
            When::Always => true,
            When::AnyFlag(mask) => self.flags & mask != 0,
            When::NoFlag(mask) => self.flags & mask == 0,
            When::Argument(name, value) => self.named == Some((name, value)),
        }
    }
}

impl Guard {
    /// A guard that asks `authorizer`.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer }
    }

    /// Asks for all that `call` needs, in the table's order.
    ///
    /// # Errors
    /// `AccessDenied`, naming the first permission that is missing.
    pub(crate) async fn require(
        &self,
        caller: &Caller,
        call: Call,
        arguments: Arguments,
        object: &dyn Object,
    ) -> Result<()> {
        for rule in call.rules().iter().filter(|rule| arguments.meet(rule)) {
            match self.authorizer.check(caller, rule.permission, object).await {
                Verdict::Granted => {}
                Verdict::Unknown => return Err(unknown(rule.permission)),
                verdict @ (Verdict::Denied | Verdict::Challenge) => {
                    return Err(denied(rule.permission, verdict));
                }
            }
        }
        Ok(())
    }

    /// Whether answers can differ between two objects of the class.
    #[must_use]
    pub fn tells_apart(&self, class: super::ObjectClass) -> bool {
        self.authorizer.tells_apart(class)
    }

    /// On which of `count` objects the caller has `permission`. Never puts up a dialog. Objects are made only if they matter.
    ///
    /// # Errors
    /// `AuthUnavailable` if it could not be found out.
    pub(crate) async fn seen<T: Object>(
        &self,
        caller: &Caller,
        permission: Permission,
        count: usize,
        object: impl Fn(usize) -> T,
    ) -> Result<Seen> {
        let caller = &caller.without_dialogs();
        if count == 0 {
            return Ok(Seen::All);
        }
        if !self.authorizer.tells_apart(permission.class()) {
            let first = object(0);
            return match self.authorizer.check(caller, permission, &first).await {
                Verdict::Granted => Ok(Seen::All),
                Verdict::Denied | Verdict::Challenge => Ok(Seen::None),
                Verdict::Unknown => Err(unknown(permission)),
            };
        }
        let mut seen = Vec::with_capacity(count);
        for begin in (0..count).step_by(AT_ONCE) {
            let checks = (begin..count.min(begin + AT_ONCE)).map(|at| {
                let object = object(at);
                async move { self.authorizer.check(caller, permission, &object).await }
            });
            let verdicts = join_all(checks).await;
            if verdicts.contains(&Verdict::Unknown) {
                return Err(unknown(permission));
            }
            seen.extend(verdicts.iter().map(|verdict| *verdict == Verdict::Granted));
        }
        Ok(Seen::Some(seen))
    }
}

/// Which objects of a list a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Every one.
    All,
    /// Not one.
    None,
    /// Those with `true`.
    Some(Vec<bool>),
}

impl Seen {
    /// Whether the object at this place of the list.
    #[must_use]
    pub fn has(&self, at: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(seen) => seen.get(at).copied().unwrap_or(false),
        }
    }

    /// Those that both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, other) | (other, Self::All) => other,
            (Self::Some(mut seen), Self::Some(other)) => {
                for (seen, other) in seen.iter_mut().zip(other) {
                    *seen &= other;
                }
                Self::Some(seen)
            }
        }
    }
}

fn unknown(permission: Permission) -> Error {
    Error::new(
        ErrorCode::AuthUnavailable,
        ErrorDomain::Access,
        format!(
            "cannot find out whether {} is granted: polkit does not answer; see whether it runs, and try again",
            permission.action()
        ),
    )
}

fn denied(permission: Permission, verdict: Verdict) -> Error {
    let how = match verdict {
        Verdict::Challenge => "authentication is required",
        Verdict::Granted | Verdict::Denied | Verdict::Unknown => "access denied",
    };
    Error::new(
        ErrorCode::AccessDenied,
        ErrorDomain::Access,
        format!("{how}: {} is needed", permission.action()),
    )
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::access::{Client, ObjectClass};

    struct Only(Permission);

    #[async_trait]
    impl Authorizer for Only {
        async fn check(&self, _: &Caller, permission: Permission, _: &dyn Object) -> Verdict {
            if permission == self.0 {
                Verdict::Granted
            } else {
                Verdict::Denied
            }
        }

        fn tells_apart(&self, _: ObjectClass) -> bool {
            false
        }
    }

    struct Guest;

    impl Object for Guest {
        fn class(&self) -> ObjectClass {
            ObjectClass::Domain
        }

        fn details(&self) -> Vec<(&'static str, String)> {
            Vec::new()
        }
    }

    fn ask(granted: Permission, call: Call, flags: u32) -> Result<()> {
        let caller = Caller::Bus {
            client: Client::new(":1.1"),
            uid: Some(1000),
            interactive: false,
        };
        let guard = Guard::new(Arc::new(Only(granted)));
        let arguments = Arguments { flags, named: None };
        let mut future = std::pin::pin!(guard.require(&caller, call, arguments, &Guest));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(answer) => answer,
            std::task::Poll::Pending => panic!("this authorizer never waits"),
        }
    }

    #[test]
    fn flags_decide_what_is_asked_for() {
        assert!(ask(Permission::DomainRead, Call::DomainGetXmlDesc, 0).is_ok());
        let secure = ask(Permission::DomainRead, Call::DomainGetXmlDesc, 1).unwrap_err();
        assert_eq!(secure.code, ErrorCode::AccessDenied);
        assert!(
            secure
                .message
                .contains("org.libvirt.api.domain.read-secure")
        );
        // Neither LIVE nor CONFIG: the current state may be the persistent one, so saving is asked for.
        assert!(ask(Permission::DomainWrite, Call::DomainAddIothread, 1).is_ok());
        assert!(ask(Permission::DomainWrite, Call::DomainAddIothread, 0).is_err());
    }

    #[test]
    fn actions_are_spelt_as_libvirt_does() {
        assert_eq!(
            Permission::DomainCoreDump.action(),
            "org.libvirt.api.domain.core-dump"
        );
        assert_eq!(
            Permission::StoragePoolSearchStorageVols.action(),
            "org.libvirt.api.storage-pool.search-storage-vols"
        );
        assert_eq!(Permission::ALL.len(), 108);
    }
}
