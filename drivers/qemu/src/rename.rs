//! Another name for a domain that is off, with all that is called after it: its definition, its autostart link, its managed save.
//! Logs keep the name that their guest had.
//!
//! ```text
//!   note ──▶ definition ──▶ autostart link ──▶ managed save ──▶ old link and definition removed ──▶ note removed
//! ```
//!
//! The note says that the domain is on its way from one name to the other. A daemon that finds one goes on from where the last one was
//! killed; each step may be done twice. As long as the old definition is there, all of it can be undone.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use virtbus_api::domain::{DomainDescription, DomainId};
use virtbus_api::{Error, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_util::file;

use crate::connection::Qemu;
use crate::core::Core;
use crate::domain::{Domain, Run};
use crate::outside::blocking;
use crate::persist::Stored;
use crate::{definition, jobs, saving};

/// The names of notes end so. They are beside the definitions.
const NOTE: &str = ".renaming";

/// A note is longer if somebody else wrote it. Bytes.
const LONGEST_NOTE: u64 = 4096;

/// A domain on its way from one name to another.
#[derive(Debug, Serialize, Deserialize)]
struct Renaming {
    uuid: Uuid,
    from: String,
    to: String,
}

#[async_trait]
impl DomainDescription for Qemu {
    async fn rename(&self, id: &DomainId, name: &str) -> Result<()> {
        definition::check_name(name)?;
        let domain = self.domain(id)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        let to = name.to_owned();
        let work = blocking(move || rename(&core, &job_domain, to));
        self.job(&domain, jobs::RENAME, work).await
    }
}

/// Renames the domain. Blocks; to be run as a job of it.
fn rename(core: &Core, domain: &Arc<Domain>, to: String) -> Result<()> {
    let from = domain.name();
    match &domain.lock().run {
        Run::Off(_) => {}
        Run::Stray(stray) => return Err(stray.refusal(&from)),
        Run::Starting(_) | Run::Live(_) => {
            return Err(Error::operation_invalid(format!(
                "domain '{from}' runs, and only one that is off can be renamed"
            )));
        }
    }
    let snapshot = domain.snapshot();
    let old = snapshot.config.clone().ok_or_else(|| {
        Error::operation_invalid(format!("domain '{from}' has no stored definition"))
    })?;
    // The name is the domain's for others from here on, and is given back if nothing comes of it.
    let reserved = core.table.reserve(domain, &to)?;
    let (autostart, saved) = (snapshot.view.autostart, snapshot.view.managed_save);
    let image = saved.then(|| saving::managed_path(core, &to));
    check_free(std::iter::once(core.store.config_path(&to)).chain(image))?;
    let new = renamed(&old, &to);
    let renaming = Renaming {
        uuid: domain.uuid,
        from: from.to_string(),
        to,
    };
    let done = renaming
        .note(core)
        .and_then(|()| renaming.move_files(core, &new, autostart, saved));
    if let Err(error) = done {
        if let Err(also) = renaming.move_back(core, &old, autostart, saved) {
            tracing::error!(
                domain = %from, %error, %also,
                "renaming domain '{from}' to '{}' failed and could not be undone; the next daemon tries again: {error}; {also}", renaming.to
            );
        }
        return Err(error);
    }
    domain.rename(&core.hub, |inner| {
        inner.name = new.name.as_str().into();
        inner.config = Some(Arc::new(new));
    });
    drop(reserved);
    if let Err(error) = renaming.forget(core) {
        // It is of no use any more, and the next daemon finds nothing to do for it.
        tracing::warn!(domain = %from, %error, "what is left of renaming domain '{from}' cannot be removed, ignoring: {error}");
    }
    Ok(())
}

/// Refuses to replace what no domain is known by, such as a definition that cannot be read.
fn check_free(paths: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok();
    match paths.into_iter().find(taken) {
        None => Ok(()),
        Some(path) => Err(Error::operation_invalid(format!(
            "'{}' is in the way: remove it, or give the domain another name",
            path.display()
        ))),
    }
}

fn renamed(definition: &Definition, name: &str) -> Definition {
    let mut renamed = definition.clone();
    renamed.name = name.into();
    renamed
}

impl Renaming {
    fn note_path(&self, core: &Core) -> PathBuf {
        core.config.dirs.config.join(format!("{}{NOTE}", self.from))
    }

    fn note(&self, core: &Core) -> Result<()> {
        let text = serde_json::to_vec(self)
            .map_err(|error| Error::internal(format!("cannot write a note: {error}")))?;
        file::write_atomic(&self.note_path(core), &text, 0o600).map_err(crate::outside::failed)
    }

    fn forget(&self, core: &Core) -> Result<()> {
        let removed = file::remove(&self.note_path(core));
        removed.map(drop).map_err(crate::outside::failed)
    }

    /// All but the note, the old definition last.
    fn move_files(
        &self,
        core: &Core,
        new: &Definition,
        autostart: bool,
        saved: bool,
    ) -> Result<()> {
        core.store.write_config(new)?;
        if autostart {
            core.store.write_autostart(&self.to, true)?;
        }
        if saved {
            saving::move_image(core, &self.from, &self.to)?;
        }
        core.store.remove_config(&self.from)
    }

    /// Undoes what was done of it, the note last.
    fn move_back(&self, core: &Core, old: &Definition, autostart: bool, saved: bool) -> Result<()> {
        core.store.write_config(old)?;
        core.store.write_autostart(&self.from, autostart)?;
        if saved && !saving::managed_path(core, &self.from).exists() {
            saving::move_image(core, &self.to, &self.from)?;
        }
        core.store.remove_config(&self.to)?;
        self.forget(core)
    }

    /// Goes on from where a daemon was killed.
    fn finish(&self, core: &Core) -> Result<()> {
        let of = |name: &str| -> Result<Option<(Uuid, Stored)>> {
            match core.store.find_config(name)? {
                Some(stored) => Ok(Some((definition::uuid(&stored.definition)?, stored))),
                None => Ok(None),
            }
        };
        // If the old definition is gone, all is done. One with another UUID is that of a domain that took the name later.
        let old = of(&self.from)?.filter(|(uuid, _)| *uuid == self.uuid);
        let Some((_, old)) = old else {
            return self.forget(core);
        };
        if let Some((uuid, _)) = of(&self.to)?
            && uuid != self.uuid
        {
            tracing::error!(
                domain = self.from,
                "domain '{}' keeps its name, since another is called '{}' now",
                self.from,
                self.to
            );
            return self.forget(core);
        }
        let saved = saving::has_managed(core, &self.from, self.uuid);
        let new = renamed(&old.definition, &self.to);
        self.move_files(core, &new, old.autostart, saved)?;
        self.forget(core)
    }
}

/// Finishes what the last daemon was killed in the middle of. Blocks; before definitions are read.
pub(crate) fn recover(core: &Core) {
    let dir = &core.config.dirs.config;
    for name in file::list_dir(dir, NOTE).unwrap_or_default() {
        let path = dir.join(&name);
        let read = file::read_limited(&path, LONGEST_NOTE)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                serde_json::from_slice::<Renaming>(&text).map_err(|error| error.to_string())
            })
            .and_then(|found| {
                let known = definition::check_name(&found.from)
                    .and_then(|()| definition::check_name(&found.to))
                    .is_ok_and(|()| found.note_path(core) == path);
                known
                    .then_some(found)
                    .ok_or_else(|| "it is that of another domain".to_owned())
            });
        let finished = read.and_then(|found| found.finish(core).map_err(|error| error.message));
        if let Err(error) = finished {
            let path = path.display();
            tracing::error!(%path, error, "the renaming that '{path}' tells of cannot be finished, ignoring: {error}");
        }
    }
}
