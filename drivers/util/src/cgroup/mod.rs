//! Control groups: finding out what this host offers, and giving a set of processes a group of its
//! own, so that it can be listed, limited and ended as a whole.
//!
//! Where systemd runs, it owns the tree: groups are then made by asking it for a scope, and this
//! module only looks into them ([`Cgroups::group_of`]). Elsewhere they are made below the daemon's
//! own group, at `virtbus/NAME`.
//!
//! Not every host lets the daemon do that. [`Placement::Nowhere`] is therefore an answer and not an
//! error: programs run without a group too, and end by their pids.
//!
//! Which limits a program gets, and in which files they are written, is not known here.

mod detect;
mod group;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use detect::{Cgroups, Layout, has_systemd};
pub use group::Group;

/// The directory below the daemon's own group that holds all groups made here.
const SLICE: &str = "virtbus";

/// How often to begin again if others remove what was just made.
const MAKE_ATTEMPTS: u32 = 100;

/// A kind of resource that the kernel accounts and limits by group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Shares of processor time, and (version 2) its accounting.
    Cpu,
    /// Accounting of processor time in version 1; part of `cpu` in version 2.
    CpuAcct,
    /// Which processors and memory nodes may be used.
    CpuSet,
    /// Memory.
    Memory,
    /// Block devices: `blkio` in version 1, `io` in version 2.
    Io,
    /// Which device nodes may be opened; version 1 only.
    Devices,
    /// Stopping all processes; version 1 only, in version 2 every group can.
    Freezer,
    /// How many processes there may be.
    Pids,
}

impl Controller {
    /// All controllers.
    pub const ALL: [Self; 8] = [
        Self::Cpu,
        Self::CpuAcct,
        Self::CpuSet,
        Self::Memory,
        Self::Io,
        Self::Devices,
        Self::Freezer,
        Self::Pids,
    ];

    /// The kernel's name in version 1.
    pub fn v1_name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::CpuAcct => "cpuacct",
            Self::CpuSet => "cpuset",
            Self::Memory => "memory",
            Self::Io => "blkio",
            Self::Devices => "devices",
            Self::Freezer => "freezer",
            Self::Pids => "pids",
        }
    }

    /// The kernel's name in version 2, if it is a controller there.
    pub fn v2_name(self) -> Option<&'static str> {
        match self {
            Self::Cpu => Some("cpu"),
            Self::CpuSet => Some("cpuset"),
            Self::Memory => Some("memory"),
            Self::Io => Some("io"),
            Self::Pids => Some("pids"),
            Self::CpuAcct | Self::Devices | Self::Freezer => None,
        }
    }
}

/// Where a group was made.
#[derive(Debug)]
pub enum Placement {
    /// Here.
    Made(Group),
    /// This host or this daemon's rights do not allow groups; programs run in the daemon's own.
    Nowhere {
        /// Why, for a log.
        reason: String,
    },
}

/// What failed with a group.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// A file or directory of the group could not be used.
    #[error("cannot {action} '{path}'")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A group of this name has processes in it.
    #[error("group '{path}' is in use")]
    InUse {
        /// The group.
        path: PathBuf,
    },
    /// The name cannot be that of a group: empty, longer than 255 bytes, with a slash or NUL, or
    /// beginning like the kernel's own files.
    #[error("'{0}' cannot be the name of a control group")]
    BadName(String),
    /// The group has no directory in which this controller works.
    #[error("controller '{0}' is not available for this group")]
    NoController(&'static str),
    /// Processes of the group did not end in time, though killed.
    #[error("{count} processes of group '{path}' are still there after being killed")]
    Stuck {
        /// The group.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// What the kernel says about a process's groups cannot be had.
    #[error(transparent)]
    Process(#[from] crate::process::ProcessError),
}

impl CgroupError {
    fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

impl Cgroups {
    /// Makes a group of this name: in the version 2 hierarchy if there is one that may be written,
    /// else in a named one of version 1. Where `controllers` can be had for it (in version 1: in
    /// their own hierarchies), they are; [`Group::has_controller`] tells.
    ///
    /// An empty group of this name, left from earlier, is removed first with all its settings.
    pub fn create(&self, name: &str, controllers: &[Controller]) -> Result<Placement, CgroupError> {
        check_name(name)?;
        let mut reasons = Vec::new();
        let mut group = None;
        for tree in self.trees_to_track() {
            let slice = tree.own.join(SLICE);
            match make(&slice, name) {
                Ok(path) => {
                    if tree.is_v2() {
                        enable(&tree.own, controllers);
                        enable(&slice, controllers);
                    }
                    group = Some(Group::new(path, tree));
                    break;
                }
                Err(error @ CgroupError::InUse { .. }) => return Err(error),
                Err(error) => reasons.push(describe(&error)),
            }
        }
        let Some(mut group) = group else {
            if reasons.is_empty() {
                reasons.push("no control group hierarchy is mounted".to_owned());
            }
            return Ok(Placement::Nowhere {
                reason: reasons.join("; "),
            });
        };
        for tree in self.v1_trees_of(controllers) {
            if group.is_in(tree) {
                continue;
            }
            match make(&tree.own.join(SLICE), name) {
                Ok(path) => group.add_tree(path, tree),
                Err(error) => {
                    tracing::debug!(error = %describe(&error), "no group for a controller, ignoring");
                }
            }
        }
        Ok(Placement::Made(group))
    }

    /// The group of this name that an earlier call, perhaps of an earlier daemon, made.
    pub fn find(&self, name: &str) -> Result<Option<Group>, CgroupError> {
        check_name(name)?;
        let mut group: Option<Group> = None;
        for tree in self.trees_to_track() {
            let path = tree.own.join(SLICE).join(name);
            if path.is_dir() {
                group = Some(Group::new(path, tree));
                break;
            }
        }
        if let Some(group) = &mut group {
            for tree in self.v1_trees_of(&Controller::ALL) {
                let path = tree.own.join(SLICE).join(name);
                if !group.is_in(tree) && path.is_dir() {
                    group.add_tree(path, tree);
                }
            }
        }
        Ok(group)
    }
}

/// Makes `slice/name`, empty and with default settings.
fn make(slice: &Path, name: &str) -> Result<PathBuf, CgroupError> {
    let path = slice.join(name);
    if path.is_dir() {
        group::remove_tree(&path)?;
    }
    for _ in 0..MAKE_ATTEMPTS {
        make_dir(slice)?;
        match make_dir(&path) {
            // The end of the last group in the slice takes the slice with it.
            Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            other => return other.map(|()| path),
        }
    }
    Err(CgroupError::io(
        "create group",
        &path,
        io::ErrorKind::NotFound,
    ))
}

fn make_dir(path: &Path) -> Result<(), CgroupError> {
    match fs::create_dir(path) {
        Ok(()) => inherit_cpuset(path),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(CgroupError::io("create group", path, source)),
    }
}

/// A new `cpuset` group of version 1 takes no process before it has processors and memory nodes.
fn inherit_cpuset(path: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = path.join(file);
        let Some(parent) = path.parent().map(|parent| parent.join(file)) else {
            continue;
        };
        match fs::read_to_string(&own) {
            Ok(text) if text.trim().is_empty() => {}
            _ => continue,
        }
        // Version 2 has the same files, but there empty means "as the parent".
        if path.join("cgroup.controllers").exists() {
            continue;
        }
        let wanted = fs::read(&parent).map_err(|error| CgroupError::io("read", &parent, error))?;
        fs::write(&own, wanted).map_err(|error| CgroupError::io("write", &own, error))?;
    }
    Ok(())
}

/// Lets the groups below `path` use controllers, each by itself: one that cannot be had (in use by
/// version 1, or refused because `path` has processes of its own) must not keep the others away.
fn enable(path: &Path, controllers: &[Controller]) {
    let file = path.join("cgroup.subtree_control");
    for name in controllers.iter().filter_map(|wanted| wanted.v2_name()) {
        if let Err(error) = fs::write(&file, format!("+{name}")) {
            tracing::debug!(controller = name, %error, "cannot enable a controller, ignoring");
        }
    }
}

fn check_name(name: &str) -> Result<(), CgroupError> {
    let reserved = ["cgroup.", "."]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    let bad = name.is_empty() || name.len() > 255 || name.contains(['/', '\0', '\n']) || reserved;
    // The kernel's own files in a group's directory have names like "memory.max".
    let kernels = Controller::ALL.iter().any(|controller| {
        [Some(controller.v1_name()), controller.v2_name()]
            .into_iter()
            .flatten()
            .any(|prefix| {
                name.strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
    });
    if bad || kernels {
        return Err(CgroupError::BadName(name.to_owned()));
    }
    Ok(())
}

fn describe(error: &CgroupError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["web", "qemu-1-web", "a b", "memory", "memoryx.y"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(256);
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "cgroup.procs",
            "memory.max",
            "io.x",
            &long,
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    fn fake_host(root: &Path, mounts: &str, own: &str) -> Cgroups {
        let mounts = mounts.replace("ROOT", root.to_str().unwrap());
        Cgroups::from_texts(&mounts, own)
    }

    #[test]
    fn group_is_made_in_version_2_first() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("v2/daemon");
        fs::create_dir_all(&own).unwrap();
        let host = fake_host(
            root.path(),
            "41 31 0:38 / ROOT/v2 rw - cgroup2 cgroup2 rw\n",
            "0::/daemon\n",
        );
        assert!(host.find("web").unwrap().is_none());
        let Placement::Made(group) = host.create("web", &[]).unwrap() else {
            panic!("it can be made");
        };
        assert_eq!(group.path(), own.join("virtbus/web"));
        assert!(group.path().is_dir());
        assert_eq!(host.find("web").unwrap().unwrap().path(), group.path());
        // Left empty from earlier, it is made anew.
        fs::create_dir(group.path().join("vcpu0")).unwrap();
        assert!(matches!(
            host.create("web", &[]).unwrap(),
            Placement::Made(_)
        ));
        assert!(!group.path().join("vcpu0").exists());
    }

    #[test]
    fn nowhere_is_described() {
        let root = tempfile::tempdir().unwrap();
        let host = fake_host(root.path(), "", "");
        assert!(matches!(
            host.create("web", &[]).unwrap(),
            Placement::Nowhere { reason } if reason == "no control group hierarchy is mounted"
        ));
        let host = fake_host(
            root.path(),
            "41 31 0:38 / ROOT/gone rw - cgroup2 cgroup2 rw\n",
            "0::/\n",
        );
        assert!(matches!(
            host.create("web", &[]).unwrap(),
            Placement::Nowhere { reason } if reason.contains("cannot create group")
        ));
    }

    #[test]
    fn cpuset_of_version_1_is_filled_from_above() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("parent");
        let child = parent.join("child");
        fs::create_dir_all(&child).unwrap();
        for (file, text) in [("cpuset.cpus", "0-3\n"), ("cpuset.mems", "0\n")] {
            fs::write(parent.join(file), text).unwrap();
            fs::write(child.join(file), "\n").unwrap();
        }
        inherit_cpuset(&child).unwrap();
        assert_eq!(fs::read(child.join("cpuset.cpus")).unwrap(), b"0-3\n");
        assert_eq!(fs::read(child.join("cpuset.mems")).unwrap(), b"0\n");
    }
}
