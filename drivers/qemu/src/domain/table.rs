//! Every domain of the connection, by UUID and by name.
//!
//! A name or UUID is taken before anything is written, so two clients cannot define the same name at once; an entry that nothing
//! came of is given back. What is in the table but neither defined nor running is not shown to anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use virtbus_api::domain::DomainId;
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

    /// The domain that is shown under this UUID and has this name.
    pub(crate) fn get_named(&self, id: &DomainId) -> Result<Arc<Domain>> {
        let domain = self.get(id.uuid)?;
        if *domain.name() == *id.name {
            return Ok(domain);
        }
        Err(Error::no_domain(id.uuid))
    }

    /// The domain that is shown under this name.
    pub(crate) fn get_by_name(&self, name: &str) -> Result<Arc<Domain>> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_name
            .get(name)
            .and_then(|uuid| maps.by_uuid.get(uuid))
            // One that is being renamed has two names here, and is known by the one that it shows.
            .filter(|domain| domain.snapshot().is_shown() && &*domain.name() == name)
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
                // Whoever asks may not be meant to know which.
                return taken(format!(
                    "the uuid {uuid} belongs to another domain, not to '{name}'"
                ));
            }
            Arc::clone(domain)
        } else if maps.by_name.contains_key(name) {
            return taken(format!(
                "a domain called '{name}' is there already, with another uuid than {uuid}"
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

    /// The domain with this UUID, else with this name, else a new one, kept while the claim is held: for a guest that is there, whatever
    /// definitions say.
    pub(crate) fn claim_either(
        self: &Arc<Self>,
        uuid: Uuid,
        name: &str,
        make: impl FnOnce() -> Domain,
    ) -> Claim {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        let by_name = |maps: &Maps| maps.by_uuid.get(maps.by_name.get(name)?).cloned();
        let found = maps.by_uuid.get(&uuid).cloned().or_else(|| by_name(&maps));
        let domain = found.unwrap_or_else(|| {
            let domain = Arc::new(make());
            maps.by_name.insert(domain.name(), uuid);
            maps.by_uuid.insert(uuid, Arc::clone(&domain));
            domain
        });
        domain.claims.fetch_add(1, Ordering::Relaxed);
        Claim {
            table: Arc::clone(self),
            domain,
        }
    }

    /// A second name for a domain, which no other one can take while it is held. What is left of the two in the end is the one that the
    /// domain has then.
    ///
    /// # Errors
    /// `OperationInvalid` if a domain has that name, be it this one.
    pub(crate) fn reserve(self: &Arc<Self>, domain: &Arc<Domain>, name: &str) -> Result<Reserved> {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        let current = domain.name();
        if &*current == name {
            return Err(Error::operation_invalid(format!(
                "domain '{name}' is called so already"
            )));
        }
        if maps.by_name.contains_key(name) {
            return Err(Error::operation_invalid(format!(
                "a domain called '{name}' is there already"
            )));
        }
        let name: Arc<str> = name.into();
        maps.by_name.insert(Arc::clone(&name), domain.uuid);
        Ok(Reserved {
            table: Arc::clone(self),
            domain: Arc::clone(domain),
            names: [current, name],
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

/// Keeps two names for a domain that is being renamed.
pub(crate) struct Reserved {
    table: Arc<Table>,
    domain: Arc<Domain>,
    names: [Arc<str>; 2],
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let maps = &self.table.maps;
        let mut maps = maps.write().unwrap_or_else(PoisonError::into_inner);
        let current = self.domain.name();
        for name in self.names.iter().filter(|name| **name != current) {
            maps.by_name.remove(name);
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

#[cfg(test)]
mod tests {
    use virtbus_api::domain::ShutoffReason;
    use virtbus_api::event::EventHub;

    use super::*;

    fn table(uuid: Uuid, name: &str) -> Arc<Table> {
        let table = Arc::new(Table::default());
        let claim = table.claim(uuid, name, || {
            Domain::new(uuid, name, ShutoffReason::Unknown)
        });
        let xml = "<domain type='qemu'><name>any</name></domain>";
        let definition = virtbus_conf_domain::domain::Domain::parse(xml).unwrap();
        let claim = claim.unwrap();
        claim.domain().adjust(&EventHub::default(), |inner| {
            inner.config = Some(Arc::new(definition));
        });
        table
    }

    #[test]
    fn what_was_allowed_for_one_domain_does_not_reach_another_with_its_uuid() {
        let uuid = Uuid::new_v4();
        let asked = DomainId {
            uuid,
            name: "user-1".into(),
            id: None,
        };
        assert!(table(uuid, "user-1").get_named(&asked).is_ok());
        let refused = table(uuid, "bank").get_named(&asked).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NoDomain);
    }

    #[test]
    fn a_reserved_name_is_nobody_elses_and_stays_with_the_domain_that_took_it() {
        let uuid = Uuid::new_v4();
        let table = table(uuid, "old");
        let domain = table.get(uuid).unwrap();
        let other = Uuid::new_v4();
        let make = || Domain::new(other, "new", ShutoffReason::Unknown);
        assert!(table.reserve(&domain, "old").is_err());
        let reserved = table.reserve(&domain, "new").unwrap();
        assert!(table.claim(other, "new", make).is_err());
        assert!(table.reserve(&domain, "new").is_err());
        assert!(table.get_by_name("new").is_err() && table.get_by_name("old").is_ok());
        drop(reserved);
        assert!(table.get_by_name("old").is_ok());
        table.claim(other, "new", make).unwrap();

        let reserved = table.reserve(&domain, "new").unwrap();
        let xml = "<domain type='qemu'><name>new</name></domain>";
        let definition = virtbus_conf_domain::domain::Domain::parse(xml).unwrap();
        domain.rename(&EventHub::default(), Arc::new(definition));
        assert!(table.get_by_name("new").is_ok() && table.get_by_name("old").is_err());
        drop(reserved);
        assert!(table.get_by_name("new").is_ok());
        let make = || Domain::new(other, "old", ShutoffReason::Unknown);
        table.claim(other, "old", make).unwrap();
    }

    #[test]
    fn a_guest_that_is_there_takes_the_domain_of_its_uuid_or_of_its_name() {
        let uuid = Uuid::new_v4();
        let table = table(uuid, "web");
        let never = || unreachable!("there is one");
        assert_eq!(table.claim_either(uuid, "other", never).domain().uuid, uuid);
        let other = Uuid::new_v4();
        assert_eq!(table.claim_either(other, "web", never).domain().uuid, uuid);
        let make = || Domain::new(other, "new", ShutoffReason::Unknown);
        assert_eq!(table.claim_either(other, "new", make).domain().uuid, other);
        assert!(table.maps.read().unwrap().by_uuid.len() == 1, "given back");
    }
}
