//! Every domain of a connection, by UUID and by name.
//!
//! A name or UUID is taken before anything is written, so two clients cannot define the same name at once; an entry that nothing
//! came of is given back. What is in the table but neither defined nor running is not shown to anybody.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use virtbus_api::domain::{DomainId, DomainView};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};

use super::published::{Published, Snapshot, State};

/// A driver's domain: whatever it needs, and what is published of it.
pub trait Entry: Deref<Target = Published<Self::State>> + Send + Sync + 'static {
    /// What writers change of it.
    type State: State;
}

/// A domain of the table.
struct Row<D> {
    domain: Arc<D>,
    /// How many makings of this domain keep it in the table.
    claims: usize,
}

struct Maps<D> {
    by_uuid: HashMap<Uuid, Row<D>>,
    by_name: HashMap<Arc<str>, Uuid>,
}

impl<D: Entry> Maps<D> {
    fn insert(&mut self, domain: D) -> &mut Row<D> {
        let (uuid, name) = (domain.uuid, domain.name());
        self.by_name.insert(name, uuid);
        let domain = Arc::new(domain);
        self.by_uuid
            .entry(uuid)
            .insert_entry(Row { domain, claims: 0 })
            .into_mut()
    }

    /// The row of this very domain.
    fn row(&mut self, domain: &Arc<D>) -> Option<&mut Row<D>> {
        let row = self.by_uuid.get_mut(&domain.uuid)?;
        Arc::ptr_eq(&row.domain, domain).then_some(row)
    }

    /// Removes the row of a domain that is neither shown nor claimed.
    fn give_back(&mut self, domain: &Arc<D>) {
        let unused = |row: &mut Row<D>| row.claims == 0 && !row.domain.snapshot().is_shown();
        if self.row(domain).is_some_and(unused) {
            self.by_uuid.remove(&domain.uuid);
            self.by_name.remove(&*domain.name());
        }
    }
}

/// The domains of a connection.
pub struct Table<D> {
    maps: RwLock<Maps<D>>,
    last_id: AtomicU32,
}

impl<D> Default for Table<D> {
    fn default() -> Self {
        Self {
            maps: RwLock::new(Maps {
                by_uuid: HashMap::new(),
                by_name: HashMap::new(),
            }),
            last_id: AtomicU32::new(0),
        }
    }
}

impl<D: Entry> Table<D> {
    fn read(&self) -> RwLockReadGuard<'_, Maps<D>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps<D>> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next number for a running domain; never one that was used since the daemon started.
    pub fn next_id(&self) -> u32 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes sure that no later number is `id`, which a domain has that ran before the daemon.
    pub fn id_in_use(&self, id: u32) {
        self.last_id.fetch_max(id, Ordering::Relaxed);
    }

    /// Every domain, shown or not.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<D>> {
        let maps = self.read();
        let rows = maps.by_uuid.values();
        rows.map(|row| Arc::clone(&row.domain)).collect()
    }

    /// What everybody sees of every domain that is shown.
    #[must_use]
    pub fn views(&self) -> Vec<Arc<DomainView>> {
        let snapshots = self.all().into_iter().map(|domain| domain.snapshot());
        snapshots
            .filter(|snapshot| snapshot.is_shown())
            .map(|snapshot| Arc::clone(snapshot.view()))
            .collect()
    }

    /// The domain that is shown under this UUID.
    ///
    /// # Errors
    /// `NoDomain`.
    pub fn get(&self, uuid: Uuid) -> Result<Arc<D>> {
        self.read()
            .by_uuid
            .get(&uuid)
            .map(|row| &row.domain)
            .filter(|domain| domain.snapshot().is_shown())
            .cloned()
            .ok_or_else(|| Error::no_domain(uuid))
    }

    /// The domain that is shown under this UUID and has this name.
    ///
    /// # Errors
    /// `NoDomain`.
    pub fn get_named(&self, id: &DomainId) -> Result<Arc<D>> {
        let domain = self.get(id.uuid)?;
        if *domain.name() == *id.name {
            return Ok(domain);
        }
        Err(Error::no_domain(id.uuid))
    }

    /// The domain that is shown under this name.
    ///
    /// # Errors
    /// `NoDomain`.
    pub fn get_by_name(&self, name: &str) -> Result<Arc<D>> {
        let maps = self.read();
        maps.by_name
            .get(name)
            .and_then(|uuid| maps.by_uuid.get(uuid))
            .map(|row| &row.domain)
            // One that is being renamed has two names here, and is known by the one that it shows.
            .filter(|domain| domain.snapshot().is_shown() && &*domain.name() == name)
            .cloned()
            .ok_or_else(|| Error::no_domain_named(name))
    }

    /// The running domain with this number.
    ///
    /// # Errors
    /// `NoDomain`.
    pub fn get_by_id(&self, id: u32) -> Result<Arc<D>> {
        self.all()
            .into_iter()
            .find(|domain| domain.snapshot().view().id.id == Some(id))
            .ok_or_else(|| Error::no_domain_numbered(id.into()))
    }

    /// The domain with both this UUID and this name, made if there is none, and kept while the claim is held.
    ///
    /// # Errors
    /// `OperationFailed` if only one of the two fits another domain.
    pub fn claim(
        self: &Arc<Self>,
        uuid: Uuid,
        name: &str,
        make: impl FnOnce() -> D,
    ) -> Result<Claim<D>> {
        let mut maps = self.write();
        let taken = |message: String| {
            Err(Error::new(
                ErrorCode::OperationFailed,
                ErrorDomain::Dom,
                message,
            ))
        };
        if let Some(row) = maps.by_uuid.get(&uuid) {
            if &*row.domain.name() != name {
                // Whoever asks may not be meant to know which.
                return taken(format!(
                    "the uuid {uuid} belongs to another domain, not to '{name}'"
                ));
            }
        } else if maps.by_name.contains_key(name) {
            return taken(format!(
                "a domain called '{name}' is there already, with another uuid than {uuid}"
            ));
        }
        Ok(self.claim_row(&mut maps, Some(uuid), make))
    }

    /// The domain with this UUID, else with this name, else a new one, kept while the claim is held: for a guest that is there, whatever
    /// definitions say.
    pub fn claim_either(
        self: &Arc<Self>,
        uuid: Uuid,
        name: &str,
        make: impl FnOnce() -> D,
    ) -> Claim<D> {
        let mut maps = self.write();
        let has_uuid = maps.by_uuid.contains_key(&uuid);
        let found = has_uuid.then_some(uuid);
        let found = found.or_else(|| maps.by_name.get(name).copied());
        self.claim_row(&mut maps, found, make)
    }

    /// Claims the domain with this UUID, or a new one.
    fn claim_row(
        self: &Arc<Self>,
        maps: &mut Maps<D>,
        uuid: Option<Uuid>,
        make: impl FnOnce() -> D,
    ) -> Claim<D> {
        let there = uuid.filter(|uuid| maps.by_uuid.contains_key(uuid));
        let row = match there {
            Some(uuid) => maps.by_uuid.get_mut(&uuid).expect("it was there just now"),
            None => maps.insert(make()),
        };
        row.claims += 1;
        Claim {
            table: Arc::clone(self),
            domain: Arc::clone(&row.domain),
        }
    }

    /// A second name for a domain, which no other one can take while it is held. What is left of the two in the end is the one that the
    /// domain has then.
    ///
    /// # Errors
    /// `OperationInvalid` if a domain has that name, be it this one.
    pub fn reserve(self: &Arc<Self>, domain: &Arc<D>, name: &str) -> Result<Reserved<D>> {
        let mut maps = self.write();
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

    /// Removes a domain that is neither shown nor claimed.
    pub fn give_back(&self, domain: &Arc<D>) {
        self.write().give_back(domain);
    }
}

/// Keeps two names for a domain that is being renamed.
#[must_use = "the names are given back when it is dropped"]
pub struct Reserved<D: Entry> {
    table: Arc<Table<D>>,
    domain: Arc<D>,
    names: [Arc<str>; 2],
}

impl<D: Entry> Drop for Reserved<D> {
    fn drop(&mut self) {
        let mut maps = self.table.write();
        let current = self.domain.name();
        for name in self.names.iter().filter(|name| **name != current) {
            maps.by_name.remove(name);
        }
    }
}

/// Keeps a domain in the table while something is being made of it.
#[must_use = "the domain is given back when it is dropped"]
pub struct Claim<D: Entry> {
    table: Arc<Table<D>>,
    domain: Arc<D>,
}

impl<D: Entry> Claim<D> {
    /// The domain.
    #[must_use]
    pub const fn domain(&self) -> &Arc<D> {
        &self.domain
    }
}

impl<D: Entry> Drop for Claim<D> {
    fn drop(&mut self) {
        let mut maps = self.table.write();
        if let Some(row) = maps.row(&self.domain) {
            row.claims -= 1;
        }
        maps.give_back(&self.domain);
    }
}

#[cfg(test)]
mod tests;
