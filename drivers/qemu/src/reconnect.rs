//! Finding the guests of an earlier daemon again: by what a process of QEMU is known, how it becomes a domain's, and what is undone after
//! one that is gone. In which order that is done for all of them is `virtbus_hypervisor::recovery`.
//!
//! A guest's monitor is reached in the background, by the task that watches it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use virtbus_api::domain::{DomainEvent, ShutoffReason};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::jobs::Jobs;
use virtbus_hypervisor::recovery::{self, Found, Gone, Guests, Limits, RECOVERY, Stray};
use virtbus_hypervisor::store::{Statuses, Stored};
use virtbus_util::file;
use virtbus_util::process::{self, Pidfd};

use crate::belongings::ManagedSave;
use crate::config::Dirs;
use crate::core::Core;
use crate::domain::{Domain, Ending, Handle, Live, Run, Table};
use crate::persist::{self, Files, Status, Store};
use crate::watch::{Process, watch};
use crate::{bound, networks, saving, stop};

pub(crate) use recovery::resume;

/// Makes the directories, reads definitions into the table, and gives the status files. Blocks.
pub(crate) fn load(core: &Core) -> Result<Statuses<Files>> {
    make_dirs(core)?;
    let statuses = recovery::load(core, &[&ManagedSave(core)])?;
    for id in persist::used_ids(&core.config.dirs) {
        core.table.id_in_use(id);
    }
    // One that cannot be read may tell of a file in the making.
    if statuses.unreadable.is_empty() {
        let noted = statuses
            .read
            .iter()
            .filter_map(|(status, _)| status.saving.as_ref());
        saving::sweep(core, noted);
    }
    Ok(statuses)
}

fn make_dirs(core: &Core) -> Result<()> {
    let (run, most) = (&core.config.dirs.run, Dirs::longest_run());
    let bytes = run.as_os_str().len();
    if bytes > most {
        let message = format!(
            "the directory '{}' is too long for sockets of guests: its path has {bytes} bytes, and may have {most} at most",
            run.display()
        );
        return Err(Error::new(
            ErrorCode::ConfigUnsupported,
            ErrorDomain::Qemu,
            message,
        ));
    }
    // Guests pass through all but the first; nobody else has to know which guests there are.
    for (dir, mode) in [
        (&core.config.dirs.config, 0o700),
        (&core.config.dirs.run, 0o711),
        (&core.config.dirs.log, 0o711),
        (&core.config.dirs.state, 0o711),
    ] {
        file::ensure_dir(dir, mode, None).map_err(crate::outside::failed)?;
    }
    file::ensure_dir(&core.config.dirs.memory(), 0o700, None).map_err(crate::outside::failed)?;
    // What is in them is written with the guests' rights.
    for dir in [core.config.dirs.consoles(), core.config.dirs.nvram()] {
        let owner = core.config.guest_owner();
        file::ensure_dir(&dir, 0o750, owner).map_err(crate::outside::failed)?;
    }
    Ok(())
}

impl Guests for Core {
    type Kept = Files;
    type Domain = Domain;

    fn store(&self) -> &Store {
        &self.store
    }

    fn table(&self) -> &Arc<Table> {
        &self.table
    }

    fn jobs<'a>(&self, domain: &'a Domain) -> &'a Jobs {
        &domain.jobs
    }

    fn limits(&self) -> Limits {
        Limits {
            turn: self.config.timeouts.job,
            kill: self.config.timeouts.kill,
        }
    }

    fn make(&self, uuid: Uuid, name: &str) -> Domain {
        Domain::new(uuid, name, ShutoffReason::Unknown)
    }

    fn define(&self, domain: &Arc<Domain>, stored: Stored<Definition>) {
        let saved = saving::has_managed(self, &domain.name(), domain.uuid);
        domain.adjust(&self.hub, |inner| {
            inner.config = Some(Arc::new(stored.definition));
            inner.autostart = stored.autostart;
            inner.managed_save = saved;
        });
    }

    /// By the folder of the run, which is on QEMU's command line. Others who may start what looks like it are the guests of the same user.
    fn search(&self, status: &Status) -> Vec<Pidfd> {
        let below = format!("{}/", status.dir.display());
        recovery::candidates(self.guest_uid())
            .filter(|found| found.mentions(&below))
            .map(|found| found.process)
            .filter(|found| {
                process::executable(found.pid()).is_ok_and(|path| path == status.emulator)
            })
            .collect()
    }

    /// The process that was told this UUID, and to have its sockets below the directory of this driver's.
    fn search_unread(&self, uuid: Uuid) -> Option<Found> {
        let uuid = uuid.to_string();
        let below = format!("{}/", self.config.dirs.run.display());
        let found = recovery::candidates(self.guest_uid())
            .find(|found| found.after("-uuid") == Some(&*uuid) && found.mentions(&below))?;
        let name = found.after("-name").and_then(name_in);
        Some(Found {
            process: found.process,
            name,
        })
    }

    async fn take_in(
        self: &Arc<Self>,
        domain: &Arc<Domain>,
        status: Status,
        definition: Arc<Definition>,
        process: Pidfd,
    ) {
        self.preparer.ports.reserve(&status.prepared.ports);
        self.preparer.taps.reserve(&status.prepared.taps);
        if domain.snapshot().view.managed_save && status.saving.is_none() {
            // The guest has gone on from there; going back to it would be wrong.
            saving::outlived(self, domain).await;
        }
        if status.saving.is_some() {
            let limit = self.config.timeouts.job;
            let turn = domain.jobs.turn(&status.name, RECOVERY, limit).await;
            domain.keep_for_recovery(turn.ok());
        }
        let process = Arc::new(process);
        let epoch = self.next_epoch();
        let client = status.client.clone();
        networks::reclaim(&self.providers, &status.name, domain.uuid, &definition);
        let (handle, requests) = Handle::new();
        let live = Live {
            epoch,
            status,
            definition,
            process: Arc::clone(&process),
            monitor: None,
            reached: watch::Sender::new(false),
            flow: watch::Sender::default(),
            wanted: None,
            ending: Ending::None,
            watcher: handle,
        };
        domain.adjust(&self.hub, |inner| {
            inner.run = Run::Live(Box::new(live));
        });
        self.watched.fetch_add(1, Ordering::Relaxed);
        let (core, domain) = (Arc::clone(self), Arc::clone(domain));
        let process = Process::Found(process);
        if let Some(client) = client {
            bound::bind_again(self, &domain, epoch, &client);
        }
        tokio::spawn(watch(core, domain, epoch, process, None, requests));
    }

    async fn undo(self: &Arc<Self>, status: &Status) -> Gone {
        let saved = saving::ended(self, status.saving.as_ref()).await;
        Core::undo(self, status).await;
        if saved { Gone::Saved } else { Gone::Lost }
    }

    fn off(&self, domain: &Arc<Domain>, reason: ShutoffReason, events: Vec<DomainEvent>) {
        stop::off(self, domain, reason, events);
    }

    fn hold(&self, domain: &Arc<Domain>, stray: &Arc<Stray>) {
        domain.adjust(&self.hub, |inner| {
            inner.run = Run::Stray(Arc::clone(stray));
        });
        self.watched.fetch_add(1, Ordering::Relaxed);
    }

    fn release(&self, domain: &Arc<Domain>, events: Vec<DomainEvent>) {
        stop::off(self, domain, ShutoffReason::Unknown, events);
        self.watched.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Core {
    /// As whom guests run, if not as the daemon.
    fn guest_uid(&self) -> Option<u32> {
        self.config.user.as_ref().map(|user| user.uid)
    }
}

/// The guest's name in QEMU's option for it, where commas are doubled.
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
