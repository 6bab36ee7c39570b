//! Every domain of the connection, by UUID and by name.
//!
//! A name or UUID is taken before anything is written, so two clients cannot define the same name at once; an entry that nothing
//! came of is given back. What is in the table but neither defined nor running is not shown to anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};

use super::Domain;

#[derive(Default)]
struct Maps {
    by_uuid: HashMap<Uuid, Arc<Domain>>,
    by_name: HashMap<Arc<str>, Uuid>,
}

/// The domains of a connection.
#[derive(Default)]
pub(crate) struct Table {
    maps: RwLock<Maps>,
    last_id: AtomicU32,
}

impl Table {
    /// The next number for a running domain; never one that was used since the daemon started.
    pub(crate) fn next_id(&self) -> u32 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes sure that no later number is `id`, which a domain has that ran before the daemon.
    pub(crate) fn id_in_use(&self, id: u32) {
        self.last_id.fetch_max(id, Ordering::Relaxed);
    }

    /// Every domain, shown or not.
    pub(crate) fn all(&self) -> Vec<Arc<Domain>> {
        self.maps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_uuid
            .values()
            .cloned()
            .collect()
    }

    /// The domain that is shown under this UUID.
    pub(crate) fn get(&self, uuid: Uuid) -> Result<Arc<Domain>> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_uuid
            .get(&uuid)
            .filter(|domain| domain.snapshot().is_shown())
            .cloned()
            .ok_or_else(|| Error::no_domain(uuid))
    }

    /// The domain that is shown under this name.
    pub(crate) fn get_by_name(&self, name: &str) -> Result<Arc<Domain>> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_name
            .get(name)
            .and_then(|uuid| maps.by_uuid.get(uuid))
            .filter(|domain| domain.snapshot().is_shown())
            .cloned()
            .ok_or_else(|| Error::no_domain_named(name))
    }

    /// The running domain with this number.
    pub(crate) fn get_by_id(&self, id: u32) -> Result<Arc<Domain>> {
        self.all()
            .into_iter()
            .find(|domain| domain.snapshot().view.id.id == Some(id))
            .ok_or_else(|| Error::no_domain_numbered(id.into()))
    }

    /// The domain with both this UUID and this name, made if there is none, and kept while the claim is held.
    ///
    /// # Errors
    /// `OperationFailed` if only one of the two fits another domain.
    pub(crate) fn claim(
        self: &Arc<Self>,
        uuid: Uuid,
        name: &str,
        make: impl FnOnce() -> Domain,
    ) -> Result<Claim> {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        let taken = |message: String| {
            Err(Error::new(
                ErrorCode::OperationFailed,
                ErrorDomain::Dom,
                message,
            ))
        };
        let domain = if let Some(domain) = maps.by_uuid.get(&uuid) {
            let current = domain.name();
            if &*current != name {
                return taken(format!(
                    "the uuid {uuid} belongs to domain '{current}', not to '{name}'"
                ));
            }
            Arc::clone(domain)
        } else if let Some(other) = maps.by_name.get(name) {
            return taken(format!(
                "a domain called '{name}' is there already, with the uuid {other}"
            ));
        } else {
            let domain = Arc::new(make());
            maps.by_name.insert(domain.name(), uuid);
            maps.by_uuid.insert(uuid, Arc::clone(&domain));
            domain
        };
        // Counted while the maps are locked, as `give_back` looks at it.
        domain.claims.fetch_add(1, Ordering::Relaxed);
        Ok(Claim {
            table: Arc::clone(self),
            domain,
        })
    }

    /// Removes the entry of a domain that is neither shown nor claimed.
    pub(crate) fn give_back(&self, domain: &Arc<Domain>) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if domain.claims.load(Ordering::Relaxed) > 0 || domain.snapshot().is_shown() {
            return;
        }
        if maps
            .by_uuid
            .get(&domain.uuid)
            .is_some_and(|entry| Arc::ptr_eq(entry, domain))
        {
            maps.by_uuid.remove(&domain.uuid);
            maps.by_name.remove(&*domain.name());
        }
    }
}

/// Keeps a domain in the table while something is being made of it.
pub(crate) struct Claim {
    table: Arc<Table>,
    domain: Arc<Domain>,
}

impl Claim {
    /// The domain.
    pub(crate) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.domain.claims.fetch_sub(1, Ordering::Relaxed);
        self.table.give_back(&self.domain);
    }
}
