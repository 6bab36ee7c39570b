//! How the arguments of a call become the key that the session looks for an object by. A member names one of these in its row.

use virtbus_api::secret::SecretUsageType;
use virtbus_api::session::Key;
use virtbus_api::{Error, Result, Uuid};

use crate::numbers::{Amount, One};

pub(crate) fn uuid(text: &str) -> Result<Key<'_>> {
    let uuid = Uuid::try_parse(text);
    uuid.map(Key::Uuid)
        .map_err(|_| Error::invalid_argument(format!("'{text}' is not a UUID")))
}

pub(crate) fn name(name: &str) -> Result<Key<'_>> {
    Ok(Key::Name(name))
}

pub(crate) fn number(Amount(id): &Amount<i32>) -> Result<Key<'_>> {
    let number = u32::try_from(*id);
    number
        .map(Key::Number)
        .map_err(|_| Error::no_domain_numbered((*id).into()))
}

pub(crate) fn mac(mac: &str) -> Result<Key<'_>> {
    Ok(Key::Mac(mac))
}

pub(crate) fn wwn<'a>(node: &'a str, port: &'a str) -> Result<Key<'a>> {
    Ok(Key::Wwn(node, port))
}

pub(crate) fn usage<'a>(kind: &One<SecretUsageType>, id: &'a str) -> Result<Key<'a>> {
    Ok(Key::Usage(kind.value()?, id))
}

pub(crate) fn target_path(path: &str) -> Result<Key<'_>> {
    Ok(Key::TargetPath(path))
}

pub(crate) fn key(key: &str) -> Result<Key<'_>> {
    Ok(Key::Key(key))
}

pub(crate) fn path(path: &str) -> Result<Key<'_>> {
    Ok(Key::Path(path))
}

pub(crate) fn port_device(device: &str) -> Result<Key<'_>> {
    Ok(Key::PortDevice(device))
}
