//! A call that was granted: what its body works with.

use std::sync::Arc;

use super::{Key, Need, Session, Target, find};
use crate::access::{Arguments, Call, Caller, Seen};
use crate::connection::{Host, group};
use crate::object::{ConnectedObject, Id, IdRef, Kind, ObjectView, View};
use crate::storage::{StoragePoolId, StorageVolId};
use crate::{Connection, Error, Result, domain};

/// A call that the guard has granted, for the object that it was granted for. Made by [`Session::grant`] only; what a driver offers is reached
/// through it.
#[derive(Clone, Copy)]
pub struct Granted<'a> {
    session: Session<'a>,
    connection: &'a dyn Connection,
    call: Call,
    target: &'a Target,
}

impl std::fmt::Debug for Granted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Granted")
            .field("call", &self.call)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// The groups of a connection, or that the driver has none of them.
macro_rules! groups {
    ($($name:ident: $group:path;)*) => {
        impl<'a> Granted<'a> { $(
            /// This group of the driver's methods.
            ///
            /// # Errors
            /// `NoSupport`, naming the call, if the driver has none.
            pub fn $name(&self) -> Result<&'a dyn $group> {
                group(self.connection.$name(), self.call.name())
            }
        )* }
    };
}

groups! {
    agent: domain::DomainAgent;
    block_jobs: domain::DomainBlockJobs;
    checkpoints: domain::DomainCheckpoints;
    console: domain::DomainConsole;
    counters: domain::DomainCounters;
    description: domain::DomainDescription;
    devices: domain::DomainDevices;
    domains: domain::Domains;
    interfaces: crate::interface::Interfaces;
    jobs: domain::DomainJobs;
    lifecycle: domain::DomainLifecycle;
    manager: crate::connections::Manager;
    migration: domain::DomainMigration;
    network_ports: crate::network::NetworkPorts;
    networks: crate::network::Networks;
    node: crate::node::Node;
    node_devices: crate::node_device::NodeDevices;
    nwfilter_bindings: crate::nwfilter::NwfilterBindings;
    nwfilters: crate::nwfilter::Nwfilters;
    saving: domain::DomainSaving;
    secrets: crate::secret::Secrets;
    snapshots: domain::DomainSnapshots;
    statistics: domain::DomainStatistics;
    storage_pools: crate::storage::StoragePools;
    storage_vols: crate::storage::StorageVols;
    tuning: domain::DomainTuning;
    vcpus: domain::DomainVcpus;
}

impl<'a> Granted<'a> {
    pub(super) const fn new(
        session: Session<'a>,
        connection: &'a dyn Connection,
        call: Call,
        target: &'a Target,
    ) -> Self {
        Self {
            session,
            connection,
            call,
            target,
        }
    }

    /// What is being done.
    #[must_use]
    pub const fn call(&self) -> Call {
        self.call
    }

    /// Who does it.
    #[must_use]
    pub const fn caller(&self) -> &'a Caller {
        self.session.caller
    }

    /// The host as the connection's hypervisor sees it.
    #[must_use]
    pub fn host(&self) -> &'a dyn Host {
        self.connection.host()
    }

    /// The URI that the connection was opened by.
    #[must_use]
    pub fn uri(&self) -> &'a str {
        self.connection.uri()
    }

    /// What names the object of the call.
    ///
    /// # Errors
    /// `InternalError` if it is of another kind.
    pub fn id<T>(&self) -> Result<&'a T>
    where
        &'a T: TryFrom<&'a Id, Error = Error>,
    {
        <&T>::try_from(self.target.id()?)
    }

    /// The same, of any kind.
    ///
    /// # Errors
    /// `InternalError` if the call is one of the connection's.
    pub fn any_id(&self) -> Result<&'a Id> {
        self.target.id()
    }

    /// What is known of the object, as it was found before the call was granted.
    ///
    /// # Errors
    /// `InternalError` for an object that was not looked for, or not with the [need](super::Need) of its view.
    pub fn view(&self) -> Result<&'a View> {
        self.target.view()
    }

    /// Asks for what another call needs, for the same object: this call does what that one does as well.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn require_also(&self, call: Call) -> Result<()> {
        let arguments = Arguments::default();
        self.session.grant(call, arguments, self.target).await?;
        Ok(())
    }

    /// A file that the caller names for something to be made in it, or read from it.
    #[must_use]
    pub fn caller_file<'p>(&self, path: &'p str) -> domain::CallerFile<'p> {
        let by_root = self.caller().uid() == Some(0);
        domain::CallerFile { path, by_root }
    }

    /// Which of `count` objects the caller may see in the answer of this call.
    ///
    /// # Errors
    /// `AuthUnavailable` if it could not be found out.
    pub async fn seen<'v>(
        &self,
        kind: Kind,
        count: usize,
        id: impl Fn(usize) -> IdRef<'v>,
    ) -> Result<Seen> {
        let driver = self.session.guarded.driver();
        let object = |at: usize| ConnectedObject {
            driver,
            id: id(at).to_id(),
        };
        let (guard, caller) = (self.session.guarded.guard(), self.caller());
        // What may be read of an object that may not be seen makes no difference.
        let getattr = kind.getattr();
        let seen = guard.seen(caller, getattr, count, object).await?;
        match self.call.filter() {
            Some(permission) if permission != getattr => {
                let other = guard.seen(caller, permission, count, object);
                Ok(seen.and(other.await?))
            }
            _ => Ok(seen),
        }
    }

    /// Those of some objects that the caller may see in the answer of this call.
    ///
    /// # Errors
    /// `AuthUnavailable` if it could not be found out.
    pub async fn visible<V: ObjectView>(&self, mut views: Vec<Arc<V>>) -> Result<Vec<Arc<V>>> {
        let seen = self
            .seen(V::KIND, views.len(), |at| views[at].named())
            .await?;
        let mut at = 0..;
        views.retain(|_| at.next().is_some_and(|at| seen.has(at)));
        Ok(views)
    }

    /// The domain's snapshots. A driver without snapshots has none, so that whoever looks a domain over is not stopped by it.
    ///
    /// # Errors
    /// Those of the driver.
    pub async fn snapshots_or_none(
        &self,
        domain: &domain::DomainId,
    ) -> Result<Vec<Arc<domain::SnapshotView>>> {
        match self.connection.snapshots() {
            Some(snapshots) => snapshots.snapshots(domain).await,
            None => Ok(Vec::new()),
        }
    }

    /// The pool that a call is about, or that the volume is in which it is about.
    ///
    /// # Errors
    /// `InternalError` if it is about something else.
    pub fn pool(&self) -> Result<&'a StoragePoolId> {
        match self.target.id()? {
            Id::StorageVol(id) => Ok(&id.pool),
            id => <&StoragePoolId>::try_from(id),
        }
    }

    /// The volume with this key, if the caller may read its content. libvirt asks nothing about a volume that another
    /// one is made from, and so lets it be read by whoever may make volumes.
    ///
    /// # Errors
    /// That there is none that the caller may know of; `AccessDenied`.
    pub async fn readable_volume(&self, key: &str) -> Result<StorageVolId> {
        let (kind, key) = (Kind::StorageVol, Key::Key(key));
        let found = find::object(self.connection, kind, key, None, Need::Id).await?;
        let target = Target::found(found, key);
        let arguments = Arguments::default();
        self.session
            .grant(Call::StorageVolDownload, arguments, &target)
            .await?;
        Ok(<&StorageVolId>::try_from(target.id()?)?.clone())
    }

    /// Opens a file that Save made, and asks for what this call needs once more, for the domain that is in it: the connection says nothing
    /// of the guest, and rules may. What was asked about is what is given.
    ///
    /// # Errors
    /// Those of the driver; `AccessDenied`; that the caller may not know of the domain.
    pub async fn saved_image(
        &self,
        file: &str,
        access: domain::ImageAccess,
    ) -> Result<Box<dyn domain::SavedImage + 'a>> {
        let named = self.caller_file(file);
        let image = self.saving()?.open_image(named, access).await?;
        let id = image.domain().clone();
        let name = id.name.to_string();
        let target = Target::by(Id::Domain(id), "name", &name);
        let arguments = Arguments::default();
        self.session.grant(self.call, arguments, &target).await?;
        Ok(image)
    }
}
