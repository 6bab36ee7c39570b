//! Definitions on disk, and the links by which they start with the host.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_util::file;

use super::{Belonging, Kept, Store, Whose, shares};

/// A definition found on disk.
#[derive(Debug)]
pub struct Stored<D> {
    /// The definition.
    pub definition: D,
    /// Whether it starts with the host.
    pub autostart: bool,
}

impl<K: Kept> Store<K> {
    /// Writes a definition down.
    ///
    /// # Errors
    /// `SystemError`; then the file is as it was.
    pub fn write_config(&self, definition: &K::Definition) -> Result<()> {
        file::ensure_dir(&self.places.config, 0o700, None).map_err(Self::failed)?;
        let path = self.config_path(K::name(definition));
        let text = K::format(definition);
        file::write_atomic(&path, text.as_bytes(), 0o600).map_err(Self::failed)
    }

    /// Removes a definition with all that belongs to it, from the dependent to the independent: what belongs to it in the order given, the
    /// autostart link, the definition. A daemon that is killed in between leaves a definition without its belongings, and never belongings that
    /// another domain of this name would take for its own.
    ///
    /// # Errors
    /// `SystemError` and those of [`Belonging::remove`]; then the definition is still there, and what comes after the failed one as well.
    pub fn remove_config(&self, whose: Whose<'_>, belongings: &[&dyn Belonging]) -> Result<()> {
        for belonging in belongings {
            belonging.remove(whose)?;
        }
        let link = self.autostart_path(whose.name);
        // Anything else there is not the daemon's, and nothing is started by it.
        if link.is_symlink() {
            file::remove(&link).map_err(Self::failed)?;
        }
        file::remove(&self.config_path(whose.name)).map_err(Self::failed)?;
        Ok(())
    }

    /// Makes or removes the autostart link.
    ///
    /// # Errors
    /// `SystemError`.
    pub fn write_autostart(&self, name: &str, autostart: bool) -> Result<()> {
        let link = self.autostart_path(name);
        if autostart {
            file::ensure_dir(&self.autostart_dir(), 0o700, None).map_err(Self::failed)?;
            file::link(&self.config_path(name), &link).map_err(Self::failed)
        } else {
            file::remove(&link).map(drop).map_err(Self::failed)
        }
    }

    /// Every definition on disk. One that cannot be read is left where it is, and logged. Thousands are read by as many threads as there are
    /// processors.
    #[must_use]
    pub fn read_configs(&self) -> Vec<Stored<K::Definition>> {
        let dir = &self.places.config;
        let names = match file::list_dir(dir, ".xml") {
            Ok(names) => names,
            Err(error) => {
                tracing::error!(path = %dir.display(), %error, "no definitions can be read: {error}");
                return Vec::new();
            }
        };
        let marked = file::list_dir(&self.autostart_dir(), ".xml").unwrap_or_default();
        let marked: HashSet<OsString> = marked.into_iter().collect();
        let read = shares::map(&names, |name| self.read_config(name, &marked));
        read.into_iter().flatten().collect()
    }

    fn read_config(
        &self,
        file_name: &OsStr,
        marked: &HashSet<OsString>,
    ) -> Option<Stored<K::Definition>> {
        let path = self.places.config.join(file_name);
        let definition = match Self::read_text(&path) {
            Ok(definition) => definition,
            Err(error) => {
                tracing::error!(path = %path.display(), error, "the definition '{}' cannot be read, ignoring: {error}", path.display());
                return None;
            }
        };
        let name = K::name(&definition);
        if Path::new(file_name) != Path::new(&format!("{name}.xml")) {
            tracing::warn!(
                path = %path.display(), name,
                "'{}' has the definition of domain '{name}', which belongs into '{name}.xml', ignoring", path.display()
            );
            return None;
        }
        let autostart = marked.contains(file_name)
            && file::is_link_to(&self.autostart_path(name), &path).unwrap_or(false);
        Some(Stored {
            definition,
            autostart,
        })
    }

    /// The definition of the domain with this name, if there is one.
    ///
    /// # Errors
    /// `SystemError` or `InternalError` if it cannot be read.
    pub fn find_config(&self, name: &str) -> Result<Option<Stored<K::Definition>>> {
        let path = self.config_path(name);
        if !path.try_exists().map_err(|error| {
            let message = format!("cannot look for '{}': {error}", path.display());
            Error::new(ErrorCode::SystemError, K::ERRORS, message)
        })? {
            return Ok(None);
        }
        let definition = Self::read_text(&path)
            .map_err(|error| Error::internal(format!("'{}': {error}", path.display())))?;
        let autostart = file::is_link_to(&self.autostart_path(name), &path).unwrap_or(false);
        Ok(Some(Stored {
            definition,
            autostart,
        }))
    }
}
