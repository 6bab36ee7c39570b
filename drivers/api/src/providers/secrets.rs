//! Values of secrets, for drivers only.

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::secret::SecretUsageType;
use crate::{Result, Uuid};

/// By what a document names a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKey<'a> {
    /// `uuid='…'`.
    Uuid(Uuid),
    /// `usage='…'`: what the secret is for.
    Usage(&'a str),
}

/// A secret's value. Its memory is overwritten when it is dropped, and it is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes a value over.
    #[must_use]
    pub fn new(value: Vec<u8>) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// Values of secrets, private ones too.
#[async_trait]
pub trait SecretValues: Send + Sync {
    /// The value of a secret that is meant for this usage.
    ///
    /// # Errors
    /// `NoSecret` if there is none, or none with a value; `InvalidSecret` if it is meant for something else.
    async fn value(&self, key: SecretKey<'_>, usage_type: SecretUsageType) -> Result<SecretValue>;
}
