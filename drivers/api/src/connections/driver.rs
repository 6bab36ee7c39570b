//! Drivers: what opens connections, found by the scheme of a URI.

use std::sync::Arc;

use async_trait::async_trait;

use crate::access::Caller;
use crate::typed::TypedParameters;
use crate::{Connection, Error, ErrorCode, ErrorDomain, Result};

/// A kind of hypervisor, of which connections can be opened.
#[async_trait]
pub trait Driver: Send + Sync {
    /// The short name in libvirt's spelling, such as `QEMU`: what its connections are called by, and what access rules know them by.
    fn name(&self) -> &str;

    /// The schemes of its URIs, such as `qemu`. What follows a `+` in a scheme (a transport) is not part of it.
    fn schemes(&self) -> &[&str];

    /// Opens a connection for a caller, or for the settings. A driver whose URI stands for what this host has only once gives the same
    /// connection each time. What the caller could not do by itself, such as reading a file, is not done for it.
    ///
    /// # Errors
    /// `NoConnect` if the hypervisor cannot be reached, `InvalidArg` for a URI or option that is not understood, `AuthFailed` if it does not let the
    /// daemon in, `AccessDenied` for what the caller may not name.
    async fn open(
        &self,
        uri: &str,
        options: &TypedParameters,
        by: Option<&Caller>,
    ) -> Result<Arc<dyn Connection>>;
}

/// The scheme of a URI, without a transport.
///
/// # Errors
/// `InvalidArg` if there is none (RFC 3986, section 3.1).
pub(super) fn scheme(uri: &str) -> Result<&str> {
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

/// The driver of a URI.
///
/// # Errors
/// `InvalidArg` for what is no URI, `NoConnect` if no driver has its scheme.
pub(super) fn find<'a>(drivers: &'a [Arc<dyn Driver>], uri: &str) -> Result<&'a Arc<dyn Driver>> {
    let scheme = scheme(uri)?;
    let has = |driver: &&Arc<dyn Driver>| {
        let mut schemes = driver.schemes().iter();
        schemes.any(|known| known.eq_ignore_ascii_case(scheme))
    };
    drivers.iter().find(has).ok_or_else(|| {
        let known = drivers.iter().flat_map(|driver| driver.schemes());
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
