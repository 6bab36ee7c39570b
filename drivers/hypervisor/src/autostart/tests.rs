//! Who is started, how many at a time, and once.

use std::cell::Cell;
use std::future::pending;
use std::ops::Deref;
use std::sync::Mutex;

use virtbus_api::Error;
use virtbus_api::event::EventHub;

use super::*;
use crate::domains::named::{self, Domain};

const NOTES: &str = "autostarted";
const BOOT: &str = "5f1b2c3d-0000-4000-8000-000000000001";

#[test]
fn notes_of_this_boot_are_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NOTES);
    let read = || Notes::parse(&std::fs::read_to_string(&path).unwrap(), BOOT);
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    let writer = Writer::open(&path, BOOT, &Notes::default()).unwrap();
    assert_eq!(read(), Notes::default());
    writer.note(&one.to_string());
    // The daemon died while it wrote.
    (&writer.file)
        .write_all(&two.to_string().as_bytes()[..9])
        .unwrap();
    assert_eq!(read().over, [one].into());
    let writer = Writer::open(&path, BOOT, &read()).unwrap();
    writer.note(&two.to_string());
    assert_eq!(read().over, [one, two].into());
    assert!(!read().all);
    writer.note(ALL);
    assert!(read().all);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(Notes::parse(&text, "another"), Notes::default());
    // A new boot begins anew.
    Writer::open(&path, "another", &Notes::parse(&text, "another")).unwrap();
    assert_eq!(read(), Notes::default());
}

#[test]
fn notes_of_earlier_releases_mean_all() {
    assert!(Notes::parse(BOOT, BOOT).all);
    assert!(!Notes::parse("another", BOOT).all);
    assert!(!Notes::parse("", "").all);
}

#[tokio::test(start_paused = true)]
async fn what_hangs_holds_up_its_own_place_only() {
    let (at_once, most, done) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let work = (0..40).map(|number| {
        let (at_once, most, done) = (&at_once, &most, &done);
        async move {
            at_once.set(at_once.get() + 1);
            most.set(most.get().max(at_once.get()));
            let limit = Duration::from_secs(60);
            if number % 13 == 0 {
                let _ = tokio::time::timeout(limit, pending::<()>()).await;
            } else {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            at_once.set(at_once.get() - 1);
            done.set(done.get() + 1);
        }
    });
    let begin = tokio::time::Instant::now();
    all_of(work).await;
    assert_eq!((done.get(), most.get()), (40, AT_ONCE));
    assert!(begin.elapsed() < Duration::from_secs(2 * 60));
}

/// Starts domains by noting their names. What is called so, hangs, fails, or has another one started by somebody else.
struct Names {
    domains: Vec<Arc<Domain>>,
    hub: EventHub,
    ended: Mutex<Vec<Uuid>>,
    started: Mutex<Vec<String>>,
}

impl Names {
    fn of(names: &[&str]) -> Self {
        let hub = EventHub::default();
        let domains = names.iter().zip(1..).map(|(name, number)| {
            let domain = named::domain(Uuid::from_u128(number), name);
            domain.adjust(&hub, |state| state.autostart = !name.starts_with("not"));
            Arc::new(domain)
        });
        Self {
            domains: domains.collect(),
            hub,
            ended: Mutex::default(),
            started: Mutex::default(),
        }
    }

    fn domain(&self, name: &str) -> &Arc<Domain> {
        let mut domains = self.domains.iter();
        domains.find(|domain| &*domain.name() == name).unwrap()
    }

    fn started(&self) -> Vec<String> {
        std::mem::take(&mut self.started.lock().unwrap())
    }
}

impl Starter for Names {
    type Domain = Domain;

    fn domains(&self) -> Vec<Arc<Domain>> {
        self.domains.clone()
    }

    fn ended(&self, domain: &Domain) -> u64 {
        let ended = self.ended.lock().unwrap();
        ended
            .iter()
            .filter(|uuid| **uuid == domain.deref().uuid)
            .count() as u64
    }

    async fn start(&self, domain: &Arc<Domain>) -> Result<()> {
        let name = domain.name();
        self.started.lock().unwrap().push(name.to_string());
        match &*name {
            "hangs" => pending().await,
            "fails" => Err(Error::internal("no paper")),
            // Its client starts two others, of which one has ended by now.
            "a-first" => {
                let other = self.domain("started-by-hand");
                other.adjust(&self.hub, |state| state.id = Some(1));
                let other = self.domain("started-and-ended");
                self.ended.lock().unwrap().push(other.uuid);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn each_has_its_turn_once_a_boot_unless_somebody_was_faster() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NOTES);
    let names = Names::of(&[
        "z-last",
        "fails",
        "not-me",
        "hangs",
        "a-first",
        "started-by-hand",
        "started-and-ended",
    ]);
    autostart(&names, path.clone(), LIMIT).await;
    assert_eq!(names.started(), ["a-first", "fails", "hangs", "z-last"]);
    // All had their turn in this boot, and so has one that is marked from now on.
    autostart(&names, path.clone(), LIMIT).await;
    names
        .domain("not-me")
        .adjust(&names.hub, |state| state.autostart = true);
    autostart(&names, path.clone(), LIMIT).await;
    assert_eq!(names.started(), [""; 0]);
    std::fs::remove_file(path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_daemon_goes_on_with_those_that_the_last_one_did_not_come_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NOTES);
    let names = Names::of(&["one", "two", "three"]);
    let boot = process::boot_id().unwrap();
    std::fs::write(&path, format!("{boot}\n\n{}\n", Uuid::from_u128(2))).unwrap();
    autostart(&names, path.clone(), LIMIT).await;
    assert_eq!(names.started(), ["one", "three"]);
    // What cannot be noted is not done, since the next daemon would do it again.
    let nowhere = dir.path().join("none").join(NOTES);
    autostart(&names, nowhere, LIMIT).await;
    assert_eq!(names.started(), [""; 0]);
}
