//! Where the daemon keeps its files: system-wide, for one user's session, or all below one
//! directory for tests and trials.
//!
//! This only names places, with the product's own folder as the last component. Nothing is made
//! here; [`crate::file::ensure_dir`] does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder in each of the host's shared places.
const PRODUCT: &str = "virtbus";

/// The places of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// What administrators write and what is defined for good: definitions, settings.
    pub config: PathBuf,
    /// What must survive a reboot but is nobody's to edit: saved guests, NVRAM, leases.
    pub state: PathBuf,
    /// What is true until the next boot: status files, sockets, pid files.
    pub runtime: PathBuf,
    /// What can be found out again.
    pub cache: PathBuf,
    /// Logs of programs that have no other place for them.
    pub log: PathBuf,
}

/// Why there are no places for a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} is not set to an absolute path, so the folder for this user's files is unknown"
)]
pub struct DirsError {
    /// The environment variable that is missing.
    pub variable: &'static str,
}

impl Dirs {
    /// The places of the system's daemon below `root`, which is `/` on a host and the staging
    /// directory or image when installing.
    pub fn system(root: &Path) -> Self {
        let place = |path: &str| root.join(path).join(PRODUCT);
        Self {
            config: place("etc"),
            state: place("var/lib"),
            runtime: place("run"),
            cache: place("var/cache"),
            log: place("var/log"),
        }
    }

    /// The places of a user's own daemon, by the XDG Base Directory Specification 0.8. `variable`
    /// looks an environment variable up. As the specification has it, a relative path counts as
    /// not set.
    ///
    /// Where the session has no runtime directory (no login manager), a folder in the cache takes
    /// its place, which must then be cleaned after a reboot.
    pub fn session(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, DirsError> {
        let absolute = |name: &str| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let base = |name: &str, default: &str| match absolute(name) {
            Some(path) => Ok(path.join(PRODUCT)),
            None => absolute("HOME")
                .map(|home| home.join(default).join(PRODUCT))
                .ok_or(DirsError { variable: "HOME" }),
        };
        let cache = base("XDG_CACHE_HOME", ".cache")?;
        let runtime = match absolute("XDG_RUNTIME_DIR") {
            Some(path) => path.join(PRODUCT),
            None => cache.join("run"),
        };
        Ok(Self {
            config: base("XDG_CONFIG_HOME", ".config")?,
            state: base("XDG_DATA_HOME", ".local/share")?,
            runtime,
            log: base("XDG_STATE_HOME", ".local/state")?.join("log"),
            cache,
        })
    }

    /// All places below one directory, which is the daemon's alone.
    pub fn below(dir: &Path) -> Self {
        Self {
            config: dir.join("config"),
            state: dir.join("state"),
            runtime: dir.join("run"),
            cache: dir.join("cache"),
            log: dir.join("log"),
        }
    }

    /// A folder in each of the places, for one driver.
    pub fn driver(&self, name: &str) -> Self {
        Self {
            config: self.config.join(name),
            state: self.state.join(name),
            runtime: self.runtime.join(name),
            cache: self.cache.join(name),
            log: self.log.join(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(set: &[(&str, &str)]) -> Result<Dirs, DirsError> {
        Dirs::session(|name| {
            set.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn system_and_below() {
        let dirs = Dirs::system(Path::new("/")).driver("qemu");
        assert_eq!(dirs.config, Path::new("/etc/virtbus/qemu"));
        assert_eq!(dirs.state, Path::new("/var/lib/virtbus/qemu"));
        assert_eq!(dirs.runtime, Path::new("/run/virtbus/qemu"));
        assert_eq!(dirs.log, Path::new("/var/log/virtbus/qemu"));
        assert_eq!(
            Dirs::system(Path::new("/stage")).cache,
            Path::new("/stage/var/cache/virtbus")
        );
        assert_eq!(Dirs::below(Path::new("/t")).runtime, Path::new("/t/run"));
    }

    #[test]
    fn session_by_variables_and_by_home() {
        let dirs = session(&[("HOME", "/home/u"), ("XDG_RUNTIME_DIR", "/run/user/7")]).unwrap();
        assert_eq!(dirs.config, Path::new("/home/u/.config/virtbus"));
        assert_eq!(dirs.state, Path::new("/home/u/.local/share/virtbus"));
        assert_eq!(dirs.runtime, Path::new("/run/user/7/virtbus"));
        assert_eq!(dirs.log, Path::new("/home/u/.local/state/virtbus/log"));
        let dirs = session(&[
            ("HOME", "/home/u"),
            ("XDG_CONFIG_HOME", "relative"),
            ("XDG_CACHE_HOME", "/c"),
        ])
        .unwrap();
        assert_eq!(dirs.config, Path::new("/home/u/.config/virtbus"));
        assert_eq!(dirs.runtime, Path::new("/c/virtbus/run"));
    }

    #[test]
    fn session_without_home() {
        let error = session(&[("HOME", "")]).unwrap_err();
        assert_eq!(error.variable, "HOME");
        assert!(session(&[]).is_err());
    }
}
