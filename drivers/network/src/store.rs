//! What is on disk: definitions and autostart links for good, a status file for as long as a network is up. Everything here blocks.
//!
//! ```text
//!   CONFIG/STEM.xml              a definition     on the disk before anybody is told of it
//!   CONFIG/autostart/STEM.xml    a link to it     the network starts with the host
//!   CONFIG/used                  a mark           what is made once has been made
//!   RUN/UUID.json                a status file    with the kernel before anything is done to the host; gone after a reboot
//!   RUN/autostarted              a mark           autostart was done since the host booted
//! ```

use std::path::{Path, PathBuf};

use virtbus_api::{Result, Uuid};
use virtbus_conf_base::Flags;
use virtbus_conf_host::network::Network as Definition;
use virtbus_util::{file, process};

use crate::config::Dirs;
use crate::error;
use crate::names::file_stem;
use crate::status::Status;

/// A definition is not longer than this, bytes.
const LONGEST_DEFINITION: u64 = 16 << 20;
/// A status file is not longer than this, bytes: a definition with many ports.
const LONGEST_STATUS: u64 = 64 << 20;

/// A definition found on disk.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) definition: Definition,
    pub(crate) autostart: bool,
}

/// The files of the driver.
#[derive(Debug)]
pub(crate) struct Store {
    dirs: Dirs,
}

impl Store {
    pub(crate) fn new(dirs: Dirs) -> Self {
        Self { dirs }
    }

    /// Makes the directories, and removes what a daemon left that was killed while it wrote.
    pub(crate) fn prepare(&self) -> Result<()> {
        let links = self.dirs.config.join("autostart");
        let dirs = [
            (&self.dirs.config, 0o700),
            (&links, 0o700),
            (&self.dirs.run, 0o755),
            // Servers read there as a user of their own.
            (&self.dirs.state, 0o755),
        ];
        for (dir, mode) in dirs {
            file::ensure_dir(dir, mode, None).map_err(|error| error::file(&error))?;
            file::sweep_temporary(dir).map_err(|error| error::file(&error))?;
        }
        Ok(())
    }

    fn definition_path(&self, name: &str) -> PathBuf {
        self.dirs.config.join(format!("{}.xml", file_stem(name)))
    }

    fn link_path(&self, name: &str) -> PathBuf {
        let stem = file_stem(name);
        self.dirs
            .config
            .join("autostart")
            .join(format!("{stem}.xml"))
    }

    fn status_path(&self, uuid: Uuid) -> PathBuf {
        self.dirs.run.join(format!("{uuid}.json"))
    }

    /// Writes a definition.
    pub(crate) fn write_definition(&self, definition: &Definition) -> Result<()> {
        let xml = definition.format(Flags::INACTIVE);
        let path = self.definition_path(&definition.name);
        file::write_atomic(&path, xml.as_bytes(), 0o600).map_err(|error| error::file(&error))
    }

    /// Removes a definition, the link to it first.
    pub(crate) fn remove_definition(&self, name: &str) -> Result<()> {
        self.write_autostart(name, false)?;
        let removed = file::remove(&self.definition_path(name));
        removed.map(drop).map_err(|error| error::file(&error))
    }

    /// Makes or removes the autostart link.
    pub(crate) fn write_autostart(&self, name: &str, autostart: bool) -> Result<()> {
        let link = self.link_path(name);
        if autostart {
            let made = file::link(&self.definition_path(name), &link);
            return made.map_err(|error| error::file(&error));
        }
        // Anything but a link is not the daemon's, and nothing is started by it.
        if link.is_symlink() {
            file::remove(&link).map_err(|error| error::file(&error))?;
        }
        Ok(())
    }

    /// Every definition that can be read. What cannot is logged and left where it is.
    pub(crate) fn read_definitions(&self) -> Result<Vec<Stored>> {
        let names = file::list_dir(&self.dirs.config, ".xml");
        let mut all = Vec::new();
        for name in names.map_err(|error| error::file(&error))? {
            let path = self.dirs.config.join(&name);
            match self.read_definition(&path) {
                Ok(stored) => all.push(stored),
                Err(why) => tracing::error!(
                    file = %path.display(),
                    "the definition of a network in '{}' cannot be used, ignoring it: {why}",
                    path.display()
                ),
            }
        }
        Ok(all)
    }

    fn read_definition(&self, path: &Path) -> std::result::Result<Stored, String> {
        let text =
            file::read_limited(path, LONGEST_DEFINITION).map_err(|error| error.to_string())?;
        let text = String::from_utf8(text).map_err(|error| error.to_string())?;
        let definition = Definition::parse(&text).map_err(|error| error.to_string())?;
        let name = definition.name.as_str();
        if path != self.definition_path(name) {
            return Err(format!(
                "the definition of network '{name}' belongs into '{}.xml'",
                file_stem(name)
            ));
        }
        if definition.uuid.is_none() {
            return Err(format!("network '{name}' has no UUID"));
        }
        let autostart = file::is_link_to(&self.link_path(name), path).unwrap_or(false);
        Ok(Stored {
            definition,
            autostart,
        })
    }

    /// Writes a status file.
    pub(crate) fn write_status(&self, status: &Status) -> Result<()> {
        let text = serde_json::to_vec(status)
            .map_err(|error| virtbus_api::Error::internal(error.to_string()))?;
        let path = self.status_path(status.uuid);
        file::replace(&path, &text, 0o600).map_err(|error| error::file(&error))
    }

    /// Removes a status file.
    pub(crate) fn remove_status(&self, uuid: Uuid) -> Result<()> {
        let removed = file::remove(&self.status_path(uuid));
        removed.map(drop).map_err(|error| error::file(&error))
    }

    /// The status file of a network, if there is one: it is up, or something could not be undone when it was stopped.
    pub(crate) fn read_status(&self, uuid: Uuid) -> Option<Status> {
        let text = file::read_limited(&self.status_path(uuid), LONGEST_STATUS).ok()?;
        Status::parse(&text).ok()
    }

    /// Every status file that can be read. What cannot is logged and left where it is.
    pub(crate) fn read_statuses(&self) -> Result<Vec<Status>> {
        let names = file::list_dir(&self.dirs.run, ".json");
        let mut all = Vec::new();
        for name in names.map_err(|error| error::file(&error))? {
            let path = self.dirs.run.join(&name);
            let read = file::read_limited(&path, LONGEST_STATUS).map_err(|error| error.to_string());
            let parsed = read.and_then(|text| Status::parse(&text));
            match parsed {
                Ok(status) if self.status_path(status.uuid) == path => all.push(status),
                Ok(_) => tracing::error!(
                    file = %path.display(),
                    "the status of a network in '{}' is that of another UUID, ignoring it", path.display()
                ),
                Err(why) => tracing::error!(
                    file = %path.display(),
                    "the status of a network in '{}' cannot be used, ignoring it: {why}", path.display()
                ),
            }
        }
        Ok(all)
    }

    fn first_use(&self) -> PathBuf {
        self.dirs.config.join("used")
    }

    /// Whether the driver has never been opened with these directories.
    pub(crate) fn is_first_use(&self) -> bool {
        !self.first_use().exists()
    }

    /// Notes that it has been.
    pub(crate) fn note_first_use(&self) -> Result<()> {
        if !self.is_first_use() {
            return Ok(());
        }
        let text = b"Networks that are made once, such as 'default', have been made here.\n";
        file::write_atomic(&self.first_use(), text, 0o600).map_err(|error| error::file(&error))
    }

    /// Notes that networks were autostarted in this boot of the host; whether that was not noted before.
    pub(crate) fn begin_autostart(&self) -> bool {
        let boot = process::boot_id().unwrap_or_default();
        let path = self.dirs.run.join("autostarted");
        let there = file::read_limited(&path, 256).unwrap_or_default();
        if !boot.is_empty() && there == boot.as_bytes() {
            return false;
        }
        if let Err(error) = file::replace(&path, boot.as_bytes(), 0o600) {
            let path = path.display();
            tracing::warn!(%path, "that networks were autostarted cannot be noted in '{path}', ignoring: {error}");
        }
        true
    }
}
