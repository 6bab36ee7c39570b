//! Objects of every kind as one: what names them, what is known of them, and how rules of an administrator see them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};

use crate::access::{Object, ObjectClass, Permission};
use crate::connection::{Connection, group};
use crate::domain::{CheckpointId, CheckpointView, DomainId, DomainView, SnapshotId, SnapshotView};
use crate::interface::{InterfaceId, InterfaceView};
use crate::network::{NetworkId, NetworkPortId, NetworkPortView, NetworkView};
use crate::node_device::{NodeDeviceId, NodeDeviceView};
use crate::nwfilter::{NwfilterBindingId, NwfilterBindingView, NwfilterId, NwfilterView};
use crate::secret::{SecretId, SecretUsageType, SecretView};
use crate::storage::{StoragePoolId, StoragePoolView, StorageVolId, StorageVolView};
use crate::{Error, ErrorCode, ErrorDomain, Result};

/// Declares the kinds of objects: variant, what names one, what is known of one, class of its permissions, permission to
/// know of it; and how its absence is told: code, origin, noun.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $id:ty, $view:ty, $class:ident, $getattr:ident, $code:ident, $origin:ident, $noun:literal;)*) => {
        /// The kinds of objects that a connection has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        /// Names an object of any kind by value.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Id { $($(#[$doc])* $kind($id),)* }

        /// [`Id`], borrowed.
        #[derive(Debug, Clone, Copy)]
        pub enum IdRef<'a> { $($(#[$doc])* $kind(&'a $id),)* }

        /// What is known of an object of any kind at one moment.
        #[derive(Debug, Clone, PartialEq)]
        pub enum View { $($(#[$doc])* $kind(Arc<$view>),)* }

        /// What is known of an object, of a kind that the compiler knows.
        pub trait ObjectView {
            /// The kind.
            const KIND: Kind;

            /// What names the object.
            fn named(&self) -> IdRef<'_>;
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The class that permissions on it belong to.
            #[must_use]
            pub const fn class(self) -> ObjectClass {
                match self { $(Self::$kind => ObjectClass::$class,)* }
            }

            /// The permission to know that such an object is there.
            #[must_use]
            pub const fn getattr(self) -> Permission {
                match self { $(Self::$kind => Permission::$getattr,)* }
            }

            /// How it is told that one is not there.
            pub(crate) const fn absence(self) -> (ErrorCode, ErrorDomain, &'static str) {
                match self { $(Self::$kind => (ErrorCode::$code, ErrorDomain::$origin, $noun),)* }
            }
        }

        impl Id {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// The same, borrowed.
            #[must_use]
            pub const fn borrowed(&self) -> IdRef<'_> {
                match self { $(Self::$kind(id) => IdRef::$kind(id),)* }
            }
        }

        impl IdRef<'_> {
            /// Its kind.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// The same by value.
            #[must_use]
            pub fn to_id(self) -> Id {
                match self { $(Self::$kind(id) => Id::$kind(id.clone()),)* }
            }
        }

        impl View {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// What names it.
            #[must_use]
            pub fn id(&self) -> Id {
                self.borrowed_id().to_id()
            }

            /// The same, borrowed.
            #[must_use]
            pub fn borrowed_id(&self) -> IdRef<'_> {
                match self { $(Self::$kind(view) => view.named(),)* }
            }
        }

        $(
            impl ObjectView for $view {
                const KIND: Kind = Kind::$kind;

                fn named(&self) -> IdRef<'_> {
                    IdRef::$kind(&self.id)
                }
            }

            impl From<$id> for Id {
                fn from(id: $id) -> Self {
                    Self::$kind(id)
                }
            }

            impl From<Arc<$view>> for View {
                fn from(view: Arc<$view>) -> Self {
                    Self::$kind(view)
                }
            }

            impl<'a> TryFrom<&'a View> for &'a Arc<$view> {
                type Error = crate::Error;

                fn try_from(view: &'a View) -> Result<Self> {
                    match view {
                        View::$kind(view) => Ok(view),
                        other => Err(crate::Error::internal(format!(
                            "a {:?} was taken for a {}", other.kind(), stringify!($kind)
                        ))),
                    }
                }
            }

            impl<'a> TryFrom<&'a Id> for &'a $id {
                type Error = crate::Error;

                fn try_from(id: &'a Id) -> Result<Self> {
                    match id {
                        Id::$kind(id) => Ok(id),
                        other => Err(crate::Error::internal(format!(
                            "a {:?} was taken for a {}", other.kind(), stringify!($kind)
                        ))),
                    }
                }
            }
        )*
    };
}

kinds! {
    /// Virtual machines and containers.
    Domain: DomainId, DomainView, Domain, DomainGetattr, NoDomain, Dom, "Domain";
    /// Snapshots of domains.
    DomainSnapshot: SnapshotId, SnapshotView, Domain, DomainGetattr, NoDomainSnapshot, DomainSnapshot, "Domain snapshot";
    /// Checkpoints of domains.
    DomainCheckpoint: CheckpointId, CheckpointView, Domain, DomainGetattr, NoDomainCheckpoint, DomainCheckpoint, "Domain checkpoint";
    /// Interfaces of the host.
    Interface: InterfaceId, InterfaceView, Interface, InterfaceGetattr, NoInterface, Interface, "Interface";
    /// Virtual networks.
    Network: NetworkId, NetworkView, Network, NetworkGetattr, NoNetwork, Network, "Network";
    /// Ports of networks.
    NetworkPort: NetworkPortId, NetworkPortView, NetworkPort, NetworkPortGetattr, NoNetworkPort, Network, "Network port";
    /// Devices of the host.
    NodeDevice: NodeDeviceId, NodeDeviceView, NodeDevice, NodeDeviceGetattr, NoNodeDevice, Nodedev, "Node device";
    /// Network filters.
    Nwfilter: NwfilterId, NwfilterView, Nwfilter, NwfilterGetattr, NoNwfilter, Nwfilter, "Network filter";
    /// Bindings of network filters.
    NwfilterBinding: NwfilterBindingId, NwfilterBindingView, NwfilterBinding, NwfilterBindingGetattr, NoNwfilterBinding, Nwfilter, "Network filter binding";
    /// Secrets.
    Secret: SecretId, SecretView, Secret, SecretGetattr, NoSecret, Secret, "Secret";
    /// Storage pools.
    StoragePool: StoragePoolId, StoragePoolView, StoragePool, StoragePoolGetattr, NoStoragePool, Storage, "Storage pool";
    /// Storage volumes.
    StorageVol: StorageVolId, StorageVolView, StorageVol, StorageVolGetattr, NoStorageVol, Storage, "Storage volume";
}

impl Kind {
    /// The kind of objects whose absence an error tells, if it tells that.
    #[must_use]
    pub fn absent(error: &Error) -> Option<Self> {
        let of = |kind: &&Self| kind.absence().0 == error.code;
        Self::ALL.iter().find(of).copied()
    }
}

impl Id {
    /// Attributes by the names that libvirt's access control gives them (its manual, *Access control with polkit*).
    #[must_use]
    pub fn attributes(&self) -> Vec<(&'static str, String)> {
        // A definition that is yet to get a UUID has none.
        let named = |name: &'static str, value: &str, uuid: &'static str, number: crate::Uuid| {
            let mut attributes = vec![(name, value.to_owned())];
            if !number.is_nil() {
                attributes.push((uuid, number.to_string()));
            }
            attributes
        };
        match self {
            Self::Domain(id)
            | Self::DomainSnapshot(SnapshotId { domain: id, .. })
            | Self::DomainCheckpoint(CheckpointId { domain: id, .. }) => {
                named("domain_name", &id.name, "domain_uuid", id.uuid)
            }
            Self::Interface(id) => vec![
                ("interface_name", id.name.to_string()),
                ("interface_macaddr", id.mac.to_string()),
            ],
            Self::Network(id) => named("network_name", &id.name, "network_uuid", id.uuid),
            Self::NetworkPort(id) => {
                let network = &id.network;
                let mut attributes =
                    named("network_name", &network.name, "network_uuid", network.uuid);
                if !id.uuid.is_nil() {
                    attributes.push(("network_port_uuid", id.uuid.to_string()));
                }
                attributes
            }
            Self::NodeDevice(id) => vec![("node_device_name", id.name.to_string())],
            Self::Nwfilter(id) => named("nwfilter_name", &id.name, "nwfilter_uuid", id.uuid),
            Self::NwfilterBinding(id) => {
                vec![("nwfilter_binding_portdev", id.port_dev.to_string())]
            }
            Self::Secret(id) => {
                let mut attributes = Vec::new();
                if !id.uuid.is_nil() {
                    attributes.push(("secret_uuid", id.uuid.to_string()));
                }
                let usage = match id.usage_type {
                    SecretUsageType::None => None,
                    SecretUsageType::Volume => Some("secret_usage_volume"),
                    SecretUsageType::Ceph => Some("secret_usage_ceph"),
                    SecretUsageType::Iscsi => Some("secret_usage_target"),
                    SecretUsageType::Tls | SecretUsageType::Vtpm => Some("secret_usage_name"),
                };
                attributes.extend(usage.map(|name| (name, id.usage_id.to_string())));
                attributes
            }
            Self::StoragePool(id) => named("pool_name", &id.name, "pool_uuid", id.uuid),
            Self::StorageVol(id) => {
                let mut attributes = named("pool_name", &id.pool.name, "pool_uuid", id.pool.uuid);
                attributes.push(("vol_name", id.name.to_string()));
                attributes.push(("vol_key", id.key.to_string()));
                attributes
            }
        }
    }
}

/// An object as rules of the administrator see it.
#[derive(Debug, Clone)]
pub struct ConnectedObject<'a> {
    /// The connection's short name in libvirt's spelling, such as `QEMU`.
    pub driver: &'a str,
    /// Which object.
    pub id: Id,
}

impl Object for ConnectedObject<'_> {
    fn class(&self) -> ObjectClass {
        self.id.kind().class()
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let mut details = vec![("connect_driver", self.driver.to_owned())];
        details.extend(self.id.attributes());
        details
    }
}

/// What is known of every object of a kind. A connection without the kind has none.
///
/// # Errors
/// Those of the driver.
pub async fn views(connection: &dyn Connection, kind: Kind) -> Result<Vec<View>> {
    match supported_views(connection, kind).await {
        Err(error) if error.code == ErrorCode::NoSupport => Ok(Vec::new()),
        found => found,
    }
}

async fn supported_views(connection: &dyn Connection, kind: Kind) -> Result<Vec<View>> {
    match kind {
        Kind::Domain => into(group(connection.domains(), "")?.views().await),
        Kind::DomainSnapshot => snapshots(connection).await,
        Kind::DomainCheckpoint => checkpoints(connection).await,
        Kind::Interface => into(group(connection.interfaces(), "")?.views().await),
        Kind::Network => into(group(connection.networks(), "")?.views().await),
        Kind::NetworkPort => ports(connection).await,
        Kind::NodeDevice => into(group(connection.node_devices(), "")?.views().await),
        Kind::Nwfilter => into(group(connection.nwfilters(), "")?.views().await),
        Kind::NwfilterBinding => into(group(connection.nwfilter_bindings(), "")?.views().await),
        Kind::Secret => into(group(connection.secrets(), "")?.views().await),
        Kind::StoragePool => into(group(connection.storage_pools(), "")?.views().await),
        Kind::StorageVol => volumes(connection).await,
    }
}

fn into<V>(found: Result<impl AsRef<[Arc<V>]>>) -> Result<Vec<View>>
where
    View: From<Arc<V>>,
{
    let found = found?;
    Ok(found
        .as_ref()
        .iter()
        .map(Arc::clone)
        .map(View::from)
        .collect())
}

/// So many objects are asked about at the same time.
const AT_ONCE: usize = 16;

/// What hangs on objects, in their order. Several of them are asked about at the same time: a driver of another host answers each after a while.
async fn of_each(asked: Vec<BoxFuture<'_, Result<Vec<View>>>>) -> Result<Vec<View>> {
    let mut answers = stream::iter(asked).buffered(AT_ONCE);
    let mut found = Vec::new();
    while let Some(answer) = answers.next().await {
        found.extend(gone_is_empty(answer)?);
    }
    Ok(found)
}

async fn snapshots(connection: &dyn Connection) -> Result<Vec<View>> {
    let snapshots = group(connection.snapshots(), "")?;
    let domains = group(connection.domains(), "")?.views().await?;
    let with_some = domains.iter().filter(|domain| domain.snapshots > 0);
    of_each(
        with_some
            .map(|domain| snapshots.snapshots(&domain.id).map(into).boxed())
            .collect(),
    )
    .await
}

async fn checkpoints(connection: &dyn Connection) -> Result<Vec<View>> {
    let checkpoints = group(connection.checkpoints(), "")?;
    let domains = group(connection.domains(), "")?.views().await?;
    let with_some = domains.iter().filter(|domain| domain.checkpoints > 0);
    of_each(
        with_some
            .map(|domain| checkpoints.checkpoints(&domain.id).map(into).boxed())
            .collect(),
    )
    .await
}

async fn ports(connection: &dyn Connection) -> Result<Vec<View>> {
    let ports = group(connection.network_ports(), "")?;
    let networks = group(connection.networks(), "")?.views().await?;
    let asked = networks.iter();
    of_each(
        asked
            .map(|network| ports.views(&network.id).map(into).boxed())
            .collect(),
    )
    .await
}

async fn volumes(connection: &dyn Connection) -> Result<Vec<View>> {
    let volumes = group(connection.storage_vols(), "")?;
    let pools = group(connection.storage_pools(), "")?.views().await?;
    let active = pools.iter().filter(|pool| pool.active);
    of_each(
        active
            .map(|pool| volumes.views(&pool.id).map(into).boxed())
            .collect(),
    )
    .await
}

/// What hangs on an object that went away, or off, since it was listed is gone too.
fn gone_is_empty(found: Result<Vec<View>>) -> Result<Vec<View>> {
    match found {
        Err(error)
            if matches!(
                error.code,
                ErrorCode::NoDomain
                    | ErrorCode::NoNetwork
                    | ErrorCode::NoStoragePool
                    | ErrorCode::OperationInvalid
            ) =>
        {
            Ok(Vec::new())
        }
        found => found,
    }
}

impl Error {
    /// There is no domain with this UUID, or none that the caller may see.
    pub fn no_domain(uuid: crate::Uuid) -> Self {
        Self::not_found(Kind::Domain, "uuid", uuid)
    }

    /// There is no domain with this name, or none that the caller may see.
    pub fn no_domain_named(name: &str) -> Self {
        Self::not_found(Kind::Domain, "name", name)
    }

    /// There is no running domain with this number, or none that the caller may see.
    pub fn no_domain_numbered(id: i64) -> Self {
        Self::not_found(Kind::Domain, "id", id)
    }

    /// There is no object of this kind whose attribute (`name`, `uuid`, …) has this value, or none that the caller may
    /// see.
    pub fn not_found(kind: Kind, attribute: &str, value: impl fmt::Display) -> Self {
        let (code, domain, noun) = kind.absence();
        let message = match kind {
            // Clients match on this phrase.
            Kind::StorageVol => {
                format!("{noun} not found: no storage vol with matching {attribute} '{value}'")
            }
            _ => format!("{noun} not found: none has the {attribute} '{value}'"),
        };
        Self::new(code, domain, message)
    }
}
