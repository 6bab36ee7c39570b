//! What happened to a domain, as far as two pictures of it tell.

use virtbus_api::domain::{
    CrashedDetail, DefinedDetail, DomainEvent, DomainId, DomainState, DomainView, Lifecycle,
    PausedReason, PmSuspendedDetail, ResumedDetail, RunningReason, ShutdownDetail, ShutoffReason,
    StartedDetail, StoppedDetail, SuspendedDetail, UndefinedDetail,
};
use virtbus_api::event::Event;

use crate::happened::Happened;

fn event(id: &DomainId, lifecycle: Lifecycle) -> Event {
    Event::Domain(id.clone(), DomainEvent::Lifecycle(lifecycle))
}

pub(crate) fn happened(before: Option<&DomainView>, after: Option<&DomainView>) -> Happened {
    let mut happened = Happened::default();
    match (before, after) {
        (None, None) => {}
        (None, Some(new)) => {
            let defined = new
                .persistent
                .then_some(Lifecycle::Defined(DefinedDetail::Added));
            let run = ran(None, Some(Run::of(new)));
            happened.later = told(&new.id, defined.into_iter().chain(run));
        }
        (Some(gone), None) => {
            let undefined = Lifecycle::Undefined(UndefinedDetail::Removed);
            let undefined = gone.persistent.then_some(undefined);
            let run = ran(Some(Run::of(gone)), None);
            happened.earlier = told(&gone.id, run.into_iter().chain(undefined));
        }
        (Some(was), Some(is)) => {
            if was.id.name != is.id.name && was.persistent && is.persistent {
                let gone = Lifecycle::Undefined(UndefinedDetail::Renamed);
                happened.earlier.push(event(&was.id, gone));
                let came = Lifecycle::Defined(DefinedDetail::Renamed);
                happened.later.push(event(&is.id, came));
            }
            let definition = match (was.persistent, is.persistent) {
                (false, true) => Some(Lifecycle::Defined(DefinedDetail::Added)),
                (true, true) if is.updated && !was.updated => {
                    Some(Lifecycle::Defined(DefinedDetail::Updated))
                }
                (true, false) => Some(Lifecycle::Undefined(UndefinedDetail::Removed)),
                (true, true) | (false, false) => None,
            };
            let run = ran(Some(Run::of(was)), Some(Run::of(is)));
            happened
                .later
                .extend(told(&is.id, definition.into_iter().chain(run)));
        }
    }
    happened
}

fn told(id: &DomainId, lifecycles: impl Iterator<Item = Lifecycle>) -> Vec<Event> {
    lifecycles.map(|lifecycle| event(id, lifecycle)).collect()
}

/// A run of a domain: its number, and what it does.
#[derive(Clone, Copy)]
struct Run {
    number: Option<u32>,
    state: DomainState,
    is_on: bool,
}

impl Run {
    /// The run that the domain is in, or how the last one ended.
    const fn of(view: &DomainView) -> Self {
        Self {
            number: view.id.id,
            state: view.state,
            is_on: view.is_active(),
        }
    }
}

/// What happened from one run to the other. With another number it is another run, and the end of the first was not seen.
fn ran(before: Option<Run>, after: Option<Run>) -> Vec<Lifecycle> {
    let was = before.filter(|run| run.is_on);
    let is = after.filter(|run| run.is_on);
    let mut events = Vec::new();
    let goes_on = match (was, is) {
        (Some(was), Some(is)) => was.number == is.number,
        _ => false,
    };
    if was.is_some() && !goes_on {
        let ended = after.filter(|run| !run.is_on).map(|run| run.state);
        events.push(Lifecycle::Stopped(stopped(ended)));
    }
    let Some(is) = is else { return events };
    let from = match was.filter(|_| goes_on) {
        Some(was) => Doing::of(was.state),
        None => {
            events.push(Lifecycle::Started(started(is.state)));
            Doing::Running
        }
    };
    let to = Doing::of(is.state);
    if from == to {
        return events;
    }
    events.push(match (from, to) {
        (Doing::PmSuspended, Doing::Running) => Lifecycle::Started(StartedDetail::Wakeup),
        (_, Doing::Running) => Lifecycle::Resumed(resumed(is.state)),
        (_, Doing::Paused) => Lifecycle::Suspended(suspended(is.state)),
        (_, Doing::Shutdown) => Lifecycle::Shutdown(ShutdownDetail::Finished),
        (_, Doing::Crashed) => Lifecycle::Crashed(CrashedDetail::Panicked),
        (_, Doing::PmSuspended) => Lifecycle::PmSuspended(PmSuspendedDetail::Memory),
    });
    events
}

/// What a domain that is on does, as events tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Running,
    Paused,
    Shutdown,
    Crashed,
    PmSuspended,
}

impl Doing {
    const fn of(state: DomainState) -> Self {
        match state {
            DomainState::NoState
            | DomainState::Running(_)
            | DomainState::Blocked
            | DomainState::Shutoff(_) => Self::Running,
            DomainState::Paused(_) => Self::Paused,
            DomainState::Shutdown(_) => Self::Shutdown,
            DomainState::Crashed { .. } => Self::Crashed,
            DomainState::PmSuspended => Self::PmSuspended,
        }
    }
}

const fn started(state: DomainState) -> StartedDetail {
    match state {
        DomainState::Running(RunningReason::Migrated | RunningReason::Postcopy) => {
            StartedDetail::Migrated
        }
        DomainState::Running(RunningReason::Restored) => StartedDetail::Restored,
        DomainState::Running(RunningReason::FromSnapshot)
        | DomainState::Paused(PausedReason::FromSnapshot) => StartedDetail::FromSnapshot,
        DomainState::Running(RunningReason::Wakeup) => StartedDetail::Wakeup,
        _ => StartedDetail::Booted,
    }
}

const fn stopped(state: Option<DomainState>) -> StoppedDetail {
    match state {
        Some(DomainState::Shutoff(reason)) => match reason {
            ShutoffReason::Unknown | ShutoffReason::Shutdown => StoppedDetail::Shutdown,
            ShutoffReason::Destroyed => StoppedDetail::Destroyed,
            ShutoffReason::Crashed => StoppedDetail::Crashed,
            ShutoffReason::Migrated => StoppedDetail::Migrated,
            ShutoffReason::Saved => StoppedDetail::Saved,
            ShutoffReason::Failed | ShutoffReason::Daemon => StoppedDetail::Failed,
            ShutoffReason::FromSnapshot => StoppedDetail::FromSnapshot,
        },
        _ => StoppedDetail::Shutdown,
    }
}

const fn suspended(state: DomainState) -> SuspendedDetail {
    match state {
        DomainState::Paused(reason) => match reason {
            PausedReason::Migration => SuspendedDetail::Migrated,
            PausedReason::IoError => SuspendedDetail::IoError,
            PausedReason::Watchdog => SuspendedDetail::Watchdog,
            PausedReason::FromSnapshot => SuspendedDetail::FromSnapshot,
            PausedReason::Postcopy => SuspendedDetail::Postcopy,
            PausedReason::PostcopyFailed => SuspendedDetail::PostcopyFailed,
            PausedReason::ApiError => SuspendedDetail::ApiError,
            PausedReason::Unknown
            | PausedReason::User
            | PausedReason::Save
            | PausedReason::Dump
            | PausedReason::ShuttingDown
            | PausedReason::Snapshot
            | PausedReason::Crashed
            | PausedReason::StartingUp => SuspendedDetail::Paused,
        },
        _ => SuspendedDetail::Paused,
    }
}

const fn resumed(state: DomainState) -> ResumedDetail {
    match state {
        DomainState::Running(RunningReason::Migrated) => ResumedDetail::Migrated,
        DomainState::Running(RunningReason::FromSnapshot) => ResumedDetail::FromSnapshot,
        DomainState::Running(RunningReason::Postcopy) => ResumedDetail::Postcopy,
        DomainState::Running(RunningReason::PostcopyFailed) => ResumedDetail::PostcopyFailed,
        _ => ResumedDetail::Unpaused,
    }
}
