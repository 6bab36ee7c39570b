//! What is on disk: definitions and autostart links for ever, status files for as long as a guest runs.
//!
//! Definitions are XML as libvirt keeps it, one file per domain, readable and editable by an administrator. A status file
//! is a versioned form of our own; it says everything that a new daemon needs to find the guest again or to clean up after
//! it. Files are replaced whole before anybody is told. Definitions have then reached the disk; a status file, which is of
//! no use once the host has gone down, has reached the kernel.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use serde::{Deserialize, Serialize};
use virtbus_api::domain::{DomainState, PausedReason, RunningReason, ShutdownReason};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_util::file::{self, FileError};
use virtbus_util::process::ProcessId;

use crate::config::Dirs;
use crate::definition;
use crate::definition::limits::{LARGEST_DEFINITION, LARGEST_STATUS};

/// The form of status files that is written. A file of another form is of another release.
const STATUS_VERSION: u32 = 1;

/// The names of status files that were put aside end so.
const ASIDE: &str = ".unreadable";

/// Fewer definitions are not worth a thread of their own.
const LEAST_SHARE: usize = 64;

/// The state of a running guest as it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct SavedState {
    state: i32,
    reason: i32,
}

/// All that a new daemon needs to know of a running guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    version: u32,
    /// The domain.
    pub(crate) uuid: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// The number of the run.
    pub(crate) id: u32,
    state: SavedState,
    /// The CPUs are about to be released for the first time: the state is what the guest is to be, and a new daemon brings it there.
    #[serde(default)]
    release: bool,
    /// Whether the file does not say all of this yet, because it could not be written.
    #[serde(skip)]
    pub(crate) unwritten: bool,
    /// QEMU's process; none while it is being started.
    pub(crate) pid: Option<i32>,
    /// When that process started, clock ticks since boot.
    pub(crate) start_time: Option<u64>,
    /// The boot of the host that it runs in.
    pub(crate) boot_id: String,
    /// The emulator.
    pub(crate) emulator: PathBuf,
    /// The folder of its sockets.
    pub(crate) dir: PathBuf,
    /// Its scope or control group.
    pub(crate) place: Option<String>,
    /// Whether the guest's next power-off is to be a reboot.
    pub(crate) reboot_wanted: bool,
    /// The save that is under way.
    #[serde(default)]
    pub(crate) saving: Option<crate::record::Saving>,
    /// What was done on the host for this run, to be undone after it.
    #[serde(default)]
    pub(crate) prepared: crate::record::Prepared,
    /// The definition as it runs, with its secrets.
    pub(crate) definition: String,
}

impl Status {
    /// The status of a guest that is about to be started.
    pub(crate) fn starting(
        uuid: Uuid,
        name: &str,
        id: u32,
        emulator: &Path,
        dir: PathBuf,
        definition: &Definition,
    ) -> Self {
        Self {
            version: STATUS_VERSION,
            uuid,
            name: name.to_owned(),
            id,
            state: SavedState::of(DomainState::Paused(PausedReason::StartingUp)),
            release: false,
            unwritten: false,
            pid: None,
            start_time: None,
            boot_id: virtbus_util::process::boot_id().unwrap_or_default(),
            emulator: emulator.to_owned(),
            dir,
            place: None,
            reboot_wanted: false,
            saving: None,
            prepared: crate::record::Prepared::default(),
            definition: definition::format_status(definition),
        }
    }

    /// The state.
    pub(crate) fn state(&self) -> DomainState {
        self.state.to_state()
    }

    /// Sets the state. From that of a start to a running one, it is what the guest is to be as soon as its CPUs are released.
    pub(crate) fn set_state(&mut self, state: DomainState) {
        self.release = self.is_starting() && matches!(state, DomainState::Running(_));
        self.state = SavedState::of(state);
    }

    /// A guest that is being saved or dumped is to stay halted afterwards. Returns whether that is new.
    pub(crate) fn stay_halted(&mut self) -> bool {
        let saving = self.saving.as_mut();
        saving.is_some_and(crate::record::Saving::stay_halted)
    }

    /// Whether the CPUs are to be released for the first time.
    pub(crate) const fn is_to_be_released(&self) -> bool {
        self.release
    }

    /// The CPUs have been released. Returns whether that was news.
    pub(crate) const fn released(&mut self) -> bool {
        std::mem::replace(&mut self.release, false)
    }

    /// Whether the guest's CPUs have not been released, nor been meant to stand, yet.
    pub(crate) fn is_starting(&self) -> bool {
        self.state() == DomainState::Paused(PausedReason::StartingUp)
    }

    /// QEMU's process, if it got one.
    pub(crate) fn process(&self) -> Option<ProcessId> {
        Some(ProcessId {
            pid: self.pid?,
            start_time: self.start_time?,
        })
    }
}

impl SavedState {
    fn of(state: DomainState) -> Self {
        let (state, reason) = state.numbers();
        Self { state, reason }
    }

    fn to_state(self) -> DomainState {
        let running = || {
            RunningReason::ALL
                .iter()
                .find(|reason| **reason as i32 == self.reason)
        };
        let paused = || {
            PausedReason::ALL
                .iter()
                .find(|reason| **reason as i32 == self.reason)
        };
        match self.state {
            1 => DomainState::Running(running().copied().unwrap_or(RunningReason::Unknown)),
            4 => DomainState::Shutdown(ShutdownReason::User),
            6 => DomainState::Crashed {
                panicked: self.reason == 1,
            },
            7 => DomainState::PmSuspended,
            _ => DomainState::Paused(paused().copied().unwrap_or(PausedReason::Unknown)),
        }
    }
}

/// A definition found on disk.
pub(crate) struct Stored {
    pub(crate) definition: Definition,
    pub(crate) autostart: bool,
}

/// The status files of the last daemon.
#[derive(Default)]
pub(crate) struct Statuses {
    pub(crate) read: Vec<(Status, Arc<Definition>)>,
    pub(crate) unreadable: Vec<Unreadable>,
}

/// A status file that cannot be used: damaged, or of another release.
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    /// The domain that it is about, by the file's name.
    pub(crate) uuid: Uuid,
    pub(crate) why: String,
}

/// The driver's files.
#[derive(Debug)]
pub(crate) struct Store {
    dirs: Dirs,
}

impl Store {
    pub(crate) const fn new(dirs: Dirs) -> Self {
        Self { dirs }
    }

    /// The file of a definition.
    pub(crate) fn config_path(&self, name: &str) -> PathBuf {
        self.dirs.config.join(format!("{name}.xml"))
    }

    fn autostart_path(&self, name: &str) -> PathBuf {
        self.dirs.autostart().join(format!("{name}.xml"))
    }

    /// The status file of a guest.
    pub(crate) fn status_path(&self, uuid: Uuid) -> PathBuf {
        self.dirs.run.join(format!("{uuid}.json"))
    }

    /// Writes a definition down.
    pub(crate) fn write_config(&self, definition: &Definition) -> Result<()> {
        let name = definition::name(definition);
        file::ensure_dir(&self.dirs.config, 0o700, None).map_err(failed)?;
        let xml = definition::format_config(definition);
        file::write_atomic(&self.config_path(name), xml.as_bytes(), 0o600).map_err(failed)
    }

    /// Removes a definition and its autostart link.
    pub(crate) fn remove_config(&self, name: &str) -> Result<()> {
        let link = self.autostart_path(name);
        // Anything else there is not the daemon's, and nothing is started by it.
        if link.is_symlink() {
            file::remove(&link).map_err(failed)?;
        }
        file::remove(&self.config_path(name)).map_err(failed)?;
        Ok(())
    }

    /// Makes or removes the autostart link.
    pub(crate) fn write_autostart(&self, name: &str, autostart: bool) -> Result<()> {
        let link = self.autostart_path(name);
        if autostart {
            file::ensure_dir(&self.dirs.autostart(), 0o700, None).map_err(failed)?;
            file::link(&self.config_path(name), &link).map_err(failed)
        } else {
            file::remove(&link).map(drop).map_err(failed)
        }
    }

    /// Every definition on disk. One that cannot be read is left where it is, and told of. Thousands are read by as many threads
    /// as there are processors, since the daemon's first caller waits for this.
    pub(crate) fn read_configs(&self) -> Vec<Stored> {
        let Ok(names) = file::list_dir(&self.dirs.config, ".xml") else {
            return Vec::new();
        };
        let marked = file::list_dir(&self.dirs.autostart(), ".xml").unwrap_or_default();
        let marked: HashSet<OsString> = marked.into_iter().collect();
        let read = |names: &[OsString]| -> Vec<Stored> {
            let stored = names.iter().map(|name| self.read_config(name, &marked));
            stored.flatten().collect()
        };
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let share = names.len().div_ceil(processors).max(LEAST_SHARE);
        if names.len() <= share {
            return read(&names);
        }
        thread::scope(|scope| {
            let shares: Vec<_> = names
                .chunks(share)
                .map(|names| scope.spawn(move || read(names)))
                .collect();
            let read = shares.into_iter().map(|share| {
                share
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            read.flatten().collect()
        })
    }

    fn read_config(&self, file_name: &OsStr, marked: &HashSet<OsString>) -> Option<Stored> {
        let path = self.dirs.config.join(file_name);
        let definition = match read_definition(&path) {
            Ok(definition) => definition,
            Err(error) => {
                tracing::error!(path = %path.display(), error, "a definition cannot be read, ignoring");
                return None;
            }
        };
        let name = definition::name(&definition);
        if Path::new(file_name) != Path::new(&format!("{name}.xml")) {
            tracing::warn!(path = %path.display(), name, "a definition stands in another's file, ignoring");
            return None;
        }
        let autostart = marked.contains(file_name)
            && file::is_link_to(&self.autostart_path(name), &path).unwrap_or(false);
        Some(Stored {
            definition,
            autostart,
        })
    }

    /// The definition of this name, if there is one.
    ///
    /// # Errors
    /// `SystemError` or `InternalError` if it cannot be read.
    pub(crate) fn find_config(&self, name: &str) -> Result<Option<Stored>> {
        let path = self.config_path(name);
        if !path.try_exists().map_err(|error| {
            let message = format!("cannot look for '{}': {error}", path.display());
            Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
        })? {
            return Ok(None);
        }
        let definition = read_definition(&path)
            .map_err(|error| Error::internal(format!("'{}': {error}", path.display())))?;
        let autostart = file::is_link_to(&self.autostart_path(name), &path).unwrap_or(false);
        Ok(Some(Stored {
            definition,
            autostart,
        }))
    }

    /// Writes a status file.
    pub(crate) fn write_status(&self, status: &Status) -> Result<()> {
        let text = serde_json::to_vec(status)
            .map_err(|error| Error::internal(format!("cannot write a status: {error}")))?;
        file::ensure_dir(&self.dirs.run, 0o711, None).map_err(failed)?;
        file::replace(&self.status_path(status.uuid), &text, 0o600).map_err(failed)
    }

    /// Removes the status file of a guest that has ended.
    pub(crate) fn remove_status(&self, uuid: Uuid) {
        if let Err(error) = file::remove(&self.status_path(uuid)) {
            tracing::warn!(%uuid, %error, "a status file cannot be removed, ignoring");
        }
    }

    /// Writes a status that is a fact already, and notes in it whether that worked; see [`Status::unwritten`].
    pub(crate) fn try_status(&self, status: &mut Status) {
        let written = self.write_status(status);
        let failed_before = std::mem::replace(&mut status.unwritten, written.is_err());
        match written {
            // Once, and not each time that it is tried again.
            Err(error) if !failed_before => {
                let name = &status.name;
                tracing::error!(domain = name, %error, "the state of a guest cannot be written down, trying again later");
            }
            Ok(()) if failed_before => {
                let name = &status.name;
                tracing::info!(domain = name, "the state of a guest is written down again");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Every status file, with its definition, and those that cannot be read.
    ///
    /// # Errors
    /// If they cannot be looked for: which guests run is not known then, and none may be started.
    pub(crate) fn read_statuses(&self) -> Result<Statuses> {
        let mut statuses = Statuses::default();
        let names = file::list_dir(&self.dirs.run, ".json").map_err(failed)?;
        for name in names {
            let path = self.dirs.run.join(&name);
            match read_status(&path) {
                Ok(status) => statuses.read.push(status),
                Err(why) => {
                    let uuid = Path::new(&name).file_stem().and_then(OsStr::to_str);
                    match uuid.map(Uuid::try_parse) {
                        Some(Ok(uuid)) => statuses.unreadable.push(Unreadable { path, uuid, why }),
                        _ => {
                            tracing::error!(path = %path.display(), error = why, "a file that is no status of a guest is in the way, ignoring");
                        }
                    }
                }
            }
        }
        Ok(statuses)
    }

    /// Puts a status file that is of no use any more where it is not read again, for a person to look at.
    pub(crate) fn set_aside(&self, path: &Path) -> Result<PathBuf> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(ASIDE);
        let aside = PathBuf::from(aside);
        file::rename(path, &aside).map_err(failed)?;
        Ok(aside)
    }

    /// The numbers of the runs whose folders are there.
    pub(crate) fn used_ids(&self) -> Vec<u32> {
        let entries = std::fs::read_dir(&self.dirs.run).into_iter().flatten();
        let ids = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix("domain-")?
                .split('-')
                .next()?
                .parse()
                .ok()
        });
        ids.collect()
    }

    /// Removes what a daemon left that was killed while it wrote.
    pub(crate) fn sweep(&self) {
        for dir in [&self.dirs.config, &self.dirs.autostart(), &self.dirs.run] {
            if let Err(error) = file::sweep_temporary(dir) {
                tracing::debug!(%error, "cannot look for left-over files");
            }
        }
    }
}

fn read_definition(path: &Path) -> std::result::Result<Definition, String> {
    let bytes = file::read_limited(path, LARGEST_DEFINITION).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    definition::parse_stored(&text).map_err(|error| error.to_string())
}

fn read_status(path: &Path) -> std::result::Result<(Status, Arc<Definition>), String> {
    let bytes = file::read_limited(path, LARGEST_STATUS).map_err(|error| error.to_string())?;
    let status: Status = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if status.version != STATUS_VERSION {
        return Err(format!(
            "it has the form {}, not {STATUS_VERSION}",
            status.version
        ));
    }
    let definition =
        definition::parse_stored(&status.definition).map_err(|error| error.to_string())?;
    Ok((status, Arc::new(definition)))
}

fn failed(error: FileError) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error)
}
