//! Who may do what: permissions, the calls that need them, and the guard in front of a connection.
//!
//! A forgotten check does not compile: an interface reaches a connection through a [session](crate::session) only, which asks the
//! [`Guard`] first, and the guard the [`Authorizer`]. How the authorizer finds out (polkit, a configuration, nobody) is not known here.

mod call;
mod caller;
mod client;
mod guard;
mod permission;

pub use call::Call;
pub use caller::Caller;
pub use client::Client;
pub use guard::{Arguments, Guard, Seen};
pub use permission::{Default, Permission};

use async_trait::async_trait;

/// The classes of objects that permissions speak about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the classes are libvirt's objects")]
pub enum ObjectClass {
    Connect,
    Domain,
    Interface,
    Network,
    NetworkPort,
    NodeDevice,
    Nwfilter,
    NwfilterBinding,
    Secret,
    StoragePool,
    StorageVol,
    /// The daemon's connections; libvirt has no such class.
    Manager,
}

impl ObjectClass {
    /// Every class.
    pub const ALL: &[Self] = &[
        Self::Connect,
        Self::Domain,
        Self::Interface,
        Self::Network,
        Self::NetworkPort,
        Self::NodeDevice,
        Self::Nwfilter,
        Self::NwfilterBinding,
        Self::Secret,
        Self::StoragePool,
        Self::StorageVol,
        Self::Manager,
    ];

    /// The class in an action's name, such as `storage-pool`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Domain => "domain",
            Self::Interface => "interface",
            Self::Network => "network",
            Self::NetworkPort => "network-port",
            Self::NodeDevice => "node-device",
            Self::Nwfilter => "nwfilter",
            Self::NwfilterBinding => "nwfilter-binding",
            Self::Secret => "secret",
            Self::StoragePool => "storage-pool",
            Self::StorageVol => "storage-vol",
            Self::Manager => "manager",
        }
    }
}

/// One condition of a call: a permission, and when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What the caller must have.
    pub permission: Permission,
    /// When it must.
    pub when: When,
}

/// When a rule applies to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// To every call.
    Always,
    /// If any of these flags is set.
    AnyFlag(u32),
    /// If none of these flags is set.
    NoFlag(u32),
    /// If the argument of this name has this value.
    Argument(&'static str, u32),
}

/// What the call is about, as rules of the administrator see it.
pub trait Object: Send + Sync {
    /// The class of the object.
    fn class(&self) -> ObjectClass;

    /// Attributes by libvirt's names: `connect_driver`, `domain_name`, `domain_uuid`, ….
    fn details(&self) -> Vec<(&'static str, String)>;
}

impl<T: Object + ?Sized> Object for &T {
    fn class(&self) -> ObjectClass {
        (**self).class()
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        (**self).details()
    }
}

/// What an authorizer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The caller may.
    Granted,
    /// The caller may not.
    Denied,
    /// The caller could by authenticating, but no dialog was possible or it was dismissed.
    Challenge,
    /// It could not be found out. The caller is let into nothing, and told so: that is no answer about the object.
    Unknown,
}

/// Decides about a caller and a permission.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Whether `caller` has `permission` on an object with these details. May take as long as a person needs
    /// to type a password if the caller is interactive; no job or lock may be held meanwhile.
    async fn check(&self, caller: &Caller, permission: Permission, object: &dyn Object) -> Verdict;

    /// Whether answers can differ between two objects of the class. Where not, a list is filtered by one question.
    fn tells_apart(&self, class: ObjectClass) -> bool;
}
