//! Which object a call is about when it is another one than it is sent to: found by name or number, or named by a definition.
//!
//! Found before the caller was asked for, so that the caller can be asked about the right object; nothing found here is shown
//! to anybody who is not allowed to see it.

use virtbus_api::access::Grant;
use virtbus_api::connection::group;
use virtbus_api::domain::DomainId;
use virtbus_api::object::{Id, View};
use virtbus_api::secret::SecretUsageType;
use virtbus_api::storage::StoragePoolId;
use virtbus_api::{Connection, Error, Result, Uuid};

use crate::invocation::Invocation;
use crate::numbers::{Amount, One};
use crate::tree::{Sought, Target};

/// The connection, to find out with.
fn connection(invocation: &Invocation) -> &dyn Connection {
    invocation.node.connection.open(&Grant::identify())
}

fn by(
    invocation: &Invocation,
    view: impl Into<View>,
    attribute: &'static str,
    value: impl ToString,
) -> Target {
    Target {
        driver: invocation.node.name,
        object: Some((view.into().id(), Sought::By(attribute, value.to_string()))),
    }
}

/// What a definition is about. One that cannot be read, or by a driver that has no such objects, is about nothing; what is
/// wrong with it is told to those only who may define such objects.
fn defined(invocation: &Invocation, id: Option<Result<impl Into<Id>>>) -> Target {
    match id {
        Some(Ok(id)) => Target {
            driver: invocation.node.name,
            object: Some((id.into(), Sought::Definition)),
        },
        Some(Err(_)) | None => Target::connection(invocation.node.name),
    }
}

fn uuid(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::invalid_argument(format!("'{text}' is not a UUID")))
}

pub(super) async fn domain_in(invocation: &Invocation, xml: &str) -> Result<Target> {
    let id = match connection(invocation).domains() {
        Some(domains) => Some(domains.identify_xml(xml).await),
        None => None,
    };
    Ok(defined(invocation, id))
}

pub(super) async fn domain_numbered(
    invocation: &Invocation,
    Amount(id): &Amount<i32>,
) -> Result<Target> {
    let number = u32::try_from(*id).map_err(|_| Error::no_domain_numbered((*id).into()))?;
    let domains = group(connection(invocation).domains(), "DomainLookupById")?;
    Ok(by(invocation, domains.view_by_id(number).await?, "id", id))
}

pub(super) async fn domain_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let domains = group(connection(invocation).domains(), "DomainLookupByName")?;
    Ok(by(
        invocation,
        domains.view_by_name(name).await?,
        "name",
        name,
    ))
}

pub(super) async fn domain_with_uuid(invocation: &Invocation, text: &str) -> Result<Target> {
    let domains = group(connection(invocation).domains(), "DomainLookupByUuid")?;
    let uuid = uuid(text)?;
    Ok(by(invocation, domains.view(uuid).await?, "uuid", uuid))
}

/// A snapshot of the domain that the call is sent to.
pub(super) async fn snapshot_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let domain = <&DomainId>::try_from(invocation.target.id()?)?;
    let snapshots = group(
        connection(invocation).snapshots(),
        "DomainSnapshotLookupByName",
    )?;
    Ok(by(
        invocation,
        snapshots.snapshot(domain, name).await?,
        "name",
        name,
    ))
}

/// A checkpoint of the domain that the call is sent to.
pub(super) async fn checkpoint_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let domain = <&DomainId>::try_from(invocation.target.id()?)?;
    let checkpoints = group(
        connection(invocation).checkpoints(),
        "DomainCheckpointLookupByName",
    )?;
    Ok(by(
        invocation,
        checkpoints.checkpoint(domain, name).await?,
        "name",
        name,
    ))
}

pub(super) async fn interface_in(invocation: &Invocation, xml: &str) -> Result<Target> {
    let id = match connection(invocation).interfaces() {
        Some(interfaces) => Some(interfaces.identify_xml(xml).await),
        None => None,
    };
    Ok(defined(invocation, id))
}

pub(super) async fn interface_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let interfaces = group(connection(invocation).interfaces(), "InterfaceLookupByName")?;
    Ok(by(invocation, interfaces.view(name).await?, "name", name))
}

pub(super) async fn interface_with_mac(invocation: &Invocation, mac: &str) -> Result<Target> {
    let interfaces = group(
        connection(invocation).interfaces(),
        "InterfaceLookupByMacString",
    )?;
    Ok(by(
        invocation,
        interfaces.view_by_mac(mac).await?,
        "MAC address",
        mac,
    ))
}

pub(super) async fn network_in(invocation: &Invocation, xml: &str) -> Result<Target> {
    let id = match connection(invocation).networks() {
        Some(networks) => Some(networks.identify_xml(xml).await),
        None => None,
    };
    Ok(defined(invocation, id))
}

pub(super) async fn network_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let networks = group(connection(invocation).networks(), "NetworkLookupByName")?;
    Ok(by(
        invocation,
        networks.view_by_name(name).await?,
        "name",
        name,
    ))
}

pub(super) async fn network_with_uuid(invocation: &Invocation, text: &str) -> Result<Target> {
    let networks = group(connection(invocation).networks(), "NetworkLookupByUuid")?;
    let uuid = uuid(text)?;
    Ok(by(invocation, networks.view(uuid).await?, "uuid", uuid))
}

pub(super) async fn network_port_with_uuid(invocation: &Invocation, text: &str) -> Result<Target> {
    let ports = group(
        connection(invocation).network_ports(),
        "NetworkPortLookupByUuid",
    )?;
    let uuid = uuid(text)?;
    let port = ports.view(uuid).await?;
    match invocation.target.id()? {
        Id::Network(network) if *network != port.id.network => Err(Error::not_found(
            virtbus_api::object::Kind::NetworkPort,
            "uuid",
            uuid,
        )),
        _ => Ok(by(invocation, port, "uuid", uuid)),
    }
}

pub(super) async fn node_device_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let devices = group(
        connection(invocation).node_devices(),
        "NodeDeviceLookupByName",
    )?;
    Ok(by(invocation, devices.view(name).await?, "name", name))
}

pub(super) async fn scsi_host_by_wwn(
    invocation: &Invocation,
    wwnn: &str,
    wwpn: &str,
) -> Result<Target> {
    let devices = group(
        connection(invocation).node_devices(),
        "NodeDeviceLookupScsiHostByWwn",
    )?;
    let found = devices.view_by_wwn(wwnn, wwpn).await?;
    Ok(by(
        invocation,
        found,
        "WWNN and WWPN",
        format_args!("{wwnn}, {wwpn}"),
    ))
}

pub(super) async fn nwfilter_in(invocation: &Invocation, xml: &str) -> Result<Target> {
    let id = match connection(invocation).nwfilters() {
        Some(filters) => Some(filters.identify_xml(xml).await),
        None => None,
    };
    Ok(defined(invocation, id))
}

pub(super) async fn nwfilter_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let filters = group(connection(invocation).nwfilters(), "NwfilterLookupByName")?;
    Ok(by(
        invocation,
        filters.view_by_name(name).await?,
        "name",
        name,
    ))
}

pub(super) async fn nwfilter_with_uuid(invocation: &Invocation, text: &str) -> Result<Target> {
    let filters = group(connection(invocation).nwfilters(), "NwfilterLookupByUuid")?;
    let uuid = uuid(text)?;
    Ok(by(invocation, filters.view(uuid).await?, "uuid", uuid))
}

pub(super) async fn nwfilter_binding_of(invocation: &Invocation, port_dev: &str) -> Result<Target> {
    let bindings = group(
        connection(invocation).nwfilter_bindings(),
        "NwfilterBindingLookupByPortDev",
    )?;
    Ok(by(
        invocation,
        bindings.view(port_dev).await?,
        "port device",
        port_dev,
    ))
}

pub(super) async fn secret_in(invocation: &Invocation, xml: &str) -> Result<Target> {
    let id = match connection(invocation).secrets() {
        Some(secrets) => Some(secrets.identify_xml(xml).await),
        None => None,
    };
    Ok(defined(invocation, id))
}

pub(super) async fn secret_with_uuid(invocation: &Invocation, text: &str) -> Result<Target> {
    let secrets = group(connection(invocation).secrets(), "SecretLookupByUuid")?;
    let uuid = uuid(text)?;
    Ok(by(invocation, secrets.view(uuid).await?, "uuid", uuid))
}

pub(super) async fn secret_by_usage(
    invocation: &Invocation,
    usage_type: &One<SecretUsageType>,
    usage_id: &str,
) -> Result<Target> {
    let secrets = group(connection(invocation).secrets(), "SecretLookupByUsage")?;
    let usage_type = usage_type.value()?;
    let found = secrets.view_by_usage(usage_type, usage_id).await?;
    Ok(by(invocation, found, "usage", usage_id))
}

pub(super) async fn storage_pool_in(invocation: &Invocation, xml: &str) -> Result<Target> {
    let id = match connection(invocation).storage_pools() {
        Some(pools) => Some(pools.identify_xml(xml).await),
        None => None,
    };
    Ok(defined(invocation, id))
}

pub(super) async fn storage_pool_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let pools = group(
        connection(invocation).storage_pools(),
        "StoragePoolLookupByName",
    )?;
    Ok(by(
        invocation,
        pools.view_by_name(name).await?,
        "name",
        name,
    ))
}

pub(super) async fn storage_pool_with_uuid(invocation: &Invocation, text: &str) -> Result<Target> {
    let pools = group(
        connection(invocation).storage_pools(),
        "StoragePoolLookupByUuid",
    )?;
    let uuid = uuid(text)?;
    Ok(by(invocation, pools.view(uuid).await?, "uuid", uuid))
}

pub(super) async fn storage_pool_at(invocation: &Invocation, path: &str) -> Result<Target> {
    let pools = group(
        connection(invocation).storage_pools(),
        "StoragePoolLookupByTargetPath",
    )?;
    Ok(by(
        invocation,
        pools.view_by_target_path(path).await?,
        "target path",
        path,
    ))
}

pub(super) async fn storage_vol_with_key(invocation: &Invocation, key: &str) -> Result<Target> {
    let volumes = group(
        connection(invocation).storage_vols(),
        "StorageVolLookupByKey",
    )?;
    Ok(by(invocation, volumes.view_by_key(key).await?, "key", key))
}

pub(super) async fn storage_vol_at(invocation: &Invocation, path: &str) -> Result<Target> {
    let volumes = group(
        connection(invocation).storage_vols(),
        "StorageVolLookupByPath",
    )?;
    Ok(by(
        invocation,
        volumes.view_by_path(path).await?,
        "path",
        path,
    ))
}

/// A volume of the pool that the call is sent to.
pub(super) async fn storage_vol_named(invocation: &Invocation, name: &str) -> Result<Target> {
    let pool = <&StoragePoolId>::try_from(invocation.target.id()?)?;
    let volumes = group(
        connection(invocation).storage_vols(),
        "StorageVolLookupByName",
    )?;
    Ok(by(
        invocation,
        volumes.view_by_name(pool, name).await?,
        "name",
        name,
    ))
}

/// The volume that a document for the pool that the call is sent to is about.
pub(super) async fn storage_vol_in(invocation: &Invocation, xml: &str) -> Result<Target> {
    let pool = <&StoragePoolId>::try_from(invocation.target.id()?)?;
    let volumes = group(connection(invocation).storage_vols(), "StorageVolCreateXml")?;
    Ok(match volumes.identify_xml(pool, xml).await {
        Ok(id) => defined(invocation, Some(Ok(id))),
        Err(_) => invocation.target.clone(),
    })
}
