//! What a guest's process has open, compared with what was looked at for it.
//!
//! The process opens files by their paths, after they were looked at and given. Whoever may change a directory on the way can lead it
//! to another file in between, and all guests run as the same user; so does an image that names another as the one below it. What
//! it has open tells, and it tells before the guest's first instruction.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::DacError;

/// Looks at all regular files and block devices that a process has open.
pub(super) fn check(pid: i32, known: &HashSet<(u64, u64)>) -> Result<(), DacError> {
    let failed = |source: io::Error| DacError::Process { pid, source };
    let dir = PathBuf::from(format!("/proc/{pid}/fd"));
    for entry in fs::read_dir(&dir).map_err(failed)? {
        let link = entry.map_err(failed)?.path();
        // Follows the link to the open file itself, whatever has its path.
        let facts = match rustix::fs::stat(&link) {
            Ok(facts) => facts,
            // Closed meanwhile.
            Err(rustix::io::Errno::NOENT) => continue,
            Err(errno) => return Err(failed(errno.into())),
        };
        let kind = FileType::from_raw_mode(facts.st_mode);
        let is_nobodys = facts.st_nlink == 0;
        if !matches!(kind, FileType::RegularFile | FileType::BlockDevice)
            || is_nobodys
            || known.contains(&(facts.st_dev, facts.st_ino))
        {
            continue;
        }
        if facts.st_mode & 0o004 != 0 && is_for_reading(pid, &link) {
            continue;
        }
        return Err(DacError::Foreign {
            pid,
            path: fs::read_link(&link).unwrap_or(link),
        });
    }
    Ok(())
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
