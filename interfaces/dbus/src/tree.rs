//! The object tree: how paths name objects, and which interfaces an object has.
//!
//! Nothing is registered here. A path is taken apart when a message comes, and what it names is looked up in its driver; so
//! ten thousand domains cost the bus side nothing. Paths are libvirt-dbus's.

use std::sync::Arc;

use virtbus_api::access::{Guarded, Object, ObjectClass, Permission};
use virtbus_api::domain::{DomainId, DomainObject, DomainView};
use virtbus_api::{Connection, Error, Result, Uuid};

use crate::declare::Interface;
use crate::interfaces::connect::{CONNECT, ConnectView};
use crate::interfaces::domain::DOMAIN;

/// Where the connections hang.
pub const ROOT: &str = "/org/libvirt";

/// A connection as served on the bus.
#[derive(Clone)]
pub(crate) struct Node {
    /// The driver's short name, the last element of the connection's path.
    pub(crate) name: &'static str,
    /// Its object path.
    pub(crate) path: String,
    /// The connection, behind the guard.
    pub(crate) connection: Guarded<dyn Connection>,
}

/// A kind of object below a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Domain,
}

impl Kind {
    /// Every kind, in the order of libvirt-dbus's documentation.
    pub(crate) const ALL: &[Self] = &[Self::Domain];

    /// The element of the path below the connection.
    pub(crate) const fn segment(self) -> &'static str {
        match self {
            Self::Domain => "domain",
        }
    }

    /// The interface that its objects have.
    pub(crate) fn interface(self) -> &'static Interface {
        match self {
            Self::Domain => &DOMAIN,
        }
    }
}

/// What a path names, before anybody looked whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// `/` or `/org`: only on the way to somewhere.
    Above {
        /// The one child.
        child: &'static str,
    },
    /// [`ROOT`].
    Root,
    /// A connection, by its short name.
    Connection(&'a str),
    /// The folder of one kind of objects.
    Folder(&'a str, Kind),
    /// An object, by the last element of its path.
    Object(&'a str, Kind, &'a str),
}

impl<'a> Place<'a> {
    /// Takes a path apart; `None` if nothing can be there.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        match path {
            "/" => return Some(Self::Above { child: "org" }),
            "/org" => return Some(Self::Above { child: "libvirt" }),
            ROOT => return Some(Self::Root),
            _ => {}
        }
        let mut elements = path.strip_prefix(ROOT)?.strip_prefix('/')?.splitn(3, '/');
        let connection = elements.next()?;
        let Some(segment) = elements.next() else {
            return Some(Self::Connection(connection));
        };
        let kind = Kind::ALL
            .iter()
            .copied()
            .find(|kind| kind.segment() == segment)?;
        match elements.next() {
            None => Some(Self::Folder(connection, kind)),
            Some(name) if !name.contains('/') => Some(Self::Object(connection, kind, name)),
            Some(_) => None,
        }
    }
}

/// How an object was looked for; decides what is said if it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// By its UUID or path.
    Uuid,
    /// By its name.
    Name,
    /// By the number of its run.
    Number,
    /// It is what a definition is about, and need not be there.
    Definition,
}

/// An object that a call is about, found in its driver.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The connection itself.
    Connect { driver: &'static str },
    /// A domain.
    Domain {
        driver: &'static str,
        id: DomainId,
        sought: Sought,
    },
}

impl Target {
    /// A domain that was found by its path.
    pub(crate) fn of_view(driver: &'static str, view: &DomainView) -> Self {
        Self::Domain {
            driver,
            id: view.id.clone(),
            sought: Sought::Uuid,
        }
    }

    /// The domain; calling this on another kind is a mistake of an interface table.
    pub(crate) fn domain(&self) -> Result<&DomainId> {
        match self {
            Self::Domain { id, .. } => Ok(id),
            Self::Connect { .. } => Err(Error::internal(
                "a domain's method was called on a connection",
            )),
        }
    }

    /// What is said to a caller who may not know of the object.
    pub(crate) fn not_found(&self) -> Option<Error> {
        match self {
            Self::Domain { id, sought, .. } => match sought {
                Sought::Uuid => Some(Error::no_domain(id.uuid)),
                Sought::Name => Some(Error::no_domain_named(&id.name)),
                Sought::Number => Some(Error::no_domain_numbered(id.id.map_or(-1, i64::from))),
                Sought::Definition => None,
            },
            Self::Connect { .. } => None,
        }
    }

    /// The permission to know of the object.
    pub(crate) const fn getattr(&self) -> Permission {
        match self {
            Self::Connect { .. } => Permission::ConnectGetattr,
            Self::Domain { .. } => Permission::DomainGetattr,
        }
    }
}

impl Object for Target {
    fn class(&self) -> ObjectClass {
        match self {
            Self::Connect { .. } => ObjectClass::Connect,
            Self::Domain { .. } => ObjectClass::Domain,
        }
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Connect { driver } => vec![("connect_driver", (*driver).to_owned())],
            Self::Domain { driver, id, .. } => DomainObject {
                driver,
                id: id.clone(),
            }
            .details(),
        }
    }
}

/// What is known of an object, for its properties.
pub(crate) enum View {
    Connect(ConnectView),
    Domain(Arc<DomainView>),
}

/// The view of one kind of object in [`View`].
pub(crate) trait OfView {
    /// Takes it out; another kind is a mistake of an interface table.
    fn of(view: &View) -> Result<&Self>;
}

impl OfView for ConnectView {
    fn of(view: &View) -> Result<&Self> {
        match view {
            View::Connect(view) => Ok(view),
            View::Domain(_) => Err(Error::internal(
                "a connection's property was read from a domain",
            )),
        }
    }
}

impl OfView for DomainView {
    fn of(view: &View) -> Result<&Self> {
        match view {
            View::Domain(view) => Ok(view),
            View::Connect(_) => Err(Error::internal(
                "a domain's property was read from a connection",
            )),
        }
    }
}

/// The interface of a connection object.
pub(crate) fn connect_interface() -> &'static Interface {
    &CONNECT
}

/// The last element of a domain's path: `_` and the UUID with `_` in place of `-`.
pub(crate) fn uuid_element(uuid: Uuid) -> String {
    let mut element = String::with_capacity(37);
    element.push('_');
    element.push_str(&uuid.to_string().replace('-', "_"));
    element
}

/// The UUID that a path's last element names, if it is spelt as [`uuid_element`] would.
pub(crate) fn element_uuid(element: &str) -> Option<Uuid> {
    let text = element.strip_prefix('_')?;
    if text.len() != 36 || text.contains('-') {
        return None;
    }
    let uuid = Uuid::try_parse(&text.replace('_', "-")).ok()?;
    (uuid_element(uuid) == element).then_some(uuid)
}

impl Node {
    /// The path of one of the connection's objects.
    pub(crate) fn object_path(&self, kind: Kind, element: &str) -> String {
        format!("{}/{}/{element}", self.path, kind.segment())
    }

    /// The path of a domain.
    pub(crate) fn domain_path(&self, uuid: Uuid) -> String {
        self.object_path(Kind::Domain, &uuid_element(uuid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_libvirt_dbus_s() {
        let uuid = Uuid::try_parse("8c5a0c1e-1b1f-4a47-9d2b-2f4a3a6f0d11").unwrap();
        let element = uuid_element(uuid);
        assert_eq!(element, "_8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11");
        assert_eq!(element_uuid(&element), Some(uuid));
        for wrong in [
            "",
            "_",
            "8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11",
            "_8C5A0C1E_1b1f_4a47_9d2b_2f4a3a6f0d11",
            "__c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11",
        ] {
            assert_eq!(element_uuid(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn places() {
        assert_eq!(Place::of("/org/libvirt"), Some(Place::Root));
        assert_eq!(
            Place::of("/org/libvirt/QEMU"),
            Some(Place::Connection("QEMU"))
        );
        assert_eq!(
            Place::of("/org/libvirt/QEMU/domain"),
            Some(Place::Folder("QEMU", Kind::Domain))
        );
        assert_eq!(
            Place::of("/org/libvirt/QEMU/domain/_a"),
            Some(Place::Object("QEMU", Kind::Domain, "_a"))
        );
        assert_eq!(Place::of("/org/libvirt/QEMU/domain/_a/b"), None);
        assert_eq!(Place::of("/org/libvirt/QEMU/nothing"), None);
        assert_eq!(Place::of("/org/libvirtx"), None);
        assert_eq!(Place::of("/com"), None);
    }
}
