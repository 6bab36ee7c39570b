//! By what clients look for objects.

use std::borrow::Cow;

use crate::Uuid;
use crate::secret::SecretUsageType;

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
}
