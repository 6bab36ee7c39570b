//! Status files: written before acts, read by the next daemon.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use virtbus_api::{Error, Result, Uuid};
use virtbus_util::file;

use super::{Kept, Status, Store, shares};

/// The names of status files that were put aside end so.
const ASIDE: &str = ".unreadable";

/// A status file as it is written.
#[derive(Serialize)]
struct Written<'a, O> {
    version: u32,
    #[serde(flatten)]
    status: &'a Status<O>,
}

/// What every form of status file has.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

/// What a status file tells, with the definition that its guest runs with.
pub type Noted<K> = (Status<<K as Kept>::Own>, Arc<<K as Kept>::Definition>);

/// The status files of the last daemon.
pub struct Statuses<K: Kept> {
    /// Those that can be used.
    pub read: Vec<Noted<K>>,
    /// Those that cannot.
    pub unreadable: Vec<Unreadable>,
}

/// A status file that cannot be used: damaged, or of another release.
#[derive(Debug)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// The domain that it is about, by the file's name.
    pub uuid: Uuid,
    /// What is wrong with it.
    pub why: String,
}

impl<K: Kept> Store<K> {
    /// Writes a status file: before what it tells of is done, unless that is a fact already ([`Store::try_status`]).
    ///
    /// # Errors
    /// `SystemError`; then the file is as it was.
    pub fn write_status(&self, status: &Status<K::Own>) -> Result<()> {
        let written = Written {
            version: K::VERSION,
            status,
        };
        let text = serde_json::to_vec(&written)
            .map_err(|error| Error::internal(format!("cannot write a status: {error}")))?;
        file::ensure_dir(&self.places.run, 0o711, None).map_err(Self::failed)?;
        file::replace(&self.status_path(status.uuid), &text, 0o600).map_err(Self::failed)
    }

    /// Writes a status that is a fact already. If that fails, it is logged once, and [`Store::write_again`] tries again.
    pub fn try_status(&self, status: &mut Status<K::Own>) {
        let written = self.write_status(status);
        let failed_before = std::mem::replace(&mut status.unwritten, written.is_err());
        let name = &status.name;
        match written {
            Err(error) if !failed_before => {
                tracing::error!(domain = name, %error, "the state of domain '{name}' cannot be written down, trying again later: {error}");
            }
            Ok(()) if failed_before => {
                tracing::info!(
                    domain = name,
                    "the state of domain '{name}' is written down again"
                );
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Writes what could not be written when it happened, if there is such.
    pub fn write_again(&self, status: &mut Status<K::Own>) {
        if status.unwritten {
            self.try_status(status);
        }
    }

    /// Removes the status file of a guest that has ended.
    pub fn remove_status(&self, uuid: Uuid) {
        let path = self.status_path(uuid);
        if let Err(error) = file::remove(&path) {
            tracing::warn!(%uuid, %error, "the status file '{}' cannot be removed, ignoring: {error}", path.display());
        }
    }

    /// Every status file, with its definition, and those that cannot be read. Thousands are read by as many threads as there are processors.
    ///
    /// # Errors
    /// If they cannot be looked for: which guests run is not known then, and none may be started.
    pub fn read_statuses(&self) -> Result<Statuses<K>> {
        let names = file::list_dir(&self.places.run, ".json").map_err(Self::failed)?;
        let read = shares::map(&names, |name| {
            let path = self.places.run.join(name);
            Self::read_status(&path).map_err(|why| (path, why))
        });
        let mut statuses = Statuses {
            read: Vec::new(),
            unreadable: Vec::new(),
        };
        for status in read {
            match status {
                Ok(status) => statuses.read.push(status),
                Err((path, why)) => {
                    let uuid = path.file_stem().and_then(OsStr::to_str);
                    match uuid.map(Uuid::try_parse) {
                        Some(Ok(uuid)) => statuses.unreadable.push(Unreadable { path, uuid, why }),
                        _ => {
                            let path = path.display();
                            tracing::error!(%path, error = why, "'{path}' is no status file of a guest, ignoring: {why}");
                        }
                    }
                }
            }
        }
        Ok(statuses)
    }

    fn read_status(path: &Path) -> std::result::Result<Noted<K>, String> {
        let bytes =
            file::read_limited(path, K::LARGEST_STATUS).map_err(|error| error.to_string())?;
        // A file of another form need not have the members of this one.
        let Form { version } = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if version != K::VERSION {
            return Err(format!("it has the form {version}, not {}", K::VERSION));
        }
        let status: Status<K::Own> =
            serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let definition = K::parse(&status.definition).map_err(|error| error.to_string())?;
        Ok((status, Arc::new(definition)))
    }

    /// Puts a status file that is of no use any more where it is not read again, for a person to look at. Returns where.
    ///
    /// # Errors
    /// `SystemError`.
    pub fn set_aside(&self, path: &Path) -> Result<PathBuf> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(ASIDE);
        let aside = PathBuf::from(aside);
        file::rename(path, &aside).map_err(Self::failed)?;
        Ok(aside)
    }
}
