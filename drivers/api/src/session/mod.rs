//! Sessions: the order of a call, which is the same for every interface.
//!
//! ```text
//! find the object ─▶ may the caller know of it? ─▶ ask for the call's permissions (with its flags) ─▶ call ─▶ filter lists
//! ```
//!
//! A *session* is a caller, a connection and the guard between the two. An interface decodes a message, makes one call of a session, and
//! encodes the answer; it holds no policy, and cannot leave a step out: a connection is given away into [`Guarded`], and the only way back
//! to it is a [`Granted`] call, which [`Session::grant`] makes after the guard was asked. What is found about an object before anybody was asked
//! stays shut in its [`Target`] until then.
//!
//! To act on an object, its id is enough. A call says whether it [needs](Need) more, and a driver whose objects are on another host
//! is asked for no more than that ([`Directory`]).

mod directory;
mod find;
mod granted;
mod guarded;
mod key;
mod shown;
mod target;
#[cfg(test)]
mod tests;

pub use directory::{Directory, Need};
pub use granted::Granted;
pub use guarded::Guarded;
pub(crate) use guarded::Opener;
pub use key::Key;
pub use shown::Shown;
pub use target::Target;

use crate::access::{Arguments, Call, Caller};
use crate::object::{Id, Kind};
use crate::{Error, Result, flags};
use target::{About, Absent, Known};

/// A caller with a connection; see the [module](self).
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    guarded: &'a Guarded,
    caller: &'a Caller,
}

impl<'a> Session<'a> {
    /// Who calls.
    #[must_use]
    pub const fn caller(self) -> &'a Caller {
        self.caller
    }

    /// The object of this kind that a key names, with what the call needs of it. It is not told yet whether the caller may know of it:
    /// [`Session::grant`] does.
    ///
    /// # Errors
    /// That there is none, which takes as long as if it were hidden from the caller; those of the driver.
    pub async fn find(self, kind: Kind, key: Key<'_>, need: Need) -> Result<Target> {
        self.find_within(kind, key, None, need).await
    }

    /// The same for a call that is sent to another object, `sent_to`, in which the object may have to be: a snapshot of that domain, a volume of that pool.
    ///
    /// # Errors
    /// That the caller may not know of `sent_to`; what is wrong with the key; those of [`Session::find`].
    pub async fn find_from(
        self,
        sent_to: &Target,
        kind: Kind,
        key: Result<Key<'_>>,
        need: Need,
    ) -> Result<Target> {
        self.require_sight(sent_to).await?;
        let within = sent_to.id_if_any();
        self.find_within(kind, key?, within, need).await
    }

    async fn find_within(
        self,
        kind: Kind,
        key: Key<'_>,
        within: Option<&Id>,
        need: Need,
    ) -> Result<Target> {
        let connection = self.guarded.open().await?;
        match find::object(connection, kind, key, within, need).await {
            Ok(found) => Ok(Target::found(found, key)),
            Err(error) => {
                self.take_as_long(&error).await?;
                Err(error)
            }
        }
    }

    /// What a definition of this kind, for a call that is sent to `sent_to`, is about. One that cannot be read, or of a kind that the driver does not
    /// have, is about what the call is sent to: what is wrong with it is told to those only who may define such objects.
    ///
    /// # Errors
    /// That the caller may not know of `sent_to`.
    pub async fn defined_from(self, sent_to: &Target, kind: Kind, xml: &str) -> Result<Target> {
        self.require_sight(sent_to).await?;
        let within = sent_to.id_if_any();
        Ok(
            match find::defined(self.guarded.open().await?, kind, xml, within).await {
                Ok(id) => Target::of(id, Known::Definition),
                Err(_) => sent_to.without_view(),
            },
        )
    }

    /// Asks for all that `call` needs of `target`. Whoever may not know of an object is told that it is not there.
    ///
    /// # Errors
    /// That the object is not there; `AccessDenied`, naming the first permission that is missing; `InvalidArg` for flags that the driver does not
    /// know for this call.
    pub async fn grant<'t>(
        self,
        call: Call,
        arguments: Arguments,
        target: &'t Target,
    ) -> Result<Granted<'t>>
    where
        'a: 't,
    {
        if let Some(not_found) = target.not_found()
            && !self.sees(target).await?
        {
            return Err(not_found);
        }
        self.require(call, arguments, target).await?;
        let connection = self.guarded.open().await?;
        flags::check(connection, call, arguments.flags)?;
        Ok(Granted::new(self, connection, call, target))
    }

    /// Asks for permissions only.
    async fn require(self, call: Call, arguments: Arguments, target: &Target) -> Result<()> {
        let about = self.about(target);
        let guard = self.guarded.guard();
        guard.require(self.caller, call, arguments, &about).await
    }

    /// Whether the caller may know that the object is there. Puts up no dialog.
    ///
    /// # Errors
    /// `AuthUnavailable` if it could not be found out.
    pub async fn sees(self, target: &Target) -> Result<bool> {
        let about = self.about(target);
        let guard = self.guarded.guard();
        let seen = guard.seen(self.caller, target.getattr(), 1, |_| about);
        Ok(seen.await?.has(0))
    }

    /// Asks whether the caller may know of the object that a call was sent to. Comes before anything is looked up in it: what would be
    /// found, or said to be missing, tells of the object.
    ///
    /// # Errors
    /// That it is not there; for the connection itself, `AccessDenied`.
    pub async fn require_sight(self, target: &Target) -> Result<()> {
        match target.not_found() {
            None => {
                let open = self.require(Call::ConnectOpen, Arguments::default(), target);
                open.await
            }
            Some(not_found) => match self.sees(target).await? {
                true => Ok(()),
                false => Err(not_found),
            },
        }
    }

    /// Every object of a kind that the caller may know of. None if the driver has no such objects.
    ///
    /// # Errors
    /// Those of the driver.
    pub async fn shown(self, kind: Kind) -> Result<Shown<'a>> {
        let views = crate::object::views(self.guarded.open().await?, kind).await?;
        Shown::of(self, kind, views).await
    }

    const fn about<'t>(&self, target: &'t Target) -> About<'t>
    where
        'a: 't,
    {
        About {
            driver: self.guarded,
            target,
        }
    }

    /// Asks about an object that is not there what would be asked about one that is: who gets the same answer sooner for the one than for
    /// the other has been told of it.
    ///
    /// # Errors
    /// That it cannot be found out, which would be the answer for one that is there as well.
    async fn take_as_long(self, error: &Error) -> Result<()> {
        let Some(kind) = Kind::absent(error) else {
            return Ok(());
        };
        let guard = self.guarded.guard();
        if guard.tells_apart(kind.class()) {
            let absent = Absent {
                driver: self.guarded.driver(),
                kind,
                sought: &error.message,
            };
            guard
                .seen(self.caller, kind.getattr(), 1, |_| &absent)
                .await?;
        }
        Ok(())
    }
}
