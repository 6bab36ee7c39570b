//! What is on disk of pools. Everything here blocks.
//!
//! ```text
//!   CONFIG/UUID.xml              a definition     on the disk before anybody is told of it
//!   CONFIG/autostart/UUID.xml    a link to it     the pool starts with the host
//!   RUN/UUID.xml                 the definition of a run: the pool is active, or is being started or stopped
//!   RUN/autostarted              a mark           autostart was done since the host booted
//! ```

use std::path::{Path, PathBuf};

use virtbus_api::{Result, Uuid};
use virtbus_conf_base::Flags;
use virtbus_conf_storage::storage_pool::StoragePool as Definition;
use virtbus_util::file;

use crate::error;

/// A definition is not longer than this, bytes.
const LONGEST: u64 = 4 << 20;

/// Where the driver keeps its files.
#[derive(Debug, Clone)]
pub struct Config {
    /// Definitions: `/etc/virtbus/storage`.
    pub config: PathBuf,
    /// What is true until the host reboots: `/run/virtbus/storage`.
    pub run: PathBuf,
}

/// A pool found on disk.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) definition: Definition,
    pub(crate) autostart: bool,
}

/// The files of the driver.
#[derive(Debug)]
pub(crate) struct Store {
    dirs: Config,
}

impl Store {
    pub(crate) const fn new(dirs: Config) -> Self {
        Self { dirs }
    }

    /// Makes the directories, and removes what a daemon left that was killed while it wrote.
    pub(crate) fn prepare(&self) -> Result<()> {
        let links = self.links();
        for (dir, mode) in [
            (&self.dirs.config, 0o700),
            (&links, 0o700),
            (&self.dirs.run, 0o755),
        ] {
            file::ensure_dir(dir, mode, None).map_err(|error| error::file(&error))?;
            file::sweep_temporary(dir).map_err(|error| error::file(&error))?;
        }
        Ok(())
    }

    fn links(&self) -> PathBuf {
        self.dirs.config.join("autostart")
    }

    fn name(uuid: Uuid) -> String {
        format!("{uuid}.xml")
    }

    /// Writes the stored definition of a pool.
    pub(crate) fn write(&self, uuid: Uuid, definition: &Definition) -> Result<()> {
        let xml = definition.format(Flags::empty());
        let path = self.dirs.config.join(Self::name(uuid));
        file::write_atomic(&path, xml.as_bytes(), 0o600).map_err(|error| error::file(&error))
    }

    /// Removes it, the link to it first.
    pub(crate) fn remove(&self, uuid: Uuid) -> Result<()> {
        self.set_autostart(uuid, false)?;
        let removed = file::remove(&self.dirs.config.join(Self::name(uuid)));
        removed.map(drop).map_err(|error| error::file(&error))
    }

    /// Makes or removes the link by which a pool is started with the host.
    pub(crate) fn set_autostart(&self, uuid: Uuid, autostart: bool) -> Result<()> {
        let link = self.links().join(Self::name(uuid));
        let done = if autostart {
            file::link(&self.dirs.config.join(Self::name(uuid)), &link)
        } else {
            file::remove(&link).map(drop)
        };
        done.map_err(|error| error::file(&error))
    }

    /// Notes that a pool runs with this definition.
    pub(crate) fn write_run(&self, uuid: Uuid, definition: &Definition) -> Result<()> {
        let xml = definition.format(Flags::empty());
        let path = self.dirs.run.join(Self::name(uuid));
        file::replace(&path, xml.as_bytes(), 0o600).map_err(|error| error::file(&error))
    }

    /// Notes that it does not.
    pub(crate) fn remove_run(&self, uuid: Uuid) -> Result<()> {
        let removed = file::remove(&self.dirs.run.join(Self::name(uuid)));
        removed.map(drop).map_err(|error| error::file(&error))
    }

    /// Whether autostart is to be done: at the first time since the host booted.
    pub(crate) fn begin_autostart(&self) -> Result<bool> {
        let mark = self.dirs.run.join("autostarted");
        match file::create_new(&mark, b"", 0o600) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error::file(&error)),
        }
    }

    /// Every stored definition that can be read, and every run. What cannot is logged and left where it is.
    pub(crate) fn load(&self) -> Result<(Vec<Stored>, Vec<Definition>)> {
        let stored = self.read_all(&self.dirs.config)?;
        let stored = stored.into_iter().map(|(name, definition)| {
            let (link, path) = (self.links().join(&name), self.dirs.config.join(&name));
            Stored {
                definition,
                autostart: file::is_link_to(&link, &path).unwrap_or(false),
            }
        });
        let runs = self.read_all(&self.dirs.run)?;
        Ok((
            stored.collect(),
            runs.into_iter().map(|(_, definition)| definition).collect(),
        ))
    }

    fn read_all(&self, dir: &Path) -> Result<Vec<(String, Definition)>> {
        let mut all = Vec::new();
        for name in file::list_dir(dir, ".xml").map_err(|error| error::file(&error))? {
            let path = dir.join(&name);
            match read(&path) {
                Ok(definition) => all.push((name.to_string_lossy().into_owned(), definition)),
                Err(why) => tracing::error!(
                    file = %path.display(),
                    "the definition of a storage pool in '{}' cannot be used, ignoring it: {why}",
                    path.display()
                ),
            }
        }
        Ok(all)
    }
}

/// A definition; why it cannot be used.
fn read(path: &Path) -> std::result::Result<Definition, String> {
    let text = file::read_limited(path, LONGEST).map_err(|error| error.to_string())?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    let definition = Definition::parse(&text).map_err(|error| error.to_string())?;
    definition.validate().map_err(|error| error.to_string())?;
    let name = path.file_stem().and_then(|name| name.to_str());
    match (definition.uuid, name) {
        (Some(uuid), Some(name)) if uuid.to_string() == name => Ok(definition),
        _ => Err("its UUID is not the file's name".to_owned()),
    }
}
