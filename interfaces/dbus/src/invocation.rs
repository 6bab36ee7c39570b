//! One call of a declared member, from decoded arguments to the reply.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedMutexGuard;
use virtbus_api::access::{Arguments, Call, Caller, Grant, Guard, Object, ObjectClass, Seen};
use virtbus_api::connection::group;
use virtbus_api::domain;
use virtbus_api::filter::Filtered;
use virtbus_api::listing::Views;
use virtbus_api::object::{ConnectedObject, Id, IdRef, Kind, ObjectView};
use virtbus_api::storage::{StoragePoolId, StorageVolId};
use virtbus_api::typed::TypedParameters;
use virtbus_api::{Connection, Error, Result};
use zbus::wire::DynamicType;
use zbus::{Message, OwnedObjectPath, Type};

use crate::paths::Paths;
use crate::quirks::Dialect;
use crate::tree::{Node, Sought, Target};
use crate::turns::next_turn;
use crate::value::{Parameters, Wrapping, sendable};

/// A call on its way to a handler.
pub(crate) struct Invocation {
    pub(crate) guard: Guard,
    pub(crate) node: Arc<Node>,
    pub(crate) target: Target,
    pub(crate) caller: Caller,
    pub(crate) dialect: Dialect,
    pub(crate) message: Message,
    /// The call's place in the order of its sender's writes; given up once the driver has the call.
    pub(crate) order: std::sync::Mutex<Option<OwnedMutexGuard<()>>>,
}

/// What a method's body works with.
pub(crate) struct Context<'a> {
    pub(crate) connection: &'a dyn Connection,
    pub(crate) node: &'a Node,
    pub(crate) target: &'a Target,
    pub(crate) guard: &'a Guard,
    pub(crate) caller: &'a Caller,
    pub(crate) dialect: Dialect,
    /// What is being done.
    pub(crate) call: Call,
}

impl Invocation {
    /// The arguments. The dispatcher has compared the signature; what can be wrong yet are values such as a bad path.
    pub(crate) fn arguments<T: DeserializeOwned + Type>(&self) -> Result<T> {
        let body = self.message.body();
        body.deserialize_ignore_signature().map_err(|error| {
            Error::invalid_argument(format!("the arguments cannot be read: {error}"))
        })
    }

    /// The value of a property that is being set.
    pub(crate) fn property_value<T>(&self) -> Result<T>
    where
        T: TryFrom<zbus::OwnedVariant>,
    {
        let body = self.message.body();
        let (_, name, value): (String, String, zbus::OwnedVariant) =
            body.deserialize().map_err(|error| {
                Error::invalid_argument(format!("the arguments cannot be read: {error}"))
            })?;
        T::try_from(value)
            .map_err(|_| Error::invalid_argument(format!("the value of {name} has the wrong type")))
    }

    /// The same call about another object than the one it was sent to.
    pub(crate) fn about(self, target: Target) -> Self {
        Self { target, ..self }
    }

    /// Asks for what the call needs.
    pub(crate) async fn require(&self, call: Call, arguments: Arguments) -> Result<Grant> {
        require(&self.guard, &self.caller, call, arguments, &self.target).await
    }

    /// Asks whether the caller may know of the object that the call was sent to. Comes before anything is looked up there: what
    /// would be found, or said to be missing, tells of the object.
    pub(crate) async fn require_sight(&self) -> Result<()> {
        match self.target.not_found() {
            None => {
                let open = self.require(Call::ConnectOpen, Arguments::default());
                open.await.map(drop)
            }
            Some(_) if sees(&self.guard, &self.caller, &self.target).await => Ok(()),
            Some(not_found) => Err(not_found),
        }
    }

    /// What was found of the object that the call is about. If it was nothing, that takes as long as if it were hidden.
    pub(crate) async fn found(&self, found: Result<Target>) -> Result<Target> {
        if let Err(error) = &found {
            take_as_long(&self.guard, &self.caller, self.node.name, error).await;
        }
        found
    }

    /// What a method's body works with, now that the call is granted.
    pub(crate) fn context<'a>(&'a self, grant: &Grant, call: Call) -> Context<'a> {
        Context {
            connection: self.node.connection.open(grant),
            node: &self.node,
            target: &self.target,
            guard: &self.guard,
            caller: &self.caller,
            dialect: self.dialect,
            call,
        }
    }

    /// Runs a handler. Once it has been entered (a job's place in its object's queue is taken by then), the sender's next
    /// write may follow.
    pub(crate) async fn enter<T>(&self, handler: impl Future<Output = T>) -> T {
        let mut handler = pin!(handler);
        std::future::poll_fn(|context| {
            let answer = handler.as_mut().poll(context);
            drop(
                self.order
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .take(),
            );
            if answer.is_ready() {
                answer
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// The reply with this body.
    pub(crate) fn reply<T: Serialize + DynamicType>(&self, body: &T) -> Result<Message> {
        reply(&self.message, body)
    }
}

/// The groups of a connection, or that the driver has none of them.
macro_rules! groups {
    ($($name:ident: $group:path;)*) => {
        impl<'a> Context<'a> { $(
            pub(crate) fn $name(&self) -> Result<&'a dyn $group> {
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
    interfaces: virtbus_api::interface::Interfaces;
    jobs: domain::DomainJobs;
    lifecycle: domain::DomainLifecycle;
    migration: domain::DomainMigration;
    network_ports: virtbus_api::network::NetworkPorts;
    networks: virtbus_api::network::Networks;
    node: virtbus_api::node::Node;
    node_devices: virtbus_api::node_device::NodeDevices;
    nwfilter_bindings: virtbus_api::nwfilter::NwfilterBindings;
    nwfilters: virtbus_api::nwfilter::Nwfilters;
    saving: domain::DomainSaving;
    secrets: virtbus_api::secret::Secrets;
    snapshots: domain::DomainSnapshots;
    statistics: domain::DomainStatistics;
    storage_pools: virtbus_api::storage::StoragePools;
    storage_vols: virtbus_api::storage::StorageVols;
    tuning: domain::DomainTuning;
    vcpus: domain::DomainVcpus;
}

impl<'a> Context<'a> {
    /// What the object of the call is named by.
    pub(crate) fn id<T>(&self) -> Result<&'a T>
    where
        &'a T: TryFrom<&'a Id, Error = Error>,
    {
        <&T>::try_from(self.target.id()?)
    }

    /// Asks for what another call needs, for the same object: this call does what that one does as well.
    pub(crate) async fn require_also(&self, call: Call) -> Result<()> {
        let arguments = Arguments::default();
        let granted = require(self.guard, self.caller, call, arguments, self.target).await;
        granted.map(drop)
    }

    /// A file that the caller names for something to be made in it.
    pub(crate) fn caller_file<'p>(&self, path: &'p str) -> domain::CallerFile<'p> {
        let by_root = self.caller.uid == Some(0);
        domain::CallerFile { path, by_root }
    }

    /// The path of the object that the call is about.
    pub(crate) fn path(&self) -> Result<OwnedObjectPath> {
        self.path_of_id(self.target.id()?)
    }

    /// The path of an object.
    pub(crate) fn path_of<V: ObjectView>(&self, view: Arc<V>) -> Result<OwnedObjectPath> {
        self.path_of_id(&view.named().to_id())
    }

    fn path_of_id(&self, id: &Id) -> Result<OwnedObjectPath> {
        if !id.borrowed().can_be_named() {
            return Err(Error::internal("the driver gives an object no name"));
        }
        OwnedObjectPath::try_from(self.node.path_of(id))
            .map_err(|error| Error::internal(format!("an object's path is wrong: {error}")))
    }

    /// Which of `count` objects the caller may see in the answer of this call.
    pub(crate) async fn seen<'v>(
        &self,
        kind: Kind,
        count: usize,
        id: impl Fn(usize) -> IdRef<'v>,
    ) -> Seen {
        let object = |at: usize| ConnectedObject {
            driver: self.node.name,
            id: id(at).to_id(),
        };
        // What may be read of an object that may not be seen makes no difference.
        let getattr = kind.getattr();
        let seen = self.guard.seen(self.caller, getattr, count, object).await;
        match self.call.filter() {
            Some(permission) if permission != getattr => {
                let other = self.guard.seen(self.caller, permission, count, object);
                seen.and(other.await)
            }
            _ => seen,
        }
    }

    /// The paths of those that the flags choose and the caller may see.
    pub(crate) async fn list<V, F>(&self, views: &Views<V>, flags: F) -> Result<Paths>
    where
        V: ObjectView + Filtered<F> + Send + Sync + 'static,
        F: Copy + Default + PartialEq,
    {
        if flags == F::default() {
            return self.list_all(views).await;
        }
        not_among_others(views.len()).await;
        let views = views.iter().filter(|view| view.matches(flags));
        let chosen: Vec<&V> = views.map(|view| &**view).collect();
        let seen = self
            .seen(V::KIND, chosen.len(), |at| chosen[at].named())
            .await;
        let seen = (0..).zip(&chosen).filter(|(at, _)| seen.has(*at));
        let ids = seen.map(|(_, view)| view.named());
        Ok(Paths::of(self.node, V::KIND, ids))
    }

    /// The paths of those that the caller may see.
    pub(crate) async fn list_all<V>(&self, views: &Views<V>) -> Result<Paths>
    where
        V: ObjectView + Send + Sync + 'static,
    {
        not_among_others(views.len()).await;
        let seen = self
            .seen(V::KIND, views.len(), |at| views[at].named())
            .await;
        let paths = |views: &[Arc<V>], seen: &Seen| {
            let seen = (0..).zip(views).filter(|(at, _)| seen.has(*at));
            let ids = seen.map(|(_, view)| view.named());
            Paths::of(self.node, V::KIND, ids)
        };
        Ok(match seen {
            Seen::All => views.work_out(|views| paths(views, &Seen::All)),
            seen => paths(views, &seen),
        })
    }

    /// The domain's snapshots. A driver without snapshots has none, so that whoever looks a domain over is not stopped by it.
    pub(crate) async fn snapshots_or_none(
        &self,
        domain: &domain::DomainId,
    ) -> Result<Vec<Arc<domain::SnapshotView>>> {
        match self.connection.snapshots() {
            Some(snapshots) => snapshots.snapshots(domain).await,
            None => Ok(Vec::new()),
        }
    }

    /// The pool that a call is about, or that the volume is in which it is about.
    pub(crate) fn pool(&self) -> Result<&'a StoragePoolId> {
        match self.target.id()? {
            Id::StorageVol(id) => Ok(&id.pool),
            id => <&StoragePoolId>::try_from(id),
        }
    }

    /// The volume with this key, if the caller may read its content. libvirt asks nothing about a volume that another
    /// one is made from, and so lets it be read by whoever may make volumes.
    pub(crate) async fn readable_volume(&self, key: &str) -> Result<StorageVolId> {
        let view = self.storage_vols()?.view_by_key(key).await?;
        let target = Target {
            driver: self.node.name,
            object: Some((
                Id::StorageVol(view.id.clone()),
                Sought::By("key", key.to_owned()),
            )),
        };
        let call = Call::StorageVolDownload;
        require(self.guard, self.caller, call, Arguments::default(), &target).await?;
        Ok(view.id.clone())
    }

    /// Opens a file that Save made, and asks for what this call needs once more, for the domain that is in it: the connection says nothing
    /// of the guest, and rules may. What was asked about is what is given.
    pub(crate) async fn saved_image(
        &self,
        file: &str,
        access: domain::ImageAccess,
    ) -> Result<Box<dyn domain::SavedImage + 'a>> {
        let image = self.saving()?.open_image(file, access).await?;
        let id = image.domain().clone();
        let sought = Sought::By("name", id.name.to_string());
        let target = Target {
            driver: self.node.name,
            object: Some((Id::Domain(id), sought)),
        };
        require(
            self.guard,
            self.caller,
            self.call,
            Arguments::default(),
            &target,
        )
        .await?;
        Ok(image)
    }

    /// Typed parameters in an answer that every client reads alike.
    pub(crate) fn parameters<F>(&self, parameters: TypedParameters) -> Parameters<F> {
        Parameters::new(parameters, Wrapping::Once)
    }

    /// Typed parameters in an answer that libvirt-dbus wraps twice.
    pub(crate) fn wrapped<F>(&self, parameters: TypedParameters) -> Parameters<F> {
        Parameters::new(parameters, self.dialect.wrapping())
    }
}

/// A list of more objects is not gone through where all other calls would wait for it.
const SHORT_LIST: usize = 500;

/// Has a call that is answered from memory go on in a turn of its own, if it is about so many objects.
async fn not_among_others(count: usize) {
    if count > SHORT_LIST {
        next_turn().await;
    }
}

/// Asks for what a call needs. Whoever may not see an object is told that it is not there.
pub(crate) async fn require(
    guard: &Guard,
    caller: &Caller,
    call: Call,
    arguments: Arguments,
    target: &Target,
) -> Result<Grant> {
    if let Some(not_found) = target.not_found()
        && !sees(guard, caller, target).await
    {
        return Err(not_found);
    }
    guard.require(caller, call, arguments, target).await
}

/// Asks about an object that is not there what would be asked about one that is: who gets the same answer sooner for the one than for
/// the other has been told of it.
pub(crate) async fn take_as_long(guard: &Guard, caller: &Caller, driver: &str, error: &Error) {
    let Some(kind) = Kind::absent(error) else {
        return;
    };
    let absent = Absent {
        driver,
        kind,
        sought: &error.message,
    };
    if guard.tells_apart(kind.class()) {
        guard.seen(caller, kind.getattr(), 1, |_| &absent).await;
    }
}

/// An object that is not there, to ask about. It has no attribute that a rule could know.
struct Absent<'a> {
    driver: &'a str,
    kind: Kind,
    sought: &'a str,
}

impl Object for Absent<'_> {
    fn class(&self) -> ObjectClass {
        self.kind.class()
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("connect_driver", self.driver.to_owned()),
            ("sought", self.sought.to_owned()),
        ]
    }
}

/// Whether the caller may know that the object is there.
pub(crate) async fn sees(guard: &Guard, caller: &Caller, target: &Target) -> bool {
    guard
        .seen(caller, target.getattr(), 1, |_| target)
        .await
        .has(0)
}

/// The reply to `call` with this body.
pub(crate) fn reply<T: Serialize + DynamicType>(call: &Message, body: &T) -> Result<Message> {
    Message::method_return(&call.header())
        .build(body)
        .and_then(sendable)
        .map_err(|error| {
            Error::internal(format!("the answer does not fit into a message: {error}"))
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use virtbus_api::access::{Authorizer, Permission, Verdict};

    use super::*;

    type Details = Vec<(&'static str, String)>;

    /// Writes down what it is asked.
    #[derive(Default)]
    struct Asked(Mutex<Vec<(Permission, Details)>>);

    #[async_trait]
    impl Authorizer for Asked {
        async fn check(&self, _: &Caller, permission: Permission, object: &dyn Object) -> Verdict {
            self.0.lock().unwrap().push((permission, object.details()));
            Verdict::Denied
        }

        fn tells_apart(&self, class: ObjectClass) -> bool {
            class == ObjectClass::Domain
        }
    }

    #[tokio::test]
    async fn an_absent_object_is_asked_about_as_a_hidden_one_would_be() {
        let asked = Arc::new(Asked::default());
        let guard = Guard::new(asked.clone());
        let caller = Caller {
            name: ":1.1".into(),
            uid: Some(1000),
            interactive: true,
        };
        for error in [
            Error::no_domain_named("nobody"),
            Error::not_found(Kind::Network, "name", "nobody"),
            Error::internal("nobody"),
        ] {
            take_as_long(&guard, &caller, "QEMU", &error).await;
        }
        let asked = asked.0.lock().unwrap();
        assert_eq!(asked.len(), 1, "{asked:?}");
        let (permission, details) = &asked[0];
        assert_eq!(*permission, Permission::DomainGetattr);
        assert!(details[1].1.contains("nobody"), "{details:?}");
    }
}
