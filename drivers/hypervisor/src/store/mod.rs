//! What a driver keeps on disk: definitions and autostart links for good, status files for as long as a guest runs.
//!
//! ```text
//!   CONFIG/NAME.xml              a definition          on the disk before anybody is told of it
//!   CONFIG/autostart/NAME.xml    a link to it          the domain starts with the host
//!   CONFIG/NAME.renaming         a note                the domain is on its way to another name
//!   RUN/UUID.json                a status file         with the kernel before anybody is told of it; gone after a reboot
//! ```
//!
//! Definitions are XML as libvirt keeps it, one file per domain, which an administrator can read and edit. A status file says everything that
//! a new daemon needs to find a guest again or to clean up after it. It is JSON of our own, of which each driver has a part
//! ([`Kept::Own`]). Files are replaced whole. All functions block.
//!
//! What depends on a definition is removed before it, and made after it ([`Belonging`]). What a definition says, and what a driver does with
//! a status, is not known here.

mod belonging;
mod configs;
mod rename;
mod shares;
mod status;
mod statuses;

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_util::file::{self, FileError};

pub use belonging::{Belonging, Whose};
pub use configs::Stored;
pub use status::{NewRun, Status};
pub use statuses::{Noted, Statuses, Unreadable};

/// Why a text is no definition.
pub type Unusable = Box<dyn std::error::Error + Send + Sync>;

/// What a driver keeps, and in which form.
pub trait Kept: Send + Sync + 'static {
    /// A domain's definition.
    type Definition: Send + Sync + 'static;

    /// What a status file has beside the members of every driver's ([`Status`]). It is kept between releases: members are added with a
    /// default, and none changes its meaning.
    type Own: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The form of status files that is written. A file of another form is of a release that cannot be understood.
    const VERSION: u32;

    /// The part of the system that errors are said to come from.
    const ERRORS: ErrorDomain;

    /// A file with a definition that is longer is not read. Bytes.
    const LARGEST_DEFINITION: u64;

    /// A status file that is longer is not read. Bytes.
    const LARGEST_STATUS: u64;

    /// Reads a definition that was kept.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn parse(text: &str) -> std::result::Result<Self::Definition, Unusable>;

    /// A definition as it is kept, with its secrets.
    fn format(definition: &Self::Definition) -> String;

    /// The name of its domain.
    fn name(definition: &Self::Definition) -> &str;

    /// The UUID of its domain.
    ///
    /// # Errors
    /// `InternalError` if it has none.
    fn uuid(definition: &Self::Definition) -> Result<Uuid>;

    /// The definition with another name.
    fn renamed(definition: &Self::Definition, name: &str) -> Self::Definition;

    /// Whether a domain may have this name, which becomes the name of a file.
    ///
    /// # Errors
    /// `InvalidArg`.
    fn check_name(name: &str) -> Result<()>;
}

/// The directories of a driver. Each is the driver's own and made when first needed.
#[derive(Debug, Clone)]
pub struct Places {
    /// Definitions, with their autostart links in a directory below.
    pub config: PathBuf,
    /// Status files.
    pub run: PathBuf,
}

/// The files of a driver.
pub struct Store<K> {
    places: Places,
    kept: PhantomData<fn() -> K>,
}

impl<K> fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("places", &self.places)
            .finish()
    }
}

impl<K: Kept> Store<K> {
    /// The files in these directories.
    #[must_use]
    pub fn new(places: impl Into<Places>) -> Self {
        Self {
            places: places.into(),
            kept: PhantomData,
        }
    }

    /// The file of the definition of the domain with this name.
    #[must_use]
    pub fn config_path(&self, name: &str) -> PathBuf {
        self.places.config.join(format!("{name}.xml"))
    }

    /// The status file of the guest with this UUID.
    #[must_use]
    pub fn status_path(&self, uuid: Uuid) -> PathBuf {
        self.places.run.join(format!("{uuid}.json"))
    }

    fn autostart_dir(&self) -> PathBuf {
        self.places.config.join("autostart")
    }

    fn autostart_path(&self, name: &str) -> PathBuf {
        self.autostart_dir().join(format!("{name}.xml"))
    }

    /// Removes what a daemon left that was killed while it wrote. To be called while nobody else writes.
    pub fn sweep(&self) {
        for dir in [&self.places.config, &self.autostart_dir(), &self.places.run] {
            if let Err(error) = file::sweep_temporary(dir) {
                tracing::debug!(%error, "cannot look for left-over files in '{}': {error}", dir.display());
            }
        }
    }

    fn read_text(path: &Path) -> std::result::Result<K::Definition, String> {
        let bytes =
            file::read_limited(path, K::LARGEST_DEFINITION).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
        K::parse(&text).map_err(|error| error.to_string())
    }

    fn failed(error: FileError) -> Error {
        Error::chain(ErrorCode::SystemError, K::ERRORS, &error)
    }
}

#[cfg(test)]
pub(crate) mod tests;
