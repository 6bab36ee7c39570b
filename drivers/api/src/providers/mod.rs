//! What a driver needs of others, handed to it when a connection is opened.
//!
//! No driver knows another. What one needs of another is a trait of this module, narrow and for drivers only: no interface reaches it and no
//! client is asked about it, since whoever may start a guest may have what the guest's definition names. Clients have the groups of
//! methods of [`Connection`](crate::Connection), behind permissions.
//!
//! ```text
//!   service ──▶ Providers ──▶ Driver::open ──▶ connection ──▶ GuestNetworks, SecretValues, Security, …
//!                   └────── Subsystems ──────▶ connection offers networks, storage, secrets, … as its own
//! ```

mod host_devices;
mod locks;
mod networks;
mod secrets;
mod storage;
mod subsystem;

use std::sync::Arc;

use async_trait::async_trait;

pub use host_devices::{Assignment, HostDevice, HostDevices};
pub use locks::{LockMode, LockOwner, LockResource, Locks, NoLocks};
pub use networks::{GuestFilters, GuestNetworks, Plugged};
pub use secrets::{SecretKey, SecretValue, SecretValues};
pub use storage::{GuestStorage, VolumeSource};
pub use subsystem::{Offered, Subsystem};

use crate::access::Client;
use crate::placement::{NoPlacement, Placement};
use crate::security::{Security, Unconfined};
use crate::typed::TypedParameters;
use crate::{Connection, Error, ErrorCode, ErrorDomain, Result};

/// Opens connections for drivers, such as to the host that a guest is moved to.
#[async_trait]
pub trait Opener: Send + Sync {
    /// Opens a connection, which nobody else is served.
    ///
    /// # Errors
    /// Those of [`Driver::open`](crate::connections::Driver::open), and that no driver opens the URI.
    async fn open(&self, uri: &str, options: &TypedParameters) -> Result<Arc<dyn Connection>>;
}

/// Clients that are known by name from before the daemon was started.
pub trait Clients: Send + Sync {
    /// The client of this name. If there is none any more, it is found to be gone soon.
    fn client(&self, name: &str) -> Client;
}

/// Declares the providers that a daemon may lack.
macro_rules! providers {
    ($($(#[$doc:meta])* $name:ident, $with:ident: $trait:ident, $what:literal;)*) => {
        /// What a connection is opened with. Each part is there or not, by what was built into the daemon and switched on.
        #[derive(Clone)]
        pub struct Providers {
            subsystems: Vec<Arc<dyn Subsystem>>,
            $($name: Option<Arc<dyn $trait>>,)*
            placement: Arc<dyn Placement>,
            security: Arc<dyn Security>,
            locks: Arc<dyn Locks>,
        }

        impl Default for Providers {
            fn default() -> Self {
                Self {
                    subsystems: Vec::new(),
                    $($name: None,)*
                    placement: Arc::new(NoPlacement),
                    security: Arc::new(Unconfined),
                    locks: Arc::new(NoLocks),
                }
            }
        }

        impl std::fmt::Debug for Providers {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut there = Vec::new();
                $(if self.$name.is_some() { there.push($what); })*
                f.debug_tuple("Providers").field(&there).finish()
            }
        }

        impl Providers { $(
            $(#[$doc])*
            ///
            /// # Errors
            /// `NoSupport` if this daemon has none.
            pub fn $name(&self) -> Result<&Arc<dyn $trait>> {
                self.$name.as_ref().ok_or_else(|| missing($what))
            }

            /// These, with this one.
            #[must_use]
            pub fn $with(mut self, provider: Arc<dyn $trait>) -> Self {
                self.$name = Some(provider);
                self
            }
        )* }
    };
}

providers! {
    /// Virtual networks that guests are plugged into.
    networks, with_networks: GuestNetworks, "network driver";
    /// Filters of guests' traffic.
    filters, with_filters: GuestFilters, "driver for network filters";
    /// Volumes that are disks of guests.
    storage, with_storage: GuestStorage, "storage driver";
    /// Values of secrets.
    secrets, with_secrets: SecretValues, "secret driver";
    /// Devices of the host that guests are given.
    host_devices, with_host_devices: HostDevices, "driver for devices of the host";
    /// Clients of the daemon.
    clients, with_clients: Clients, "interface whose clients are known";
    /// Other connections.
    opener, with_opener: Opener, "way to open other connections";
}

fn missing(what: &str) -> Error {
    Error::new(
        ErrorCode::NoSupport,
        ErrorDomain::None,
        format!("this daemon has no {what}: it was built without it, or its settings leave it out"),
    )
}

impl Providers {
    /// These, with a subsystem that every connection offers as its own.
    #[must_use]
    pub fn with_subsystem(mut self, subsystem: Arc<dyn Subsystem>) -> Self {
        self.subsystems.push(subsystem);
        self
    }

    /// The subsystems that connections offer as their own.
    #[must_use]
    pub fn subsystems(&self) -> &[Arc<dyn Subsystem>] {
        &self.subsystems
    }

    /// Where guests' processes live.
    #[must_use]
    pub fn placement(&self) -> &Arc<dyn Placement> {
        &self.placement
    }

    /// These, with this placement instead of none.
    #[must_use]
    pub fn with_placement(mut self, placement: Arc<dyn Placement>) -> Self {
        self.placement = placement;
        self
    }

    /// Who confines guests.
    #[must_use]
    pub fn security(&self) -> &Arc<dyn Security> {
        &self.security
    }

    /// These, with this confinement instead of none.
    #[must_use]
    pub fn with_security(mut self, security: Arc<dyn Security>) -> Self {
        self.security = security;
        self
    }

    /// Who keeps two guests from writing the same disk.
    #[must_use]
    pub fn locks(&self) -> &Arc<dyn Locks> {
        &self.locks
    }

    /// These, with these locks instead of none.
    #[must_use]
    pub fn with_locks(mut self, locks: Arc<dyn Locks>) -> Self {
        self.locks = locks;
        self
    }
}

#[cfg(test)]
mod tests;
