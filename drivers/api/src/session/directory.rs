//! Finding objects by what names them, without a look at what is known of them.

use async_trait::async_trait;

use super::Key;
use crate::Result;
use crate::object::{Id, Kind};

/// How much of an object a call looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// What names it: the call acts on it, or the driver answers.
    Id,
    /// What is known of it: the call is answered from that.
    View,
}

/// Finds objects by name only. For drivers that ask another host about each object, where what is known of one takes several questions and what
/// names it takes one. A driver that has its objects in memory, or a mirror of them, needs none.
#[async_trait]
pub trait Directory: Send + Sync {
    /// What names the object of this kind that has this key; `within` is the object that the call was sent to, in which it may have to be. `None`: the
    /// view is as cheap to get, and is asked for.
    ///
    /// # Errors
    /// That there is no such object; those of the driver.
    async fn identify(&self, kind: Kind, key: Key<'_>, within: Option<&Id>) -> Result<Option<Id>>;
}
