//! Which bus is served, and what follows from that.

use std::path::{Path, PathBuf};

use virtbus_util::dirs::{Dirs, DirsError};

use crate::cli::Cli;

/// The bus that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The system bus.
    System,
    /// The user's session bus.
    Session,
    /// A bus at an address.
    Private(String),
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System => f.write_str("the system bus"),
            Self::Session => f.write_str("the session bus"),
            Self::Private(address) => write!(f, "the bus at '{address}'"),
        }
    }
}

impl Mode {
    /// The mode that the command line asks for.
    pub(crate) fn of(cli: &Cli) -> Self {
        match &cli.address {
            Some(address) => Self::Private(address.clone()),
            None if cli.session => Self::Session,
            None => Self::System,
        }
    }

    pub(crate) const fn is_system(&self) -> bool {
        matches!(self, Self::System)
    }

    pub(crate) const fn is_session(&self) -> bool {
        matches!(self, Self::Session)
    }

    pub(crate) const fn is_private(&self) -> bool {
        matches!(self, Self::Private(_))
    }

    /// Where everything is kept.
    pub(crate) fn dirs(&self, state_dir: Option<&Path>) -> Result<Dirs, DirsError> {
        match (state_dir, self) {
            (Some(dir), _) => Ok(Dirs::below(dir)),
            (None, Self::System) => Ok(Dirs::system(Path::new("/"))),
            (None, Self::Session | Self::Private(_)) => {
                Dirs::session(|name| std::env::var_os(name))
            }
        }
    }

    /// The settings file, and whether it has to be there.
    pub(crate) fn settings_path(&self, cli: &Cli, dirs: &Dirs) -> (PathBuf, bool) {
        match &cli.config {
            Some(path) => (path.clone(), true),
            None => (dirs.config.join("virtbusd.toml"), false),
        }
    }
}
