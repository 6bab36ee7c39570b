//! Which method of a driver finds an object by which key.

use super::{Key, Need};
use crate::connection::group;
use crate::domain::DomainId;
use crate::object::{Id, Kind, View};
use crate::storage::StoragePoolId;
use crate::{Connection, Error, Result, naming};

/// An object, as far as it had to be looked at.
pub(super) enum Found {
    Id(Id),
    View(View),
}

/// The object of this kind that `key` names; `within` is the object that the call was sent to. The view may be there though it is not needed.
pub(super) async fn object(
    connection: &dyn Connection,
    kind: Kind,
    key: Key<'_>,
    within: Option<&Id>,
    need: Need,
) -> Result<Found> {
    key.check(kind)?;
    if need == Need::Id
        && let Some(id) = identified(connection, kind, key, within).await?
    {
        return Ok(Found::Id(id));
    }
    view(connection, kind, key, within).await.map(Found::View)
}

/// What names the object, if the driver finds that without a look at it.
async fn identified(
    connection: &dyn Connection,
    kind: Kind,
    key: Key<'_>,
    within: Option<&Id>,
) -> Result<Option<Id>> {
    let Some(directory) = connection.directory() else {
        return Ok(None);
    };
    let id = directory.identify(kind, key, within).await?;
    if id.as_ref().is_some_and(|id| id.kind() != kind) {
        return Err(Error::internal(format!(
            "the driver gives {id:?} for a {kind:?}"
        )));
    }
    Ok(id)
}

async fn view(
    connection: &dyn Connection,
    kind: Kind,
    key: Key<'_>,
    within: Option<&Id>,
) -> Result<View> {
    let unknown = || Error::internal(format!("a {kind:?} is not looked for by {key:?}"));
    Ok(match kind {
        Kind::Domain => {
            let domains = group(connection.domains(), call(kind, key))?;
            match key {
                Key::Uuid(uuid) => domains.view(uuid).await?.into(),
                Key::Name(name) => domains.view_by_name(name).await?.into(),
                Key::Number(id) => domains.view_by_id(id).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::DomainSnapshot => {
            let (domain, name) = moment(connection, kind, key, within).await?;
            let snapshots = group(connection.snapshots(), call(kind, key))?;
            snapshots.snapshot(&domain, name).await?.into()
        }
        Kind::DomainCheckpoint => {
            let (domain, name) = moment(connection, kind, key, within).await?;
            let checkpoints = group(connection.checkpoints(), call(kind, key))?;
            checkpoints.checkpoint(&domain, name).await?.into()
        }
        Kind::Interface => {
            let interfaces = group(connection.interfaces(), call(kind, key))?;
            match key {
                Key::Name(name) => interfaces.view(name).await?.into(),
                Key::Mac(mac) => interfaces.view_by_mac(mac).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::Network => {
            let networks = group(connection.networks(), call(kind, key))?;
            match key {
                Key::Uuid(uuid) => networks.view(uuid).await?.into(),
                Key::Name(name) => networks.view_by_name(name).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::NetworkPort => {
            let ports = group(connection.network_ports(), call(kind, key))?;
            let Key::Uuid(uuid) = key else {
                return Err(unknown());
            };
            let port = ports.view(uuid).await?;
            match within {
                Some(Id::Network(network)) if *network != port.id.network => {
                    return Err(Error::not_found(kind, key.attribute(), key.value()));
                }
                _ => port.into(),
            }
        }
        Kind::NodeDevice => {
            let devices = group(connection.node_devices(), call(kind, key))?;
            match key {
                Key::Name(name) => devices.view(name).await?.into(),
                Key::Wwn(node, port) => devices.view_by_wwn(node, port).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::Nwfilter => {
            let filters = group(connection.nwfilters(), call(kind, key))?;
            match key {
                Key::Uuid(uuid) => filters.view(uuid).await?.into(),
                Key::Name(name) => filters.view_by_name(name).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::NwfilterBinding => {
            let bindings = group(connection.nwfilter_bindings(), call(kind, key))?;
            match key {
                Key::PortDevice(device) => bindings.view(device).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::Secret => {
            let secrets = group(connection.secrets(), call(kind, key))?;
            match key {
                Key::Uuid(uuid) => secrets.view(uuid).await?.into(),
                Key::Usage(usage, id) => secrets.view_by_usage(usage, id).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::StoragePool => {
            let pools = group(connection.storage_pools(), call(kind, key))?;
            match key {
                Key::Uuid(uuid) => pools.view(uuid).await?.into(),
                Key::Name(name) => pools.view_by_name(name).await?.into(),
                Key::TargetPath(path) => pools.view_by_target_path(path).await?.into(),
                _ => return Err(unknown()),
            }
        }
        Kind::StorageVol => {
            let volumes = group(connection.storage_vols(), call(kind, key))?;
            match key {
                Key::Key(key) => volumes.view_by_key(key).await?.into(),
                Key::Path(path) => volumes.view_by_path(path).await?.into(),
                Key::Name(name) => {
                    let pool = <&StoragePoolId>::try_from(within.ok_or_else(unknown)?)?;
                    volumes.view_by_name(pool, name).await?.into()
                }
                _ => return Err(unknown()),
            }
        }
    })
}

/// The domain and the name of a snapshot or checkpoint.
async fn moment<'k>(
    connection: &dyn Connection,
    kind: Kind,
    key: Key<'k>,
    within: Option<&Id>,
) -> Result<(DomainId, &'k str)> {
    match (key, within) {
        (Key::Moment(domain, name), _) => {
            let key = Key::Uuid(domain);
            if let Some(id) = identified(connection, Kind::Domain, key, None).await? {
                return Ok((<&DomainId>::try_from(&id)?.clone(), name));
            }
            let domains = group(connection.domains(), call(Kind::Domain, key))?;
            Ok((domains.view(domain).await?.id.clone(), name))
        }
        (Key::Name(name), Some(within)) => Ok((<&DomainId>::try_from(within)?.clone(), name)),
        _ => Err(Error::internal(format!(
            "a {kind:?} is not looked for by {key:?}"
        ))),
    }
}

/// The call of libvirt's API that looks for such an object by such a key, to say that a driver lacks it.
const fn call(kind: Kind, key: Key<'_>) -> &'static str {
    match (kind, key) {
        (Kind::Domain, Key::Name(_)) => "DomainLookupByName",
        (Kind::Domain, Key::Number(_)) => "DomainLookupById",
        (Kind::Domain, _) => "DomainLookupByUuid",
        (Kind::DomainSnapshot, _) => "DomainSnapshotLookupByName",
        (Kind::DomainCheckpoint, _) => "DomainCheckpointLookupByName",
        (Kind::Interface, Key::Mac(_)) => "InterfaceLookupByMacString",
        (Kind::Interface, _) => "InterfaceLookupByName",
        (Kind::Network, Key::Name(_)) => "NetworkLookupByName",
        (Kind::Network, _) => "NetworkLookupByUuid",
        (Kind::NetworkPort, _) => "NetworkPortLookupByUuid",
        (Kind::NodeDevice, Key::Wwn(..)) => "NodeDeviceLookupScsiHostByWwn",
        (Kind::NodeDevice, _) => "NodeDeviceLookupByName",
        (Kind::Nwfilter, Key::Name(_)) => "NwfilterLookupByName",
        (Kind::Nwfilter, _) => "NwfilterLookupByUuid",
        (Kind::NwfilterBinding, _) => "NwfilterBindingLookupByPortDev",
        (Kind::Secret, Key::Usage(..)) => "SecretLookupByUsage",
        (Kind::Secret, _) => "SecretLookupByUuid",
        (Kind::StoragePool, Key::Name(_)) => "StoragePoolLookupByName",
        (Kind::StoragePool, Key::TargetPath(_)) => "StoragePoolLookupByTargetPath",
        (Kind::StoragePool, _) => "StoragePoolLookupByUuid",
        (Kind::StorageVol, Key::Name(_)) => "StorageVolLookupByName",
        (Kind::StorageVol, Key::Path(_)) => "StorageVolLookupByPath",
        (Kind::StorageVol, _) => "StorageVolLookupByKey",
    }
}

/// What names the object that a definition is about.
///
/// # Errors
/// Those of the driver; `InvalidArg` if no object can be called so.
pub(super) async fn defined(
    connection: &dyn Connection,
    kind: Kind,
    xml: &str,
    within: Option<&Id>,
) -> Result<Id> {
    let none = || Error::internal(format!("a {kind:?} is not defined by a document"));
    let id: Id = match kind {
        Kind::Domain => {
            let domains = group(connection.domains(), "DomainDefineXml")?;
            domains.identify_xml(xml).await?.into()
        }
        Kind::Interface => {
            let interfaces = group(connection.interfaces(), "InterfaceDefineXml")?;
            interfaces.identify_xml(xml).await?.into()
        }
        Kind::Network => {
            let networks = group(connection.networks(), "NetworkDefineXml")?;
            networks.identify_xml(xml).await?.into()
        }
        Kind::Nwfilter => {
            let filters = group(connection.nwfilters(), "NwfilterDefineXml")?;
            filters.identify_xml(xml).await?.into()
        }
        Kind::Secret => {
            let secrets = group(connection.secrets(), "SecretDefineXml")?;
            secrets.identify_xml(xml).await?.into()
        }
        Kind::StoragePool => {
            let pools = group(connection.storage_pools(), "StoragePoolDefineXml")?;
            pools.identify_xml(xml).await?.into()
        }
        Kind::StorageVol => {
            let pool = <&StoragePoolId>::try_from(within.ok_or_else(none)?)?;
            let volumes = group(connection.storage_vols(), "StorageVolCreateXml")?;
            volumes.identify_xml(pool, xml).await?.into()
        }
        Kind::DomainSnapshot
        | Kind::DomainCheckpoint
        | Kind::NetworkPort
        | Kind::NodeDevice
        | Kind::NwfilterBinding => return Err(none()),
    };
    let is_too_long = |(_, value): &(_, String)| value.len() > naming::LONGEST;
    if id.attributes().iter().any(is_too_long) {
        return Err(Error::invalid_argument("the name is too long"));
    }
    Ok(id)
}
