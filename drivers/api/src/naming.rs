//! What must hold of the names of an object before it may exist, for every kind and driver: it can be named, and no other object of its
//! kind has one of its names.
//!
//! Drivers ask [`claim`] before they add an object. Interfaces ask [`IdRef::can_be_named`] besides, so that an object which some driver
//! yields nevertheless is left out, and not put into a message that the bus does not take.

use crate::object::IdRef;
use crate::{Error, ErrorCode, Result, Uuid};

/// Bytes of the longest name. Files of the host have names as long as that.
pub(crate) const LONGEST: usize = 4096;

/// One of the names of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name<'a> {
    Uuid(Uuid),
    /// What it is called, and whether an empty one stands for none.
    Text(&'static str, &'a str, Absent),
}

/// Whether a name may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    Never,
    Allowed,
}

impl<'a> IdRef<'a> {
    /// All its names, each unique among the objects of its kind with the same [parent](Self::parent).
    fn names(self) -> Vec<Name<'a>> {
        let text = |attribute, value| Name::Text(attribute, value, Absent::Never);
        match self {
            Self::Domain(id) => vec![Name::Uuid(id.uuid), text("name", &id.name)],
            Self::DomainSnapshot(id) => vec![text("name", &id.name)],
            Self::DomainCheckpoint(id) => vec![text("name", &id.name)],
            Self::Interface(id) => vec![text("name", &id.name), text("MAC address", &id.mac)],
            Self::Network(id) => vec![Name::Uuid(id.uuid), text("name", &id.name)],
            Self::NetworkPort(id) => vec![Name::Uuid(id.uuid)],
            Self::NodeDevice(id) => vec![text("name", &id.name)],
            Self::Nwfilter(id) => vec![Name::Uuid(id.uuid), text("name", &id.name)],
            Self::NwfilterBinding(id) => vec![text("port device", &id.port_dev)],
            Self::Secret(id) => vec![
                Name::Uuid(id.uuid),
                Name::Text("usage", &id.usage_id, Absent::Allowed),
            ],
            Self::StoragePool(id) => vec![Name::Uuid(id.uuid), text("name", &id.name)],
            Self::StorageVol(id) => vec![text("key", &id.key), text("name", &id.name)],
        }
    }

    /// The object that it hangs on, which makes its name another than the same name elsewhere.
    const fn parent(self) -> Option<Uuid> {
        match self {
            Self::DomainSnapshot(id) => Some(id.domain.uuid),
            Self::DomainCheckpoint(id) => Some(id.domain.uuid),
            Self::Domain(_)
            | Self::Interface(_)
            | Self::Network(_)
            | Self::NetworkPort(_)
            | Self::NodeDevice(_)
            | Self::Nwfilter(_)
            | Self::NwfilterBinding(_)
            | Self::Secret(_)
            | Self::StoragePool(_)
            | Self::StorageVol(_) => None,
        }
    }

    /// Whether it is another form of the same object: a definition of what is there already.
    fn is_same(self, other: Self) -> bool {
        match (self, other) {
            // Its address may change.
            (Self::Interface(new), Self::Interface(there)) => new.name == there.name,
            (Self::StorageVol(new), Self::StorageVol(there)) => {
                new.pool.uuid == there.pool.uuid && new.name == there.name
            }
            (Self::Secret(new), Self::Secret(there)) => new.uuid == there.uuid,
            _ => {
                self.kind() == other.kind()
                    && self.parent() == other.parent()
                    && self.names() == other.names()
            }
        }
    }

    /// Whether `other`, which is another object, has this name too.
    fn shares(self, name: Name<'_>, other: Self) -> bool {
        if self.kind() != other.kind() || self.parent() != other.parent() {
            return false;
        }
        match (self, other, name) {
            (.., Name::Text(_, "", Absent::Allowed)) => false,
            // Names of volumes are their pool's.
            (Self::StorageVol(new), Self::StorageVol(there), Name::Text("name", ..)) => {
                new.pool.uuid == there.pool.uuid && new.name == there.name
            }
            (Self::Secret(new), Self::Secret(there), Name::Text(..)) => {
                new.usage_type == there.usage_type && new.usage_id == there.usage_id
            }
            _ => other.names().contains(&name),
        }
    }

    /// Whether it has every name that an object of its kind needs, and the bus can carry them.
    #[must_use]
    pub fn can_be_named(self) -> bool {
        self.wrong_name().is_none()
    }

    /// The first name that cannot be one, and what is wrong with it.
    fn wrong_name(self) -> Option<(&'static str, &'static str)> {
        self.names().into_iter().find_map(|name| match name {
            Name::Uuid(_) | Name::Text(_, "", Absent::Allowed) => None,
            Name::Text(attribute, "", Absent::Never) => Some((attribute, "is empty")),
            Name::Text(attribute, text, _) if text.contains('\0') => {
                Some((attribute, "has a zero byte"))
            }
            Name::Text(attribute, text, _) if text.len() > LONGEST => {
                Some((attribute, "is longer than 4096 bytes"))
            }
            Name::Text(..) => None,
        })
    }
}

/// Whether an object called `new` may be there beside `there`, which has at least those that share one of its names: `true` if it is there
/// already.
///
/// # Errors
/// `InvalidArg` for a name that nothing can have; `StorageVolExist` or `OperationFailed` if another object has one of its names.
pub fn claim<'a>(new: IdRef<'_>, there: impl IntoIterator<Item = IdRef<'a>>) -> Result<bool> {
    let (_, origin, noun) = new.kind().absence();
    if let Some((attribute, wrong)) = new.wrong_name() {
        return Err(Error::new(
            ErrorCode::InvalidArg,
            origin,
            format!("the {attribute} of the {} {wrong}", noun.to_lowercase()),
        ));
    }
    let mut is_there = false;
    for other in there {
        if new.is_same(other) {
            is_there = true;
            continue;
        }
        let shared = new
            .names()
            .into_iter()
            .find(|name| new.shares(*name, other));
        // Whoever asks may not be meant to know which other it is.
        let taken = match shared {
            None => continue,
            Some(Name::Uuid(uuid)) => format!("the uuid {uuid}"),
            Some(Name::Text(attribute, text, _)) => format!("the {attribute} '{text}'"),
        };
        let code = match new {
            IdRef::StorageVol(_) => ErrorCode::StorageVolExist,
            _ => ErrorCode::OperationFailed,
        };
        let noun = noun.to_lowercase();
        return Err(Error::new(
            code,
            origin,
            format!("another {noun} has {taken} already"),
        ));
    }
    Ok(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::InterfaceId;
    use crate::network::NetworkId;
    use crate::secret::{SecretId, SecretUsageType};
    use crate::storage::{StoragePoolId, StorageVolId};

    fn interface(name: &str, mac: &str) -> InterfaceId {
        InterfaceId {
            name: name.into(),
            mac: mac.into(),
        }
    }

    fn code(claimed: Result<bool>) -> ErrorCode {
        claimed.unwrap_err().code
    }

    #[test]
    fn what_cannot_be_named_is_refused() {
        for (name, mac) in [
            ("", "a"),
            ("br0", ""),
            ("a\0b", "a"),
            (&"x".repeat(5000), "a"),
        ] {
            let id = interface(name, mac);
            let id = IdRef::Interface(&id);
            assert!(!id.can_be_named());
            assert_eq!(code(claim(id, [])), ErrorCode::InvalidArg);
        }
        let nothing = SecretId {
            uuid: Uuid::nil(),
            usage_type: SecretUsageType::None,
            usage_id: "".into(),
        };
        assert!(IdRef::Secret(&nothing).can_be_named());
        let other = SecretId {
            uuid: Uuid::max(),
            ..nothing.clone()
        };
        assert!(!claim(IdRef::Secret(&nothing), [IdRef::Secret(&other)]).unwrap());
    }

    #[test]
    fn no_two_objects_share_a_name() {
        let (one, two) = (interface("a", "1"), interface("b", "2"));
        let there = [IdRef::Interface(&one), IdRef::Interface(&two)];
        let new = |name, mac| claim(IdRef::Interface(&interface(name, mac)), there);
        assert!(!new("c", "3").unwrap());
        assert!(new("a", "3").unwrap(), "its address changes");
        assert_eq!(code(new("a", "2")), ErrorCode::OperationFailed);
        assert_eq!(code(new("c", "2")), ErrorCode::OperationFailed);

        let network = |uuid, name: &str| NetworkId {
            uuid,
            name: name.into(),
        };
        let there = network(Uuid::nil(), "a");
        let new = |id: NetworkId| claim(IdRef::Network(&id), [IdRef::Network(&there)]);
        assert!(new(network(Uuid::nil(), "a")).unwrap());
        assert!(!new(network(Uuid::max(), "b")).unwrap());
        assert_eq!(
            code(new(network(Uuid::max(), "a"))),
            ErrorCode::OperationFailed
        );
        assert_eq!(
            code(new(network(Uuid::nil(), "b"))),
            ErrorCode::OperationFailed
        );
    }

    #[test]
    fn volumes_share_names_between_pools_but_no_keys() {
        let volume = |uuid, name: &str, key: &str| StorageVolId {
            pool: StoragePoolId {
                uuid,
                name: "pool".into(),
            },
            name: name.into(),
            key: key.into(),
        };
        let there = volume(Uuid::nil(), "a", "/a");
        let new = |id: StorageVolId| claim(IdRef::StorageVol(&id), [IdRef::StorageVol(&there)]);
        assert!(!new(volume(Uuid::max(), "a", "/b/a")).unwrap());
        assert!(new(volume(Uuid::nil(), "a", "/a")).unwrap());
        let clone = volume(Uuid::nil(), "b", "/a");
        assert_eq!(code(new(clone)), ErrorCode::StorageVolExist);
    }
}
