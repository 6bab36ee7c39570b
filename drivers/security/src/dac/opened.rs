//! What a guest's process has open, compared with what was looked at for it.
//!
//! The process opens files by their paths, after they were looked at and given. Whoever may change a directory on the way can lead it
//! to another file in between, and all guests run as the same user; so does an image that names another as the one below it. What
//! it has open tells, and it tells before the guest's first instruction.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use virtbus_util::file;

use super::DacError;

/// What a process may do with a file that it has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum May {
    /// Read it.
    Read,
    /// Read and write it.
    Write,
}

/// Files by device and inode.
pub(super) type Known = HashMap<(u64, u64), May>;

/// Looks at all regular files and block devices that a process has open.
pub(super) fn check(pid: i32, known: &Known) -> Result<(), DacError> {
    let failed = |source: io::Error| DacError::Process { pid, source };
    let mut nameless = HashMap::new();
    for link in descriptors(pid).map_err(failed)? {
        let Some(facts) = look(&link).map_err(failed)? else {
            continue;
        };
        let id = (facts.st_dev, facts.st_ino);
        match known.get(&id) {
            Some(May::Write) => continue,
            // An image's header may name such a file for writing.
            Some(May::Read) if is_for_reading(pid, &link) => continue,
            Some(May::Read) => return Err(foreign(pid, &link)),
            None => {}
        }
        if facts.st_nlink == 0 {
            nameless.insert(id, link);
            continue;
        }
        if is_for_reading(pid, &link) && is_everybodys(&link, id) {
            continue;
        }
        return Err(foreign(pid, &link));
    }
    match of_another(pid, &nameless) {
        Some(link) => Err(foreign(pid, link)),
        None => Ok(()),
    }
}

/// A file without a name is the process's own memory, unless another process has it: by that one's `/proc/PID/fd` a path leads there
/// too, and all guests may go it.
fn of_another(pid: i32, nameless: &HashMap<(u64, u64), PathBuf>) -> Option<&PathBuf> {
    if nameless.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?;
    let others = processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|other| *other != pid);
    // Processes come and go; one that cannot be looked at has ended. By its link a file is told that certainly has a name, and nobody has
    // to be asked: it may be on a server that is gone.
    let may_be_nameless = |link: &PathBuf| {
        let path = fs::read_link(link);
        path.is_ok_and(|path| path.as_os_str().as_bytes().ends_with(b" (deleted)"))
    };
    others
        .filter_map(|other| descriptors(other).ok())
        .flatten()
        .filter(may_be_nameless)
        .filter_map(|link| look(&link).ok().flatten())
        .find_map(|facts| nameless.get(&(facts.st_dev, facts.st_ino)))
}

fn descriptors(pid: i32) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(format!("/proc/{pid}/fd"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect()
}

/// What the open file itself is, whatever has its path; nothing if it is neither a regular file nor a block device, or was closed.
fn look(link: &Path) -> io::Result<Option<Stat>> {
    match rustix::fs::stat(link) {
        Ok(facts) => {
            let kind = FileType::from_raw_mode(facts.st_mode);
            let is_looked_at = matches!(kind, FileType::RegularFile | FileType::BlockDevice);
            Ok(is_looked_at.then_some(facts))
        }
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether everybody can reach an open file by its path, and read it: a file that everybody may read may be in a directory that only guests
/// are let into.
fn is_everybodys(link: &Path, id: (u64, u64)) -> bool {
    let path = fs::read_link(link);
    let found = path.ok().and_then(|path| file::walk(&path).ok());
    found.is_some_and(|found| {
        (found.facts.st_dev, found.facts.st_ino) == id && found.is_everybodys()
    })
}

fn foreign(pid: i32, link: &Path) -> DacError {
    DacError::Foreign {
        pid,
        path: fs::read_link(link).unwrap_or_else(|_| link.to_owned()),
    }
}

/// Whether a descriptor is open for reading only, as `/proc` shows it.
fn is_for_reading(pid: i32, link: &Path) -> bool {
    const ACCESS: u32 = 0o3;
    let Some(number) = link.file_name() else {
        return false;
    };
    let path = PathBuf::from(format!("/proc/{pid}/fdinfo")).join(number);
    fs::read_to_string(path).is_ok_and(|text| {
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        flags
            .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
            .is_some_and(|flags| flags & ACCESS == 0)
    })
}
