//! Replacing, creating, renaming and removing files so that the result is on the disk when the
//! function returns.

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::FileError;

/// How a temporary file's name ends; see [`super::sweep_temporary`].
pub(super) const TEMPORARY_SUFFIX: &str = ".new";

/// Replaces or creates the file at `path`, with exactly these permission bits (the umask does not
/// count). If `path` is a symbolic link, the link is replaced and not what it leads to.
///
/// # Errors
///
/// [`FileError::Io`]; then `path` is as it was, and nothing is left beside it. Only if the disk
/// fails at the very last step may the new file be there already.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    place(path, bytes, mode, Durability::Disk, take_over)
}

/// As [`write_atomic`], but for what is of no use after a reboot: it survives the end of every
/// process, and waits for no disk. After a power failure the file may be empty.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    place(path, bytes, mode, Durability::Kernel, take_over)
}

/// As [`write_atomic`], but only if there is nothing at `path`.
///
/// # Errors
///
/// [`FileError::Io`] with [`io::ErrorKind::AlreadyExists`] if there is, also if that came to be
/// during the call.
pub fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    place(
        path,
        bytes,
        mode,
        Durability::Disk,
        |dir, temporary, name| {
            rustix::fs::linkat(dir, temporary, dir, name, AtFlags::empty())?;
            rustix::fs::unlinkat(dir, temporary, AtFlags::empty())?;
            Ok(())
        },
    )
}

/// Removes a file or symbolic link. Answers whether there was one.
pub fn remove(path: &Path) -> Result<bool, FileError> {
    let failed = |source: io::Error| FileError::io("remove", path, source);
    let (dir, name) = match open_parent(path) {
        Ok(opened) => opened,
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error),
    };
    match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
        Ok(()) => {}
        Err(rustix::io::Errno::NOENT) => return Ok(false),
        Err(errno) => return Err(failed(errno.into())),
    }
    sync(&dir).map_err(failed)?;
    Ok(true)
}

/// Moves a file to another name in the same file system, replacing what has that name.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    std::fs::rename(from, to).map_err(|source| FileError::io("rename", from, source))?;
    for path in [to, from] {
        let (dir, _) = open_parent(path)?;
        sync(&dir).map_err(|source| FileError::io("rename", from, source))?;
    }
    Ok(())
}

/// Moves a file to another name in the same directory, which nothing may have.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if something has that name.
pub fn rename_new(from: &Path, to: &Path) -> Result<(), FileError> {
    let failed = |source| FileError::io("rename", from, source);
    let (dir, _) = open_parent(to)?;
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    let here = rustix::fs::CWD;
    match rustix::fs::renameat_with(here, from, here, to, flags) {
        // A file system that cannot: a second name, which is refused if there is one, and then the first one goes.
        Err(rustix::io::Errno::INVAL) => {
            std::fs::hard_link(from, to).map_err(failed)?;
            std::fs::remove_file(from).map_err(failed)?;
        }
        done => done.map_err(|errno| failed(errno.into()))?,
    }
    sync(&dir).map_err(failed)
}

/// Where a file has to be before the writing of it is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// On the disk.
    Disk,
    /// With the kernel.
    Kernel,
}

/// Gives the temporary file the name, whatever had it.
fn take_over(dir: &OwnedFd, temporary: &str, name: &OsStr) -> io::Result<()> {
    rustix::fs::renameat(dir, temporary, dir, name)?;
    Ok(())
}

/// Writes a temporary file and has `put` give it its name.
fn place(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
    put: impl FnOnce(&OwnedFd, &str, &OsStr) -> io::Result<()>,
) -> Result<(), FileError> {
    let (dir, name) = open_parent(path)?;
    let temporary = temporary_name(name);
    let written = write_temporary(&dir, &temporary, bytes, mode, durability)
        .and_then(|()| put(&dir, &temporary, name))
        .and_then(|()| match durability {
            Durability::Disk => sync(&dir),
            Durability::Kernel => Ok(()),
        });
    written.map_err(|source| {
        // The error that counts is the first one. Where the rename was the last thing to work,
        // there is nothing to remove.
        let _ = rustix::fs::unlinkat(&dir, &temporary, AtFlags::empty());
        FileError::io("write", path, source)
    })
}

fn write_temporary(
    dir: &OwnedFd,
    name: &str,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(fd);
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    file.write_all(bytes)?;
    match durability {
        Durability::Disk => file.sync_all(),
        Durability::Kernel => Ok(()),
    }
}

/// Makes names in a directory durable. Some file systems cannot, and say so with EINVAL; they
/// promise nothing in any case.
pub(super) fn sync(dir: &OwnedFd) -> io::Result<()> {
    match rustix::io::retry_on_intr(|| rustix::fs::fsync(dir)) {
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The directory that holds `path`'s last component, and that component.
pub(super) fn open_parent(path: &Path) -> Result<(OwnedFd, &OsStr), FileError> {
    let name = path
        .file_name()
        .ok_or_else(|| FileError::io("use", path, io::ErrorKind::InvalidInput))?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(parent, flags, Mode::empty())
        .map_err(|errno| FileError::io("open directory", parent, errno))?;
    Ok((dir, name))
}

/// Hidden, so that nobody takes it for a definition, and of no other process or thread. The pid
/// would not do: in a container the daemon that died may have had the same one.
pub(super) fn temporary_name(name: &OsStr) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Names may take 255 bytes, and need not be text; this part only helps people who look.
    let hint: String = name.to_string_lossy().chars().take(32).collect();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(".{hint}{}{number}{TEMPORARY_SUFFIX}", own_mark())
}

/// The part of a temporary file's name that all of this process have.
pub(super) fn own_mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| {
        // The standard library seeds this from the kernel's random numbers.
        let random = RandomState::new().build_hasher().finish();
        format!(".{random:016x}.")
    })
}

#[cfg(test)]
mod tests {
    use virtbus_skip::or_skip;

    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::test_utils::{TinyDisk, root};

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn write_creates_and_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.xml");
        for (bytes, mode) in [(&b"one"[..], 0o600), (b"", 0o666), (b"three", 0o640)] {
            write_atomic(&path, bytes, mode).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            let permissions = std::fs::metadata(&path).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o7777, mode);
        }
        assert_eq!(names(dir.path()), ["web.xml"]);
    }

    #[test]
    fn write_replaces_a_link_and_spares_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_atomic(&link, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
        assert!(link.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn failures_leave_nothing_and_name_the_path() {
        let dir = tempfile::tempdir().unwrap();
        // A directory in the way fails at the rename, after everything else worked.
        let path = dir.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        let error = write_atomic(&path, b"x", 0o600).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot write '{}'", path.display())
        );
        assert_eq!(names(dir.path()), ["taken"]);
        let error = write_atomic(&dir.path().join("none/x"), b"x", 0o600).unwrap_err();
        assert!(error.is_not_found());
        assert!(write_atomic(Path::new("/"), b"x", 0o600).is_err());
        assert!(write_atomic(Path::new("a/.."), b"x", 0o600).is_err());
    }

    #[test]
    fn long_and_odd_names_work() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["n".repeat(255), "ä".repeat(127), "a b\n".to_owned()] {
            write_atomic(&dir.path().join(&name), b"x", 0o600).unwrap();
        }
        assert_eq!(names(dir.path()).len(), 3);
    }

    #[test]
    fn create_new_refuses_to_replace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.xml");
        create_new(&path, b"first", 0o600).unwrap();
        let error = create_new(&path, b"second", 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(names(dir.path()), ["web.xml"]);
    }

    #[test]
    fn remove_tells_whether_there_was_something() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.xml");
        assert!(!remove(&path).unwrap());
        assert!(!remove(&dir.path().join("none/x")).unwrap());
        std::fs::write(&path, "x").unwrap();
        assert!(remove(&path).unwrap());
        assert!(!path.exists());
        assert!(remove(dir.path()).is_err());
    }

    #[test]
    fn rename_moves() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, "x").unwrap();
        rename(&from, &to).unwrap();
        assert_eq!(names(dir.path()), ["to"]);
        assert!(rename(&from, &to).unwrap_err().is_not_found());
    }

    #[test]
    fn root_full_disk_keeps_the_old_file() {
        or_skip!(root());
        let dir = tempfile::tempdir().unwrap();
        let _mount = or_skip!(TinyDisk::mount(dir.path(), 64));
        let path = dir.path().join("web.xml");
        write_atomic(&path, b"old", 0o600).unwrap();
        let error = write_atomic(&path, &vec![0; 1 << 20], 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["web.xml"]);
    }
}
