//! A domain as its clients see it: the calls that most tests make, and libvirt's numbers for what they say and answer.

use std::collections::HashMap;

use zbus::OwnedVariant;

use crate::client::{CallError, Object};

/// State: the guest runs.
pub const RUNNING: i32 = 1;
/// State: it stands still until it is resumed.
pub const PAUSED: i32 = 3;
/// State: it is off.
pub const SHUTOFF: i32 = 5;

/// Flag of `Create`: the guest is paused when it has started.
pub const START_PAUSED: u32 = 1;
/// Flag of `GetXMLDesc`: what holds from the next start on.
pub const XML_INACTIVE: u32 = 2;
/// Flag of `ListDomains`: those that run.
pub const LIST_ACTIVE: u32 = 1;

/// Statistics by name.
pub type Statistics = HashMap<String, OwnedVariant>;

/// A domain.
#[derive(Debug, Clone)]
pub struct Domain(pub Object);

impl Domain {
    /// The domain's object path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// Calls a method that takes nothing but flags and answers nothing.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn act(&self, method: &str, flags: u32) -> Result<(), CallError> {
        self.0.call(method, &(flags,)).await
    }

    /// Calls a method that takes nothing and answers nothing (`Suspend`, `Resume`).
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn tell(&self, method: &str) -> Result<(), CallError> {
        self.0.call(method, &()).await
    }

    /// State and reason, libvirt's numbers.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn state(&self) -> Result<(i32, i32), CallError> {
        let ((state, reason),): ((i32, i32),) = self.0.call("GetState", &(0_u32,)).await?;
        Ok((state, reason))
    }

    /// The XML description.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn xml(&self, flags: u32) -> Result<String, CallError> {
        self.0.call("GetXMLDesc", &(flags,)).await
    }

    /// The statistics of all groups.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn statistics(&self) -> Result<Statistics, CallError> {
        self.0.call("GetStats", &(0_u32, 0_u32)).await
    }
}
