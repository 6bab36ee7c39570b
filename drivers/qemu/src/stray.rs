//! Guests of an earlier daemon that run and cannot be taken in, because what was written down of them cannot be read or contradicts a
//! definition.
//!
//! Their domains are in no state, and nothing can be done to them but to end them: a guest that might run is never started again, as two
//! QEMUs on one disk destroy what is on it. What was prepared on the host for such a guest cannot be undone, since nothing tells of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use virtbus_api::Uuid;
use virtbus_api::domain::{DomainEvent, Lifecycle, ShutoffReason, StoppedDetail};
use virtbus_hypervisor::domains::Snapshot as _;
use virtbus_hypervisor::store::Unreadable;
use virtbus_util::process::{self, Pidfd};

use crate::core::Core;
use crate::domain::{Domain, Run, Stray};
use crate::outside::blocking;
use crate::stop;

/// QEMU's process of a guest, with the guest's name.
struct Found {
    process: Pidfd,
    name: Option<String>,
}

/// Looks for the QEMU of each guest whose status file cannot be read, and holds its domain if there is one.
pub(crate) async fn hold_unreadable(core: &Arc<Core>, unreadable: Vec<Unreadable>) {
    for file in unreadable {
        let Unreadable { path, uuid, why } = file;
        let user = core.config.user.as_ref().map(|user| user.uid);
        match find(uuid, &core.config.dirs.run, user) {
            Some(found) => {
                let name = found.name.unwrap_or_else(|| uuid.to_string());
                hold(core, uuid, &name, found.process, path, why);
            }
            None => put_aside(core, &path, &why).await,
        }
    }
}

/// Makes a process that cannot be taken in the domain's that has this UUID, or else this name, until it has ended.
pub(crate) fn hold(
    core: &Arc<Core>,
    uuid: Uuid,
    name: &str,
    process: Pidfd,
    path: std::path::PathBuf,
    why: String,
) {
    let claim = core.table.claim_either(uuid, name, || {
        Domain::new(uuid, name, ShutoffReason::Unknown)
    });
    let process = Arc::new(process);
    let stray = Arc::new(Stray {
        process: Arc::clone(&process),
        path,
        why,
    });
    tracing::error!(domain = name, error = %stray.refusal(name), "a guest of an earlier daemon cannot be taken in");
    let held = Arc::clone(&stray);
    claim.domain().adjust(&core.hub, |inner| {
        inner.run = Run::Stray(held);
    });
    core.watched.fetch_add(1, Ordering::Relaxed);
    let core = Arc::clone(core);
    tokio::spawn(async move {
        if let Err(error) = process.exited().await {
            // The domain stays as it is, which is the safe side.
            tracing::error!(domain = %claim.domain().name(), %error, "a guest's process cannot be watched");
            std::future::pending::<()>().await;
        }
        put_aside(&core, &stray.path, &stray.why).await;
        let events = if claim.domain().snapshot().is_shown() {
            vec![DomainEvent::Lifecycle(Lifecycle::Stopped(
                StoppedDetail::Failed,
            ))]
        } else {
            Vec::new()
        };
        stop::off(&core, claim.domain(), ShutoffReason::Unknown, events);
        core.watched.fetch_sub(1, Ordering::Relaxed);
    });
}

/// Nothing runs that the file could tell of: it is kept for a person to look at.
async fn put_aside(core: &Arc<Core>, path: &Path, why: &str) {
    let (storing, from) = (Arc::clone(core), path.to_owned());
    match blocking(move || storing.store.set_aside(&from)).await {
        Ok(aside) => {
            tracing::error!(
                path = %aside.display(),
                error = why,
                "a status file cannot be read, and its guest does not run: it was put aside; what was prepared for the guest (owners of \
                 its files, network devices) is not undone"
            );
        }
        Err(error) => {
            tracing::error!(path = %path.display(), error = why, %error, "a status file cannot be read, nor put aside, ignoring");
        }
    }
}

/// Whether a process is one that the daemon may have started for a guest: of the guests' user, or, before it became that, of the daemon's.
pub(crate) fn is_of(pid: i32, user: Option<u32>) -> bool {
    let own = rustix::process::geteuid().as_raw();
    process::user(pid).is_ok_and(|found| found == own || Some(found) == user)
}

/// The process that was told this UUID, and to have its sockets below `run`.
fn find(uuid: Uuid, run: &Path, user: Option<u32>) -> Option<Found> {
    let uuid = uuid.to_string();
    let entries = std::fs::read_dir("/proc").ok()?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        // Held before it is looked at, so that it is this one that was looked at.
        let (Ok(process), Ok(arguments)) = (Pidfd::open(pid), process::cmdline(pid)) else {
            continue;
        };
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        let after = |option: &str| {
            let mut pairs = arguments.windows(2);
            pairs.find(|pair| pair[0] == option).map(|pair| &pair[1])
        };
        let below = format!("{}/", run.display());
        if after("-uuid") == Some(&uuid)
            && arguments.iter().any(|argument| argument.contains(&below))
            && is_of(pid, user)
            && !process.has_exited().unwrap_or(false)
        {
            let name = after("-name").and_then(|option| name_in(option));
            return Some(Found { process, name });
        }
    }
    None
}

/// The guest's name in the option for it, where commas are doubled.
fn name_in(option: &str) -> Option<String> {
    let rest = option.strip_prefix("guest=")?;
    let mut name = String::new();
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == ',' && letters.next_if_eq(&',').is_none() {
            break;
        }
        name.push(letter);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_option() {
        let name = |option| name_in(option);
        assert_eq!(name("guest=web,debug-threads=on").as_deref(), Some("web"));
        assert_eq!(name("guest=a,,b,debug-threads=on").as_deref(), Some("a,b"));
        assert_eq!(name("web"), None);
    }
}
