//! What clients of libvirt-dbus rely on although the D-Bus specification would have it otherwise.
//!
//! One rule decides: a call addressed to `org.libvirt` is answered as libvirt-dbus 1.4.1 would, a call addressed to
//! `org.virtbus` or to the unique name as the specification asks. Each quirk has its reason here, and nowhere else is a
//! dialect looked at.

use std::borrow::Cow;

use virtbus_api::{Error, ErrorCode};
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

    /// `Properties.GetAll`, `GetAllDomainStats`, `NodeGetMemoryParameters`, and of domains `GetStats`, `GetJobStats`, `GetGuestVcpus`,
    /// `GetPerfEvents` and all `Get…Parameters` and `GetBlockIOTune`: libvirt-dbus puts each value into one variant too many, and its
    /// clients unwrap twice.
    pub(crate) const fn wrapping(self) -> Wrapping {
        match self {
            Self::LibvirtDbus => Wrapping::Twice,
            Self::Plain => Wrapping::Once,
        }
    }
}

/// The parameters of the signals `Tunable` and `JobCompleted`, which libvirt-dbus wraps like its answers. A signal goes to everybody, by
/// whatever name they know the daemon.
pub(crate) const SIGNALLED: Wrapping = Wrapping::Twice;

/// What the text of an error begins with for clients of libvirt-dbus, who know failures apart by these words, as all errors there have the
/// same name. Texts of codes that are not here stand for themselves.
const CATEGORIES: &[(ErrorCode, &str)] = &[
    (ErrorCode::InternalError, "internal error"),
    (ErrorCode::NoMemory, "out of memory"),
    (
        ErrorCode::NoSupport,
        "this function is not supported by the connection driver",
    ),
    (ErrorCode::NoConnect, "no connection driver available"),
    (ErrorCode::InvalidArg, "invalid argument"),
    (ErrorCode::OperationFailed, "operation failed"),
    (ErrorCode::XmlError, "XML error"),
    (ErrorCode::DomExist, "domain already exists"),
    (ErrorCode::NoDomain, "Domain not found"),
    (ErrorCode::NoNetwork, "Network not found"),
    (ErrorCode::InvalidMac, "invalid MAC address"),
    (ErrorCode::AuthFailed, "authentication failed"),
    (ErrorCode::NoStoragePool, "Storage pool not found"),
    (ErrorCode::NoStorageVol, "Storage volume not found"),
    (ErrorCode::NoNodeDevice, "Node device not found"),
    (
        ErrorCode::OperationInvalid,
        "Requested operation is not valid",
    ),
    (ErrorCode::NoInterface, "Interface not found"),
    (
        ErrorCode::MultipleInterfaces,
        "multiple matching interfaces found",
    ),
    (ErrorCode::NoNwfilter, "Network filter not found"),
    (ErrorCode::InvalidSecret, "Invalid secret"),
    (ErrorCode::NoSecret, "Secret not found"),
    (ErrorCode::ConfigUnsupported, "unsupported configuration"),
    (ErrorCode::OperationTimeout, "Timed out during operation"),
    (ErrorCode::NoDomainSnapshot, "Domain snapshot not found"),
    (ErrorCode::ArgumentUnsupported, "argument unsupported"),
    (ErrorCode::SnapshotRevertRisky, "revert requires force"),
    (ErrorCode::OperationAborted, "operation aborted"),
    (ErrorCode::NoDomainMetadata, "metadata not found"),
    (ErrorCode::NoNetworkMetadata, "metadata not found"),
    (ErrorCode::MigrateUnsafe, "Unsafe migration"),
    (ErrorCode::Overflow, "numerical overflow"),
    (ErrorCode::BlockCopyActive, "block copy still active"),
    (ErrorCode::OperationUnsupported, "Operation not supported"),
    (
        ErrorCode::AgentUnresponsive,
        "Guest agent is not responding",
    ),
    (ErrorCode::ResourceBusy, "resource busy"),
    (ErrorCode::StorageVolExist, "storage volume already exists"),
    (
        ErrorCode::CpuIncompatible,
        "the CPU is incompatible with host CPU",
    ),
    (
        ErrorCode::XmlInvalidSchema,
        "XML document failed to validate against schema",
    ),
    (ErrorCode::DeviceMissing, "device not found"),
    (
        ErrorCode::NoNwfilterBinding,
        "Network filter binding not found",
    ),
    (ErrorCode::NoDomainCheckpoint, "Domain checkpoint not found"),
    (ErrorCode::NoDomainBackup, "Domain backup job id not found"),
    (ErrorCode::NoNetworkPort, "network port not found"),
    (ErrorCode::NoHostname, "no hostname found"),
    (ErrorCode::CheckpointInconsistent, "checkpoint inconsistent"),
    (
        ErrorCode::AgentCommandTimeout,
        "guest agent command timed out",
    ),
    (ErrorCode::AgentCommandFailed, "guest agent command failed"),
];

/// The text of an error in a dialect.
pub(crate) fn error_text(error: &Error, dialect: Dialect) -> Cow<'_, str> {
    let text = &error.message;
    let category = CATEGORIES.iter().find(|(code, _)| *code == error.code);
    match (dialect, category) {
        (Dialect::LibvirtDbus, Some((_, category))) => {
            let begins = text.get(..category.len());
            // Texts about what is not there begin so for everybody.
            if begins.is_some_and(|begins| begins.eq_ignore_ascii_case(category)) {
                Cow::Borrowed(text)
            } else {
                Cow::Owned(format!("{category}: {text}"))
            }
        }
        (Dialect::LibvirtDbus | Dialect::Plain, _) => Cow::Borrowed(text),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_begin_with_their_category_once_and_for_libvirt_dbus_only() {
        let error = Error::operation_invalid("domain 'web' is not running");
        assert_eq!(
            error_text(&error, Dialect::LibvirtDbus),
            "Requested operation is not valid: domain 'web' is not running"
        );
        assert_eq!(error_text(&error, Dialect::Plain), error.message);
        for whole in [
            Error::no_domain_named("web"),
            Error::no_support("DomainRename"),
            Error::not_found(virtbus_api::object::Kind::NetworkPort, "uuid", "x"),
            Error::not_found(virtbus_api::object::Kind::StorageVol, "key", "x"),
        ] {
            assert_eq!(error_text(&whole, Dialect::LibvirtDbus), whole.message);
        }
        // Shorter than the words, and not cut within a letter.
        for text in ["", "no", "äääääääääääää"] {
            let error = Error::invalid_argument(text);
            let shown = error_text(&error, Dialect::LibvirtDbus);
            assert_eq!(shown, format!("invalid argument: {text}"));
        }
    }
}
