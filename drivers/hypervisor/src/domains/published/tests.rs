//! What is announced of a change, and in which order.

use std::ops::Deref;

use virtbus_api::domain::{DomainId, DomainState, ShutoffReason, StoppedDetail};
use virtbus_api::event::EventListener;

use super::super::Entry;
use super::*;

/// A state with nothing but names.
pub(crate) struct Named {
    uuid: Uuid,
    pub(crate) name: Arc<str>,
    pub(crate) is_defined: bool,
    pub(crate) id: Option<u32>,
    pub(crate) autostart: bool,
    pub(crate) state: DomainState,
}

pub(crate) struct NamedSnapshot {
    view: Arc<DomainView>,
    is_shown: bool,
}

impl Snapshot for NamedSnapshot {
    fn view(&self) -> &Arc<DomainView> {
        &self.view
    }

    fn is_shown(&self) -> bool {
        self.is_shown
    }
}

impl State for Named {
    type Snapshot = NamedSnapshot;

    fn snapshot(&self) -> NamedSnapshot {
        let view = DomainView {
            id: DomainId {
                uuid: self.uuid,
                name: Arc::clone(&self.name),
                id: self.id,
            },
            state: self.state,
            os_type: "hvm".into(),
            persistent: self.is_defined,
            autostart: self.autostart,
            updated: false,
            managed_save: false,
            scheduler: None,
            snapshots: 0,
            checkpoints: 0,
            job: None,
        };
        NamedSnapshot {
            view: Arc::new(view),
            is_shown: self.is_defined || self.id.is_some(),
        }
    }
}

/// A domain that has nothing but its state.
#[derive(Debug)]
pub(crate) struct Domain(Published<Named>);

impl Deref for Domain {
    type Target = Published<Named>;

    fn deref(&self) -> &Published<Named> {
        &self.0
    }
}

impl Entry for Domain {
    type State = Named;
}

/// One that nobody may know of yet.
pub(crate) fn domain(uuid: Uuid, name: &str) -> Domain {
    Domain(published(uuid, name))
}

/// What is published of such a one.
pub(crate) fn published(uuid: Uuid, name: &str) -> Published<Named> {
    Published::new(Named {
        uuid,
        name: name.into(),
        is_defined: false,
        id: None,
        autostart: false,
        state: DomainState::Shutoff(ShutoffReason::Unknown),
    })
}

/// What was announced, a line for each event.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl EventListener for Told {
    fn event(&self, event: &Event) {
        let name = |view: &Option<View>| match view {
            Some(View::Domain(view)) => view.id.name.to_string(),
            Some(other) => panic!("{other:?}"),
            None => "nothing".to_owned(),
        };
        let line = match event {
            Event::Changed { before, after } => format!("{} → {}", name(before), name(after)),
            Event::Domain(id, event) => format!("{}: {event:?}", id.name),
            other => panic!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A hub, what is told by it, and what keeps that being told.
fn told() -> (EventHub, Arc<Told>, impl Sized) {
    let (hub, told) = (EventHub::default(), Arc::new(Told::default()));
    let listener: Arc<dyn EventListener> = Arc::clone(&told) as _;
    let heard = hub.subscribe(listener);
    (hub, told, heard)
}

const STOPPED: DomainEvent = DomainEvent::Lifecycle(Lifecycle::Stopped(StoppedDetail::Destroyed));

#[test]
fn a_domain_is_there_before_its_events_and_gone_after_them() {
    let (hub, told, _heard) = told();
    let domain = domain(Uuid::new_v4(), "web");
    let show = |is_defined| {
        let done: Result<(), ()> = domain.change(&hub, |state| {
            state.is_defined = is_defined;
            Ok(((), vec![STOPPED]))
        });
        done.unwrap();
    };
    show(true);
    let event = format!("web: {STOPPED:?}");
    assert_eq!(told.take(), ["nothing → web", event.as_str()]);
    // Nothing of what is seen has changed.
    show(true);
    assert_eq!(told.take(), [event.as_str()]);
    show(false);
    assert_eq!(told.take(), [event.as_str(), "web → nothing"]);
}

#[test]
fn what_fails_is_neither_published_nor_told() {
    let (hub, told, _heard) = told();
    let domain = domain(Uuid::new_v4(), "web");
    let failed: Result<(), &str> = domain.change(&hub, |_| Err("no room"));
    assert_eq!(failed, Err("no room"));
    assert!(!domain.snapshot().is_shown());
    assert_eq!(told.take(), Vec::<String>::new());
}

#[test]
fn who_reads_while_it_changes_sees_what_was_known_before() {
    let (hub, _told, _heard) = told();
    let domain = domain(Uuid::new_v4(), "web");
    domain.adjust(&hub, |state| {
        state.id = Some(1);
        assert_eq!(domain.snapshot().view().id.id, None);
    });
    assert_eq!(domain.snapshot().view().id.id, Some(1));
}

#[test]
fn a_renamed_domain_goes_under_one_name_and_comes_under_the_other() {
    let (hub, told, _heard) = told();
    let domain = domain(Uuid::new_v4(), "old");
    domain.adjust(&hub, |state| state.is_defined = true);
    told.take();
    domain.rename(&hub, |state| state.name = "new".into());
    let lines = told.take();
    assert!(
        lines[0].starts_with("old: Lifecycle(Undefined"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "old → new");
    assert!(lines[2].starts_with("new: Lifecycle(Defined"), "{lines:?}");
    assert_eq!((lines.len(), &*domain.name()), (3, "new"));
}
