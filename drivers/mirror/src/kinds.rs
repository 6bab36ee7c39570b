//! The kinds of objects that can be mirrored: what each is found by, and which events go with a change.

use std::fmt::Display;
use std::sync::Arc;

use virtbus_api::Uuid;
use virtbus_api::domain::DomainView;
use virtbus_api::event::Event;
use virtbus_api::network::{NetworkEvent, NetworkLifecycle, NetworkView};
use virtbus_api::object::{ObjectView, View};
use virtbus_api::storage::{
    StoragePoolEvent, StoragePoolLifecycle, StoragePoolView, StorageVolView,
};

use crate::domain;
use crate::happened::Happened;

/// What is known of an object of a kind that can be mirrored.
pub trait Mirrored: ObjectView + Clone + PartialEq + Send + Sync + 'static {
    /// What names it for ever.
    type Key: Ord + Clone + Display + Send + Sync;

    /// What the key is called in errors.
    const KEY: &'static str;

    /// What names it for ever.
    fn key(&self) -> Self::Key;

    /// Its name, which may change.
    fn name(&self) -> &Arc<str>;

    /// The same as a view of any kind.
    fn any(this: Arc<Self>) -> View;

    /// What happened to it, as far as what was known and what is known tell. `None` before: it is new; `None` after: it is gone.
    fn happened(before: Option<&Self>, after: Option<&Self>) -> Happened;
}

impl Mirrored for DomainView {
    type Key = Uuid;
    const KEY: &'static str = "uuid";

    fn key(&self) -> Uuid {
        self.id.uuid
    }

    fn name(&self) -> &Arc<str> {
        &self.id.name
    }

    fn any(this: Arc<Self>) -> View {
        this.into()
    }

    fn happened(before: Option<&Self>, after: Option<&Self>) -> Happened {
        domain::happened(before, after)
    }
}

/// What becomes of objects that have a definition and are on or off.
enum Change {
    Defined,
    Undefined,
    Started,
    Stopped,
}

/// In order: what is new is defined before it starts, what goes is stopped before it is undefined. Each value is whether it is defined, and
/// whether it is on.
fn changes(before: (bool, bool), after: (bool, bool)) -> Vec<Change> {
    let mut changes = Vec::new();
    if !before.0 && after.0 {
        changes.push(Change::Defined);
    }
    match (before.1, after.1) {
        (false, true) => changes.push(Change::Started),
        (true, false) => changes.push(Change::Stopped),
        (false, false) | (true, true) => {}
    }
    if before.0 && !after.0 {
        changes.push(Change::Undefined);
    }
    changes
}

/// Declares how objects are mirrored that have a definition and are on or off.
macro_rules! on_or_off {
    ($($view:ty, $event:ident: $events:ident($lifecycle:ident);)*) => { $(
        impl Mirrored for $view {
            type Key = Uuid;
            const KEY: &'static str = "uuid";

            fn key(&self) -> Uuid {
                self.id.uuid
            }

            fn name(&self) -> &Arc<str> {
                &self.id.name
            }

            fn any(this: Arc<Self>) -> View {
                this.into()
            }

            fn happened(before: Option<&Self>, after: Option<&Self>) -> Happened {
                let Some(known) = after.or(before) else {
                    return Happened::default();
                };
                let is = |view: Option<&Self>| view.map_or((false, false), |view| (view.persistent, view.active));
                let events = changes(is(before), is(after)).into_iter().map(|change| {
                    let change = match change {
                        Change::Defined => $lifecycle::Defined,
                        Change::Undefined => $lifecycle::Undefined,
                        Change::Started => $lifecycle::Started,
                        Change::Stopped => $lifecycle::Stopped,
                    };
                    Event::$event(known.id.clone(), $events::Lifecycle(change))
                });
                Happened::to(after, events.collect())
            }
        }
    )* };
}

on_or_off! {
    NetworkView, Network: NetworkEvent(NetworkLifecycle);
    StoragePoolView, StoragePool: StoragePoolEvent(StoragePoolLifecycle);
}

impl Mirrored for StorageVolView {
    type Key = Arc<str>;
    const KEY: &'static str = "key";

    fn key(&self) -> Arc<str> {
        Arc::clone(&self.id.key)
    }

    fn name(&self) -> &Arc<str> {
        &self.id.name
    }

    fn any(this: Arc<Self>) -> View {
        this.into()
    }

    fn happened(_: Option<&Self>, _: Option<&Self>) -> Happened {
        // libvirt has no events of volumes.
        Happened::default()
    }
}
