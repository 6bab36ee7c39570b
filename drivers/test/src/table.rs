//! Objects by UUID and by name.

use std::collections::HashMap;
use std::sync::Arc;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};

/// What the table needs of an object.
pub(crate) trait Named {
    /// What such an object is called in errors.
    const NOUN: &'static str;
    fn uuid(&self) -> Uuid;
    fn name(&self) -> &Arc<str>;
}

/// Objects of one kind. UUIDs and names are unique.
#[derive(Debug)]
pub(crate) struct Table<T> {
    /// Out of line, so that the places that a table keeps free are small.
    objects: HashMap<Uuid, Box<T>>,
    names: HashMap<Arc<str>, Uuid>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            objects: HashMap::new(),
            names: HashMap::new(),
        }
    }
}

impl<T: Named> Table<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.objects.values().map(|object| &**object)
    }

    pub(crate) fn get(&self, uuid: Uuid) -> Option<&T> {
        self.objects.get(&uuid).map(|object| &**object)
    }

    /// The object with this UUID, as long as it has this name: who may do something to one object may not do it to another that was
    /// given its UUID since.
    pub(crate) fn get_as(&self, uuid: Uuid, name: &str) -> Option<&T> {
        self.get(uuid).filter(|object| **object.name() == *name)
    }

    pub(crate) fn get_mut(&mut self, uuid: Uuid) -> Option<&mut T> {
        self.objects.get_mut(&uuid).map(|object| &mut **object)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&T> {
        self.get(*self.names.get(name)?)
    }

    pub(crate) fn insert(&mut self, object: T) {
        self.names.insert(Arc::clone(object.name()), object.uuid());
        self.objects.insert(object.uuid(), Box::new(object));
    }

    pub(crate) fn remove(&mut self, uuid: Uuid) -> Option<T> {
        let object = self.objects.remove(&uuid)?;
        self.names.remove(object.name());
        Some(*object)
    }

    /// Whether an object with this UUID and name may be there: `true` if it is already.
    ///
    /// # Errors
    /// `OperationFailed` if another object has the UUID or the name.
    pub(crate) fn claim(&self, uuid: Uuid, name: &str) -> Result<bool> {
        let taken = |what: String| {
            Err(Error::new(
                ErrorCode::OperationFailed,
                ErrorDomain::Test,
                what,
            ))
        };
        if let Some(there) = self.get(uuid) {
            return if **there.name() == *name {
                Ok(true)
            } else {
                // Whoever asks may not be meant to know which.
                taken(format!("another {} has the uuid {uuid} already", T::NOUN))
            };
        }
        match self.named(name) {
            Some(_) => taken(format!(
                "{} '{name}' is there already, with another uuid than {uuid}",
                T::NOUN
            )),
            None => Ok(false),
        }
    }
}
