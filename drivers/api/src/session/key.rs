//! By what clients look for objects.

use std::borrow::Cow;

use crate::object::Kind;
use crate::secret::SecretUsageType;
use crate::{Error, Result, Uuid, naming};

/// By what an object is looked for. Which keys a kind of objects has is libvirt's API: its calls `…LookupBy…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// By UUID: domains, networks and their ports, filters, secrets, pools.
    Uuid(Uuid),
    /// By name: of a snapshot, checkpoint or volume, in the domain or pool that the call is sent to.
    Name(&'a str),
    /// By number: running domains.
    Number(u32),
    /// A snapshot or checkpoint by its domain's UUID and its name.
    Moment(Uuid, &'a str),
    /// By Ethernet address: interfaces of the host.
    Mac(&'a str),
    /// By world-wide node name and port name: SCSI host adapters.
    Wwn(&'a str, &'a str),
    /// By what it is used for: secrets.
    Usage(SecretUsageType, &'a str),
    /// By the path of its target: pools.
    TargetPath(&'a str),
    /// By the key that is unique on the host: volumes.
    Key(&'a str),
    /// By path: volumes.
    Path(&'a str),
    /// By the device that a port is: bindings of filters.
    PortDevice(&'a str),
}

impl<'a> Key<'a> {
    /// What it is called when nothing is found.
    pub(super) const fn attribute(self) -> &'static str {
        match self {
            Self::Uuid(_) => "uuid",
            Self::Name(_) | Self::Moment(..) => "name",
            Self::Number(_) => "id",
            Self::Mac(_) => "MAC address",
            Self::Wwn(..) => "WWNN and WWPN",
            Self::Usage(..) => "usage",
            Self::TargetPath(_) => "target path",
            Self::Key(_) => "key",
            Self::Path(_) => "path",
            Self::PortDevice(_) => "port device",
        }
    }

    /// What was looked for.
    pub(super) fn value(self) -> Cow<'a, str> {
        match self {
            Self::Uuid(uuid) => uuid.to_string().into(),
            Self::Number(number) => number.to_string().into(),
            Self::Wwn(node, port) => format!("{node}, {port}").into(),
            Self::Name(text)
            | Self::Moment(_, text)
            | Self::Mac(text)
            | Self::Usage(_, text)
            | Self::TargetPath(text)
            | Self::Key(text)
            | Self::Path(text)
            | Self::PortDevice(text) => text.into(),
        }
    }

    /// Refuses a key that no object can have, so that nothing is kept of it: whoever looks for something may say anything.
    ///
    /// # Errors
    /// That there is no such object. The text has the beginning of the key.
    pub(super) fn check(self, kind: Kind) -> Result<()> {
        if matches!(self, Self::Uuid(_) | Self::Number(_)) {
            return Ok(());
        }
        let value = self.value();
        // One name, or two.
        if value.len() <= naming::LONGEST * 2 {
            return Ok(());
        }
        let end = value.floor_char_boundary(SHOWN);
        let shown = format!("{}...", &value[..end]);
        Err(Error::not_found(kind, self.attribute(), shown))
    }
}

/// So many bytes are shown of what is too long.
const SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_nothing_can_have_is_refused_and_not_repeated() {
        assert!(
            Key::Name(&"x".repeat(naming::LONGEST))
                .check(Kind::Domain)
                .is_ok()
        );
        let long = "\u{e9}".repeat(1 << 20);
        let text: &str = &long;
        for (kind, key) in [
            (Kind::Domain, Key::Name(text)),
            (Kind::DomainSnapshot, Key::Moment(Uuid::nil(), text)),
            (Kind::NodeDevice, Key::Wwn("a", text)),
            (Kind::Secret, Key::Usage(SecretUsageType::Iscsi, text)),
            (Kind::StorageVol, Key::Path(text)),
        ] {
            let error = key.check(kind).unwrap_err();
            assert_eq!(error.code, kind.absence().0);
            assert!(error.message.contains("not found"), "{}", error.message);
            assert!(error.message.len() < 256, "{} bytes", error.message.len());
        }
    }
}
