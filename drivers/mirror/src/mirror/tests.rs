//! For any two pictures, the events lead from one to the other and tell nothing else.

use std::sync::PoisonError;

use proptest::collection::vec;
use proptest::prelude::*;
use virtbus_api::Uuid;
use virtbus_api::domain::{
    DefinedDetail, DomainEvent, DomainId, DomainState, Lifecycle, PausedReason, RunningReason,
    ShutoffReason, UndefinedDetail,
};
use virtbus_api::event::EventListener;
use virtbus_api::network::{NetworkEvent, NetworkId, NetworkLifecycle, NetworkView};
use virtbus_api::object::View;

use super::*;

const STATES: [DomainState; 6] = [
    DomainState::Shutoff(ShutoffReason::Shutdown),
    DomainState::Shutoff(ShutoffReason::Destroyed),
    DomainState::Running(RunningReason::Booted),
    DomainState::Paused(PausedReason::User),
    DomainState::PmSuspended,
    DomainState::Crashed { panicked: true },
];

fn uuid(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn domain(number: u8, name: &str, state: DomainState, run: u32, persistent: bool) -> DomainView {
    DomainView {
        id: DomainId {
            uuid: uuid(number),
            name: name.into(),
            id: state.is_active().then_some(run),
        },
        state,
        os_type: "hvm".into(),
        persistent,
        autostart: false,
        updated: false,
        managed_save: false,
        scheduler: None,
        snapshots: 0,
        checkpoints: 0,
        job: None,
    }
}

fn running(number: u8, name: &str) -> DomainView {
    domain(number, name, STATES[2], 1, true)
}

fn network(number: u8, active: bool, persistent: bool) -> NetworkView {
    NetworkView {
        id: NetworkId {
            uuid: uuid(number),
            name: format!("net{number}").as_str().into(),
        },
        active,
        persistent,
        autostart: false,
        bridge: None,
        problems: Arc::default(),
    }
}

/// What was published.
#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl EventListener for Heard {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Heard {
    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn mirror<V: Mirrored>() -> (Mirror<V>, Arc<Heard>) {
    let hub = Arc::new(EventHub::default());
    let heard = Arc::new(Heard::default());
    hub.subscribe(Arc::clone(&heard) as _).keep();
    (Mirror::new(hub), heard)
}

/// What somebody knows who has heard the events, and nothing else.
#[derive(Debug, Default, PartialEq)]
struct Picture {
    views: BTreeMap<Uuid, View>,
    /// Whether each is defined and on, as lifecycle events say.
    lives: BTreeMap<Uuid, (bool, bool)>,
}

impl Picture {
    fn hear(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Changed { before, after } => {
                    assert_ne!(before, after, "no change is told as one");
                    let view = before.as_ref().or(after.as_ref()).unwrap();
                    let key = key_of(view);
                    assert_eq!(self.views.get(&key), before.as_ref());
                    match after {
                        Some(after) => self.views.insert(key, after.clone()),
                        None => self.views.remove(&key),
                    };
                }
                Event::Domain(id, DomainEvent::Lifecycle(lifecycle)) => {
                    // It is told of what is there.
                    let known = self.views.get(&id.uuid).map(View::id);
                    assert_eq!(known, Some(id.clone().into()), "{lifecycle:?}");
                    let life = self.lives.entry(id.uuid).or_default();
                    match lifecycle {
                        Lifecycle::Defined(DefinedDetail::Updated) => assert!(life.0),
                        Lifecycle::Defined(_) => assert!(!std::mem::replace(&mut life.0, true)),
                        Lifecycle::Undefined(_) => assert!(std::mem::take(&mut life.0)),
                        Lifecycle::Started(virtbus_api::domain::StartedDetail::Wakeup) => {
                            life.1 = true;
                        }
                        Lifecycle::Started(_) => assert!(!std::mem::replace(&mut life.1, true)),
                        Lifecycle::Stopped(_) => assert!(std::mem::take(&mut life.1)),
                        _ => assert!(life.1, "{lifecycle:?}"),
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        self.lives.retain(|_, life| *life != (false, false));
    }

    fn of(list: &[DomainView]) -> Self {
        let mut picture = Self::default();
        for domain in list {
            let key = domain.id.uuid;
            if let std::collections::btree_map::Entry::Vacant(place) = picture.views.entry(key) {
                place.insert(Arc::new(domain.clone()).into());
                let life = (domain.persistent, domain.is_active());
                if life != (false, false) {
                    picture.lives.insert(key, life);
                }
            }
        }
        picture
    }
}

fn key_of(view: &View) -> Uuid {
    match view {
        View::Domain(view) => view.id.uuid,
        other => panic!("{other:?}"),
    }
}

fn domains() -> impl Strategy<Value = Vec<DomainView>> {
    let one = (0..6_u8, 0..4_u8, 0..STATES.len(), 1..3_u32, any::<bool>());
    let one = one.prop_map(|(number, name, state, run, persistent)| {
        domain(
            number,
            &format!("guest{name}"),
            STATES[state],
            run,
            persistent,
        )
    });
    vec(one, 0..8)
}

proptest! {
    #[test]
    fn events_lead_from_any_list_to_any_other(lists in vec(domains(), 1..5)) {
        let (mirror, heard) = mirror::<DomainView>();
        let mut picture = Picture::default();
        for list in lists {
            mirror.begin().finish(list.clone());
            let events = heard.take();
            picture.hear(&events);
            prop_assert_eq!(&picture, &Picture::of(&list));
            // Each object is told of once, and none that is as it was.
            let changed = events.iter().filter(|event| matches!(event, Event::Changed { .. }));
            let mut keys = BTreeSet::new();
            for event in changed {
                let Event::Changed { before, after } = event else { continue };
                prop_assert!(keys.insert(key_of(before.as_ref().or(after.as_ref()).unwrap())));
            }
            // And the mirror has what was told.
            let views = mirror.views();
            prop_assert_eq!(views.len(), picture.views.len());
            for view in views.iter() {
                prop_assert_eq!(picture.views.get(&view.id.uuid), Some(&View::from(Arc::clone(view))));
                prop_assert_eq!(&mirror.view(&view.id.uuid).unwrap(), view);
                prop_assert_eq!(&mirror.view_by_name(&view.id.name).unwrap().id.name, &view.id.name);
            }
            mirror.begin().finish(list);
            prop_assert!(heard.take().is_empty());
        }
    }

    #[test]
    fn single_events_and_lists_come_to_the_same(list in domains(), other in domains()) {
        let (by_lists, heard) = mirror::<DomainView>();
        by_lists.begin().finish(list.clone());
        by_lists.begin().finish(other.clone());
        let (by_events, told) = mirror::<DomainView>();
        by_events.begin().finish(list);
        let wanted = Picture::of(&other);
        let had: Vec<Uuid> = by_events.views().iter().map(|view| view.id.uuid).collect();
        for key in had.iter().filter(|key| !wanted.views.contains_key(key)) {
            by_events.remove(key);
        }
        let (known, new): (Vec<_>, Vec<_>) = wanted.views.values().partition(|view| had.contains(&key_of(view)));
        for view in known.into_iter().chain(new) {
            by_events.put(DomainView::clone(<&Arc<DomainView>>::try_from(view).unwrap()));
        }
        prop_assert_eq!(format!("{:?}", told.take()), format!("{:?}", heard.take()));
        let names = |mirror: &Mirror<DomainView>| {
            (0..4).map(|name| mirror.view_by_name(&format!("guest{name}")).ok()).collect::<Vec<_>>()
        };
        prop_assert_eq!(names(&by_events), names(&by_lists));
    }
}

#[test]
fn a_rename_is_told_as_one() {
    let (mirror, heard) = mirror();
    mirror.begin().finish([running(1, "web"), running(2, "db")]);
    heard.take();
    mirror.begin().finish([running(1, "www"), running(2, "db")]);
    let events = heard.take();
    let [
        Event::Domain(was, DomainEvent::Lifecycle(undefined)),
        Event::Changed {
            before: Some(before),
            after: Some(after),
        },
        Event::Domain(is, DomainEvent::Lifecycle(defined)),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(*undefined, Lifecycle::Undefined(UndefinedDetail::Renamed));
    assert_eq!(*defined, Lifecycle::Defined(DefinedDetail::Renamed));
    assert_eq!((&*was.name, &*is.name), ("web", "www"));
    assert_eq!(before.id(), was.clone().into());
    assert_eq!(after.id(), is.clone().into());
    assert!(mirror.view_by_name("web").is_err());
    assert_eq!(mirror.view_by_name("www").unwrap().id.uuid, uuid(1));
}

#[test]
fn a_name_that_two_have_finds_the_same_one_until_it_has_another() {
    let (mirror, _) = mirror();
    mirror
        .begin()
        .finish([running(2, "web"), running(1, "web")]);
    assert_eq!(mirror.views().len(), 2);
    assert_eq!(mirror.view_by_name("web").unwrap().id.uuid, uuid(1));
    mirror.put(running(1, "www"));
    assert_eq!(mirror.view_by_name("web").unwrap().id.uuid, uuid(2));
    mirror.remove(&uuid(2));
    assert!(mirror.view_by_name("web").is_err());
}

#[test]
fn a_guest_that_was_started_anew_between_two_lists_has_stopped_and_started() {
    let (mirror, heard) = mirror();
    mirror
        .begin()
        .finish([domain(1, "web", STATES[2], 7, true)]);
    heard.take();
    mirror
        .begin()
        .finish([domain(1, "web", STATES[3], 8, true)]);
    let lifecycles: Vec<i32> = heard.take().iter().filter_map(number).collect();
    // Stopped, started, suspended.
    assert_eq!(lifecycles, [5, 2, 3]);
    assert_eq!(mirror.view_by_id(8).unwrap().id.uuid, uuid(1));
    assert!(mirror.view_by_id(7).is_err());
}

fn number(event: &Event) -> Option<i32> {
    match event {
        Event::Domain(_, DomainEvent::Lifecycle(lifecycle)) => Some(lifecycle.numbers().0),
        _ => None,
    }
}

#[test]
fn an_event_is_newer_than_a_list_that_was_asked_for_before_it() {
    let (mirror, heard) = mirror();
    mirror.begin().finish([running(1, "web"), running(2, "db")]);
    let reading = mirror.begin();
    assert!(mirror.update(&uuid(1), |view| view.state = STATES[3]));
    mirror.remove(&uuid(2));
    mirror.put(running(3, "new"));
    assert!(!mirror.update(&uuid(4), |view| view.autostart = true));
    heard.take();
    // The list knows nothing of all that; but of another one that came before.
    reading.finish([running(1, "web"), running(2, "db"), running(5, "old")]);
    let names: Vec<String> = (mirror.views().iter().map(|view| view.id.name.to_string())).collect();
    assert_eq!(names, ["web", "new", "old"]);
    assert_eq!(mirror.view(&uuid(1)).unwrap().state, STATES[3]);
    assert_eq!(heard.take().len(), 3);
    // The next list knows.
    mirror.begin().finish([running(1, "web")]);
    assert_eq!(mirror.views().len(), 1);
    assert_eq!(mirror.view(&uuid(1)).unwrap().state, STATES[2]);
}

#[test]
fn a_list_that_was_overtaken_is_not_used() {
    let (mirror, heard) = mirror();
    let slow = mirror.begin();
    mirror.begin().finish([running(1, "web")]);
    heard.take();
    slow.finish([running(1, "old")]);
    assert!(heard.take().is_empty());
    assert_eq!(&*mirror.views()[0].id.name, "web");
}

#[tokio::test]
async fn a_question_that_fails_changes_nothing() {
    let (mirror, heard) = mirror();
    mirror
        .refresh(async { Ok([running(1, "web")]) })
        .await
        .unwrap();
    heard.take();
    let lost: Result<[DomainView; 0]> = Err(Error::internal("lost"));
    assert!(mirror.refresh(async { lost }).await.is_err());
    assert!(heard.take().is_empty());
    assert_eq!(mirror.views().len(), 1);
}

#[test]
fn what_cannot_be_named_is_left_out() {
    let (mirror, heard) = mirror();
    mirror
        .begin()
        .finish([running(1, ""), running(2, "a\0b"), running(3, "web")]);
    mirror.put(running(4, &"x".repeat(5000)));
    assert_eq!(mirror.views().len(), 1);
    heard.take();
    // One that loses its name is gone.
    mirror.begin().finish([running(3, "")]);
    assert!(mirror.views().is_empty());
    assert!(matches!(
        &heard.take()[..],
        [.., Event::Changed { after: None, .. }]
    ));
}

#[test]
fn networks_are_mirrored_as_domains_are() {
    let (mirror, heard) = mirror();
    let lives = |heard: &Heard| {
        let events = heard.take();
        let told = events.iter().filter_map(|event| match event {
            Event::Network(_, NetworkEvent::Lifecycle(lifecycle)) => Some(*lifecycle),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    use NetworkLifecycle as L;
    mirror.begin().finish([network(1, true, true)]);
    assert_eq!(lives(&heard), [L::Defined, L::Started]);
    mirror.begin().finish([network(1, false, true)]);
    assert_eq!(lives(&heard), [L::Stopped]);
    mirror.begin().finish([network(1, true, false)]);
    assert_eq!(lives(&heard), [L::Started, L::Undefined]);
    mirror.begin().finish([]);
    assert_eq!(lives(&heard), [L::Stopped]);
}
