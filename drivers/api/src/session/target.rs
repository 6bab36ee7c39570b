//! What a call is about.

use super::find::Found;
use super::{Guarded, Key};
use crate::access::{Object, ObjectClass, Permission};
use crate::object::{Id, Kind, View};
use crate::{Error, Result};

/// An object that a call is about, or the connection itself. What was found of the object is inside, and shown to a
/// [granted](super::Granted) call only.
#[derive(Debug, Clone)]
pub struct Target {
    object: Option<(Id, Known)>,
    view: Option<View>,
}

/// How an object became known; decides what is said to whoever may not know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// By what names it for ever.
    Named,
    /// By another attribute, such as its name, and the value of that.
    By(&'static str, String),
    /// It is what a definition is about, and need not be there.
    Definition,
}

impl Target {
    /// The connection itself.
    #[must_use]
    pub const fn connection() -> Self {
        Self {
            object: None,
            view: None,
        }
    }

    /// An object that a driver told of.
    #[must_use]
    pub fn named(id: Id) -> Self {
        Self::of(id, Known::Named)
    }

    pub(super) const fn of(id: Id, known: Known) -> Self {
        Self {
            object: Some((id, known)),
            view: None,
        }
    }

    /// An object that was found by a key.
    pub(super) fn found(found: Found, key: Key<'_>) -> Self {
        let (id, view) = match found {
            Found::Id(id) => (id, None),
            Found::View(view) => (view.id(), Some(view)),
        };
        let known = if key.attribute() == naming(&id).0 {
            Known::Named
        } else {
            Known::By(key.attribute(), key.value().into_owned())
        };
        Self {
            object: Some((id, known)),
            view,
        }
    }

    /// An object that is named by an attribute.
    pub(super) fn by(id: Id, attribute: &'static str, value: &str) -> Self {
        Self::of(id, Known::By(attribute, value.to_owned()))
    }

    pub(super) fn without_view(&self) -> Self {
        Self {
            object: self.object.clone(),
            view: None,
        }
    }

    /// What names the object.
    ///
    /// # Errors
    /// `InternalError` for a connection, of which an object's method was called: a mistake of an interface's table.
    pub fn id(&self) -> Result<&Id> {
        self.id_if_any()
            .ok_or_else(|| Error::internal("an object's method was called on a connection"))
    }

    pub(super) const fn id_if_any(&self) -> Option<&Id> {
        match &self.object {
            Some((id, _)) => Some(id),
            None => None,
        }
    }

    /// What was found of the object.
    pub(super) fn view(&self) -> Result<&View> {
        self.view
            .as_ref()
            .ok_or_else(|| Error::internal("nothing was found of what the call is about"))
    }

    /// What is said to a caller who may not know of the object; nothing of a connection or of what may not be there.
    #[must_use]
    pub fn not_found(&self) -> Option<Error> {
        let (id, known) = self.object.as_ref()?;
        match known {
            Known::Named => {
                let (attribute, value) = naming(id);
                Some(Error::not_found(id.kind(), attribute, value))
            }
            Known::By(attribute, value) => Some(Error::not_found(id.kind(), attribute, value)),
            Known::Definition => None,
        }
    }

    /// The class of permissions about it.
    #[must_use]
    pub fn class(&self) -> ObjectClass {
        self.id_if_any()
            .map_or(ObjectClass::Connect, |id| id.kind().class())
    }

    /// The permission to know of the object.
    pub(super) fn getattr(&self) -> Permission {
        match self.id_if_any() {
            Some(id) => id.kind().getattr(),
            None => Permission::ConnectGetattr,
        }
    }
}

/// The attribute that names an object for ever, and its value.
fn naming(id: &Id) -> (&'static str, String) {
    match id {
        Id::Domain(id) => ("uuid", id.uuid.to_string()),
        Id::DomainSnapshot(id) => ("name", id.name.to_string()),
        Id::DomainCheckpoint(id) => ("name", id.name.to_string()),
        Id::Interface(id) => ("MAC address", id.mac.to_string()),
        Id::Network(id) => ("uuid", id.uuid.to_string()),
        Id::NetworkPort(id) => ("uuid", id.uuid.to_string()),
        Id::NodeDevice(id) => ("name", id.name.to_string()),
        Id::Nwfilter(id) => ("uuid", id.uuid.to_string()),
        Id::NwfilterBinding(id) => ("port device", id.port_dev.to_string()),
        Id::Secret(id) => ("uuid", id.uuid.to_string()),
        Id::StoragePool(id) => ("uuid", id.uuid.to_string()),
        Id::StorageVol(id) => ("key", id.key.to_string()),
    }
}

/// A target as rules of the administrator see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) driver: &'a Guarded,
    pub(super) target: &'a Target,
}

impl Object for About<'_> {
    fn class(&self) -> ObjectClass {
        self.target.class()
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let driver = self.driver.driver();
        let mut details = vec![("connect_driver", driver.to_owned())];
        if let Some(id) = self.target.id_if_any() {
            details.extend(id.attributes());
        }
        details
    }
}

/// An object that is not there, to ask about. It has no attribute that a rule could know.
pub(super) struct Absent<'a> {
    pub(super) driver: &'a str,
    pub(super) kind: Kind,
    pub(super) sought: &'a str,
}

impl Object for Absent<'_> {
    fn class(&self) -> ObjectClass {
        self.kind.class()
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("connect_driver", self.driver.to_owned()),
            ("sought", self.sought.to_owned()),
        ]
    }
}
