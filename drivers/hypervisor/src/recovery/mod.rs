//! What a new daemon does first: it reads the definitions, finds the guests of the last daemon again, and clears away what is left of those
//! that are gone.
//!
//! ```text
//!   status file ──┬─ process runs, start was done ────────▶ taken in
//!                 ├─ process runs, start was interrupted ─▶ ended, and what was done for it is undone
//!                 ├─ no such process ─────────────────────▶ what was done for it is undone, its domain is off
//!                 └─ cannot be used, but a process runs ──▶ held as a stray until it ends; see `Stray`
//! ```
//!
//! A process is recognized by its pid, its start time and the boot of the host; or, if it was not noted yet, by what the driver finds
//! ([`Guests::search`]). A guest is known as soon as its status file is read. What a driver has to reach it by, such as a monitor, is the
//! driver's affair, and done in the background: one guest that does not answer holds up nobody.

mod search;
mod stray;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use virtbus_api::domain::{DomainEvent, Lifecycle, ShutoffReason, StoppedDetail};
use virtbus_api::{Error, ErrorCode, Result, Uuid};
use virtbus_util::process::{self, Pidfd, Signal};

use crate::domains::{Claim, Entry, Snapshot as _, Table};
use crate::jobs::{Job, Jobs, Kind};
use crate::store::{Belonging, Kept, Status, Statuses, Store, Stored};

pub use search::{Candidate, candidates};
pub use stray::{Found, Stray};

/// What a new daemon has to do about what the last one left half done. Whoever asks for another job of the domain waits for it.
pub const RECOVERY: Job = Job::new("the recovery after the daemon's start", &[Kind::Modify]);

/// So many guests of the last daemon are taken in at the same time.
const AT_ONCE: usize = 32;

/// The daemon's first caller waits no longer for what is left of a guest to be cleared away; a bus gives up after 25 s.
const CLEARING: Duration = Duration::from_secs(5);

/// The status of a guest of this driver.
pub type StatusOf<G> = Status<<<G as Guests>::Kept as Kept>::Own>;

/// A definition of this driver.
pub type DefinitionOf<G> = <<G as Guests>::Kept as Kept>::Definition;

/// Limits on waiting.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A job waits so long for its turn.
    pub turn: Duration,
    /// The kernel has so long to end a process.
    pub kill: Duration,
}

/// How a guest that is gone has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It is whole in a file.
    Saved,
    /// Otherwise.
    Lost,
}

/// The guests of a driver, as its daemon leaves them and finds them again.
pub trait Guests: Send + Sync + 'static {
    /// What is on disk.
    type Kept: Kept;

    /// A domain.
    type Domain: Entry;

    /// The files.
    fn store(&self) -> &Store<Self::Kept>;

    /// The domains.
    fn table(&self) -> &Arc<Table<Self::Domain>>;

    /// The jobs of a domain.
    fn jobs<'a>(&self, domain: &'a Self::Domain) -> &'a Jobs;

    /// How long is waited at most.
    fn limits(&self) -> Limits;

    /// A domain that is off and not defined, and so not shown yet.
    fn make(&self, uuid: Uuid, name: &str) -> Self::Domain;

    /// Publishes a definition that was read. Blocks.
    fn define(&self, domain: &Arc<Self::Domain>, stored: Stored<DefinitionOf<Self>>);

    /// The processes that were started for this status, which does not tell of one yet. More than one is to be had only of what others
    /// started to look like it. Blocks for as long as it takes to look at all processes of the host.
    fn search(&self, status: &StatusOf<Self>) -> Vec<Pidfd>;

    /// The process of the guest with this UUID, of which nothing that was written down can be read. Blocks likewise.
    fn search_unread(&self, uuid: Uuid) -> Option<Found>;

    /// Makes a guest that was found the domain's, publishes that, and watches it from now on.
    fn take_in(
        self: &Arc<Self>,
        domain: &Arc<Self::Domain>,
        status: StatusOf<Self>,
        definition: Arc<DefinitionOf<Self>>,
        process: Pidfd,
    ) -> impl Future<Output = ()> + Send;

    /// Undoes all that was done on the host for a guest whose process is gone.
    fn undo(self: &Arc<Self>, status: &StatusOf<Self>) -> impl Future<Output = Gone> + Send;

    /// Removes the status file, and publishes that the domain is off, with these events.
    fn off(&self, domain: &Arc<Self::Domain>, reason: ShutoffReason, events: Vec<DomainEvent>);

    /// Publishes that the domain is that of a process which cannot be taken in. The daemon stays for it, as for a guest.
    fn hold(&self, domain: &Arc<Self::Domain>, stray: &Arc<Stray>);

    /// The process of a domain that was held has ended: publishes that the domain is off, for a reason that is not known.
    fn release(&self, domain: &Arc<Self::Domain>, events: Vec<DomainEvent>);
}

/// Reads definitions into the table, and gives the status files. `belongings` are all that may be called after a domain. Blocks.
///
/// # Errors
/// If which guests run cannot be found out.
pub fn load<G: Guests>(guests: &G, belongings: &[&dyn Belonging]) -> Result<Statuses<G::Kept>> {
    let store = guests.store();
    store.sweep();
    store.finish_renaming(belongings);
    for stored in store.read_configs() {
        let name = G::Kept::name(&stored.definition).to_owned();
        match G::Kept::uuid(&stored.definition).and_then(|uuid| claim(guests, uuid, &name)) {
            Ok(claim) => guests.define(claim.domain(), stored),
            Err(error) => {
                tracing::error!(domain = name, %error, "the definition of domain '{name}' cannot be used, ignoring: {error}");
            }
        }
    }
    store.read_statuses()
}

fn claim<G: Guests>(guests: &G, uuid: Uuid, name: &str) -> Result<Claim<G::Domain>> {
    let make = || guests.make(uuid, name);
    guests.table().claim(uuid, name, make)
}

/// Takes in the guests of the last daemon. Must be called within a tokio runtime.
pub async fn resume<G: Guests>(guests: &Arc<G>, statuses: Statuses<G::Kept>) {
    let boot = process::boot_id().unwrap_or_default();
    let boot = &*boot;
    // One whose interrupted start the kernel is slow to end does not hold up the others.
    stream::iter(statuses.read)
        .for_each_concurrent(AT_ONCE, |(status, definition)| {
            resume_one(guests, status, definition, boot)
        })
        .await;
    for file in statuses.unreadable {
        stray::hold_unreadable(guests, file).await;
    }
}

async fn resume_one<G: Guests>(
    guests: &Arc<G>,
    status: StatusOf<G>,
    definition: Arc<DefinitionOf<G>>,
    boot: &str,
) {
    guests.table().id_in_use(status.id);
    let claimed = claim(&**guests, status.uuid, &status.name);
    let found = claimed.and_then(|claim| Ok((claim, find(&**guests, &status, boot)?)));
    let (claim, mut found) = match found {
        Ok(found) => found,
        Err(error) => return cannot_resume(guests, status, boot, &error).await,
    };
    let name = &status.name;
    match found.pop() {
        Some(process) if !status.is_starting() => {
            let pid = process.pid();
            tracing::info!(
                domain = name,
                pid,
                "domain '{name}' of an earlier daemon runs as process {pid}"
            );
            guests
                .take_in(claim.domain(), status, definition, process)
                .await;
        }
        other => {
            if other.is_none() {
                tracing::warn!(
                    domain = name,
                    "the guest of domain '{name}' ended while no daemon ran"
                );
            }
            // Done before anybody calls, unless its files are on a file system that does not answer: then whoever wants to start the
            // guest goes on waiting, and nobody else.
            let limit = guests.limits().turn;
            let turn = guests
                .jobs(claim.domain())
                .turn(name, RECOVERY, limit)
                .await;
            let guests = Arc::clone(guests);
            let clearing = tokio::spawn(async move {
                for process in other.into_iter().chain(found) {
                    end_interrupted(&*guests, &status, &process).await;
                }
                clear_away(&guests, claim.domain(), &status).await;
                drop(turn);
            });
            let _ = tokio::time::timeout(CLEARING, clearing).await;
        }
    }
}

/// Something speaks against taking a guest in, such as a definition of its name with another UUID. If it runs, its domain is held.
async fn cannot_resume<G: Guests>(guests: &Arc<G>, status: StatusOf<G>, boot: &str, error: &Error) {
    let name = &status.name;
    match find(&**guests, &status, boot).map(|found| found.into_iter().next()) {
        Ok(None) => {
            tracing::error!(domain = name, %error, "the guest of domain '{name}' has ended and cannot be taken in, ignoring: {error}");
            guests.undo(&status).await;
            guests.store().remove_status(status.uuid);
        }
        Ok(Some(process)) => {
            let path = guests.store().status_path(status.uuid);
            let why = error.message.clone();
            let found = Found {
                process,
                name: Some(status.name),
            };
            stray::hold(guests, status.uuid, found, path, why);
        }
        Err(also) => {
            tracing::error!(
                domain = name, %error, %also,
                "the guest of domain '{name}' cannot be taken in, nor its process looked for, ignoring: {error}; {also}"
            );
        }
    }
}

/// The guest's process, if it can be there: in another boot of the host it is not. By what was written down of it; or as the driver finds it,
/// if nothing was written down yet.
fn find<G: Guests>(guests: &G, status: &StatusOf<G>, boot: &str) -> Result<Vec<Pidfd>> {
    if !status.may_be_in(boot) {
        return Ok(Vec::new());
    }
    let Some(id) = status.process() else {
        return Ok(guests.search(status));
    };
    let process = id
        .open()
        .map_err(|error| Error::chain(ErrorCode::SystemError, G::Kept::ERRORS, &error))?;
    let process = process.filter(|process| !process.has_exited().unwrap_or(false));
    Ok(process.into_iter().collect())
}

/// Ends a guest whose start was interrupted: it has not been released yet, and nobody was told of it.
async fn end_interrupted<G: Guests>(guests: &G, status: &StatusOf<G>, process: &Pidfd) {
    let (name, pid) = (&status.name, process.pid());
    tracing::warn!(
        domain = name,
        pid,
        "ending process {pid} of domain '{name}', whose start was interrupted"
    );
    let _ = process.signal(Signal::KILL);
    let _ = tokio::time::timeout(guests.limits().kill, process.exited()).await;
}

/// Undoes what was done for a guest that is gone.
async fn clear_away<G: Guests>(guests: &Arc<G>, domain: &Arc<G::Domain>, status: &StatusOf<G>) {
    let started = !status.is_starting();
    let (reason, detail) = match (guests.undo(status).await, started) {
        (Gone::Saved, _) => (ShutoffReason::Saved, StoppedDetail::Saved),
        (Gone::Lost, true) => (ShutoffReason::Crashed, StoppedDetail::Failed),
        (Gone::Lost, false) => (ShutoffReason::Failed, StoppedDetail::Failed),
    };
    let is_told = started && domain.snapshot().is_shown();
    guests.off(domain, reason, stopped(is_told, detail));
}

/// The event of a guest's end, for whoever knew of it.
fn stopped(is_told: bool, detail: StoppedDetail) -> Vec<DomainEvent> {
    let event = DomainEvent::Lifecycle(Lifecycle::Stopped(detail));
    is_told.then_some(event).into_iter().collect()
}

#[cfg(test)]
mod tests;
