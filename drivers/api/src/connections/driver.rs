//! Drivers: what opens connections, found by the scheme of a URI.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use async_trait::async_trait;

use crate::access::Caller;
use crate::providers::{Opener, Providers};
use crate::typed::TypedParameters;
use crate::{Connection, Error, ErrorCode, ErrorDomain, Result};

/// What a connection is opened with.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// Which one.
    pub uri: &'a str,
    /// What a URI has no place for, by names that the driver explains.
    pub options: &'a TypedParameters,
    /// For whom, if a client asked. What the caller could not do by itself, such as reading a file, is not done for it.
    pub by: Option<&'a Caller>,
    /// What the driver may need of others.
    pub providers: &'a Providers,
}

/// A kind of hypervisor, of which connections can be opened.
#[async_trait]
pub trait Driver: Send + Sync {
    /// The short name in libvirt's spelling, such as `QEMU`: what its connections are called by, and what access rules know them by.
    fn name(&self) -> &str;

    /// The schemes of its URIs, such as `qemu`. What follows a `+` in a scheme (a transport) is not part of it.
    fn schemes(&self) -> &[&str];

    /// Opens a connection. A driver whose URI stands for what this host has only once gives the same connection each time.
    ///
    /// # Errors
    /// `NoConnect` if the hypervisor cannot be reached, `InvalidArg` for a URI or option that is not understood, `AuthFailed` if it does not let the
    /// daemon in, `AccessDenied` for what the caller may not name.
    async fn open(&self, opening: Opening<'_>) -> Result<Arc<dyn Connection>>;
}

/// The drivers of the daemon, and what it hands to each connection that they open.
#[derive(Default)]
pub struct Drivers {
    me: Weak<Self>,
    known: RwLock<Vec<Arc<dyn Driver>>>,
    providers: Providers,
}

impl std::fmt::Debug for Drivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drivers").finish_non_exhaustive()
    }
}

impl Drivers {
    /// No drivers yet, for connections that are opened with these providers.
    #[must_use]
    pub fn new(providers: Providers) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            known: RwLock::default(),
            providers,
        })
    }

    /// Adds a driver, which has the schemes that no earlier one has.
    pub fn add(&self, driver: Arc<dyn Driver>) {
        let known = self.known.write();
        known.unwrap_or_else(PoisonError::into_inner).push(driver);
    }

    /// What connections are opened with: also a way to open others.
    #[must_use]
    pub fn providers(&self) -> Providers {
        let providers = self.providers.clone();
        match self.me.upgrade() {
            Some(me) => providers.with_opener(me),
            None => providers,
        }
    }

    /// The driver of a URI.
    ///
    /// # Errors
    /// `InvalidArg` for what is no URI, `NoConnect` if no driver has its scheme.
    pub(super) fn find(&self, uri: &str) -> Result<Arc<dyn Driver>> {
        let scheme = scheme(uri)?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let has = |driver: &&Arc<dyn Driver>| {
            let mut schemes = driver.schemes().iter();
            schemes.any(|known| known.eq_ignore_ascii_case(scheme))
        };
        known.iter().find(has).cloned().ok_or_else(|| {
            let known = known.iter().flat_map(|driver| driver.schemes());
            let known: Vec<&str> = known.copied().collect();
            Error::new(
                ErrorCode::NoConnect,
                ErrorDomain::None,
                format!(
                    "no driver opens '{uri}': the schemes are {}",
                    known.join(", ")
                ),
            )
        })
    }

    /// Opens a connection with one of them.
    pub(super) async fn open_by(
        &self,
        driver: &dyn Driver,
        uri: &str,
        options: &TypedParameters,
        by: Option<&Caller>,
    ) -> Result<Arc<dyn Connection>> {
        let opening = Opening {
            uri,
            options,
            by,
            providers: &self.providers(),
        };
        driver.open(opening).await
    }
}

#[async_trait]
impl Opener for Drivers {
    async fn open(&self, uri: &str, options: &TypedParameters) -> Result<Arc<dyn Connection>> {
        let driver = self.find(uri)?;
        self.open_by(&*driver, uri, options, None).await
    }
}

/// The scheme of a URI, without a transport.
///
/// # Errors
/// `InvalidArg` if there is none (RFC 3986, section 3.1).
fn scheme(uri: &str) -> Result<&str> {
    let (scheme, _) = uri.split_once(':').unwrap_or(("", uri));
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || "+-.".contains(one));
    if !is_scheme {
        return Err(Error::invalid_argument(format!(
            "'{uri}' is not a URI: it does not begin with a scheme, such as qemu:///system does"
        )));
    }
    Ok(scheme.split_once('+').map_or(scheme, |(driver, _)| driver))
}
