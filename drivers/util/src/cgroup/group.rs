//! One group of processes, in one or more hierarchies: its members, its settings, its end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::time::Instant;

use super::detect::Tree;
use super::{CgroupError, Controller};
use crate::process::{Pidfd, ProcessError, Signal};
use crate::readiness::{self, Interest};

/// Groups nested deeper than this are not looked into; the kernel's users nest a handful.
const MAX_DEPTH: u32 = 16;
/// How long to wait before asking a version 1 hierarchy again, which announces nothing.
const V1_PATIENCE: Duration = Duration::from_millis(5);

/// A control group. The value is a name for directories; dropping it does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    path: PathBuf,
    dirs: Vec<(PathBuf, Tree)>,
}

impl Group {
    pub(super) fn new(path: PathBuf, tree: &Tree) -> Self {
        Self {
            dirs: vec![(path.clone(), tree.clone())],
            path,
        }
    }

    pub(super) fn add_tree(&mut self, path: PathBuf, tree: &Tree) {
        self.dirs.push((path, tree.clone()));
    }

    pub(super) fn is_in(&self, tree: &Tree) -> bool {
        self.dirs.iter().any(|(_, own)| own == tree)
    }

    /// The directory in the hierarchy that keeps track of the processes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether that hierarchy is version 2.
    pub fn is_v2(&self) -> bool {
        self.dirs.first().is_some_and(|(_, tree)| tree.is_v2())
    }

    /// Whether the controller's files are there for this group.
    pub fn has_controller(&self, controller: Controller) -> bool {
        self.dir_of(controller).is_ok()
    }

    /// The directory with the controller's files, and whether it is of version 2: the files' names
    /// and contents differ.
    pub fn dir_of(&self, controller: Controller) -> Result<(&Path, bool), CgroupError> {
        for (path, tree) in &self.dirs {
            if tree.has_v1(controller) {
                return Ok((path, false));
            }
            if tree.is_v2()
                && let Some(name) = controller.v2_name()
                && let Ok(available) = fs::read_to_string(path.join("cgroup.controllers"))
                && available.split_ascii_whitespace().any(|one| one == name)
            {
                return Ok((path, true));
            }
        }
        Err(CgroupError::NoController(controller.v1_name()))
    }

    /// Reads one of the controller's files.
    pub fn read(&self, controller: Controller, file: &str) -> Result<String, CgroupError> {
        let path = self.dir_of(controller)?.0.join(file);
        fs::read_to_string(&path).map_err(|source| CgroupError::io("read", &path, source))
    }

    /// Writes one of the controller's files, in a single write as the kernel wants it.
    pub fn write(
        &self,
        controller: Controller,
        file: &str,
        value: &str,
    ) -> Result<(), CgroupError> {
        let path = self.dir_of(controller)?.0.join(file);
        write_existing(&path, value)
    }

    /// The group's `cgroup.procs` files, one per hierarchy, for [`crate::cmd::Cmd::join_cgroup`].
    pub fn procs_files(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        let open = |(path, _): &(PathBuf, Tree)| {
            let file = path.join("cgroup.procs");
            let flags = OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::open(&file, flags, Mode::empty())
                .map_err(|errno| CgroupError::io("open", &file, errno))
        };
        self.dirs.iter().map(open).collect()
    }

    /// Moves a process, with all its threads, into the group.
    pub fn add(&self, pid: i32) -> Result<(), CgroupError> {
        if pid <= 0 {
            return Err(ProcessError::BadPid(pid).into());
        }
        for (path, _) in &self.dirs {
            write_existing(&path.join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }

    /// The processes in the group and the groups below it, ascending. A group that is gone has
    /// none.
    pub fn processes(&self) -> Result<Vec<i32>, CgroupError> {
        let mut pids = Vec::new();
        collect_processes(&self.path, MAX_DEPTH, &mut pids)?;
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Sends SIGKILL to all processes, and to those that they create meanwhile where the kernel
    /// offers that (version 2, Linux 5.14). Does not wait.
    pub fn kill_all(&self) -> Result<(), CgroupError> {
        if self.is_v2() && write_existing(&self.path.join("cgroup.kill"), "1").is_ok() {
            return Ok(());
        }
        for pid in self.processes()? {
            // Listed now, so unlikely to be another process already, and the handle makes sure
            // that it does not become one between this line and the next.
            match Pidfd::open(pid).and_then(|process| process.signal(Signal::KILL)) {
                Ok(()) | Err(ProcessError::Gone(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Kills all processes, waits for their end and removes the group. A group that is gone is
    /// fine. May be dropped and called again at any time.
    ///
    /// # Errors
    ///
    /// [`CgroupError::Stuck`] if processes are still there after `timeout`.
    pub async fn destroy(&self, timeout: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + timeout;
        loop {
            self.kill_all()?;
            match self.remove() {
                Err(CgroupError::InUse { .. }) => {}
                other => return other,
            }
            if tokio::time::timeout_at(deadline, self.change())
                .await
                .is_err()
            {
                return Err(CgroupError::Stuck {
                    path: self.path.clone(),
                    count: self.processes()?.len(),
                });
            }
        }
    }

    /// Removes the group and those below it.
    ///
    /// # Errors
    ///
    /// [`CgroupError::InUse`] if there are processes.
    pub fn remove(&self) -> Result<(), CgroupError> {
        for (path, _) in &self.dirs {
            remove_tree(path)?;
            if let Some(slice) = path.parent()
                && slice.ends_with(super::SLICE)
            {
                // Refused as long as there are other groups.
                let _ = fs::remove_dir(slice);
            }
        }
        Ok(())
    }

    /// Waits until a process has left or, in version 2, the last one has.
    async fn change(&self) {
        if self.is_v2() && self.emptied().await.is_ok() {
            return;
        }
        let first = self.processes().ok().and_then(|pids| pids.first().copied());
        if let Some(process) = first.and_then(|pid| Pidfd::open(pid).ok())
            && process.has_exited().is_ok_and(|exited| !exited)
            && process.exited().await.is_ok()
        {
            return;
        }
        // No process, or one that is being buried: the kernel needs a moment, and in version 1
        // there is nothing that tells when it is over.
        tokio::time::sleep(V1_PATIENCE).await;
    }

    /// Waits for `populated 0` in `cgroup.events`, whose changes the kernel announces.
    async fn emptied(&self) -> io::Result<()> {
        let file = self.path.join("cgroup.events");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let events = rustix::fs::open(&file, flags, Mode::empty())?;
        let is_empty = || -> io::Result<bool> {
            let mut text = [0; 256];
            let count = rustix::io::pread(&events, &mut text, 0)?;
            let text = String::from_utf8_lossy(text.get(..count).unwrap_or_default()).into_owned();
            Ok(text.lines().any(|line| line == "populated 0"))
        };
        if is_empty()? {
            // Then it was not this that kept the group from being removed.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        readiness::wait_until(events.as_fd(), Interest::PRIORITY, is_empty).await
    }
}

/// Not `fs::write`, which would make a regular file where a hierarchy lacks the kernel's one.
fn write_existing(path: &Path, value: &str) -> Result<(), CgroupError> {
    let failed = |source: io::Error| CgroupError::io("write", path, source);
    let mut file = fs::File::options().write(true).open(path).map_err(failed)?;
    io::Write::write_all(&mut file, value.as_bytes()).map_err(failed)
}

fn collect_processes(path: &Path, depth: u32, pids: &mut Vec<i32>) -> Result<(), CgroupError> {
    let procs = path.join("cgroup.procs");
    match fs::read_to_string(&procs) {
        Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
        Err(source) if is_gone(&source) => return Ok(()),
        // Threaded groups list their processes in the group above only.
        Err(source) if source.kind() == io::ErrorKind::Unsupported => {}
        Err(source) => return Err(CgroupError::io("read", &procs, source)),
    }
    if depth == 0 {
        return Ok(());
    }
    for below in subgroups(path)? {
        collect_processes(&below, depth - 1, pids)?;
    }
    Ok(())
}

fn subgroups(path: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let failed = |source| CgroupError::io("list", path, source);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(source) if is_gone(&source) => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut below = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below.push(entry.path());
        }
    }
    Ok(below)
}

/// Removes a group and what is below it. One that is not there is fine.
pub(super) fn remove_tree(path: &Path) -> Result<(), CgroupError> {
    remove_below(path, MAX_DEPTH)
}

fn remove_below(path: &Path, depth: u32) -> Result<(), CgroupError> {
    if depth > 0 {
        for below in subgroups(path)? {
            remove_below(&below, depth - 1)?;
        }
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(()),
        Err(source) if is_gone(&source) => Ok(()),
        Err(source) if source.kind() == io::ErrorKind::ResourceBusy => Err(CgroupError::InUse {
            path: path.to_owned(),
        }),
        Err(source) => Err(CgroupError::io("remove group", path, source)),
    }
}

/// ENODEV is what an open file of a removed group answers.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

#[cfg(test)]
mod tests {
    use virtbus_skip::or_skip;

    use super::*;
    use crate::cgroup::{Cgroups, Placement};
    use crate::cmd::{Cmd, Stdio};
    use crate::test_utils::root;

    const LONG: Duration = Duration::from_secs(60);

    /// Makes a group on the real host, or tells why there is none: a reason to skip the test.
    fn real_group(
        test: &str,
        controllers: &[Controller],
    ) -> Result<(Cgroups, String, Group), String> {
        root()?;
        let host = Cgroups::detect().unwrap();
        let name = format!("unit-test-{}-{test}", std::process::id());
        match host.create(&name, controllers).unwrap() {
            Placement::Made(group) => Ok((host, name, group)),
            Placement::Nowhere { reason } => Err(reason),
        }
    }

    #[tokio::test]
    async fn root_group_lives_and_ends() {
        let (host, name, group) = or_skip!(real_group("root_group_lives_and_ends", &[]));
        assert!(group.processes().unwrap().is_empty());
        let mut cmd = Cmd::new("/bin/sh");
        cmd.args(["-c", "sleep 1000 & echo; wait"])
            .stdin(Stdio::Piped)
            .stdout(Stdio::Piped);
        for procs in group.procs_files().unwrap() {
            cmd.join_cgroup(procs);
        }
        let mut child = cmd.spawn().unwrap();
        let mut from = fs::File::from(child.take_stdout().unwrap());
        io::Read::read_exact(&mut from, &mut [0]).unwrap();

        let pids = group.processes().unwrap();
        assert!(pids.contains(&child.pid()), "{pids:?}");
        assert_eq!(pids.len(), 2);
        let seen = Cgroups::group_of(child.pid()).unwrap().unwrap();
        assert_eq!(seen.path(), group.path());
        assert_eq!(host.find(&name).unwrap().unwrap().path(), group.path());
        assert!(matches!(group.remove(), Err(CgroupError::InUse { .. })));
        assert!(matches!(
            host.create(&name, &[]),
            Err(CgroupError::InUse { .. })
        ));

        let (destroyed, status) = tokio::join!(group.destroy(LONG), child.wait());
        destroyed.unwrap();
        assert_eq!(status.unwrap().to_string(), "signal 9 (SIGKILL)");
        assert!(!group.path().exists());
        assert!(group.processes().unwrap().is_empty());
        group.destroy(LONG).await.unwrap();
        assert!(host.find(&name).unwrap().is_none());
    }

    #[tokio::test]
    async fn root_running_process_is_moved() {
        let (_, _, group) = or_skip!(real_group("root_running_process_is_moved", &[]));
        let mut child = Cmd::new("/bin/cat").stdin(Stdio::Piped).spawn().unwrap();
        group.add(child.pid()).unwrap();
        assert_eq!(group.processes().unwrap(), [child.pid()]);
        drop(child.take_stdin());
        child.wait().await.unwrap();
        group.destroy(LONG).await.unwrap();
    }

    #[tokio::test]
    async fn root_controllers_can_be_set() {
        let wanted = [Controller::Cpu, Controller::Memory, Controller::CpuSet];
        let test = "root_controllers_can_be_set";
        let (_, _, group) = or_skip!(real_group(test, &wanted));
        let cpu = group.dir_of(Controller::Cpu);
        let is_second = cpu.as_ref().map(|(_, is_second)| *is_second);
        let lacking = is_second.map_err(ToString::to_string);
        for (file, value, second) in [("cpu.weight", "200", true), ("cpu.shares", "512", false)] {
            if lacking == Ok(second) {
                group.write(Controller::Cpu, file, value).unwrap();
                let text = group.read(Controller::Cpu, file).unwrap();
                assert_eq!(text, format!("{value}\n"));
            }
        }
        // Also where cpuset of version 1 has to be filled first.
        let mut child = Cmd::new("/bin/cat").stdin(Stdio::Piped).spawn().unwrap();
        group.add(child.pid()).unwrap();
        let (destroyed, status) = tokio::join!(group.destroy(LONG), child.wait());
        destroyed.unwrap();
        status.unwrap();
        for (path, _) in &group.dirs {
            assert!(!path.exists());
        }
        or_skip!(lacking);
    }
}
