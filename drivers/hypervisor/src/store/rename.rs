//! Another name for a stored definition, with all that is called after it: its autostart link and its belongings.
//!
//! ```text
//!   note ──▶ definition ──▶ autostart link ──▶ belongings ──▶ old link and definition removed ──▶ note removed
//! ```
//!
//! The note says that the domain is on its way from one name to the other. A daemon that finds one goes on from where the last one was
//! killed; each step may be done twice. As long as the old definition is there, all of it can be undone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use virtbus_api::{Error, Result, Uuid};
use virtbus_util::file;

use super::{Belonging, Kept, Store, Whose};

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

impl Renaming {
    fn before(&self) -> Whose<'_> {
        Whose {
            uuid: self.uuid,
            name: &self.from,
        }
    }

    fn after(&self) -> Whose<'_> {
        Whose {
            uuid: self.uuid,
            name: &self.to,
        }
    }
}

/// What moves.
struct Moved<'a, K: Kept> {
    old: &'a K::Definition,
    autostart: bool,
    belongings: &'a [&'a dyn Belonging],
}

impl<K: Kept> Store<K> {
    /// Gives a stored definition another name, with its autostart link if it has one, and with those `belongings` that it has. Nothing else of
    /// the domain may be done meanwhile, and no other one may take either name. Returns the definition with its new name.
    ///
    /// # Errors
    /// `OperationInvalid` if there is something under the new name already; what the disk refuses. Then all is as it was, or, if that fails as
    /// well, the next daemon finds the note and goes on.
    pub fn rename(
        &self,
        old: &K::Definition,
        to: &str,
        autostart: bool,
        belongings: &[&dyn Belonging],
    ) -> Result<K::Definition> {
        let renaming = Renaming {
            uuid: K::uuid(old)?,
            from: K::name(old).to_owned(),
            to: to.to_owned(),
        };
        let belonging = belongings
            .iter()
            .filter(|belonging| {
                belonging.path(renaming.before()) != belonging.path(renaming.after())
            })
            .map(|belonging| belonging.path(renaming.after()));
        check_free(std::iter::once(self.config_path(to)).chain(belonging))?;
        let moved = Moved::<K> {
            old,
            autostart,
            belongings,
        };
        let done = self
            .note(&renaming)
            .and_then(|()| self.move_files(&renaming, &moved));
        let new = match done {
            Ok(new) => new,
            Err(error) => {
                if let Err(also) = self.move_back(&renaming, &moved) {
                    let from = &renaming.from;
                    tracing::error!(
                        domain = from, %error, %also,
                        "renaming domain '{from}' to '{to}' failed and could not be undone; the next daemon tries again: {error}; {also}"
                    );
                }
                return Err(error);
            }
        };
        if let Err(error) = self.forget(&renaming) {
            // It is of no use any more, and the next daemon finds nothing to do for it.
            let from = &renaming.from;
            tracing::warn!(domain = from, %error, "what is left of renaming domain '{from}' cannot be removed, ignoring: {error}");
        }
        Ok(new)
    }

    /// Finishes the renaming of definitions that the last daemon was killed in the middle of. To be called before they are read.
    pub fn finish_renaming(&self, belongings: &[&dyn Belonging]) {
        let dir = &self.places.config;
        for name in file::list_dir(dir, NOTE).unwrap_or_default() {
            let path = dir.join(&name);
            let read = self.read_note(&path);
            let finished = read.and_then(|found| {
                self.finish(&found, belongings)
                    .map_err(|error| error.message)
            });
            if let Err(error) = finished {
                let path = path.display();
                tracing::error!(%path, error, "the renaming that '{path}' tells of cannot be finished, ignoring: {error}");
            }
        }
    }

    fn note_path(&self, from: &str) -> PathBuf {
        self.places.config.join(format!("{from}{NOTE}"))
    }

    fn note(&self, renaming: &Renaming) -> Result<()> {
        let text = serde_json::to_vec(renaming)
            .map_err(|error| Error::internal(format!("cannot write a note: {error}")))?;
        file::write_atomic(&self.note_path(&renaming.from), &text, 0o600).map_err(Self::failed)
    }

    fn read_note(&self, path: &Path) -> std::result::Result<Renaming, String> {
        let text = file::read_limited(path, LONGEST_NOTE).map_err(|error| error.to_string())?;
        let found: Renaming = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let known = K::check_name(&found.from)
            .and_then(|()| K::check_name(&found.to))
            .is_ok_and(|()| self.note_path(&found.from) == path);
        known
            .then_some(found)
            .ok_or_else(|| "it is that of another domain".to_owned())
    }

    fn forget(&self, renaming: &Renaming) -> Result<()> {
        let removed = file::remove(&self.note_path(&renaming.from));
        removed.map(drop).map_err(Self::failed)
    }

    /// All but the note, the old definition last.
    fn move_files(&self, renaming: &Renaming, moved: &Moved<'_, K>) -> Result<K::Definition> {
        let new = K::renamed(moved.old, &renaming.to);
        self.write_config(&new)?;
        if moved.autostart {
            self.write_autostart(&renaming.to, true)?;
        }
        for belonging in moved.belongings {
            Self::move_one(*belonging, renaming.before(), renaming.after())?;
        }
        self.remove_config(renaming.before(), &[])?;
        Ok(new)
    }

    /// Undoes what was done of it, the note last.
    fn move_back(&self, renaming: &Renaming, moved: &Moved<'_, K>) -> Result<()> {
        self.write_config(moved.old)?;
        self.write_autostart(&renaming.from, moved.autostart)?;
        for belonging in moved.belongings {
            if !belonging.path(renaming.before()).exists() {
                Self::move_one(*belonging, renaming.after(), renaming.before())?;
            }
        }
        self.remove_config(renaming.after(), &[])?;
        self.forget(renaming)
    }

    /// Moves what belongs to a definition to where no other one may be. Does nothing if that was done.
    fn move_one(belonging: &dyn Belonging, from: Whose<'_>, to: Whose<'_>) -> Result<()> {
        let (from, to) = (belonging.path(from), belonging.path(to));
        if from == to {
            return Ok(());
        }
        match file::rename_new(&from, &to) {
            // If it is still there, it is the other place that is not.
            Err(error) if error.is_not_found() && from.symlink_metadata().is_err() => Ok(()),
            moved => moved.map_err(Self::failed),
        }
    }

    /// Goes on from where a daemon was killed.
    fn finish(&self, renaming: &Renaming, belongings: &[&dyn Belonging]) -> Result<()> {
        let find = |name: &str| -> Result<_> {
            Ok(match self.find_config(name)? {
                Some(stored) => Some((K::uuid(&stored.definition)?, stored)),
                None => None,
            })
        };
        // If the old definition is gone, all is done. One with another UUID is that of a domain that took the name later.
        let old = find(&renaming.from)?.filter(|(uuid, _)| *uuid == renaming.uuid);
        let Some((_, old)) = old else {
            return self.forget(renaming);
        };
        if let Some((uuid, _)) = find(&renaming.to)?
            && uuid != renaming.uuid
        {
            let (from, to) = (&renaming.from, &renaming.to);
            tracing::error!(
                domain = from,
                "domain '{from}' keeps its name, since another is called '{to}' now"
            );
            return self.forget(renaming);
        }
        let had: Vec<&dyn Belonging> = belongings
            .iter()
            .copied()
            .filter(|belonging| belonging.is_of(renaming.before()))
            .collect();
        let moved = Moved::<K> {
            old: &old.definition,
            autostart: old.autostart,
            belongings: &had,
        };
        self.move_files(renaming, &moved)?;
        self.forget(renaming)
    }
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
