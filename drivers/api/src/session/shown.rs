//! Every object of a kind that a caller may know of.

use super::Session;
use crate::Result;
use crate::access::{Permission, Seen};
use crate::object::{ConnectedObject, Kind, View};

/// Objects of one kind that the caller may know of, each with what of it the caller may see.
#[derive(Debug)]
pub struct Shown<'a> {
    session: Session<'a>,
    views: Vec<View>,
}

impl<'a> Shown<'a> {
    pub(super) async fn of(session: Session<'a>, kind: Kind, mut views: Vec<View>) -> Result<Self> {
        let seen = may(session, kind.getattr(), &views).await?;
        let mut at = 0..;
        views.retain(|_| at.next().is_some_and(|at| seen.has(at)));
        Ok(Self { session, views })
    }

    /// What is known of them. To be shown is of that what needs no permission but to know of the object, and what [`Shown::may`] says.
    #[must_use]
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// On which of them the caller has a permission.
    ///
    /// # Errors
    /// `AuthUnavailable` if it could not be found out.
    pub async fn may(&self, permission: Permission) -> Result<Seen> {
        may(self.session, permission, &self.views).await
    }

    /// What is known of them, each by itself.
    #[must_use]
    pub fn into_views(self) -> Vec<View> {
        self.views
    }
}

async fn may(session: Session<'_>, permission: Permission, views: &[View]) -> Result<Seen> {
    let driver = session.guarded.driver();
    let object = |at: usize| ConnectedObject {
        driver,
        id: views[at].id(),
    };
    let guard = session.guarded.guard();
    guard
        .seen(session.caller, permission, views.len(), object)
        .await
}
