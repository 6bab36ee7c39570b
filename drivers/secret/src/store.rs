//! Definitions and values on disk. Everything here blocks.
//!
//! `UUID.xml` is a definition in libvirt's format, `UUID.value` its value, encrypted. A value without a definition is of nothing and is removed:
//! so undefining removes the value first, and a daemon that is killed in between leaves a secret without a value, never another secret's
//! value.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use virtbus_api::providers::SecretValue;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_base::Flags;
use virtbus_conf_host::secret::Secret as Definition;
use virtbus_util::file::{self, FileError};

use crate::vault::{Vault, VaultError};

/// A definition is not longer than this, bytes.
const LONGEST_DEFINITION: u64 = 1 << 20;

/// A stored value is not longer than this, bytes: 64 KiB and what is before it.
const LONGEST_VALUE: u64 = (64 << 10) + 256;

const DEFINITION: &str = "xml";
const VALUE: &str = "value";

/// The files of the driver.
pub(crate) struct Store {
    dir: PathBuf,
    vault: Vault,
}

/// A failure of the file system.
fn failed(error: &FileError) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Secret, error)
}

fn sealed_wrong(of: Uuid, error: &VaultError) -> Error {
    let error = Error::chain(ErrorCode::SystemError, ErrorDomain::Secret, error);
    let message = format!("the value of secret {of}: {}", error.message);
    Error { message, ..error }
}

impl Store {
    /// Files in `dir`, which is the daemon's own.
    pub(crate) const fn new(dir: PathBuf, vault: Vault) -> Self {
        Self { dir, vault }
    }

    fn path(&self, of: Uuid, what: &str) -> PathBuf {
        self.dir.join(format!("{of}.{what}"))
    }

    /// Every definition that can be read. What cannot is logged and left where it is; values of nothing are removed.
    ///
    /// # Errors
    /// If the directory cannot be made or read.
    pub(crate) fn load(&self) -> Result<Vec<Definition>> {
        file::ensure_dir(&self.dir, 0o700, None).map_err(|error| failed(&error))?;
        file::sweep_temporary(&self.dir).map_err(|error| failed(&error))?;
        let names = |what: &str| {
            let suffix = format!(".{what}");
            file::list_dir(&self.dir, &suffix).map_err(|error| failed(&error))
        };
        let mut definitions = Vec::new();
        let names_of_definitions = names(DEFINITION)?;
        for name in &names_of_definitions {
            let path = self.dir.join(name);
            match read(&path) {
                Ok(definition) => definitions.push(definition),
                Err(why) => tracing::error!(
                    file = %path.display(),
                    "the definition of a secret in '{}' cannot be used, ignoring it: {why}",
                    path.display()
                ),
            }
        }
        for name in names(VALUE)? {
            let path = self.dir.join(&name);
            let definition = path.with_extension(DEFINITION);
            let is_of_one = definition.file_name().is_some_and(|definition| {
                names_of_definitions.iter().any(|name| name == definition)
            });
            if !is_of_one {
                tracing::info!(
                    file = %path.display(),
                    "removing the value in '{}', whose secret was undefined",
                    path.display()
                );
                file::remove(&path).map_err(|error| failed(&error))?;
            }
        }
        Ok(definitions)
    }

    /// Writes a definition.
    pub(crate) fn write(&self, of: Uuid, definition: &Definition) -> Result<()> {
        let xml = definition.format(Flags::default());
        file::write_atomic(&self.path(of, DEFINITION), xml.as_bytes(), 0o600)
            .map_err(|error| failed(&error))
    }

    /// Writes a value, encrypted.
    pub(crate) fn write_value(&self, of: Uuid, value: &SecretValue) -> Result<()> {
        let sealed = self.vault.seal(of, value.bytes());
        let sealed = sealed.map_err(|error| sealed_wrong(of, &error))?;
        file::write_atomic(&self.path(of, VALUE), &sealed, 0o600).map_err(|error| failed(&error))
    }

    /// The value, if there is one.
    pub(crate) fn read_value(&self, of: Uuid) -> Result<Option<SecretValue>> {
        let sealed = match file::read_limited(&self.path(of, VALUE), LONGEST_VALUE) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let opened = self.vault.open(of, sealed);
        let mut value = opened.map_err(|error| sealed_wrong(of, &error))?;
        Ok(Some(SecretValue::new(std::mem::take(&mut *value))))
    }

    /// Removes what is on disk of a secret.
    pub(crate) fn remove(&self, of: Uuid) -> Result<()> {
        for what in [VALUE, DEFINITION] {
            file::remove(&self.path(of, what)).map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// A stored definition; why it cannot be used.
fn read(path: &Path) -> Result<Definition, String> {
    let text =
        file::read_limited(path, LONGEST_DEFINITION).map_err(|error| failed(&error).message)?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    let definition = Definition::parse(&text).map_err(|error| error.to_string())?;
    let name = path.file_stem().and_then(|name| name.to_str());
    match (definition.uuid, name) {
        (Some(uuid), Some(name)) if uuid.to_string() == name => Ok(definition),
        _ => Err("its UUID is not the file's name".to_owned()),
    }
}
