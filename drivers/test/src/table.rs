//! Objects by UUID and by name.

use std::collections::HashMap;
use std::sync::Arc;

use virtbus_api::object::IdRef;
use virtbus_api::{Error, Result, Uuid, naming};

/// What the table needs of an object.
pub(crate) trait Named {
    /// What such an object is called in errors.
    const NOUN: &'static str;
    fn uuid(&self) -> Uuid;
    fn name(&self) -> &Arc<str>;
    /// What names it everywhere.
    fn id(&self) -> IdRef<'_>;
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

    /// Adds an object that must be new.
    ///
    /// # Errors
    /// Those of [`naming::claim`], and `InvalidArg` if it is there.
    pub(crate) fn add(&mut self, object: T) -> Result<()> {
        if self.claim(object.id(), object.uuid(), object.name())? {
            return Err(Error::invalid_argument(format!(
                "{} '{}' is defined twice",
                T::NOUN,
                object.name()
            )));
        }
        self.insert(object);
        Ok(())
    }

    pub(crate) fn remove(&mut self, uuid: Uuid) -> Option<T> {
        let object = self.objects.remove(&uuid)?;
        self.names.remove(object.name());
        Some(*object)
    }

    /// Whether an object with these names may be there: `true` if it is already.
    ///
    /// # Errors
    /// Those of [`naming::claim`].
    pub(crate) fn claim(&self, new: IdRef<'_>, uuid: Uuid, name: &str) -> Result<bool> {
        let sharing = [self.get(uuid), self.named(name)];
        naming::claim(new, sharing.into_iter().flatten().map(T::id))
    }
}
