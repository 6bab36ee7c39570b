//! Which hierarchies are mounted where, and which group in each is the daemon's own. The formats
//! are those of `/proc/PID/mountinfo` (proc(5)) and `/proc/PID/cgroup` (cgroups(7)).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::{CgroupError, Controller, Group};
use crate::process::ProcessError;

/// How the host has arranged its hierarchies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Version 2 alone.
    Unified,
    /// Version 2 for keeping track of processes, version 1 for (some) controllers.
    Hybrid,
    /// Version 1 alone.
    Legacy,
    /// Nothing is mounted.
    None,
}

/// Whether systemd is this host's service manager (see sd_booted(3)).
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The hierarchies of this host, as this process sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups {
    v2: Option<Tree>,
    v1: Vec<Tree>,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    kind: Kind,
    /// Where it is mounted.
    mount: PathBuf,
    /// The group that appears there; `/` unless only a part is mounted.
    root: PathBuf,
    /// The directory of the group that was looked for.
    pub(super) own: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    V2,
    /// Controllers, and `name=…` for a hierarchy with a name.
    V1(BTreeSet<String>),
}

impl Tree {
    pub(super) fn is_v2(&self) -> bool {
        self.kind == Kind::V2
    }

    fn is_named(&self) -> bool {
        match &self.kind {
            Kind::V2 => false,
            Kind::V1(labels) => labels.iter().any(|label| label.starts_with("name=")),
        }
    }

    pub(super) fn has_v1(&self, controller: Controller) -> bool {
        match &self.kind {
            Kind::V2 => false,
            Kind::V1(labels) => labels.contains(controller.v1_name()),
        }
    }
}

impl Cgroups {
    /// Looks at the host, and at which groups this process is in.
    pub fn detect() -> Result<Self, CgroupError> {
        Self::of("self")
    }

    fn of(process: &str) -> Result<Self, CgroupError> {
        let mounts = read("/proc/self/mountinfo")?;
        let groups = read(&format!("/proc/{process}/cgroup"))?;
        Ok(Self::from_texts(&mounts, &groups))
    }

    /// Puts a mountinfo and a cgroup file together. Hierarchies that are not mounted, or of which
    /// the group is not visible, are left out.
    pub(super) fn from_texts(mounts: &str, groups: &str) -> Self {
        let memberships: Vec<Membership<'_>> =
            groups.lines().filter_map(Membership::parse).collect();
        let mut found = Self {
            v2: None,
            v1: Vec::new(),
        };
        for mount in mounts.lines().filter_map(Mount::parse) {
            let Some(membership) = memberships.iter().find(|one| one.is_of(&mount.kind)) else {
                continue;
            };
            let Ok(below) = Path::new(membership.path).strip_prefix(&mount.root) else {
                continue;
            };
            let tree = Tree {
                own: mount.place.join(below),
                mount: mount.place,
                root: mount.root,
                kind: mount.kind,
            };
            // A hierarchy may be mounted many times; the first is the usual place.
            if tree.is_v2() {
                found.v2.get_or_insert(tree);
            } else if !found.v1.iter().any(|other| other.kind == tree.kind) {
                found.v1.push(tree);
            }
        }
        found
    }

    /// How the hierarchies are arranged.
    pub fn layout(&self) -> Layout {
        match (&self.v2, self.v1.is_empty()) {
            (Some(_), true) => Layout::Unified,
            (Some(_), false) => Layout::Hybrid,
            (None, false) => Layout::Legacy,
            (None, true) => Layout::None,
        }
    }

    /// The daemon's own group in version 2, as a directory.
    pub fn own_group(&self) -> Option<&Path> {
        self.v2.as_ref().map(|tree| tree.own.as_path())
    }

    /// The group that a process is in, such as the scope that systemd made for it.
    pub fn group_of(pid: i32) -> Result<Option<Group>, CgroupError> {
        if pid <= 0 {
            return Err(ProcessError::BadPid(pid).into());
        }
        let theirs = match Self::of(&pid.to_string()) {
            Ok(theirs) => theirs,
            Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(ProcessError::Gone(pid).into());
            }
            Err(error) => return Err(error),
        };
        let Some(first) = theirs.trees_to_track().next() else {
            return Ok(None);
        };
        let mut group = Group::new(first.own.clone(), first);
        for tree in &theirs.v1 {
            if !group.is_in(tree) {
                group.add_tree(tree.own.clone(), tree);
            }
        }
        Ok(Some(group))
    }

    /// Hierarchies in which processes can be kept track of, the best first.
    pub(super) fn trees_to_track(&self) -> impl Iterator<Item = &Tree> {
        let named = self.v1.iter().filter(|tree| tree.is_named());
        self.v2.iter().chain(named)
    }

    pub(super) fn v1_trees_of(&self, controllers: &[Controller]) -> impl Iterator<Item = &Tree> {
        self.v1
            .iter()
            .filter(|tree| controllers.iter().any(|wanted| tree.has_v1(*wanted)))
    }
}

fn read(path: &str) -> Result<String, CgroupError> {
    let bytes = fs::read(path).map_err(|source| CgroupError::io("read", path.as_ref(), source))?;
    // Names may be any bytes. A line that is not text is of no use to us, the others are.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line of `/proc/PID/cgroup`: `ID:CONTROLLERS:PATH`.
struct Membership<'a> {
    labels: &'a str,
    path: &'a str,
}

impl<'a> Membership<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(3, ':');
        let _id = parts.next()?;
        Some(Self {
            labels: parts.next()?,
            path: parts.next()?,
        })
    }

    fn is_of(&self, kind: &Kind) -> bool {
        match kind {
            Kind::V2 => self.labels.is_empty(),
            Kind::V1(labels) => {
                let own: BTreeSet<&str> = self.labels.split(',').collect();
                labels.iter().all(|label| own.contains(label.as_str()))
            }
        }
    }
}

/// A line of mountinfo, if it is about control groups.
struct Mount {
    root: PathBuf,
    place: PathBuf,
    kind: Kind,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let root = unescape(before.next()?);
        let place = unescape(before.next()?);
        let mut after = after.split(' ');
        let kind = match after.next()? {
            "cgroup2" => Kind::V2,
            "cgroup" => {
                let options = after.nth(1)?;
                let labels = options.split(',').filter(|option| is_label(option));
                Kind::V1(labels.map(str::to_owned).collect())
            }
            _ => return None,
        };
        if kind == Kind::V1(BTreeSet::new()) {
            return None;
        }
        Some(Self { root, place, kind })
    }
}

/// Among the mount options only these say which hierarchy it is.
fn is_label(option: &str) -> bool {
    let known = Controller::ALL
        .iter()
        .any(|controller| controller.v1_name() == option);
    known || option.starts_with("name=")
}

/// Space, tab, newline and backslash appear as a backslash and three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = match others {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = others
            .get(if code.is_some() { 3 } else { 0 }..)
            .unwrap_or_default();
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const HYBRID: &str = "\
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const OWN: &str = "\
        9:name=systemd:/system.slice/virtbusd.service\n\
        4:memory:/box\n\
        2:cpu,cpuacct:/\n\
        0::/system.slice/virtbusd.service\n";

    #[test]
    fn unified() {
        let host = Cgroups::from_texts(UNIFIED, "0::/a/b\n");
        assert_eq!(host.layout(), Layout::Unified);
        assert_eq!(host.own_group(), Some(Path::new("/sys/fs/cgroup/a/b")));
    }

    #[test]
    fn hybrid() {
        let host = Cgroups::from_texts(HYBRID, OWN);
        assert_eq!(host.layout(), Layout::Hybrid);
        let tracked: Vec<&Path> = host
            .trees_to_track()
            .map(|tree| tree.own.as_path())
            .collect();
        assert_eq!(
            tracked,
            [
                Path::new("/sys/fs/cgroup/unified/system.slice/virtbusd.service"),
                Path::new("/sys/fs/cgroup/systemd/system.slice/virtbusd.service"),
            ]
        );
        let memory: Vec<&Path> = host
            .v1_trees_of(&[Controller::Memory, Controller::Pids])
            .map(|tree| tree.own.as_path())
            .collect();
        assert_eq!(memory, [Path::new("/sys/fs/cgroup/memory/box")]);
    }

    #[test]
    fn legacy_and_none() {
        let legacy: String = HYBRID
            .lines()
            .filter(|line| !line.contains("cgroup2"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(Cgroups::from_texts(&legacy, OWN).layout(), Layout::Legacy);
        assert_eq!(Cgroups::from_texts("", OWN).layout(), Layout::None);
        assert_eq!(Cgroups::from_texts(HYBRID, "").layout(), Layout::None);
    }

    #[test]
    fn mount_of_a_part() {
        let mounts = "30 23 0:26 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let host = Cgroups::from_texts(mounts, "0::/box/daemon\n");
        assert_eq!(host.own_group(), Some(Path::new("/sys/fs/cgroup/daemon")));
        // What is outside of the part cannot be reached.
        assert_eq!(
            Cgroups::from_texts(mounts, "0::/other\n").layout(),
            Layout::None
        );
    }

    #[test]
    fn octal_escapes() {
        assert_eq!(unescape(r"/a\040b\134\1"), Path::new(r"/a b\\1"));
        assert_eq!(unescape(r"\"), Path::new(r"\"));
    }

    #[test]
    fn garbage_is_skipped() {
        for mounts in ["\n", " - ", "1 2 3 - cgroup", "1 2 3 / /x - cgroup cgroup"] {
            assert_eq!(
                Cgroups::from_texts(mounts, "::\n:\n").layout(),
                Layout::None
            );
        }
    }

    #[test]
    fn own_host_can_be_read() {
        Cgroups::detect().unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        Cgroups::group_of(pid).unwrap();
        assert!(Cgroups::group_of(1 << 23).is_err());
    }
}
