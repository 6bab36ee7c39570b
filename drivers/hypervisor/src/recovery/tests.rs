//! Guests of a made-up driver, which are processes that wait: found again, cleared away, held.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;
use tokio::sync::watch;
use virtbus_api::ErrorDomain;
use virtbus_api::domain::{DomainState, RunningReason};
use virtbus_api::event::EventHub;
use virtbus_util::cmd::{Child, Cmd, Stdio};

use super::*;
use crate::domains::Published;
use crate::domains::named::{self, Named};
use crate::store::tests::{Drawer, Paper, Sheet, sheet, status, store};

/// What a guest does: it says that it is there, and waits for its end, or that of the test.
const WAIT: &str = "echo; read line; exit";

struct Domain {
    published: Published<Named>,
    jobs: Jobs,
}

impl Deref for Domain {
    type Target = Published<Named>;

    fn deref(&self) -> &Published<Named> {
        &self.published
    }
}

impl Entry for Domain {
    type State = Named;
}

/// The driver. What it is told to do is noted in `told`.
struct Waiters {
    store: Store<Paper>,
    table: Arc<Table<Domain>>,
    hub: EventHub,
    told: watch::Sender<Vec<String>>,
    /// What tells its guests' processes from others: an argument of theirs.
    mark: String,
    /// The stray that was held last.
    held: Mutex<Option<Arc<Stray>>>,
    saved: bool,
    dir: TempDir,
}

impl Waiters {
    fn new() -> Self {
        let (store, dir) = store();
        Self {
            store,
            table: Arc::default(),
            hub: EventHub::default(),
            told: watch::Sender::default(),
            mark: format!("virtbus-waiter-{}", Uuid::new_v4()),
            held: Mutex::default(),
            saved: false,
            dir,
        }
    }

    /// A process that is a guest's by its command line. It ends with the test at the latest.
    fn process(&self) -> Child {
        let mut cmd = Cmd::new("/bin/sh");
        cmd.args(["-c", WAIT, &self.mark]);
        cmd.stdin(Stdio::Piped).stdout(Stdio::Piped);
        let mut process = cmd.spawn().unwrap();
        // A process has no command line for a moment after it was started.
        let mut said = File::from(process.take_stdout().unwrap());
        said.read_exact(&mut [0]).unwrap();
        process
    }

    fn tell(&self, what: String) {
        self.told.send_modify(|told| told.push(what));
    }

    /// Everything that was done, at once or in the background, as soon as this was done.
    async fn done(&self, last: &str) -> Vec<String> {
        let mut told = self.told.subscribe();
        let all = told
            .wait_for(|told| told.iter().any(|line| line == last))
            .await;
        all.unwrap().clone()
    }

    fn state(&self, number: u128) -> DomainState {
        let domain = self.table.get(Uuid::from_u128(number)).unwrap();
        domain.snapshot().view().state
    }

    /// A new daemon.
    async fn recover(self) -> Arc<Self> {
        let guests = Arc::new(self);
        let statuses = load(&*guests, &[]).unwrap();
        resume(&guests, statuses).await;
        guests
    }
}

impl Guests for Waiters {
    type Kept = Paper;
    type Domain = Domain;

    fn store(&self) -> &Store<Paper> {
        &self.store
    }

    fn table(&self) -> &Arc<Table<Domain>> {
        &self.table
    }

    fn jobs<'a>(&self, domain: &'a Domain) -> &'a Jobs {
        &domain.jobs
    }

    fn limits(&self) -> Limits {
        Limits {
            turn: Duration::from_secs(60),
            kill: Duration::from_secs(60),
        }
    }

    fn make(&self, uuid: Uuid, name: &str) -> Domain {
        Domain {
            published: named::published(uuid, name),
            jobs: Jobs::new(ErrorDomain::Test),
        }
    }

    fn define(&self, domain: &Arc<Domain>, stored: Stored<Sheet>) {
        domain.adjust(&self.hub, |state| {
            state.is_defined = true;
            state.autostart = stored.autostart;
        });
    }

    fn search(&self, _: &Status<Drawer>) -> Vec<Pidfd> {
        let found = candidates(None).filter(|found| found.mentions(&self.mark));
        found.map(|found| found.process).collect()
    }

    fn search_unread(&self, _: Uuid) -> Option<Found> {
        let found = candidates(None).find(|found| found.after(WAIT) == Some(&*self.mark))?;
        Some(Found {
            process: found.process,
            name: Some("found".to_owned()),
        })
    }

    async fn take_in(
        self: &Arc<Self>,
        domain: &Arc<Domain>,
        status: Status<Drawer>,
        definition: Arc<Sheet>,
        process: Pidfd,
    ) {
        domain.adjust(&self.hub, |state| {
            state.id = Some(status.id);
            state.state = status.state();
        });
        let (name, own) = (&definition.name, status.own.number);
        self.tell(format!("took in {name} with {own} as {}", process.pid()));
    }

    async fn undo(self: &Arc<Self>, status: &Status<Drawer>) -> Gone {
        self.tell(format!("undid {}", status.name));
        if self.saved { Gone::Saved } else { Gone::Lost }
    }

    fn off(&self, domain: &Arc<Domain>, reason: ShutoffReason, events: Vec<DomainEvent>) {
        self.store.remove_status(domain.uuid);
        domain.adjust(&self.hub, |state| {
            state.id = None;
            state.state = DomainState::Shutoff(reason);
        });
        self.tell(format!("{} is off, {} told", domain.name(), events.len()));
        self.table.give_back(domain);
    }

    fn hold(&self, domain: &Arc<Domain>, stray: &Arc<Stray>) {
        domain.adjust(&self.hub, |state| {
            state.id = Some(0);
            state.state = DomainState::NoState;
        });
        *self.held.lock().unwrap() = Some(Arc::clone(stray));
        self.tell(format!("holds {}", domain.name()));
    }

    fn release(&self, domain: &Arc<Domain>, events: Vec<DomainEvent>) {
        self.off(domain, ShutoffReason::Unknown, events);
    }
}

const RUNNING: DomainState = DomainState::Running(RunningReason::Booted);

/// The status of a guest with this process.
fn of(number: u128, name: &str, process: &Child, state: DomainState) -> Status<Drawer> {
    let mut status = status(number, name);
    let id = process.process_id().unwrap();
    status.pid = Some(id.pid);
    status.start_time = Some(id.start_time);
    status.set_state(state);
    status
}

async fn end(mut process: Child) {
    let _ = process.signal(Signal::KILL);
    process.wait().await.unwrap();
}

#[tokio::test]
async fn definitions_are_read_and_one_that_contradicts_another_is_left_out() {
    let guests = Waiters::new();
    for (number, name) in [(1, "one"), (2, "two"), (1, "three")] {
        guests.store.write_config(&sheet(number, name)).unwrap();
    }
    guests.store.write_autostart("two", true).unwrap();
    let guests = guests.recover().await;
    let views = guests.table.views();
    let mut views: Vec<_> = views
        .iter()
        .map(|view| (&*view.id.name, view.autostart))
        .collect();
    views.sort_unstable();
    assert_eq!(views, [("one", false), ("two", true)]);
    // Nothing is taken away from whoever has to mend that.
    assert!(guests.store.config_path("three").exists());
}

#[tokio::test]
async fn a_guest_that_runs_is_taken_in_and_its_number_is_not_given_again() {
    let guests = Waiters::new();
    let process = guests.process();
    let status = of(7, "seven", &process, RUNNING);
    guests.store.write_status(&status).unwrap();
    let guests = guests.recover().await;
    let line = format!("took in seven with 17 as {}", process.pid());
    assert_eq!(*guests.told.borrow(), [line]);
    assert_eq!(guests.state(7), RUNNING);
    assert_eq!(guests.table.next_id(), 8);
    end(process).await;
}

#[tokio::test]
async fn what_is_left_of_a_guest_that_is_gone_is_cleared_away() {
    // Of another boot, with the pid of another process, and ended.
    let guests = Waiters::new();
    let process = guests.process();
    let mut other_boot = of(1, "one", &process, RUNNING);
    "another".clone_into(&mut other_boot.boot_id);
    let mut other_process = of(2, "two", &process, RUNNING);
    other_process.start_time = Some(1);
    let ended = guests.process();
    let gone = of(3, "three", &ended, RUNNING);
    // It has a pid for as long as nobody asks how it ended.
    ended.signal(Signal::KILL).unwrap();
    ended.pidfd().unwrap().exited().await.unwrap();
    for status in [&other_boot, &other_process, &gone] {
        guests.store.write_status(status).unwrap();
    }
    guests.store.write_config(&sheet(3, "three")).unwrap();
    let guests = guests.recover().await;
    let mut told = guests.told.borrow().clone();
    told.sort_unstable();
    // Only of a domain that anybody knows of is an event told.
    assert_eq!(
        told,
        [
            "one is off, 0 told",
            "three is off, 1 told",
            "two is off, 0 told",
            "undid one",
            "undid three",
            "undid two",
        ]
    );
    assert_eq!(
        guests.state(3),
        DomainState::Shutoff(ShutoffReason::Crashed)
    );
    assert_eq!(guests.table.all().len(), 1);
    assert!(guests.store.read_statuses().unwrap().read.is_empty());
    end(ended).await;
    end(process).await;
}

#[tokio::test]
async fn a_guest_that_was_saved_to_its_end_is_off_for_that() {
    let mut guests = Waiters::new();
    guests.saved = true;
    let mut gone = status(1, "one");
    gone.set_state(RUNNING);
    gone.pid = Some(1 << 23);
    gone.start_time = Some(1);
    guests.store.write_status(&gone).unwrap();
    guests.store.write_config(&sheet(1, "one")).unwrap();
    let guests = guests.recover().await;
    assert_eq!(guests.state(1), DomainState::Shutoff(ShutoffReason::Saved));
}

#[tokio::test]
async fn a_start_that_was_interrupted_is_ended_and_undone_before_anybody_calls() {
    // Its process was noted, or not yet.
    for is_noted in [true, false] {
        let guests = Waiters::new();
        let mut process = guests.process();
        let mut starting = status(1, "one");
        assert!(starting.is_starting());
        if is_noted {
            let id = process.process_id().unwrap();
            starting.pid = Some(id.pid);
            starting.start_time = Some(id.start_time);
        }
        guests.store.write_status(&starting).unwrap();
        guests.store.write_config(&sheet(1, "one")).unwrap();
        let guests = guests.recover().await;
        // Nobody had been told of it.
        assert_eq!(*guests.told.borrow(), ["undid one", "one is off, 0 told"]);
        assert_eq!(guests.state(1), DomainState::Shutoff(ShutoffReason::Failed));
        process.wait().await.unwrap();
    }
}

#[tokio::test]
async fn a_guest_whose_status_cannot_be_read_is_held_until_it_ends() {
    let guests = Waiters::new();
    guests.store.write_config(&sheet(1, "one")).unwrap();
    guests.store.write_status(&status(1, "one")).unwrap();
    let path = guests.store.status_path(Uuid::from_u128(1));
    std::fs::write(&path, "{").unwrap();
    let process = guests.process();
    let guests = guests.recover().await;
    assert_eq!(*guests.told.borrow(), ["holds one"]);
    assert_eq!(guests.state(1), DomainState::NoState);
    let stray = guests.held.lock().unwrap().clone().unwrap();
    let refusal = stray.refusal("one").message;
    for part in [process.pid().to_string(), path.display().to_string()] {
        assert!(refusal.contains(&part), "{refusal}");
    }
    // The file stays where it is for a daemon that may understand it, as long as there is a guest.
    assert!(path.exists());
    end(process).await;
    guests.done("one is off, 1 told").await;
    assert!(!path.exists());
    let aside = PathBuf::from(format!("{}.unreadable", path.display()));
    assert!(aside.exists());
}

#[tokio::test]
async fn a_status_that_cannot_be_read_and_tells_of_nothing_is_put_aside() {
    let guests = Waiters::new();
    guests.store.write_status(&status(1, "one")).unwrap();
    let path = guests.store.status_path(Uuid::from_u128(1));
    std::fs::write(&path, "{").unwrap();
    let guests = guests.recover().await;
    assert!(guests.told.borrow().is_empty());
    assert!(guests.table.all().is_empty());
    assert!(!path.exists());
    assert_eq!(
        std::fs::read_dir(guests.dir.path().join("run"))
            .unwrap()
            .count(),
        1
    );
}

#[tokio::test]
async fn a_guest_that_contradicts_a_definition_is_held_or_undone() {
    for runs in [true, false] {
        let guests = Waiters::new();
        let process = guests.process();
        // The name belongs to another UUID by the definitions.
        guests.store.write_config(&sheet(2, "one")).unwrap();
        let status = of(1, "one", &process, RUNNING);
        guests.store.write_status(&status).unwrap();
        if runs {
            let guests = guests.recover().await;
            assert_eq!(*guests.told.borrow(), ["holds one"]);
            assert_eq!(guests.state(2), DomainState::NoState);
            end(process).await;
            guests.done("one is off, 1 told").await;
        } else {
            end(process).await;
            let guests = guests.recover().await;
            assert_eq!(*guests.told.borrow(), ["undid one"]);
            assert!(guests.store.read_statuses().unwrap().read.is_empty());
        }
    }
}
