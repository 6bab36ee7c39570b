//! What clients of libvirt-dbus rely on although the D-Bus specification would have it otherwise.
//!
//! One rule decides: a call addressed to `org.libvirt` is answered as libvirt-dbus 1.4.1 would, a call addressed to
//! `org.virtbus` or to the unique name as the specification asks. Each quirk has its reason here, and nowhere else is a
//! dialect looked at.

use zbus::message::Header;

use crate::BUS_NAME;
use crate::value::Wrapping;

/// How a caller wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// As libvirt-dbus does.
    LibvirtDbus,
    /// As the specification asks.
    Plain,
}

impl Dialect {
    /// The dialect of a call.
    pub(crate) fn of(header: &Header<'_>) -> Self {
        match header.destination() {
            Some(name) if name.as_str() == BUS_NAME => Self::LibvirtDbus,
            _ => Self::Plain,
        }
    }

    /// `Properties.GetAll`, `GetStats` and `GetAllDomainStats`: libvirt-dbus puts each value into one variant too many, and
    /// the web console unwraps twice.
    pub(crate) const fn wrapping(self) -> Wrapping {
        match self {
            Self::LibvirtDbus => Wrapping::Twice,
            Self::Plain => Wrapping::Once,
        }
    }
}

/// `Domain.Id` of a domain that is off: libvirt-dbus shows libvirt's −1 as 0, since the property is unsigned.
pub(crate) fn domain_id_property(id: Option<u32>) -> u32 {
    id.unwrap_or(0)
}

/// Optional string arguments: the bus has no NULL, so empty stands for it.
pub(crate) fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
