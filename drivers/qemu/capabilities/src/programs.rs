//! Which programs are run as emulators. Whoever may define a domain names one, and it is run before anybody looks at it
//! again, also only to find out what it can do.
//!
//! Where guests run as a user of their own, an emulator is in one of the directories that the settings name, and nobody but
//! root can put another in its place. Where they run as the daemon's user, who may call it may run programs anyway; root's
//! daemon still runs nothing that others could exchange.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Links that are followed at most, as by the kernel.
const MOST_LINKS: usize = 40;

/// Why a program is not run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Not absolute, or with parts that lead elsewhere.
    #[error("invalid emulator path '{0}': an absolute path without '..' is expected")]
    Path(PathBuf),
    /// Not where emulators are.
    #[error(
        "'{path}' cannot be an emulator: it is in none of the directories that the setting qemu.emulator_path names ({})",
        list(.dirs)
    )]
    Elsewhere {
        /// The program.
        path: PathBuf,
        /// Where emulators are.
        dirs: Vec<PathBuf>,
    },
    /// Not there.
    #[error("emulator '{path}' does not exist")]
    Look {
        /// The program.
        path: PathBuf,
        /// Why it cannot be looked at.
        source: io::Error,
    },
    /// Something else.
    #[error("'{0}' cannot be an emulator: it is not an executable file")]
    NoProgram(PathBuf),
    /// Somebody could put another in its place.
    #[error(
        "'{path}' cannot be an emulator: '{at}' {why}, so that others than root could replace it"
    )]
    Exchangeable {
        /// The program.
        path: PathBuf,
        /// The file, directory or link on the way to it that is not root's alone.
        at: PathBuf,
        /// What is wrong with it, such as "belongs to alice".
        why: String,
    },
}

fn list(dirs: &[PathBuf]) -> String {
    let dirs: Vec<_> = dirs.iter().map(|dir| dir.to_string_lossy()).collect();
    dirs.join(", ")
}

/// Which programs may be emulators.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Where they have to be; none if anywhere.
    dirs: Option<Vec<PathBuf>>,
    /// Whether nobody but root may be able to exchange them.
    only_roots: bool,
}

impl Programs {
    /// Those in these directories, if guests run as a user of their own; else any.
    pub fn new(dirs: &[PathBuf], guests_have_a_user: bool) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        Self {
            dirs: guests_have_a_user.then(|| dirs.to_vec()),
            only_roots: guests_have_a_user || is_root,
        }
    }

    /// Refuses a path by how it is written, without a look at it.
    ///
    /// # Errors
    /// [`ProgramError::Path`] or [`ProgramError::Elsewhere`].
    pub fn check_path(&self, path: &Path) -> Result<(), ProgramError> {
        let is_plain =
            |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        if !path.is_absolute() || !path.components().all(is_plain) {
            return Err(ProgramError::Path(path.to_owned()));
        }
        match &self.dirs {
            Some(dirs) if !dirs.iter().any(|dir| path.starts_with(dir)) => {
                Err(ProgramError::Elsewhere {
                    path: path.to_owned(),
                    dirs: dirs.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a program that is not there or that somebody could exchange. Blocks.
    ///
    /// # Errors
    /// All of [`ProgramError`].
    pub fn check(&self, path: &Path) -> Result<(), ProgramError> {
        self.check_path(path)?;
        let look = |source| ProgramError::Look {
            path: path.to_owned(),
            source,
        };
        let facts = if self.only_roots {
            walk(path)?
        } else {
            std::fs::metadata(path).map_err(look)?
        };
        if facts.is_file() && facts.mode() & 0o111 != 0 {
            Ok(())
        } else {
            Err(ProgramError::NoProgram(path.to_owned()))
        }
    }
}

/// Goes to a file step by step, as the kernel does, and looks at whose each directory and link on the way is.
fn walk(path: &Path) -> Result<Metadata, ProgramError> {
    let look = |source| ProgramError::Look {
        path: path.to_owned(),
        source,
    };
    let mut ahead: VecDeque<OsString> = parts(path);
    let mut at = PathBuf::from("/");
    let mut facts = std::fs::symlink_metadata(&at).map_err(look)?;
    let mut links = 0;
    check_step(path, &at, &facts)?;
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        facts = std::fs::symlink_metadata(&next).map_err(look)?;
        check_step(path, &next, &facts)?;
        if !facts.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(look(io::Error::other(
                "there are too many links on the way",
            )));
        }
        let target = std::fs::read_link(&next).map_err(look)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for part in parts(&target).into_iter().rev() {
            ahead.push_front(part);
        }
    }
    std::fs::symlink_metadata(&at).map_err(look)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn check_step(path: &Path, at: &Path, facts: &Metadata) -> Result<(), ProgramError> {
    let exchangeable = |why: String| {
        Err(ProgramError::Exchangeable {
            path: path.to_owned(),
            at: at.to_owned(),
            why,
        })
    };
    if facts.uid() != 0 {
        return exchangeable(format!(
            "belongs to user {}",
            virtbus_util::users::shown(facts.uid())
        ));
    }
    // What others may write, they may exchange; but not what is root's in a directory where each may remove only his own.
    let mode = facts.mode();
    let by_others = mode & 0o002 != 0 || (mode & 0o020 != 0 && facts.gid() != 0);
    let is_shared = facts.is_dir() && mode & 0o1000 != 0;
    if by_others && !facts.is_symlink() && !is_shared {
        return exchangeable("can be written by others".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn program(path: &Path, mode: u32) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn why(programs: &Programs, path: &Path) -> String {
        programs
            .check(path)
            .map_or_else(|error| error.to_string(), |()| "taken".to_owned())
    }

    #[test]
    fn only_what_is_in_the_directories_is_taken() {
        let programs = Programs::new(&["/usr/bin".into(), "/opt/qemu/one".into()], true);
        for path in ["/usr/bin/q", "/usr/bin/deeper/q", "/opt/qemu/one"] {
            programs.check_path(Path::new(path)).unwrap();
        }
        for path in [
            "/srv/q",
            "/usr/bin/../../srv/q",
            "/usr/binq",
            "usr/bin/q",
            "",
            "/opt/qemu/onep",
        ] {
            let error = programs
                .check_path(Path::new(path))
                .unwrap_err()
                .to_string();
            assert!(error.contains(path), "{error}");
        }
        let error = programs
            .check_path(Path::new("/srv/q"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("qemu.emulator_path names (/usr/bin, /opt/qemu/one)"),
            "{error}"
        );
        let own = Programs {
            dirs: None,
            only_roots: false,
        };
        own.check_path(Path::new("/srv/q")).unwrap();
        own.check_path(Path::new("srv/q")).unwrap_err();
    }

    #[test]
    fn root_what_others_could_exchange_is_refused() {
        if !rustix::process::geteuid().is_root() {
            virtbus_skip::skip!("needs root");
        }
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let programs = Programs::new(&[dir.to_owned()], true);
        let at = |name: &str| dir.join(name);
        program(&at("good"), 0o755);
        program(&at("written"), 0o757);
        program(&at("theirs"), 0o755);
        program(&at("data"), 0o644);
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
        program(&at("open/q"), 0o755);
        fs::create_dir(at("their")).unwrap();
        program(&at("their/q"), 0o755);
        symlink("good", at("link")).unwrap();
        symlink("good", at("their-link")).unwrap();
        symlink("their/../good", at("through")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for name in ["theirs", "their", "their-link"] {
            rustix::fs::chownat(
                rustix::fs::CWD,
                at(name),
                Some(rustix::fs::Uid::from_raw(65501)),
                None,
                rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
            )
            .unwrap();
        }
        for taken in ["good", "link"] {
            assert_eq!(why(&programs, &at(taken)), "taken", "{taken}");
        }
        let refused = [
            ("written", "can be written by others"),
            ("theirs", "belongs to user 65501"),
            ("data", "not an executable file"),
            ("open/q", "can be written by others"),
            ("their/q", "belongs to user 65501"),
            ("their-link", "belongs to user 65501"),
            ("through", "belongs to user 65501"),
            ("loop", "does not exist"),
            ("none", "does not exist"),
        ];
        for (name, expected) in refused {
            let told = why(&programs, &at(name));
            assert!(told.contains(expected), "{name}: {told}");
        }
        // A user's own daemon runs the user's own programs.
        let own = Programs {
            dirs: None,
            only_roots: false,
        };
        assert_eq!(why(&own, &at("their/q")), "taken");
        assert!(why(&own, &at("data")).contains("not an executable file"));
        chown(at("good"), Some(65501), None).unwrap();
        assert!(why(&programs, &at("link")).contains("good"));
    }
}
