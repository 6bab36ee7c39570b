//! Removing a directory with all that is in it, however deep: its content may be a hostile user's.
//!
//! Nothing here goes down: a directory within a directory is first moved up to the top, so neither the stack nor the number of
//! descriptors depends on the depth.

use std::ffi::{CStr, CString};
use std::io;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;

use super::FileError;

/// So many names are looked at before they are removed.
const AT_ONCE: usize = 1024;

/// What the kernel is asked for at once, bytes.
const BUFFER: usize = 32 << 10;

/// More entries than this are not removed in one go: somebody makes them as fast as they go.
const MOST_ENTRIES: usize = 4 << 20;

/// Removes a directory with all that is in it; symbolic links are removed and not followed. Answers whether there was one. Blocks.
///
/// # Errors
/// If something in it cannot be removed, or more comes all the time.
pub fn remove_dir(path: &Path) -> Result<bool, FileError> {
    match remove(path) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(FileError::io(
            "remove directory",
            path,
            io::Error::from(errno),
        )),
    }
}

fn remove(path: &Path) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = rustix::fs::open(path, flags, Mode::empty())?;
    let mut moved: u64 = 0;
    let mut left = MOST_ENTRIES;
    loop {
        let names = names(&top)?;
        if names.is_empty() {
            break;
        }
        for (name, is_dir) in names {
            left = left.checked_sub(1).ok_or(Errno::BUSY)?;
            if !is_dir {
                gone(rustix::fs::unlinkat(&top, &name, AtFlags::empty()))?;
                continue;
            }
            let inner = match rustix::fs::openat(&top, &name, flags, Mode::empty()) {
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                inner => inner?,
            };
            loop {
                let names = self::names(&inner)?;
                if names.is_empty() {
                    break;
                }
                for (name, is_dir) in names {
                    left = left.checked_sub(1).ok_or(Errno::BUSY)?;
                    if is_dir {
                        move_up(&inner, &name, &top, &mut moved)?;
                    } else {
                        gone(rustix::fs::unlinkat(&inner, &name, AtFlags::empty()))?;
                    }
                }
            }
            match rustix::fs::unlinkat(&top, &name, AtFlags::REMOVEDIR) {
                // Something was put into it meanwhile: the next round sees it.
                Err(Errno::NOTEMPTY) => {}
                done => gone(done)?,
            }
        }
    }
    rustix::fs::rmdir(path)
}

/// Some names in a directory, and whether each is a directory's. Takes no further descriptor: there may be none.
fn names(dir: &OwnedFd) -> Result<Vec<(CString, bool)>, Errno> {
    let mut names = Vec::new();
    rustix::fs::seek(dir, SeekFrom::Start(0))?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    while names.len() < AT_ONCE
        && let Some(entry) = entries.next()
    {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is_dir = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => {
                let facts = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
                facts.is_ok_and(|facts| {
                    FileType::from_raw_mode(facts.st_mode) == FileType::Directory
                })
            }
            _ => false,
        };
        names.push((name.to_owned(), is_dir));
    }
    Ok(names)
}

/// What is gone already needs not be removed.
fn gone(done: Result<(), Errno>) -> Result<(), Errno> {
    match done {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Moves a directory to the top, by a name that nothing has there.
fn move_up(from: &OwnedFd, name: &CStr, top: &OwnedFd, moved: &mut u64) -> Result<(), Errno> {
    loop {
        *moved += 1;
        let up = format!(".removed-{moved}");
        match rustix::fs::renameat(from, name, top, up.as_str()) {
            // Whoever filled the directory may have chosen such names, but not all of them.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR | Errno::ISDIR) => {}
            done => return gone(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_removed_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let (dir, other) = (root.path().join("dir"), root.path().join("other"));
        fs::create_dir_all(dir.join("sub/deeper")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("kept"), "").unwrap();
        symlink(&other, dir.join("sub/link")).unwrap();
        symlink(&other, dir.join("link")).unwrap();
        fs::write(dir.join("file"), "").unwrap();
        for number in 0..3000 {
            fs::write(dir.join(format!("sub/{number}")), "").unwrap();
        }
        assert!(remove_dir(&dir).unwrap());
        assert!(!remove_dir(&dir).unwrap());
        assert!(other.join("kept").exists());
        symlink(&other, &dir).unwrap();
        assert!(remove_dir(&dir).is_err(), "a link is no directory");
    }

    #[test]
    fn depth_costs_no_stack_and_no_descriptors() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("deep");
        fs::create_dir(&dir).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut at = rustix::fs::open(&dir, flags, Mode::empty()).unwrap();
        for _ in 0..20_000 {
            rustix::fs::mkdirat(&at, "d", Mode::from_raw_mode(0o700)).unwrap();
            at = rustix::fs::openat(&at, "d", flags, Mode::empty()).unwrap();
        }
        // Names that the moved ones get are the guest's to choose as well.
        fs::create_dir_all(dir.join(".removed-1/.removed-2/.removed-1")).unwrap();
        fs::write(dir.join(".removed-3"), "").unwrap();
        drop(at);
        assert!(remove_dir(&dir).unwrap());
        assert!(!dir.exists());
    }
}
